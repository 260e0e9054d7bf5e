"""Bayesian fusion of sources: a classifier per source, and the product of what they say over the prior.

Receives feature rows whose columns belong to named sources (radar, optics); hands on an estimator and its engine.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, ClassVar

import numpy as np
from numba import njit
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

from landweave.errors import ModelError
from landweave.models.engines import Engine, Weights, load_engine, register_engine
from landweave.types import MissingPolicy, ModelInput

__all__ = ["BayesFusion", "FusionEngine", "fuse", "group_columns"]

Array = NDArray[np.float64]


def group_columns(
    inputs: Sequence[ModelInput], sources: Mapping[str, Sequence[str]] | None, missing: MissingPolicy
) -> dict[str, NDArray[np.int64]]:  # fmt: skip
    """Tell which feature columns belong to which source.

    Args:
        inputs: How the columns are laid out.
        sources: Source -> patterns of band names, or of `input.band` (`radar: ["vv*", "vh*"]`); None makes every input one.
        missing: With `mask` columns of 0 and 1 follow those of the values, input by input; they belong to their bands.

    Raises:
        ModelError: If a band belongs to no source or to two, or a source has none.
    """
    columns: dict[str, list[int]] = {name: [] for name in (sources or [i.name for i in inputs])}
    at = 0
    for spec in inputs:
        owners = [_owner(spec, band, sources) for band in spec.bands]
        twice = 2 if missing == "mask" else 1
        for owner in owners * ((spec.n_steps or 1) * twice):
            columns[owner].append(at)
            at += 1
    empty = [name for name, found in columns.items() if not found]
    if empty:
        known = ", ".join(f"{i.name}.{b}" for i in inputs for b in i.bands)
        raise ModelError(f"bayes-fusion: source {empty[0]!r} has no band; its patterns match none of {known}")
    return {name: np.array(found, dtype=np.int64) for name, found in columns.items()}


def _owner(spec: ModelInput, band: str, sources: Mapping[str, Sequence[str]] | None) -> str:
    if sources is None:
        return spec.name
    full = f"{spec.name}.{band}"
    found = [s for s, patterns in sources.items() if any(fnmatchcase(band, p) or fnmatchcase(full, p) for p in patterns)]
    if len(found) != 1:
        belongs = f"to {' and '.join(found)}" if found else "to no source"
        raise ModelError(f"bayes-fusion: band {full} belongs {belongs}; give each band to one source, e.g. params: sources: "
                         "{radar: ['vv*', 'vh*'], optical: ['blue', 'green', 'red', 'nir']}")  # fmt: skip
    return found[0]


@njit(nogil=True, cache=True)
def fuse(
    posteriors: NDArray[np.float64], known: NDArray[np.bool_], prior: NDArray[np.float64], weights: NDArray[np.float64],
    floor: float,
) -> NDArray[np.float64]:  # pragma: no cover (compiled)
    """Fuse posteriors (source, row, class): prior times the product of (posterior / prior) ** weight, rows summing to 1.

    A posterior p is first mixed with the prior, (1 - floor) p + floor prior, so that no source can rule a class out alone. A
    source that does not know a row (`known` (source, row)) leaves it as it is.
    """
    n_sources, n, k = posteriors.shape
    out = np.empty((n, k))
    for i in range(n):
        total = 0.0
        for c in range(k):
            value = prior[c]
            if value > 0.0:
                for s in range(n_sources):
                    if known[s, i]:
                        p = (1.0 - floor) * posteriors[s, i, c] + floor * prior[c]
                        ratio = p / prior[c]
                        value *= ratio if weights[s] == 1.0 else ratio ** weights[s]
            out[i, c] = value
            total += value
        for c in range(k):
            out[i, c] /= total
    return out


@dataclass(frozen=True)
class FusionEngine:
    """The fitted classifiers of the sources, ready to predict.

    Attributes:
        engines: One per source.
        columns: Feature columns of each.
        prior: Of the classes.
        weights: Reliability of each source.
        floor: Share of the prior in every posterior; see `fuse`.
    """

    kind: ClassVar[str] = "bayes-fusion"
    engines: tuple[Engine, ...]
    columns: tuple[NDArray[np.int64], ...]
    prior: Array
    weights: Array
    floor: float

    def predict_proba(self, features: NDArray[np.float32]) -> Array:
        """Give probabilities (pixel, class)."""
        parts = [np.ascontiguousarray(features[:, c]) for c in self.columns]
        known = np.stack([~np.isnan(p).all(axis=1) for p in parts])
        each = np.empty((len(parts), len(features), self.prior.size))
        for s, (engine, part) in enumerate(zip(self.engines, parts, strict=True)):
            rows = part if known[s].all() else part[known[s]]
            each[s] = self.prior
            each[s, known[s]] = engine.predict_proba(rows)
        return np.asarray(fuse(each, known, self.prior, self.weights, self.floor))

    def predict_column(self, features: NDArray[np.float32]) -> NDArray[np.int64]:
        """Give the column of the most probable class of each pixel."""
        return np.asarray(self.predict_proba(features).argmax(axis=1), dtype=np.int64)

    def to_weights(self) -> Weights:
        """Give the arrays and files of every source's engine, each name led by the source's number."""
        arrays: dict[str, NDArray[Any]] = {"prior": self.prior, "weights": self.weights, "floor": np.array([self.floor])}
        blobs: dict[str, bytes] = {"fusion.json": json.dumps([e.kind for e in self.engines]).encode()}
        for s, (engine, columns) in enumerate(zip(self.engines, self.columns, strict=True)):
            own = engine.to_weights()
            arrays[f"columns_{s}"] = columns
            arrays |= {f"s{s}_{name}": array for name, array in own.arrays.items()}
            blobs |= {f"s{s}_{name}": blob for name, blob in own.blobs.items()}
        return Weights(arrays, blobs)


def _load(weights: Weights) -> FusionEngine:
    kinds = json.loads(weights.blobs["fusion.json"])
    engines, columns = [], []
    for s, kind in enumerate(kinds):
        lead = f"s{s}_"
        arrays = {n.removeprefix(lead): a for n, a in weights.arrays.items() if n.startswith(lead)}
        blobs = {n.removeprefix(lead): b for n, b in weights.blobs.items() if n.startswith(lead)}
        engines.append(load_engine(kind, Weights(arrays, blobs)))
        columns.append(weights.arrays[f"columns_{s}"])
    prior, reliability = weights.arrays["prior"], weights.arrays["weights"]
    return FusionEngine(tuple(engines), tuple(columns), prior, reliability, float(weights.arrays["floor"][0]))


register_engine("bayes-fusion", _load)


class BayesFusion(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier per source, fused by Bayes' rule under conditional independence.

    p(class | all) is proportional to prior * product over sources of (p(class | source) / prior) ** reliability: the product
    rule (Kittler et al. 1998, doi:10.1109/34.667881, eq. 7) with the exponents by which Lee, Richards and Swain (1987,
    Probabilistic and evidential approaches for multisource data analysis, IEEE TGRS 25) weigh unequal sources, and Benediktsson
    and Swain (1992, Consensus theoretic classification methods, IEEE Transactions on SMC 22) after them.
    Sources that repeat each other make it too sure of itself: calibrate it. The order of the sources changes nothing.
    """

    def __init__(
        self, columns: Mapping[str, Any] | None = None, base: str = "random-forest",
        base_params: Mapping[str, Any] | None = None, prior: str = "training", reliability: Any = None, floor: float = 0.01,
        class_weight: Any = None, random_state: int = 0,
    ) -> None:  # fmt: skip
        """Take the feature columns of each source, and how the sources are classified and weighed.

        Args:
            columns: Source -> feature columns; None takes all columns as one source.
            base: Family of the classifiers.
            base_params: Its parameters.
            prior: training (shares of the training rows, by weight) or uniform.
            reliability: Source -> exponent 0..1; auto for kappa in 5 stratified folds over the largest; None for 1.
            floor: Share of the prior mixed into every posterior.
            class_weight: As for the base.
            random_state: Seed.
        """
        self.columns = columns
        self.base = base
        self.base_params = base_params
        self.prior = prior
        self.reliability = reliability
        self.floor = floor
        self.class_weight = class_weight
        self.random_state = random_state

    def fit(
        self, X: NDArray[np.float32], y: NDArray[Any], sample_weight: NDArray[np.float64] | None = None, groups: Any = None
    ) -> BayesFusion:  # fmt: skip
        """Fit every source's classifier on the rows that the source has seen; folds of `auto` keep `groups` together.

        Raises:
            ModelError: If a source has not seen every class, or an option is unknown.
        """
        X = np.asarray(X, dtype=np.float32)
        self.classes_, target = np.unique(y, return_inverse=True)
        self.n_features_in_ = X.shape[1]
        self.columns_ = {n: np.asarray(c, dtype=np.int64) for n, c in (self.columns or {"all": np.arange(X.shape[1])}).items()}
        self.prior_ = self._prior(target, sample_weight)
        self.estimators_ = []
        for name, columns in self.columns_.items():
            seen = _seen(X, columns)
            if np.unique(target[seen]).size < self.classes_.size:
                raise ModelError(f"bayes-fusion: source {name!r} was observed at {int(seen.sum())} of {len(X)} samples, which "
                                 "do not hold every class; give it more samples, or leave it out")  # fmt: skip
            self.estimators_.append(self._fit_one(X[seen][:, columns], y[seen], _pick(sample_weight, seen)))
        self.weights_ = self._weigh(X, np.asarray(y), sample_weight, groups)
        return self

    def _prior(self, target: NDArray[Any], weight: NDArray[np.float64] | None) -> Array:
        if self.prior not in ("training", "uniform"):
            raise ModelError(f"bayes-fusion: prior is {self.prior!r}; give training or uniform")
        if self.prior == "uniform" or self.class_weight == "balanced":  # balanced classifiers answer for equal shares
            return np.full(self.classes_.size, 1 / self.classes_.size)
        counts = np.bincount(target, weights=weight, minlength=self.classes_.size).astype(np.float64)
        if isinstance(self.class_weight, dict):
            counts *= [self.class_weight.get(c, 1.0) for c in self.classes_.tolist()]
        return np.asarray(counts / counts.sum())

    def _fit_one(self, X: NDArray[np.float32], y: NDArray[Any], weight: NDArray[np.float64] | None) -> Any:
        from landweave.models.registry import get_model

        family = get_model(self.base)
        if family.uses != "features" or family.make_for is not None:
            raise ModelError(f"bayes-fusion: base is {self.base!r}; give a per-pixel family such as random-forest or svm")
        given = None if family.weights_classes_by_row else self.class_weight
        if weight is not None and family.weight_param is None:
            raise ModelError(f"bayes-fusion: {self.base} takes no sample weights; take random-forest, or drop the weights")
        made = family.make(family.complete(self.base_params or {}), X.shape[1], self.random_state, given)
        return made.fit(X, y, **({} if weight is None else {str(family.weight_param): weight}))

    def _weigh(
        self, X: NDArray[np.float32], y: NDArray[Any], weight: NDArray[np.float64] | None, groups: Any
    ) -> Array:  # fmt: skip
        if self.reliability is None:
            return np.ones(len(self.columns_))
        if self.reliability != "auto":
            return self._given_weights()
        from sklearn.metrics import cohen_kappa_score
        from sklearn.model_selection import StratifiedGroupKFold

        group = np.arange(len(y)) if groups is None else np.asarray(groups)
        folds = list(StratifiedGroupKFold(min(5, np.unique(group).size)).split(X, y, group))
        kappas = []
        for columns in self.columns_.values():
            guess = np.array(y)
            told = np.zeros(len(y), dtype=bool)
            seen = _seen(X, columns)
            for train, test in folds:
                rows, asked = train[seen[train]], test[seen[test]]
                if asked.size and np.unique(y[rows]).size > 1:
                    fitted = self._fit_one(X[rows][:, columns], y[rows], _pick(weight, rows))
                    guess[asked] = fitted.predict(X[asked][:, columns])
                    told[asked] = True
            kappas.append(max(float(cohen_kappa_score(y[told], guess[told])), 0.0) if told.any() else 0.0)
        top = max(kappas)
        return np.array([k / top for k in kappas]) if top > 0 else np.ones(len(kappas))

    def _given_weights(self) -> Array:
        if not isinstance(self.reliability, Mapping) or set(self.reliability) != set(self.columns_):
            raise ModelError(f"bayes-fusion: reliability is {self.reliability!r}; give auto, or a weight 0..1 for each of "
                             f"{', '.join(self.columns_)}")  # fmt: skip
        weights = np.array([float(self.reliability[name]) for name in self.columns_])
        if ((weights < 0) | (weights > 1)).any():
            raise ModelError(f"bayes-fusion: reliabilities are {weights.tolist()}; give weights from 0 to 1")
        return weights

    def to_engine(self) -> FusionEngine:
        """Give the fitted arrays."""
        from landweave.models.registry import get_model

        family = get_model(self.base)
        engines = tuple(family.export(e) for e in self.estimators_)
        return FusionEngine(engines, tuple(self.columns_.values()), self.prior_, self.weights_, float(self.floor))

    def predict_proba(self, X: NDArray[np.float32]) -> Array:
        """Give probabilities (row, class)."""
        return self.to_engine().predict_proba(np.asarray(X, dtype=np.float32))

    def predict(self, X: NDArray[np.float32]) -> NDArray[Any]:
        """Give the most probable class of each row."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])


def _pick(weight: NDArray[np.float64] | None, rows: NDArray[Any]) -> NDArray[np.float64] | None:
    return None if weight is None else weight[rows]


def _seen(X: NDArray[np.float32], columns: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.asarray(~np.isnan(X[:, columns]).all(axis=1), dtype=bool)
