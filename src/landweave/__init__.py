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
}

if TYPE_CHECKING:
    from landweave.legend import Legend
    from landweave.types import CubeSet, SampleTable

__all__ = ["CubeSet", "Legend", "SampleTable", "__version__"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'landweave' has no attribute {name!r}; it has {', '.join(sorted(_HOMES))}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
