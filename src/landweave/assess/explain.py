"""What a model looks at: importance of bands, dates and inputs under spatial folds, partial dependence, changes of class.

Receives sample tables with features, folds and a trained model; hands on an `Explanation`, the contract of `explain.json`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from landweave.errors import AssessmentError
from landweave.models import ModelOptions, PixelModel
from landweave.models.training import fit_model
from landweave.types import Document, Fold, ModelInput, Progress, SampleTable, track

__all__ = [
    "ClassChange",
    "Explanation",
    "GroupImportance",
    "PartialDependence",
    "ShapGroup",
    "ShapSummary",
    "find_changes",
    "find_groups",
    "measure_dependence",
    "measure_importance",
]

GroupKind = Literal["band", "date", "input"]
Groups = dict[tuple[GroupKind, str], NDArray[np.int64]]

IMPORTANCE_RULE = (
    "Drop in overall accuracy on out-of-fold test rows of spatial folds when the columns of a group are permuted together "
    "among the rows of the fold; mean over repeats. The standard error is that between folds, whose training rows overlap."
)
CHANGE_RULE = (
    "Prototype: median features of a class. For each row the nearest prototype of a class other than the predicted one is "
    "found (distance in standard deviations); one group at a time (a band over all dates, a date with all bands, an input) is "
    "set to it; of the groups that alone change the predicted class, the one that moves least (length of the move in standard "
    "deviations) is named."
)


class GroupImportance(Document):
    """How much accuracy hangs on one group of features.

    Attributes:
        kind: What the columns have in common.
        name: Of the band, date or input.
        drop: Loss of overall accuracy (0..1) when the group is scrambled; may be slightly negative.
        se: Standard error between folds; null with a single fold.
        n_features: Columns of the group.
    """

    kind: GroupKind
    name: str
    drop: float
    se: float | None = None
    n_features: int


class PartialDependence(Document):
    """Mean class probabilities when one feature is set to each of some values, all else as observed.

    Attributes:
        feature: Name of the column.
        values: Values that it was set to, ascending (point,).
        proba: Mean probability (point, class), classes in legend order.
    """

    feature: str
    values: list[float]
    proba: list[list[float]]


class ClassChange(Document):
    """What would change the class of one row.

    Attributes:
        row: Position of the row.
        predicted: Class now.
        nearest: The other class whose prototype is nearest.
        kind: What the named group is: a band, a date or an input; null where no single group changes the class.
        group: Name of the group whose change alone makes another class, or null.
        becomes: That class.
        moved_sd: How far the group moves: root of the sum of squares over its columns, in standard deviations.
    """

    row: int
    predicted: str
    nearest: str
    kind: GroupKind | None = None
    group: str | None = None
    becomes: str | None = None
    moved_sd: float | None = None


class ShapGroup(Document):
    """How far one group of features moves the model's answers.

    Attributes:
        kind: What the columns have in common.
        name: Of the band, date or input.
        strength: Mean over rows and classes of the absolute sum of the group's SHAP values.
        by_class: Mean over rows of the absolute sum, per class in legend order.
        classes: Names of the classes, the one that is moved most first.
    """

    kind: GroupKind
    name: str
    strength: float
    by_class: list[float]
    classes: list[str]


class ShapSummary(Document):
    """SHAP values of a model of trees, grouped.

    Attributes:
        unit: `probability` (forests: 0..1) or `score` (boosted trees: raw scores, whose softmax are the probabilities).
        n_rows: Rows that were explained.
        groups: Groups, the strongest of each kind first.
        rule: How they were made.
    """

    unit: Literal["probability", "score"]
    n_rows: int
    groups: list[ShapGroup]
    rule: str


class Explanation(Document):
    """`explain.json`: what was measured, by which rule."""

    schema_version: Literal[1] = 1
    model: str
    classes: list[str]
    overall_accuracy: float
    n_tested: int
    n_folds: int
    n_repeats: int
    importance: list[GroupImportance]
    importance_rule: str = IMPORTANCE_RULE
    partial_dependence: list[PartialDependence] = Field(default_factory=list)
    changes: list[ClassChange] = Field(default_factory=list)
    change_rule: str = CHANGE_RULE
    shap: ShapSummary | None = None
    shap_why: str | None = None


def find_groups(inputs: Sequence[ModelInput]) -> Groups:
    """Group feature columns by band, by date and, with several inputs, by input.

    A date's group holds every band of that date, of all inputs that have it; static bands stand in no date.

    Returns:
        (kind, name) -> columns in the order of `types.feature_names`.
    """
    found: dict[tuple[GroupKind, str], list[int]] = {}
    start = 0
    for source in inputs:
        steps = source.n_steps or 1
        at = np.arange(start, start + steps * len(source.bands)).reshape(steps, len(source.bands))
        start += at.size
        prefix = f"{source.name}." if len(inputs) > 1 else ""
        for b, band in enumerate(source.bands):
            found.setdefault(("band", f"{prefix}{band}"), []).extend(at[:, b].tolist())
        if source.n_steps is not None:
            for label, columns in zip(_step_names(source), at, strict=True):
                found.setdefault(("date", label), []).extend(columns.tolist())
        if len(inputs) > 1:
            found.setdefault(("input", source.name), []).extend(at.ravel().tolist())
    return {key: np.array(columns, dtype=np.int64) for key, columns in found.items()}


def _step_names(source: ModelInput) -> list[str]:
    if source.dates is not None:
        return [d[:10] for d in source.dates]
    if source.season is not None:
        return [f"day {s.from_day}-{s.to_day}" for s in source.season.steps]
    return [f"step {i:02d}" for i in range(source.n_steps or 1)]


def measure_importance(
    samples: SampleTable, folds: Sequence[Fold], *, options: ModelOptions, n_repeats: int = 3,
    rng: np.random.Generator, progress: Progress | None = None,
) -> Explanation:  # fmt: skip
    """Measure permutation importance of bands, dates and inputs on rows that the model of their fold has not seen.

    Args:
        samples: Table with features.
        folds: One repeat of a split; spatial folds answer for new places.
        options: The model that is trained in each fold.
        n_repeats: Permutations of each group in each fold.
        rng: Source of the permutations.
        progress: Called after each fold.

    Returns:
        Groups by kind, the most important first; without partial dependence and changes.

    Raises:
        AssessmentError: If no test row of the folds can be predicted.
        ModelError: If the model cannot be trained.

    Source: Breiman 2001, doi:10.1023/A:1010933404324, section 10; permuting correlated columns together.
    """
    groups, truth = find_groups(samples.inputs), samples.to_class_index()
    drops: dict[tuple[GroupKind, str], list[float]] = {key: [] for key in groups}
    sizes, right = [], []
    for fold in track(folds, "explain", len(folds), progress, "folds"):
        model = fit_model(samples.select(fold.train), options=options)
        features, target = samples.select(fold.test).to_features(), truth[fold.test]
        usable = model.predict_features_index(features) >= 0
        features, target = features[usable], target[usable]
        if not len(target):
            continue
        base = _accuracy(model, features, target)
        sizes.append(len(target))
        right.append(base)
        for key, columns in groups.items():
            scores = [_accuracy(model, _scramble(features, columns, rng), target) for _ in range(n_repeats)]
            drops[key].append(base - float(np.mean(scores)))
    if not sizes:
        raise AssessmentError(f"none of the test rows of {len(folds)} folds can be predicted; give samples with enough valid "
                              "dates")  # fmt: skip
    found = [_importance(key, drops[key], sizes, len(columns)) for key, columns in groups.items()]
    kinds = ("input", "band", "date")
    return Explanation(
        model=options.name, classes=list(samples.legend.names), overall_accuracy=float(np.average(right, weights=sizes)),
        n_tested=sum(sizes), n_folds=len(sizes), n_repeats=n_repeats,
        importance=sorted(found, key=lambda g: (kinds.index(g.kind), -g.drop, g.name)),
    )  # fmt: skip


def _accuracy(model: PixelModel, features: NDArray[np.float32], target: NDArray[np.int64]) -> float:
    return float(np.mean(model.predict_features_index(features) == target))


def _scramble(features: NDArray[np.float32], columns: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float32]:
    mixed = features.copy()
    mixed[:, columns] = features[rng.permutation(len(features))][:, columns]
    return mixed


def _importance(key: tuple[GroupKind, str], drops: list[float], sizes: list[int], n_features: int) -> GroupImportance:
    """Mean over folds by size, and the standard error of such a mean from the scatter between folds."""
    weight = np.array(sizes) / sum(sizes)
    mean = float(np.sum(weight * drops))
    n = len(sizes)
    spread = np.sum((weight * (np.array(drops) - mean)) ** 2) * n / (n - 1) if n > 1 else math.nan
    return GroupImportance(kind=key[0], name=key[1], drop=mean, se=math.sqrt(spread) if n > 1 else None, n_features=n_features)


def measure_dependence(
    model: PixelModel, samples: SampleTable, feature: str, *, n_points: int = 9, max_rows: int = 500,
    rng: np.random.Generator,
) -> PartialDependence:  # fmt: skip
    """Measure how the mean class probabilities follow one feature, from its 5th to its 95th percentile.

    Args:
        model: A trained model of the samples' features.
        samples: Table with features.
        feature: Name of a column.
        n_points: Values that it is set to.
        max_rows: Rows to average over; more are thinned at random.
        rng: Source of the thinning.

    Raises:
        AssessmentError: If there is no such feature, or it has no valid value.

    Source: Friedman 2001, doi:10.1214/aos/1013203451, section 8.2.
    """
    if feature not in samples.feature_names:
        shown = ", ".join(samples.feature_names[:6])
        raise AssessmentError(f"feature {feature!r} is not one of the samples' {len(samples.feature_names)} ({shown}, ...)")
    features, column = samples.to_features(), samples.feature_names.index(feature)
    seen = features[np.isfinite(features[:, column]), column]
    if not len(seen):
        raise AssessmentError(f"feature {feature!r} has no valid value in any sample; choose another one")
    values = np.unique(np.percentile(seen.astype(np.float64), np.linspace(5, 95, n_points)))
    rows = rng.choice(len(features), min(max_rows, len(features)), replace=False)
    proba = []
    for value in values:
        changed = features[np.sort(rows)]
        changed[:, column] = value
        proba.append(np.nanmean(model.predict_features(changed).astype(np.float64), axis=0).tolist())
    return PartialDependence(feature=feature, values=values.tolist(), proba=proba)


def find_changes(model: PixelModel, samples: SampleTable, rows: NDArray[np.int64] | None = None) -> list[ClassChange]:
    """Say for each row which single group of features, moved least, would change its predicted class; see `CHANGE_RULE`.

    Args:
        model: A trained model of the samples' features.
        samples: Table with features, of which the prototypes are made.
        rows: Positions of the rows to explain; all by default. Rows that cannot be predicted are left out.
    """
    features, names = samples.to_features().astype(np.float64), samples.legend.names
    owner = samples.to_class_index()
    present = [int(k) for k in np.unique(owner)]
    prototypes = {k: np.nanmedian(features[owner == k], axis=0) for k in present}
    spread = np.nanstd(features, axis=0)
    spread[~(spread > 0)] = 1.0
    chosen = np.arange(len(features)) if rows is None else np.asarray(rows, dtype=np.int64)
    now = model.predict_features_index(features[chosen].astype(np.float32))
    groups = find_groups(samples.inputs)
    found = []
    for row, index in zip(chosen[now >= 0], now[now >= 0], strict=True):
        others = [k for k in present if k != index]
        if others:
            _, nearest = min((_distance(features[row], prototypes[k], spread), k) for k in others)
            change = _smallest(model, features[row], prototypes[nearest], spread, groups)
            said = ClassChange(row=int(row), predicted=names[index], nearest=names[nearest])
            if change is not None:
                moved, (kind, group), becomes = change
                said = said.model_copy(update={"kind": kind, "group": group, "becomes": names[becomes], "moved_sd": moved})
            found.append(said)
    return found


def _distance(a: NDArray[np.float64], b: NDArray[np.float64], spread: NDArray[np.float64]) -> float:
    """Length of the difference in standard deviations, over the columns that both have."""
    squares = ((a - b) / spread) ** 2
    return float(np.sqrt(np.nansum(squares))) if np.isfinite(squares).any() else math.inf


def _smallest(
    model: PixelModel, row: NDArray[np.float64], prototype: NDArray[np.float64], spread: NDArray[np.float64],
    groups: Groups,
) -> tuple[float, tuple[GroupKind, str], int] | None:  # fmt: skip
    """Distance, group and new class_index of the least move that changes the class of a row, or None."""
    tried = np.repeat(row[None], len(groups) + 1, axis=0)
    for i, columns in enumerate(groups.values()):
        tried[i, columns] = prototype[columns]
    now = model.predict_features_index(tried.astype(np.float32))
    moved = [
        (_distance(row[columns], prototype[columns], spread[columns]), key, int(now[i]))
        for i, (key, columns) in enumerate(groups.items()) if now[i] not in (-1, now[-1])
    ]  # fmt: skip
    return min(moved, default=None)
