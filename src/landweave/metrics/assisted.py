"""Model-assisted estimates of area: what a model says of every pixel, corrected by what the reference sample says of the model.

Receives the reference's class shares and the model's probabilities at the sample, with the probabilities' means over the map;
hands on area shares. The reference keeps them unbiased by design, however bad the model; a good model makes them precise.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from landweave.errors import AssessmentError
from landweave.metrics.area import Estimated
from landweave.metrics.units import UnitSample, estimate_ratio

__all__ = ["AssistedMethod", "estimate_assisted", "estimate_regression"]

AssistedMethod = Literal["difference", "regression"]
Floats = NDArray[np.float64]


def estimate_assisted(
    sample: UnitSample, proba: NDArray[Any], proba_mean: NDArray[Any], *, method: AssistedMethod = "regression"
) -> Estimated:
    """Estimate the classes' area shares with the help of a model's probabilities.

    `difference`: the map's mean probability plus the sample's mean of (reference - probability) (Sarndal, Swensson and Wretman
    1992, section 6.3; for maps McRoberts 2010, doi:10.1016/j.rse.2009.12.013). `regression`: the generalised regression
    estimator (their section 6.4), which first regresses the reference on the probabilities and so also makes use of a model
    whose probabilities are biased or badly scaled. Both have the variance of the residuals under the design.

    Args:
        sample: The sample; only units with `map_index` >= 0, which have probabilities, take part.
        proba: Probabilities at the units (n, K), of the same classes as the reference; rows add up to 1.
        proba_mean: Mean of the probabilities over the mapped area (K,), weighted by pixel area.
        method: Which estimator.

    Returns:
        Area shares (K,), which add up to 1; a share of a rare class may come out slightly negative and is then not cut, so that
        the total stays right.

    Raises:
        AssessmentError: If shapes do not fit, probabilities are no probabilities, or there are too few units to regress on.
    """
    p, mean = np.asarray(proba, dtype=np.float64), np.asarray(proba_mean, dtype=np.float64)
    n, k = sample.reference.shape
    if p.shape != (n, k) or mean.shape != (k,):
        raise AssessmentError(f"probabilities have shape {p.shape}, their means {mean.shape}; expected ({n}, {k}) and ({k},)")
    used = sample.map_index >= 0
    for what, values in (("probabilities at the sample", p[used].sum(axis=1)), ("mean probabilities", mean.sum(keepdims=True))):
        # a hundredth: eight-bit files round each class by up to 0.002
        if not (np.abs(values - 1) < 0.02).all():
            raise AssessmentError(f"{what} add up to {values[np.argmax(np.abs(values - 1))]:g} over the classes; expected 1")
    p, mean = p / np.where(used, p.sum(axis=1), 1)[:, None], mean / mean.sum()
    if method == "regression":
        x = np.column_stack([np.ones(n), p[:, :-1]])
        return estimate_regression(sample, np.where(used[:, None], sample.reference, 0), x, np.append(1.0, mean[:-1]), used)
    if method != "difference":
        raise AssessmentError(f"no model-assisted method named {method!r}; known: difference, regression")
    residual = np.where(used[:, None], sample.reference - p, 0)
    made = estimate_ratio(residual, np.repeat(used[:, None], k, axis=1).astype(np.float64), sample)
    return replace(made, value=made.value + mean)


def estimate_regression(
    sample: UnitSample, y: Floats, x: Floats, x_mean: Floats, used: NDArray[np.bool_] | None = None
) -> Estimated:
    """Estimate population means of y by the generalised regression estimator, with residuals of the calibrated weights.

    Sarndal, Swensson and Wretman 1992, section 6.5 (the estimator as weights g w) and 6.6 (variance of g-weighted residuals).

    Args:
        sample: Weights and design of the n units.
        y: Quantities to estimate (n, M).
        x: Auxiliary variables (n, P), the first of them 1.
        x_mean: Their population means (P,).
        used: Units that take part (n,); all by default.

    Raises:
        AssessmentError: If there are not more units than auxiliary variables.
    """
    use = np.ones(len(y), dtype=bool) if used is None else used
    if use.sum() <= x.shape[1]:
        raise AssessmentError(f"{int(use.sum())} sample units cannot carry a regression on {x.shape[1]} variables; label more, "
                              "or use the difference estimator")  # fmt: skip
    w = np.where(use, sample.weight, 0)
    w = w / w.sum()
    # classes that the model never separates make the variables collinear: the pseudo-inverse takes the shortest solution
    inverse = np.linalg.pinv((w[:, None] * x).T @ x, hermitian=True)
    beta = inverse @ ((w[:, None] * x).T @ y)
    value = x_mean @ beta + (w[:, None] * (y - x @ beta)).sum(axis=0)
    g = 1 + (x_mean - w @ x) @ inverse @ x.T
    residual = np.where(use[:, None], g[:, None] * (y - x @ beta), 0)
    ones = np.repeat(use[:, None], y.shape[1], axis=1).astype(np.float64)
    made = estimate_ratio(residual - (w[:, None] * residual).sum(axis=0) * ones, ones, sample)
    return replace(made, value=value)
