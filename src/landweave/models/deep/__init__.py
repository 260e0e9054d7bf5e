"""Networks: the one trainer, losses, series and image networks, and their export to ONNX; all of it needs the extra `deep`.

Receives arrays and batches; hands on ONNX files, which `models.onnx_engine` and `models.chip_model` run without torch.
Import the modules of this package only through `load_deep`, or inside functions that have called `need_torch`.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from landweave.errors import MissingExtraError

__all__ = ["load_deep", "need_torch"]


def need_torch(what: str) -> None:
    """Check that torch is installed.

    Args:
        what: What needs it, for the message ("training ltae").

    Raises:
        MissingExtraError: If it is not; the message names the extra.
    """
    try:
        import torch  # noqa: F401
    except ImportError as err:
        raise MissingExtraError(f"{what} needs the 'deep' extra: pip install \"landweave[deep]\"") from err


def load_deep(module: str, what: str) -> ModuleType:
    """Import a module of this package ("estimator"), after checking that torch is there.

    Raises:
        MissingExtraError: If torch is not installed.
    """
    need_torch(what)
    return import_module(f"landweave.models.deep.{module}")
