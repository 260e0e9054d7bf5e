"""The mean of several models as one engine: trained together by the family `ensemble`, or put together from saved models.

Receives fitted estimators or engines; hands on an engine, so that an ensemble is calibrated, saved, loaded and mapped as one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

from landweave.errors import ModelError
from landweave.models.calibration import Calibration
from landweave.models.engines import Engine, Weights, load_engine, register_engine
from landweave.models.registry import FitContext, ModelFamily, get_model

__all__ = ["MeanEngine", "MeanOfModels", "read_members"]

KIND = "mean"


@dataclass(frozen=True)
class MeanEngine:
    """The weighted mean of the probabilities of engines, added up in their order.

    Attributes:
        engines: The members.
        columns: Column of the whole for each column of each member.
        shares: Weight of each member; they sum to 1.
        n_columns: Columns of the whole.
        calibrations: What each member's probabilities go through, if anything.
    """

    engines: tuple[Engine, ...]
    columns: tuple[tuple[int, ...], ...]
    shares: tuple[float, ...]
    n_columns: int
    calibrations: tuple[Calibration | None, ...] = ()

    @property
    def kind(self) -> str:
        """Name it is registered under."""
        return KIND

    def predict_proba(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Give the mean probabilities (pixel, column)."""
        total = np.zeros((len(features), self.n_columns))
        for i, engine in enumerate(self.engines):
            rows = np.zeros((len(features), self.n_columns))
            rows[:, self.columns[i]] = engine.predict_proba(features)
            after = self.calibrations[i] if self.calibrations else None
            total += self.shares[i] * (rows if after is None else after.apply(rows))
        return total

    def predict_column(self, features: NDArray[np.float32]) -> NDArray[np.int64]:
        """Give the column of the most probable class of each pixel."""
        return np.asarray(self.predict_proba(features).argmax(axis=1), dtype=np.int64)

    def to_weights(self) -> Weights:
        """Give the members' arrays and files under their number."""
        arrays: dict[str, NDArray[Any]] = {
            "kinds": np.array([e.kind for e in self.engines]), "shares": np.array(self.shares), "n": np.array(self.n_columns)
        }
        blobs: dict[str, bytes] = {}
        for i, engine in enumerate(self.engines):
            own = engine.to_weights()
            arrays |= {f"{i}.{name}": array for name, array in own.arrays.items()} | {f"{i}:columns": np.array(self.columns[i])}
            blobs |= {f"{i}.{name}": content for name, content in own.blobs.items()}
            after = self.calibrations[i] if self.calibrations else None
            if after is not None:
                arrays |= {f"{i}:after.{name}": array for name, array in after.to_arrays().items()}
        return Weights(arrays, blobs)


def load_mean(weights: Weights) -> MeanEngine:
    """Build the engine from what `to_weights` gave."""
    engines, columns, calibrations = [], [], []
    for i, kind in enumerate(weights.arrays["kinds"].tolist()):
        own = Weights(_under(weights.arrays, f"{i}."), _under(weights.blobs, f"{i}."))
        engines.append(load_engine(str(kind), own))
        columns.append(tuple(int(c) for c in weights.arrays[f"{i}:columns"]))
        after = _under(weights.arrays, f"{i}:after.")
        calibrations.append(Calibration.from_arrays(after) if after else None)
    shares = tuple(float(s) for s in weights.arrays["shares"])
    return MeanEngine(tuple(engines), tuple(columns), shares, int(weights.arrays["n"]), tuple(calibrations))


def _under(parts: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in parts.items() if name.startswith(prefix)}


register_engine(KIND, load_mean)


@dataclass(frozen=True)
class _Member:
    family: ModelFamily
    params: Mapping[str, Any]
    share: float


def read_members(given: Sequence[Any]) -> list[_Member]:
    """Read members: names of families, or mappings with name, params and weight.

    Raises:
        ModelError: If there are fewer than two, one is an ensemble itself, or a family, parameter or key is unknown.
    """
    if not isinstance(given, Sequence) or isinstance(given, str) or len(given) < 2:
        raise ModelError(f"members of the ensemble are {given!r}; name two models or more, e.g. [random-forest, svm]")
    members = []
    for one in given:
        entry: dict[str, Any] = {"name": one} if isinstance(one, str) else dict(one)
        odd = set(entry) - {"name", "params", "weight"}
        if odd or "name" not in entry:
            raise ModelError(f"member {one!r} of the ensemble is not understood; give a name, or name, params and weight")
        family = get_model(str(entry["name"]))
        if family.name == "ensemble" or family.uses != "features":
            raise ModelError(f"{family.name} cannot be a member of an ensemble; members work on single pixels")
        share = float(entry.get("weight", 1.0))
        if not share > 0:
            raise ModelError(f"weight of the member {family.name} is {share:g}; weights are above 0, leave it out for 0")
        members.append(_Member(family, family.complete(entry.get("params") or {}), share))
    return members


class MeanOfModels(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Several families fitted to the same rows; the weighted mean of their probabilities.

    Members of one family differ by their seed (deep ensembles: Lakshminarayanan et al. 2017, arXiv:1612.01474, are the same
    mean of networks).
    """

    def __init__(
        self, members: Sequence[Any] = ("random-forest", "svm"), class_weight: Any = None, random_state: int = 0,
        context: FitContext | None = None,
    ) -> None:  # fmt: skip
        """Take the members; see `read_members`.

        Args:
            members: Names, or mappings with name, params and weight.
            class_weight: As for any family.
            random_state: Seed of the first member; the next have the next numbers.
            context: What the columns are, for members that have to know it (networks on series).
        """
        self.members = members
        self.class_weight = class_weight
        self.random_state = random_state
        self.context = context

    def fit(
        self, X: NDArray[np.float32], y: NDArray[Any], sample_weight: NDArray[np.float64] | None = None, groups: Any = None
    ) -> MeanOfModels:  # fmt: skip
        """Fit every member to all rows.

        Raises:
            ModelError: If a member takes no weights and there are some.
        """
        X = np.asarray(X, dtype=np.float32)
        self.classes_ = np.unique(y)
        self.n_features_in_ = X.shape[1]
        self.read_ = read_members(self.members)
        rows = (X, np.asarray(y), sample_weight)
        self.fitted_ = [self._fit_one(i, member, rows, groups) for i, member in enumerate(self.read_)]
        return self

    def _fit_one(self, number: int, member: _Member, rows: tuple[Any, Any, Any], groups: Any) -> Any:
        from sklearn.utils.class_weight import compute_sample_weight

        X, y, weight = rows
        family, seed, given = member.family, self.random_state + number, self.class_weight
        if family.weights_classes_by_row and given is not None:
            by_class = compute_sample_weight(given, y)
            weight, given = by_class if weight is None else weight * by_class, None
        extra: dict[str, Any] = {}
        if weight is not None or given is not None:
            if family.weight_param is None:
                raise ModelError(f"{family.name}, a member of the ensemble, takes neither class weights nor sample weights; "
                                 "drop them, or the member")  # fmt: skip
            extra = {} if weight is None else {family.weight_param: weight}
        if family.make_for is None or self.context is None:
            made = family.make(member.params, X.shape[1], seed, given)
        else:
            made = family.make_for(replace(self.context, params=member.params, seed=seed, class_weight=given))
            extra["groups"] = groups
        return made.fit(X, y, **extra)

    def to_engine(self) -> MeanEngine:
        """Give the engine that predicts from arrays alone."""
        engines = tuple(m.family.export(e) for m, e in zip(self.read_, self.fitted_, strict=True))
        total = sum(m.share for m in self.read_)
        place = {c: i for i, c in enumerate(self.classes_.tolist())}
        columns = tuple(tuple(place[c] for c in e.classes_.tolist()) for e in self.fitted_)
        return MeanEngine(engines, columns, tuple(m.share / total for m in self.read_), len(self.classes_))

    def predict_proba(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Give probabilities (row, class) in the order of `classes_`."""
        return self.to_engine().predict_proba(np.asarray(X, dtype=np.float32))

    def predict(self, X: NDArray[np.float32]) -> NDArray[Any]:
        """Give the most probable class of each row."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])
