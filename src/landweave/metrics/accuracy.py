"""Accuracies of a classification from its error matrix, as counts or as proportions of area.

Receives matrices (..., map class, reference class), leading axes free; hands on floats, NaN where a score is undefined.
Every function works on the three marginal parts (diagonal, row sums, column sums), so that bootstraps need no whole matrix.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from landweave.errors import AssessmentError

__all__ = [
    "ScoreName",
    "kappa",
    "matrix_parts",
    "score_baseline",
    "score_matrix",
    "score_parts",
]

ScoreName = Literal["overall_accuracy", "users", "producers", "f1", "iou", "macro_f1"]
"""Scores by name; `users` (precision), `producers` (recall), `f1` and `iou` have one value per class."""


def _divide(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = np.full(np.broadcast_shapes(a.shape, b.shape), np.nan)
    np.divide(a, b, out=result, where=b > 0)
    return result


def _nan_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    known = ~np.isnan(values)
    return _divide(np.where(known, values, 0.0).sum(axis=-1), known.sum(axis=-1).astype(np.float64))


def matrix_parts(matrix: NDArray[Any]) -> NDArray[np.float64]:
    """Give the diagonal, row sums (map) and column sums (reference) of matrices (..., K, K) as an array (..., 3, K).

    Raises:
        AssessmentError: If the matrix is not square or holds a negative number.
    """
    matrix = np.asarray(matrix, dtype=np.float64)
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2]:
        raise AssessmentError(f"error matrix has shape {matrix.shape}; expected (..., K map classes, K reference classes) "
                              "with the same classes in the same order on both sides")  # fmt: skip
    if (matrix < 0).any():
        raise AssessmentError(f"error matrix holds {matrix.min():g}; counts and proportions are 0 or more")
    diagonal = np.diagonal(matrix, axis1=-2, axis2=-1)
    return np.stack([diagonal, matrix.sum(axis=-1), matrix.sum(axis=-2)], axis=-2)


def score_parts(parts: NDArray[np.float64], name: ScoreName) -> NDArray[np.float64]:
    """Compute one score from `matrix_parts` or `confusion.count_parts`.

    `users` is the diagonal over the row sum (1 - commission), `producers` over the column sum (1 - omission), F1 their
    harmonic mean 2 d / (row + column), IoU d / (row + column - d). `macro_f1` is the mean of F1 over the classes that occur
    in the reference; one that is never predicted counts with 0.

    Args:
        parts: Array (..., 3, K).
        name: Which score.

    Returns:
        (...,) for `overall_accuracy` and `macro_f1`, else (..., K); NaN where the denominator is 0.

    Raises:
        AssessmentError: If no score has that name.
    """
    d, row, col = parts[..., 0, :], parts[..., 1, :], parts[..., 2, :]
    match name:
        case "overall_accuracy":
            # over the reference: right also where the parts of some classes were left out with their samples
            return _divide(d.sum(axis=-1), col.sum(axis=-1))
        case "users":
            return _divide(d, row)
        case "producers":
            return _divide(d, col)
        case "f1":
            return _divide(2 * d, row + col)
        case "iou":
            return _divide(d, row + col - d)
        case "macro_f1":
            return _nan_mean(np.where(col > 0, _divide(2 * d, row + col), np.nan))
    raise AssessmentError(f"no score named {name!r}; known: overall_accuracy, users, producers, f1, iou, macro_f1")


def score_matrix(matrix: NDArray[Any], name: ScoreName) -> NDArray[np.float64]:
    """Compute one score of matrices (..., K map, K reference); see `score_parts`."""
    return score_parts(matrix_parts(matrix), name)


def kappa(matrix: NDArray[Any]) -> NDArray[np.float64]:
    """Compute Cohen's kappa (Cohen 1960, doi:10.1177/001316446002000104) of matrices (..., K, K).

    Only for comparison with older work: it mixes accuracy with prevalence and adds nothing to the overall, user's and
    producer's accuracies (Pontius and Millones 2011, doi:10.1080/01431161.2011.552923; Olofsson et al. 2014, section 4.3).
    NaN where chance agreement is complete or the matrix is empty.
    """
    parts = matrix_parts(matrix)
    total = parts[..., 1, :].sum(axis=-1)
    agreement = _divide(parts[..., 0, :].sum(axis=-1), total)
    chance = _divide((parts[..., 1, :] * parts[..., 2, :]).sum(axis=-1), total**2)
    return _divide(agreement - chance, 1 - chance)


def score_baseline(class_counts: NDArray[Any], rule: Literal["majority", "prior"]) -> dict[str, float]:
    """Score a classifier that looks at no pixel.

    Args:
        class_counts: Samples per class (K,).
        rule: `majority` always answers the commonest class; `prior` draws answers in the classes' shares (the scores are
            those of its expected matrix).

    Returns:
        `overall_accuracy` and `macro_f1`.

    Raises:
        AssessmentError: If there are no samples.
    """
    counts = np.asarray(class_counts, dtype=np.float64)
    if counts.sum() <= 0:
        raise AssessmentError(f"class counts {counts.tolist()} hold no sample; a baseline needs at least one")
    shares = counts / counts.sum()
    answers = np.zeros_like(shares)
    if rule == "majority":
        answers[np.argmax(shares)] = 1.0
    else:
        answers[:] = shares
    matrix = np.outer(answers, shares)
    names: tuple[ScoreName, ...] = ("overall_accuracy", "macro_f1")
    return {name: float(score_matrix(matrix, name)) for name in names}
