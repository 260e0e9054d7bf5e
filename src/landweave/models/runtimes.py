"""Which runtime computes a model's networks; asked for when a map is made, as any machine may have another one.

Receives a model and what is asked for; hands on the same model, bound to a runtime.
"""

from __future__ import annotations

from dataclasses import replace

from landweave.errors import ModelError
from landweave.models.chip_model import ChipModel
from landweave.models.ensemble import Ensemble
from landweave.models.onnx_engine import OnnxEngine
from landweave.models.predictor import PixelModel
from landweave.models.sessions import ONNXRUNTIME, Runtime
from landweave.models.small_network import SmallNetworkEngine
from landweave.types import Augment, Predictor

__all__ = ["bind_runtime"]


def bind_runtime(model: Predictor, runtime: Runtime, *, augment: Augment | None = None) -> Predictor:
    """Give a model whose networks are computed by a runtime, with test-time augmentation if asked for.

    Args:
        model: Any model; one without a network takes nothing but the default.
        runtime: What computes its networks.
        augment: Test-time augmentation of networks on chips; None leaves what the model has.

    Raises:
        ModelError: If the model has no network, or no chips to augment.
    """
    if runtime == ONNXRUNTIME and augment is None:
        return model
    if isinstance(model, ChipModel):
        return replace(model, runtime=runtime, augment=augment or model.augment)
    if isinstance(model, Ensemble):
        return replace(model, members=tuple(bind_runtime(m, runtime, augment=augment) for m in model.members))
    if augment is not None:
        raise ModelError(f"model {model.card.model} works on single pixels, which have nothing to turn; leave augment out")
    if isinstance(model, PixelModel) and isinstance(model.engine, OnnxEngine | SmallNetworkEngine):
        engine = model.engine if isinstance(model.engine, OnnxEngine) else model.engine.as_onnx
        return replace(model, engine=replace(engine, runtime=runtime))
    raise ModelError(f"model {model.card.model} is no network, so that no runtime ({runtime.name}, {runtime.precision}, "
                     f"{runtime.device}) computes it; leave runtime, precision and device out")  # fmt: skip
