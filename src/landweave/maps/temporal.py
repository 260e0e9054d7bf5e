"""Smoothing of annual maps in time: a hidden Markov model per pixel, in which impossible changes cannot happen.

Receives probabilities (time, class, y, x), NaN where nodata; hands on probabilities of the same shape, or the most probable
sequence of classes. Pixels do not look at each other, so that blocks need no margin.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numba
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from landweave.errors import MapError
from landweave.legend import Legend
from landweave.types import Options

__all__ = ["SeriesOptions", "find_path", "make_transition", "smooth_series"]

P_LOWEST = 1e-4
"""Least probability of a class in a year: a forest's plain zero must not rule a whole history out."""


class SeriesOptions(Options):
    """Options of smoothing in time."""

    method: Literal["forward-backward", "viterbi"] = Field(
        "forward-backward", description="forward-backward: each year's class probabilities given all years. viterbi: the "
                                        "single most probable sequence, which alone is sure to hold no forbidden change."
    )  # fmt: skip
    stay: float = Field(0.9, gt=0, lt=1, description="Probability that a class is the same a year later.")
    forbidden: tuple[tuple[str, str], ...] = Field(
        (), description="Changes that cannot happen in a year, as pairs of class names, e.g. [[Urban, Forest]]."
    )
    transition: tuple[tuple[float, ...], ...] | None = Field(
        None, description="The whole matrix in place of `stay`: rows are classes of a year, columns of the next, in legend "
                          "order; each row adds up to 1."
    )  # fmt: skip


def make_transition(legend: Legend, options: SeriesOptions | None = None) -> NDArray[np.float64]:
    """Make the matrix of yearly changes (from, to).

    Without a matrix of its own, a class stays with the probability `stay` and the rest is shared evenly by the changes that are
    not forbidden. Forbidden changes are 0 in either case; a given row is divided by what is left.

    Args:
        legend: The classes.
        options: What is known of the changes.

    Returns:
        float64 (class, class); every row adds up to 1.

    Raises:
        LegendError: If a forbidden change names an unknown class.
        MapError: If the matrix has another shape, negative numbers, or rows that do not add up to 1 or are all forbidden.
    """
    options = options or SeriesOptions()
    n = len(legend)
    allowed = np.ones((n, n), dtype=bool)
    for before, after in options.forbidden:
        allowed[legend.index_of(before), legend.index_of(after)] = False
    if options.transition is None:
        others = allowed & ~np.eye(n, dtype=bool)
        matrix = np.where(others, (1 - options.stay) / np.maximum(others.sum(axis=1, keepdims=True), 1), 0.0)
        matrix[np.diag_indices(n)] = np.where(np.diag(allowed), options.stay, 0.0)
    else:
        matrix = _check_matrix(options.transition, legend) * allowed
    rows = matrix.sum(axis=1, keepdims=True)
    if (rows <= 0).any():
        name = legend.names[int(np.argmin(rows[:, 0]))]
        raise MapError(f"every change from {name!r} is forbidden, staying included; leave at least one")
    result: NDArray[np.float64] = matrix / rows
    return result


def _check_matrix(rows: Sequence[Sequence[float]], legend: Legend) -> NDArray[np.float64]:
    n = len(legend)
    widths = {len(row) for row in rows}
    if len(rows) != n or widths != {n}:
        raise MapError(f"transition matrix has {len(rows)} rows of {sorted(widths)} numbers; the legend has {n} classes "
                       f"({', '.join(legend.names)})")  # fmt: skip
    matrix = np.array(rows, dtype=np.float64)
    for name, row in zip(legend.names, matrix, strict=True):
        if (row < 0).any() or not math.isclose(row.sum(), 1, abs_tol=1e-6):
            raise MapError(f"transition probabilities from {name!r} are {row.tolist()}; give numbers from 0 that add up to 1")
    return matrix


def smooth_series(proba: NDArray[np.float32], transition: NDArray[np.float64]) -> NDArray[np.float32]:
    """Give the class probabilities of every year given all years: the forward-backward algorithm (Rabiner 1989, eqs. 19-27).

    The model's probabilities stand for the observations: with classes taken as equally frequent beforehand, they are
    proportional to the likelihood of what was seen. A year without observation has none of its own and takes what its
    neighbours in time imply.

    Args:
        proba: (time, class, y, x), NaN in every class where nodata.
        transition: (from, to), rows adding up to 1.

    Returns:
        float32 (time, class, y, x); the classes of a year sum to 1. NaN where a pixel has no observation in any year.
    """
    moved = np.ascontiguousarray(np.moveaxis(proba, (2, 3), (0, 1)), dtype=np.float32)
    return np.ascontiguousarray(np.moveaxis(_forward_backward(moved, transition), (0, 1), (2, 3)))


def find_path(proba: NDArray[np.float32], transition: NDArray[np.float64]) -> NDArray[np.int16]:
    """Find the most probable sequence of classes: the Viterbi algorithm (Rabiner 1989, eqs. 32-35).

    No step of it is a change that the matrix forbids. Years without observation are filled.

    Args:
        proba: (time, class, y, x), NaN in every class where nodata.
        transition: (from, to), rows adding up to 1.

    Returns:
        class_index (time, y, x), int16; -1 where a pixel has no observation in any year.
    """
    moved = np.ascontiguousarray(np.moveaxis(proba, (2, 3), (0, 1)), dtype=np.float32)
    return np.ascontiguousarray(np.moveaxis(_viterbi(moved, transition), 2, 0))


@numba.njit(nogil=True, cache=True)
def _emission(p, e):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    """Write a pixel's observations (time, class); tells whether there is any."""
    seen = False
    for t in range(p.shape[0]):
        missing = np.isnan(p[t, 0])
        seen = seen or not missing
        for k in range(p.shape[1]):
            e[t, k] = 1.0 if missing else max(np.float64(p[t, k]), P_LOWEST)
    return seen


@numba.njit(nogil=True, cache=True)
def _forward_backward(proba, a):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    height, width, n_times, n = proba.shape
    out = np.empty_like(proba)
    e, forward = np.empty((n_times, n)), np.empty((n_times, n))
    back, step = np.empty(n), np.empty(n)
    for y in range(height):
        for x in range(width):
            if not _emission(proba[y, x], e):
                out[y, x] = np.nan
                continue
            for t in range(n_times):
                total = 0.0
                for k in range(n):
                    reach = 1.0 / n
                    if t > 0:
                        reach = 0.0
                        for j in range(n):
                            reach += forward[t - 1, j] * a[j, k]
                    forward[t, k] = reach * e[t, k]
                    total += forward[t, k]
                for k in range(n):
                    forward[t, k] /= total
            back[:] = 1.0
            for t in range(n_times - 1, -1, -1):
                total = 0.0
                for k in range(n):
                    step[k] = forward[t, k] * back[k]
                    total += step[k]
                for k in range(n):
                    out[y, x, t, k] = step[k] / total
                total = 0.0
                for j in range(n):
                    step[j] = 0.0
                    for k in range(n):
                        step[j] += a[j, k] * e[t, k] * back[k]
                    total += step[j]
                for j in range(n):
                    back[j] = step[j] / total
    return out


@numba.njit(nogil=True, cache=True)
def _viterbi(proba, a):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    height, width, n_times, n = proba.shape
    out = np.empty((height, width, n_times), np.int16)
    log_a = np.empty((n, n))
    for j in range(n):
        for k in range(n):
            log_a[j, k] = math.log(a[j, k]) if a[j, k] > 0 else -np.inf
    e, best = np.empty((n_times, n)), np.empty((n_times, n))
    origin = np.empty((n_times, n), np.int16)
    for y in range(height):
        for x in range(width):
            if not _emission(proba[y, x], e):
                out[y, x] = -1
                continue
            for k in range(n):
                best[0, k] = math.log(e[0, k])
            for t in range(1, n_times):
                for k in range(n):
                    score, at = -np.inf, 0
                    for j in range(n):
                        if best[t - 1, j] + log_a[j, k] > score:
                            score, at = best[t - 1, j] + log_a[j, k], j
                    best[t, k], origin[t, k] = score + math.log(e[t, k]), at
            last = 0
            for k in range(n):
                if best[n_times - 1, k] > best[n_times - 1, last]:
                    last = k
            out[y, x, n_times - 1] = last
            for t in range(n_times - 1, 0, -1):
                last = origin[t, last]
                out[y, x, t - 1] = last
    return out
