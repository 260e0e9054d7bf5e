"""A per-pixel model as the mapping engine sees it: features of a block in, class probabilities of its interior out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landweave.errors import ModelError
from landweave.models.applicability import Applicability
from landweave.models.calibration import Calibration
from landweave.models.conformal import Conformal
from landweave.models.engines import Engine
from landweave.models.inputs import gather_features, prepare_features
from landweave.models.sets import SetRule, Shift
from landweave.types import Block, ModelCard

__all__ = ["PixelModel", "round_proba"]

CHUNK = 16384
"""Pixels prepared together; bounds the memory beside the block. The results do not depend on it."""


def round_proba(proba: NDArray[np.float64]) -> NDArray[np.float32]:
    """Round probabilities to float32 without changing which class is the first maximum.

    Two classes may differ by less than float32 can tell; the better one is then raised by one unit in the last place.
    """
    best = proba.argmax(axis=1)
    rounded = proba.astype(np.float32)
    moved = np.flatnonzero(rounded.argmax(axis=1) != best)
    rounded[moved, best[moved]] = np.nextafter(rounded[moved].max(axis=1), np.float32(2))
    return rounded


@dataclass(frozen=True)
class PixelModel:
    """A trained model that looks at one pixel at a time; a `types.Predictor` of context 0.

    Attributes:
        card: What the model is and needs.
        engine: Its arrays.
        columns: class_index of each column of the engine (a class without training rows has none).
        calibration: What the engine's probabilities go through, if anything.
        conformal: Held-out scores, for sets of classes and for "unsure".
        applicability: The training data, for the dissimilarity of pixels.
    """

    card: ModelCard
    engine: Engine
    columns: tuple[int, ...]
    calibration: Calibration | None = None
    conformal: Conformal | None = None
    applicability: Applicability | None = None

    def predict_features(self, flat: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give probabilities (row, class) of feature rows (row, feature) in the card's order, NaN where not usable.

        Raises:
            ModelError: If the rows have another number of features.
        """
        proba = np.full((len(flat), len(self.card.classes)), np.nan, dtype=np.float32)
        for at, features in self._usable(flat):
            rows = np.zeros((len(at), proba.shape[1]), dtype=np.float32)
            rows[:, self.columns] = round_proba(self.engine.predict_proba(features))
            proba[at] = rows if self.calibration is None else self.calibration.apply(rows)
        return proba

    def predict_features_index(self, flat: NDArray[np.float32]) -> NDArray[np.int16]:
        """Give the class_index of feature rows (row, feature), -1 where not usable.

        Raises:
            ModelError: If the rows have another number of features.
        """
        if self.calibration is not None:  # which may put another class first
            proba = self.predict_features(flat)
            known = ~np.isnan(proba[:, 0])
            return np.where(known, np.where(known[:, None], proba, 0).argmax(axis=1), -1).astype(np.int16)
        index = np.full(len(flat), -1, dtype=np.int16)
        columns = np.array(self.columns, dtype=np.int16)
        for at, features in self._usable(flat):
            index[at] = columns[self.engine.predict_column(features)]
        return index

    def predict_proba(self, blocks: Mapping[str, Block]) -> NDArray[np.float32]:
        """Give class probabilities (class, y, x) for the interior of a block, in legend order; see `types.Predictor`.

        Raises:
            ModelError: If a block is missing, or has other bands or steps than the model was trained on.
        """
        flat, shape = gather_features(blocks, self.card.inputs)
        return np.ascontiguousarray(self.predict_features(flat).T).reshape(-1, *shape)

    def predict_index(self, blocks: Mapping[str, Block]) -> NDArray[np.int16]:
        """Give the class_index (y, x) of the most probable class, -1 where there is too little to go by.

        The same class as the first maximum of the engine's probabilities, found faster where the engine can.

        Raises:
            ModelError: If a block is missing, or has other bands or steps than the model was trained on.
        """
        flat, shape = gather_features(blocks, self.card.inputs)
        return self.predict_features_index(flat).reshape(shape)

    def predict_sets(self, flat: NDArray[np.float32], error_rate: float) -> NDArray[np.bool_]:
        """Give the conformal set of classes of feature rows as booleans (row, class); the empty set where not usable.

        Raises:
            ModelError: If the model was trained without `conformal`, or the rate is not between 0 and 1.
        """
        return self._need_conformal().predict_sets(self.predict_features(flat), error_rate)

    def set_rule(self, error_rate: float, *, map_features: NDArray[np.float32] | None = None) -> SetRule:
        """Give what tells the conformal set of any pixel; see `Conformal.make_rule`.

        Args:
            error_rate: Share of truths that the sets may miss.
            map_features: Feature rows of pixels of the map, for sets weighted by how alike held-out rows are to them.

        Raises:
            ModelError: If the model was trained without `conformal`, the rate is not between 0 and 1, or no row is usable.
        """
        if map_features is None:
            return self._need_conformal().make_rule(error_rate)
        usable = [features for _, features in self._usable(map_features)]
        if not usable:
            raise ModelError(f"none of the {len(map_features)} pixels looked at is usable, so that weighted sets have nothing "
                             "to compare the held-out rows with; map without conformal_shift")  # fmt: skip
        return self._need_conformal().make_rule(error_rate, map_features=np.concatenate(usable))

    def predict_shift(self, blocks: Mapping[str, Block], shift: Shift) -> NDArray[np.float64]:
        """Give the weight of each pixel (y, x) of a block's interior for weighted sets; NaN where not usable.

        Raises:
            ModelError: If a block is missing, or has other bands or steps than the model was trained on.
        """
        flat, shape = gather_features(blocks, self.card.inputs)
        weight = np.full(len(flat), np.nan)
        for at, features in self._usable(flat):
            weight[at] = shift.weigh(features)
        return weight.reshape(shape)

    def unsure_below(self, error_rate: float) -> float:
        """Give the probability of the best class below which a pixel is left unsure, for a share of wrong pixels.

        Raises:
            ModelError: If the model was trained without `conformal`, or the rate is out of reach.
        """
        return self._need_conformal().unsure_below(error_rate)

    def predict_dissimilarity(self, blocks: Mapping[str, Block]) -> NDArray[np.float32]:
        """Give the dissimilarity index over its threshold (y, x): above 1 is outside the area of applicability; NaN is nodata.

        Raises:
            ModelError: If the model was trained without `applicability`, or a block does not fit it.
        """
        if self.applicability is None:
            raise ModelError(f"model {self.card.model} was trained without its area of applicability; train it with "
                             "model.applicability: true")  # fmt: skip
        flat, shape = gather_features(blocks, self.card.inputs)
        ratio = np.full(len(flat), np.nan, dtype=np.float32)
        for at, features in self._usable(flat):
            ratio[at] = self.applicability.dissimilarity(features) / np.float32(self.applicability.threshold)
        return ratio.reshape(shape)

    def _need_conformal(self) -> Conformal:
        if self.conformal is None:
            raise ModelError(f"model {self.card.model} has no held-out scores; set model.conformal: true and train it again")
        return self.conformal

    def _usable(self, flat: NDArray[np.float32]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        card = self.card
        if flat.shape[1] != len(card.features):
            raise ModelError(f"feature rows have {flat.shape[1]} columns, the model was trained on {len(card.features)} "
                             f"({', '.join(card.features[:4])}, ...); give the same bands and steps")  # fmt: skip
        for start in range(0, len(flat), CHUNK):
            rows = flat[start : start + CHUNK]
            features, usable = prepare_features(
                rows, card.inputs, missing=card.missing, min_valid_steps=card.min_valid_steps
            )  # fmt: skip
            at = np.flatnonzero(usable)
            if at.size:
                yield start + at, features if at.size == len(features) else np.ascontiguousarray(features[at])
