"""One model per fold behind one face: every sample is answered by a model that has not seen it.

Receives samples and the folds of one repeat; hands on what `assess_robustness` asks, so that a job without held-out samples can
be tested without testing a model on its own training rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from landweave.errors import AssessmentError
from landweave.models import ModelOptions, PixelModel, train_model
from landweave.types import Fold, ModelCard, Progress, SampleTable, track

__all__ = ["HeldOutModels", "train_held_out"]


class HeldOutModels:
    """Models of the folds of one split.

    Attributes:
        rows: Positions in the table of the samples that some fold tests, in order; the samples that are answered.
    """

    def __init__(self, models: Sequence[PixelModel], folds: Sequence[Fold]) -> None:
        self._models = tuple(models)
        self.rows: NDArray[np.int64] = np.unique(np.concatenate([f.test for f in folds]))
        self._at = tuple(np.searchsorted(self.rows, f.test) for f in folds)

    @property
    def card(self) -> ModelCard:
        """The card of the first fold's model; inputs, features and legend are those of all."""
        return self._models[0].card

    def predict_features(self, flat: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give probabilities (row, class) of the features of exactly `rows`, each by the model that has not seen it.

        Raises:
            AssessmentError: If there are more or fewer rows.
        """
        if len(flat) != len(self.rows):
            raise AssessmentError(f"{len(flat)} feature rows, but the folds test {len(self.rows)} samples; give the features "
                                  "of samples.select(models.rows)")  # fmt: skip
        proba = np.full((len(flat), len(self.card.classes)), np.nan, dtype=np.float32)
        for model, at in zip(self._models, self._at, strict=True):
            proba[at] = model.predict_features(flat[at])
        return proba


def train_held_out(
    samples: SampleTable, folds: Sequence[Fold], *, options: ModelOptions, progress: Progress | None = None
) -> HeldOutModels:
    """Train a model on the training rows of every fold.

    Args:
        samples: Samples with features.
        folds: The folds of one repeat, each sample tested at most once.
        options: Family and hyper-parameters.
        progress: Told about folds.

    Raises:
        ModelError: If a model cannot be trained.
    """
    trained = track(folds, "models", len(folds), progress, unit="folds")
    return HeldOutModels([train_model(samples.select(fold.train), options=options) for fold in trained], folds)
