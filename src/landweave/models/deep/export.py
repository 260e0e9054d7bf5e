"""From a torch network to an ONNX file that needs no torch, and the check that both give the same."""

from __future__ import annotations

import io
import logging
import warnings
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from landweave.errors import ModelError

__all__ = ["TOLERANCE", "check_parity", "export_rows"]

log = logging.getLogger(__name__)
OPSET = 17
"""Layer normalisation is one operator from 17 on; ONNX Runtime and OpenVINO both take it."""
TOLERANCE = 1e-4
"""Largest difference of a probability between torch and ONNX Runtime: both round float32 sums in their own order."""


def export_rows(network: nn.Module, n_features: int) -> bytes:
    """Export a network of feature rows: input `features` float32 (batch, n_features), output `proba` float32 (batch, column).

    The batch is dynamic; whatever the network needs besides the rows is a constant inside. The exporter that traces is used:
    for these graphs without control flow it takes a tenth of the time of the one through `torch.export`, which counts where
    every fold of a cross-validation exports a network.

    Raises:
        ModelError: If torch cannot export the network.
    """
    network.eval()
    buffer, example = io.BytesIO(), torch.zeros(2, n_features)
    with warnings.catch_warnings(), torch.inference_mode():
        # it is deprecated in favour of the slower one, and warns of shapes that are constant here
        warnings.simplefilter("ignore")
        try:
            torch.onnx.export(
                network, (example,), cast(Any, buffer), input_names=["features"], output_names=["proba"], opset_version=OPSET,
                dynamic_axes={"features": {0: "batch"}, "proba": {0: "batch"}}, dynamo=False,
            )  # fmt: skip
        except torch.onnx.errors.OnnxExporterError as err:
            raise ModelError(f"{type(network).__name__} cannot be exported to ONNX: {err}") from err
    return buffer.getvalue()


def check_parity(network: nn.Module, content: bytes, features: NDArray[np.float32]) -> float:
    """Compare torch and ONNX Runtime on some rows; gives the largest difference of a probability.

    Raises:
        ModelError: If it is above `TOLERANCE`.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    found = session.run(["proba"], {"features": features})[0]
    with torch.inference_mode():
        wanted = network.eval()(torch.from_numpy(features)).numpy()
    worst = float(np.abs(found - wanted).max(initial=0.0))
    if not worst <= TOLERANCE:
        raise ModelError(f"exported network differs from torch by {worst:.2g} in a probability, at most {TOLERANCE:g} is "
                         "right; report it with the model's parameters")  # fmt: skip
    return worst
