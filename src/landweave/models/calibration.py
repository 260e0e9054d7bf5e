"""Calibrated probabilities: a model that says 80 % should be right four times out of five, at places it has not seen.

Receives probabilities of held-out rows; hands on a `Calibration`, which lives in the model folder and runs in `predict_proba`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numba
import numpy as np
from numpy.typing import NDArray

from landweave.errors import ModelError

__all__ = ["Calibration", "CalibrationMethod", "fit_calibration"]

CalibrationMethod = Literal["temperature", "isotonic", "dirichlet"]

_EPS = 1e-3
"""Probability that stands for 0 where logarithms are taken: a forest of 100 trees cannot tell less than 0.01 apart."""
_ODIR = 1e-2
"""Weight of the penalties of Dirichlet calibration on off-diagonal weights and biases, per cell."""


@dataclass(frozen=True)
class Calibration:
    """A map from a model's probabilities to calibrated ones.

    Attributes:
        method: How it was fitted.
        weights: For temperature and Dirichlet, the matrix W (class, class) and bias b (class) of softmax(W log p + b), side by
            side (class, class + 1). For isotonic, knots (class, 2, knot) of p and calibrated p, NaN where a class has fewer.
    """

    method: CalibrationMethod
    weights: NDArray[np.float64]

    def apply(self, proba: NDArray[np.floating]) -> NDArray[np.float32]:
        """Calibrate probabilities (row, class); a row of NaN stays so. Every row by itself, whatever stands beside it."""
        rows = np.ascontiguousarray(proba, dtype=np.float64)
        out = np.empty(rows.shape, dtype=np.float32)
        if self.method == "isotonic":
            _stretch(rows, self.weights, out)
        else:
            _softmax(rows, self.weights, out)
        return out

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Give what is stored; the method by its name."""
        return {self.method: self.weights}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Calibration:
        """Build it from what was stored.

        Raises:
            ModelError: If the method is unknown.
        """
        methods: tuple[CalibrationMethod, ...] = ("temperature", "isotonic", "dirichlet")
        for method in methods:
            if method in arrays:
                return cls(method, np.asarray(arrays[method], dtype=np.float64))
        raise ModelError(f"calibration.npz of the model folder holds {', '.join(arrays) or 'nothing'}; expected one of "
                         f"{', '.join(methods)}; train again")  # fmt: skip


def fit_calibration(
    proba: NDArray[np.floating], truth: NDArray[np.integer], *, method: CalibrationMethod = "temperature"
) -> Calibration:
    """Fit a calibration to probabilities of rows that the model was not trained on, best by spatial folds.

    Temperature: softmax(log p / T), one number (Guo et al. 2017, arXiv:1706.04599). Isotonic: each class against the rest, then
    scaled to sum 1 (Zadrozny and Elkan 2002, doi:10.1145/775047.775151). Dirichlet: softmax(W log p + b) with penalties on
    what is off the diagonal and on b (Kull et al. 2019, arXiv:1910.12656). Few rows: temperature; isotonic wants a few hundred
    per class.

    Args:
        proba: Probabilities (row, class); rows of NaN are left out.
        truth: class_index of the rows.
        method: Which.

    Raises:
        ModelError: If fewer than two rows per class are left.
    """
    valid = ~np.isnan(proba).any(axis=1)
    p, y = proba[valid].astype(np.float64), np.asarray(truth)[valid]
    if len(p) < 2 * proba.shape[1]:
        raise ModelError(f"{len(p)} held-out rows cannot calibrate {proba.shape[1]} classes; use at least two per class, or no "
                         "calibration")  # fmt: skip
    log_p = np.log(np.maximum(p, _EPS))
    if method == "temperature":
        return Calibration(method, _fit_temperature(log_p, y))
    if method == "dirichlet":
        return Calibration(method, _fit_dirichlet(log_p, y))
    return Calibration(method, _fit_isotonic(p, y))


def _fit_temperature(log_p: NDArray[np.float64], y: NDArray[np.integer]) -> NDArray[np.float64]:
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp

    def loss(log_t: float) -> float:
        q = log_p / math.exp(log_t)
        return float((logsumexp(q, axis=1) - q[np.arange(len(y)), y]).mean())

    best = float(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x)
    k = log_p.shape[1]
    return np.column_stack([np.eye(k) / math.exp(best), np.zeros(k)])


def _fit_dirichlet(log_p: NDArray[np.float64], y: NDArray[np.integer]) -> NDArray[np.float64]:
    from scipy.optimize import minimize
    from scipy.special import softmax

    n, k = log_p.shape
    x = np.column_stack([log_p, np.ones(n)])
    target = np.eye(k)[y]
    penalised = np.column_stack([~np.eye(k, dtype=bool), np.ones(k, dtype=bool)])

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        w = flat.reshape(k, k + 1)
        q = softmax(x @ w.T, axis=1)
        nll = -np.log(np.maximum(q[np.arange(n), y], 1e-300)).mean()
        grad = (q - target).T @ x / n + 2 * _ODIR * w * penalised
        return float(nll + _ODIR * np.square(w * penalised).sum()), grad.ravel()

    start = np.column_stack([np.eye(k), np.zeros(k)])
    found = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 500})
    return np.asarray(found.x.reshape(k, k + 1), dtype=np.float64)


def _fit_isotonic(p: NDArray[np.float64], y: NDArray[np.integer]) -> NDArray[np.float64]:
    from sklearn.isotonic import IsotonicRegression

    knots = []
    for c in range(p.shape[1]):
        found = IsotonicRegression(y_min=_EPS, y_max=1.0, out_of_bounds="clip").fit(p[:, c], (y == c).astype(float))
        knots.append(np.stack([found.X_thresholds_, found.y_thresholds_]))
    table = np.full((len(knots), 2, max(k.shape[1] for k in knots)), np.nan)
    for c, pair in enumerate(knots):
        table[c, :, : pair.shape[1]] = pair
    return table


@numba.njit(nogil=True, cache=True)
def _softmax(proba, weights, out):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    n, k = proba.shape
    logs, score = np.empty(k), np.empty(k)
    for i in range(n):
        for c in range(k):
            logs[c] = math.log(max(proba[i, c], 1e-3))
        highest = -np.inf
        for c in range(k):
            total = weights[c, k]
            for j in range(k):
                total += weights[c, j] * logs[j]
            score[c] = total
            highest = max(highest, total)
        mass = 0.0
        for c in range(k):
            score[c] = math.exp(score[c] - highest)
            mass += score[c]
        for c in range(k):
            out[i, c] = np.nan if math.isnan(proba[i, 0]) else score[c] / mass


@numba.njit(nogil=True, cache=True)
def _stretch(proba, knots, out):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    n, k = proba.shape
    value = np.empty(k)
    for i in range(n):
        mass = 0.0
        for c in range(k):
            value[c] = _interpolate(proba[i, c], knots[c])
            mass += value[c]
        for c in range(k):
            out[i, c] = np.nan if math.isnan(proba[i, 0]) else value[c] / mass


@numba.njit(nogil=True, cache=True)
def _interpolate(x, knots):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    last = knots.shape[1] - 1
    while last > 0 and math.isnan(knots[0, last]):
        last -= 1
    if x <= knots[0, 0]:
        return knots[1, 0]
    for j in range(1, last + 1):
        if x <= knots[0, j]:
            wide = knots[0, j] - knots[0, j - 1]
            part = (x - knots[0, j - 1]) / wide if wide > 0 else 1.0
            return knots[1, j - 1] + part * (knots[1, j] - knots[1, j - 1])
    return knots[1, last]
