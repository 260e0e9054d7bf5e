"""What families that see chips share: they have no estimator of rows, and say so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from landweave.errors import ModelError
from landweave.models.registry import ChipContext, ModelFamily, register_model

__all__ = ["register_chips"]


def register_chips(
    name: str, title: str, build: Callable[[ChipContext], Any], defaults: Mapping[str, Any], source: str
) -> None:
    """Register a network that is trained on chips."""

    def refuse(*_: Any) -> Any:
        raise ModelError(f"{name} is trained on chips of cubes, and a table of rows has none; train it with a recipe that has "
                         "imagery, or with models.deep.train_chips")  # fmt: skip

    register_model(ModelFamily(
        name=name, title=title, make=refuse, export=refuse, defaults=defaults, uses="chips", build=build, fit_cost="high",
        predict_cost="high", weight_param=None, source=source,
    ))  # fmt: skip
