"""Where a model applies: the dissimilarity of a pixel to the training data, and how much of it the folds have tested.

Receives feature rows; hands on their index. `applicability_fit` makes an `Applicability`, which lives in the model folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.errors import ModelError
from landweave.models.applicability_kernels import build_leaves, nearest_distance

__all__ = ["Applicability"]


@dataclass(frozen=True)
class Applicability:
    """The training data as the dissimilarity index sees it.

    Attributes:
        mean: Mean of each feature in training, as the estimator sees it.
        factor: Weight over standard deviation of each feature; 0 leaves a feature out.
        rows: Training rows or prototypes (row, feature with weight), scaled and weighted.
        used: Columns of the features that have a weight.
        mean_distance: Mean distance between training rows, the unit of the index.
        threshold: Index beyond which a pixel is outside the area of applicability.
        error: The index of a pixel may be too high by this much, as prototypes stand for the rows (0 where all are there).
        n_training: Training rows.
    """

    mean: NDArray[np.float32]
    factor: NDArray[np.float32]
    rows: NDArray[np.float32]
    used: NDArray[np.int64]
    mean_distance: float
    threshold: float
    error: float
    n_training: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "_leaves", build_leaves(self.rows))

    def dissimilarity(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give the dissimilarity index of feature rows (row, feature) as the estimator sees them; NaN counts as the mean.

        Distance to the nearest training row over the mean distance between training rows (Meyer and Pebesma 2021, eq. 1-3).
        """
        out = np.empty(len(features), dtype=np.float32)
        own = np.ascontiguousarray(features[:, self.used], dtype=np.float32)
        leaves, lower, upper = self._leaves  # type: ignore[attr-defined]
        nearest_distance(own, self.mean[self.used], self.factor[self.used], leaves, lower, upper, out)
        return out / np.float32(self.mean_distance)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Give what is stored."""
        numbers = np.array([self.mean_distance, self.threshold, self.error, self.n_training], dtype=np.float64)
        return {"mean": self.mean, "factor": self.factor, "rows": self.rows, "used": self.used, "numbers": numbers}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Applicability:
        """Build it from what was stored.

        Raises:
            ModelError: If an array is missing.
        """
        try:
            distance, threshold, error, n = (float(v) for v in arrays["numbers"])
            return cls(arrays["mean"], arrays["factor"], arrays["rows"], arrays["used"], distance, threshold, error, int(n))
        except (KeyError, ValueError) as err:
            raise ModelError(f"applicability.npz does not hold what it should ({err}); train the model again") from err
