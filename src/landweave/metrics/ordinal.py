"""Scores of classes that have an order (damage grades, cover levels): how far off, not only how often.

Receives error matrices (..., K predicted, K reference) with the classes in their order, as `ConfusionCounter` streams them;
hands on floats.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from landweave.errors import AssessmentError
from landweave.metrics.accuracy import _divide

__all__ = ["OrdinalName", "score_ordinal"]

OrdinalName = Literal["rmse", "mae", "bias", "quadratic_kappa"]
"""Scores by name: errors in levels (or units of `levels`), and kappa with quadratic weights."""


def score_ordinal(matrix: NDArray[Any], name: OrdinalName, *, levels: NDArray[Any] | None = None) -> NDArray[np.float64]:
    """Compute one score of ordered classes.

    `quadratic_kappa` is Cohen's weighted kappa with weights (i - j)^2 (Cohen 1968, doi:10.1037/h0026256):
    1 - sum(w O) / sum(w E), with O the matrix and E the product of its margins over the total.

    Args:
        matrix: Counts or shares (..., K predicted, K reference).
        name: Which score.
        levels: What each class stands for (K,), such as a cover in per cent; its rank 0..K-1 by default.

    Returns:
        (...,); NaN for an empty matrix, and for kappa where all rows and all columns are one class.

    Raises:
        AssessmentError: If the matrix is not square, levels do not fit, or no score has that name.
    """
    matrix = np.asarray(matrix, dtype=np.float64)
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2]:
        raise AssessmentError(f"error matrix has shape {matrix.shape}; expected (..., K predicted, K reference)")
    k = matrix.shape[-1]
    at = np.arange(k, dtype=np.float64) if levels is None else np.asarray(levels, dtype=np.float64)
    if at.shape != (k,):
        raise AssessmentError(f"levels have shape {at.shape}; the matrix has {k} classes, give one level for each")
    off = at[:, None] - at[None, :]
    total = matrix.sum(axis=(-2, -1))
    match name:
        case "rmse":
            return np.sqrt(_divide((matrix * off**2).sum(axis=(-2, -1)), total))
        case "mae":
            return _divide((matrix * np.abs(off)).sum(axis=(-2, -1)), total)
        case "bias":
            return _divide((matrix * off).sum(axis=(-2, -1)), total)
        case "quadratic_kappa":
            by_chance = matrix.sum(axis=-1)[..., :, None] * matrix.sum(axis=-2)[..., None, :]
            expected = _divide((by_chance * off**2).sum(axis=(-2, -1)), total)
            return 1.0 - _divide((matrix * off**2).sum(axis=(-2, -1)), expected)
    raise AssessmentError(f"no ordinal score named {name!r}; known: rmse, mae, bias, quadratic_kappa")
