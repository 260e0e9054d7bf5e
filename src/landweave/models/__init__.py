"""Models: the registry of families, training, cross-validation, prediction block by block, and the model folder.

Receives sample tables and blocks; hands on `PixelModel`, a `types.Predictor`.
"""

from __future__ import annotations

from landweave.models.checks import check_inputs, check_legend
from landweave.models.chip_model import ChipModel, make_chip_model
from landweave.models.distillation import Distillation, DistillOptions, distil_model
from landweave.models.ensemble import Ensemble, load_ensemble, make_ensemble
from landweave.models.folder import load_model, load_pixel_model, save_model
from landweave.models.index_design import IndexDesign, IndexDesignOptions, propose_indices
from landweave.models.learning import LearningCurve, learning_curve
from landweave.models.options import ModelOptions
from landweave.models.predictor import PixelModel
from landweave.models.quantisation import QuantiseOptions, quantise_model
from landweave.models.registry import ModelFamily, get_model, list_models, register_model
from landweave.models.runtimes import bind_runtime
from landweave.models.selection import ModelChoice, choose_model
from landweave.models.sessions import Runtime
from landweave.models.training import train_model
from landweave.models.uncertainty import add_uncertainty
from landweave.models.validation import CrossValidation, cross_validate

__all__ = [
    "ChipModel",
    "CrossValidation",
    "DistillOptions",
    "Distillation",
    "Ensemble",
    "IndexDesign",
    "IndexDesignOptions",
    "LearningCurve",
    "ModelChoice",
    "ModelFamily",
    "ModelOptions",
    "PixelModel",
    "QuantiseOptions",
    "Runtime",
    "add_uncertainty",
    "bind_runtime",
    "check_inputs",
    "check_legend",
    "choose_model",
    "cross_validate",
    "distil_model",
    "get_model",
    "learning_curve",
    "list_models",
    "load_ensemble",
    "load_model",
    "load_pixel_model",
    "make_chip_model",
    "make_ensemble",
    "propose_indices",
    "quantise_model",
    "register_model",
    "save_model",
    "train_model",
]
