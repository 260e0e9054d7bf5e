"""Networks for series: one family per encoder, and `fusion` for several inputs. torch is imported when one is trained."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from landweave.models.deep import load_deep
from landweave.models.deep.encoders import ENCODERS
from landweave.models.deep.series_options import list_params
from landweave.models.engines import Engine
from landweave.models.registry import ClassWeight, FitContext, ModelFamily, register_model
from landweave.types import ModelInput

FUSION = "fusion"


def make_for(context: FitContext, *, encoder: str | None) -> Any:
    """Make the unfitted network for the inputs at hand.

    Raises:
        MissingExtraError: If torch is not installed.
        ModelError: If a parameter is out of range.
    """
    return load_deep("estimator", f"training {encoder or FUSION}").make_classifier(context, encoder)


def make(params: Mapping[str, Any], n_features: int, seed: int, class_weight: ClassWeight, *, encoder: str | None) -> Any:
    """Make it for rows of which nothing is known: a series of one band."""
    series = ModelInput(bands=("value",), kinds=("other",), n_steps=n_features)
    return make_for(FitContext(params, (series,), "fill", seed, class_weight, 0), encoder=encoder)


def export(estimator: Any) -> Engine:
    """Export to ONNX."""
    from landweave.models.onnx_engine import OnnxEngine

    return OnnxEngine(estimator.to_onnx(), len(estimator.classes_))


def _register(name: str, title: str, encoder: str | None, source: str) -> None:
    register_model(ModelFamily(
        name=name, title=title, make=partial(make, encoder=encoder), make_for=partial(make_for, encoder=encoder), export=export,
        defaults=list_params(encoder), weights_classes_by_row=True, fit_cost="high", predict_cost="medium", source=source,
    ))  # fmt: skip


for _name, _info in ENCODERS.items():
    _register(_name, _info.title, _name, _info.source)
_register(FUSION, "Fusion of several inputs", None, "Mena, Arenas and Dengel 2025, doi:10.1016/j.jag.2025.104823")
