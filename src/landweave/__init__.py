"""Landweave: land-cover maps that can be trusted, from imagery of any sensor to a judged map.

The names below are loaded on first use, so that `import landweave` is fast and pulls in neither torch nor a web stack.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "CubeSet": "landweave.types",
    "Legend": "landweave.legend",
    "SampleTable": "landweave.types",
    "assess_map": "landweave.assess",
    "cross_validate": "landweave.models",
    "extract_samples": "landweave.samples",
    "find_scenes": "landweave.imagery",
    "import_reference": "landweave.samples",
    "load_cube": "landweave.cube",
    "load_model": "landweave.models",
    "open_cube": "landweave.cube",
    "predict_map": "landweave.maps",
    "read_recipe": "landweave.recipe",
    "run_recipe": "landweave.recipe",
    "save_model": "landweave.models",
    "simulate_landscape": "landweave.simulate",
    "train_model": "landweave.models",
    "write_cube": "landweave.cube",
    "write_report": "landweave.assess",
}

if TYPE_CHECKING:
    from landweave.assess import assess_map, write_report
    from landweave.cube import load_cube, open_cube, write_cube
    from landweave.imagery import find_scenes
    from landweave.legend import Legend
    from landweave.maps import predict_map
    from landweave.models import cross_validate, load_model, save_model, train_model
    from landweave.recipe import read_recipe, run_recipe
    from landweave.samples import extract_samples, import_reference
    from landweave.simulate import simulate_landscape
    from landweave.types import CubeSet, SampleTable

__all__ = [
    "CubeSet",
    "Legend",
    "SampleTable",
    "__version__",
    "assess_map",
    "cross_validate",
    "extract_samples",
    "find_scenes",
    "import_reference",
    "load_cube",
    "load_model",
    "open_cube",
    "predict_map",
    "read_recipe",
    "run_recipe",
    "save_model",
    "simulate_landscape",
    "train_model",
    "write_cube",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'landweave' has no attribute {name!r}; it has {', '.join(sorted(_HOMES))}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
