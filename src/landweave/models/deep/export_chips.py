"""An image network as an ONNX file: named inputs, softmax and normalisation inside, batch and (where it can) size dynamic."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from landweave.errors import ModelError
from landweave.models.chip_contract import SIZES
from landweave.models.deep.export import OPSET, TOLERANCE
from landweave.models.deep.image_parts import ImageNetwork

__all__ = ["check_chip_parity", "describe_sizes", "example_inputs", "export_chips"]


class _Named(nn.Module):
    """Takes tensors in order, gives probabilities: what the exporter can trace."""

    def __init__(self, network: nn.Module, names: tuple[str, ...]) -> None:
        super().__init__()
        self.network, self.names = network, names

    def forward(self, *tensors: Tensor) -> Tensor:
        proba: Tensor = self.network(dict(zip(self.names, tensors, strict=True))).softmax(dim=1)
        return proba


def describe_sizes(network: ImageNetwork, chip_size_px: int) -> str:
    """Say which sides of chips the exported network takes, as the file's note does."""
    return f"dynamic, multiple of {network.stride}" if network.dynamic_size else str(chip_size_px)


def example_inputs(network: ImageNetwork, n: int, side_px: int, *, seed: int = 0) -> dict[str, Tensor]:
    """Make inputs of a network with random values and gaps, of `n` chips of `side_px` pixels of the finest grid."""
    made = {}
    rng = torch.Generator().manual_seed(seed)
    for spec, ratio in zip(network.inputs, network.ratios, strict=True):
        time = () if spec.n_steps is None else (spec.n_steps,)
        side = side_px // ratio
        made[spec.name] = torch.rand((n, *time, len(spec.bands), side, side), generator=rng)
        made[f"{spec.name}_valid"] = (torch.rand((n, *time, side, side), generator=rng) > 0.2).float()
    return made


def export_chips(network: ImageNetwork, chip_size_px: int) -> bytes:
    """Export a network of chips as `models.chip_model` takes it.

    Raises:
        ModelError: If torch cannot export the network.
    """
    import onnx

    example = example_inputs(network, 2, chip_size_px)
    axes: dict[str, dict[int, str]] = {"proba": {0: "batch"}}
    for spec in network.inputs:
        for name in (spec.name, f"{spec.name}_valid"):
            n = example[name].ndim
            size = {n - 2: f"y_{spec.name}", n - 1: f"x_{spec.name}"} if network.dynamic_size else {}
            axes[name] = {0: "batch", **size}
    if network.dynamic_size:
        axes["proba"] |= {2: "y", 3: "x"}
    wrapped = _Named(network, tuple(example)).eval()
    buffer: Any = io.BytesIO()  # torch takes it, its annotation does not say so
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the tracing exporter is deprecated; see `export.export_rows` for why it is used
        try:
            torch.onnx.export(wrapped, tuple(example.values()), buffer, input_names=list(example), output_names=["proba"],
                              opset_version=OPSET, dynamic_axes=axes, dynamo=False)  # fmt: skip
        except (torch.onnx.errors.OnnxExporterError, RuntimeError) as err:
            raise ModelError(f"{type(network).__name__} cannot be exported to ONNX: {err}") from err
    model = onnx.load_from_string(buffer.getvalue())
    onnx.helper.set_model_props(model, {SIZES: describe_sizes(network, chip_size_px)})
    return bytes(model.SerializeToString())


def check_chip_parity(network: ImageNetwork, content: bytes, inputs: Mapping[str, Tensor]) -> float:
    """Compare torch and ONNX Runtime on a batch; gives the largest difference of a probability.

    Raises:
        ModelError: If it is above `export.TOLERANCE`.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    found = session.run(["proba"], {name: x.numpy() for name, x in inputs.items()})[0]
    with torch.inference_mode():
        wanted = network.eval()(dict(inputs)).softmax(dim=1).numpy()
    worst = float(np.abs(found - wanted).max(initial=0.0))
    if not worst <= TOLERANCE:
        raise ModelError(f"exported network differs from torch by {worst:.2g} in a probability, at most {TOLERANCE:g} is "
                         "right; report it with the model's parameters")  # fmt: skip
    return worst
