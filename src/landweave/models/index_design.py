"""Indices proposed from data: which normalised differences of bands tell the classes apart at new places.

Receives a sample table with reflectance; hands on formulas by rank, each of which a recipe takes under `cube: indices`. The
idea of choosing indices by what a classifier gains from them is that of Najjar et al. 2024 (arXiv:2407.08298); they start from
the importance of bands in a network, here every pair is tried.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from landweave.errors import BandError, SampleError
from landweave.features.indices import compute_index, list_indices
from landweave.features.series import fill_linear
from landweave.metrics.accuracy import score_parts
from landweave.metrics.confusion import count_parts
from landweave.metrics.intervals import bootstrap_scores
from landweave.models.inputs import step_days
from landweave.samples import SplitOptions, block_of, resolve_split, split_spatial
from landweave.types import Fold, ModelInput, Options, Progress, ProgressEvent, SampleTable

__all__ = ["IndexDesign", "IndexDesignOptions", "IndexScore", "propose_indices"]

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


class IndexDesignOptions(Options):
    """What is tried, and how it is judged."""

    bands: tuple[str, ...] | None = Field(None, description="bands that formulas are made of; by default all of reflectance")
    input: str | None = Field(None, description="input of the samples that holds them, where there are several")
    n_bands: int = Field(2, ge=2, le=3, description="2: nd(a,b); 3: nd(a,b,c), too, of the mean of a and b, and c")
    n_together: int = Field(3, ge=1, le=6, description="most indices that are put together, each the one that adds most")
    nested: bool = Field(True, description="also choose anew within the training of each fold: an honest score of the choice")
    draws: int = Field(500, ge=2, description="draws of the bootstrap of blocks behind the intervals")
    seed: int = Field(0, ge=0, description="seed of the draws")


@dataclass(frozen=True, slots=True)
class IndexScore:
    """How well one or several indices tell the classes apart: macro-F1 under spatial folds with its 95 % interval.

    Over the classes that stand in two blocks or more: the others cannot be learnt under spatial folds.
    """

    formulas: tuple[str, ...]
    macro_f1: float
    lower: float
    upper: float
    known_as: str = ""


@dataclass(frozen=True)
class IndexDesign:
    """What the search found.

    Attributes:
        ranking: Every formula tried, best first.
        known: Indices of the own table that the bands allow, best first.
        together: The best one, the best with a second, and so on.
        all_bands: The bands themselves.
        nested: Macro-F1 where the best formula is chosen anew from the training of each fold; None where not asked for. What
            the best of the ranking scores above it is due to the choice among many.
        n_rows: Samples that were used.
        n_blocks: Spatial blocks that they stand in.
        classes_in_one_block: Classes that spatial folds cannot learn; their F1 is left out of every score.
    """

    ranking: tuple[IndexScore, ...]
    known: tuple[IndexScore, ...]
    together: tuple[IndexScore, ...]
    all_bands: IndexScore
    nested: float | None
    n_rows: int
    n_blocks: int
    classes_in_one_block: tuple[str, ...]


@dataclass(frozen=True)
class _Judge:
    """Truth, folds and blocks that every candidate is judged by."""

    truth: Codes
    n_classes: int
    learnable: Codes
    blocks: Codes
    repeats: list[list[Fold]]
    options: IndexDesignOptions

    def parts(self, values: Floats) -> Floats:
        """Give hits, predictions and truths by block, repeat and class of a discriminant on `values` (row, feature)."""
        n_groups = int(self.blocks.max()) + 1
        made = []
        for folds in self.repeats:
            predicted = np.full(len(self.truth), -1, dtype=np.int64)
            for fold in folds:
                predicted[fold.test] = discriminate(values[fold.train], self.truth[fold.train], values[fold.test])
            made.append(count_parts(self.blocks, predicted, self.truth, n_groups=n_groups, n_classes=self.n_classes))
        return np.stack(made, axis=1)

    def score(self, values: Floats) -> float:
        """Give the macro-F1, the mean over the repeats."""
        return self.mean_f1(self.parts(values).sum(axis=0))

    def mean_f1(self, parts: Floats) -> float:
        """Give the macro-F1 of counts (repeat, 3, class) over the learnable classes."""
        return float(score_parts(parts[..., self.learnable], "macro_f1").mean())

    def describe(self, formulas: Sequence[str], values: Floats, known_as: str = "") -> IndexScore:
        """Give the score with the interval of a bootstrap of blocks."""
        parts = self.parts(values)
        value = self.mean_f1(parts.sum(axis=0))
        rng = np.random.default_rng(self.options.seed)
        kept = parts[..., self.learnable]
        drawn = bootstrap_scores(kept, ("macro_f1",), draws=self.options.draws, rng=rng)["macro_f1"]
        low, high = np.nanquantile(drawn, (0.025, 0.975))
        return IndexScore(tuple(formulas), value, float(low), float(high), known_as)


def discriminate(train: Floats, classes: Codes, test: Floats) -> Codes:
    """Classify rows by a linear discriminant with equal priors.

    Features are standardised by the training rows; the pooled covariance is drawn a tenth of the way to the identity
    (regularised discriminant analysis, Friedman 1989, doi:10.1080/01621459.1989.10478752, with alpha 1 and gamma 0.1).

    Args:
        train: (row, feature), finite.
        classes: Class of each training row.
        test: (row, feature).

    Returns:
        Class of each test row.
    """
    mean, std = train.mean(axis=0), train.std(axis=0)
    scale = np.where(std > 0, std, 1.0)
    x, y = (train - mean) / scale, (test - mean) / scale
    names = np.unique(classes)
    middles = np.stack([x[classes == c].mean(axis=0) for c in names])
    residual = x - middles[np.searchsorted(names, classes)]
    pooled = residual.T @ residual / max(len(x) - len(names), 1)
    shrunk = 0.9 * pooled + 0.1 * np.eye(x.shape[1])
    weights = np.linalg.solve(shrunk, middles.T)
    return np.asarray(names[(y @ weights - 0.5 * (middles.T * weights).sum(axis=0)).argmax(axis=1)])


def _series_of(samples: SampleTable, options: IndexDesignOptions) -> tuple[ModelInput, dict[str, NDArray[np.float32]]]:
    """Give the input and its bands as (row, step), gaps filled linearly over time; NaN where a row has no observation."""
    able = [i for i in samples.inputs if _bands_of(i, options)]
    named = [i for i in able if options.input in (None, i.name)]
    if len(named) != 1:
        told = ", ".join(i.name for i in able) or "none"
        raise BandError(f"indices are made of two bands or more of one input; inputs with such bands: {told}; name one "
                        "(input), or the bands")  # fmt: skip
    spec = named[0]
    prefix = f"{spec.name}." if len(samples.inputs) > 1 else ""
    columns = [prefix + name for name in spec.feature_names]
    flat = samples.frame[columns].to_numpy(dtype=np.float32).reshape(len(samples), spec.n_steps or 1, len(spec.bands))
    filled = np.moveaxis(fill_linear(np.moveaxis(flat, 1, 0), step_days(spec)), 0, 1)
    return spec, {b: filled[:, :, spec.bands.index(b)] for b in _bands_of(spec, options)}


def _bands_of(spec: ModelInput, options: IndexDesignOptions) -> tuple[str, ...]:
    if options.bands is not None:
        return options.bands if set(options.bands) <= set(spec.bands) else ()
    found = tuple(b for b, kind in zip(spec.bands, spec.kinds, strict=True) if kind == "reflectance")
    return found if len(found) > 1 else ()


def list_formulas(bands: Sequence[str], n_bands: int) -> list[str]:
    """Write every normalised difference of two bands, and with `n_bands` 3 of the mean of two and a third.

    The sign of a difference makes no difference to a classifier, so that each pair stands once.
    """
    found = [f"nd({a},{b})" for a, b in itertools.combinations(bands, 2)]
    if n_bands == 3:
        found += [f"nd({a},{b},{c})" for c in bands for a, b in itertools.combinations([x for x in bands if x != c], 2)]
    return found


def _compute(formula: str, bands: Mapping[str, NDArray[np.float32]]) -> Floats:
    """Compute an index (row, step); 0, which says nothing, where the denominator vanishes."""
    return np.nan_to_num(compute_index(formula, bands), nan=0.0).astype(np.float64)


def propose_indices(
    samples: SampleTable, *, split: SplitOptions | None = None, options: IndexDesignOptions | None = None,
    progress: Progress | None = None,
) -> IndexDesign:  # fmt: skip
    """Rank normalised differences of bands by how well their series tell the classes apart at new places.

    Each formula's series alone goes through a regularised linear discriminant under spatial folds: fast, the same for all, and
    blind to nothing but order. What is found is worth trying in the model that makes the map.

    Args:
        samples: Samples with features; rows whose series has no observation are left out.
        split: Spatial folds, as in the recipe.
        options: What is tried.
        progress: Told of every formula.

    Returns:
        Formulas by rank beside known indices and the bands themselves.

    Raises:
        BandError: If no input has two bands to make an index of.
        SampleError: If no row is usable.
        SplitError: If the samples cannot be split.
    """
    options = options or IndexDesignOptions()
    spec, bands = _series_of(samples, options)
    usable = np.all([np.isfinite(v).all(axis=1) for v in bands.values()], axis=0)
    if not usable.any():
        raise SampleError(f"no sample has observations of {', '.join(bands)} in input {spec.name!r}")
    kept = samples.select(usable)
    bands = {b: v[usable] for b, v in bands.items()}
    judge = _make_judge(kept, split or SplitOptions(), options)
    formulas = list_formulas(list(bands), options.n_bands)
    values: dict[str, Floats] = {}
    ranking = []
    aliases = {frozenset(i.bands): i.name for i in list_indices() if i.formula == _plain(i.bands)}
    for k, formula in enumerate(formulas):
        values[formula] = _compute(formula, bands)
        own = frozenset(formula[3:-1].split(","))
        ranking.append(judge.describe([formula], values[formula], aliases.get(own, "")))
        if progress is not None:
            progress(ProgressEvent("indices", k + 1, len(formulas), "formulas"))
    ranking.sort(key=lambda s: -s.macro_f1)
    known = [judge.describe([i.name], _compute(i.name, bands)) for i in list_indices() if set(i.bands) <= set(bands)]
    lone = tuple(c.name for i, c in enumerate(kept.legend) if i in judge.truth and i not in judge.learnable)
    return IndexDesign(
        tuple(ranking), tuple(sorted(known, key=lambda s: -s.macro_f1)), _put_together(ranking[0], values, judge),
        judge.describe(list(bands), np.concatenate([v.astype(np.float64) for v in bands.values()], axis=1)),
        _score_nested(values, judge) if options.nested else None, len(kept), int(judge.blocks.max()) + 1, lone,
    )  # fmt: skip


def _plain(bands: Sequence[str]) -> str:
    return f"({bands[0]} - {bands[1]}) / ({bands[0]} + {bands[1]})" if len(bands) == 2 else ""


def _make_judge(samples: SampleTable, split: SplitOptions, options: IndexDesignOptions) -> _Judge:
    split = resolve_split(samples, split)
    _, blocks = np.unique(block_of(samples, split), return_inverse=True)
    truth = samples.to_class_index()
    learnable = np.array([c for c in np.unique(truth) if len(np.unique(blocks[truth == c])) > 1], dtype=np.int64)
    if len(learnable) < 2:
        raise SampleError(f"{len(learnable)} of {len(np.unique(truth))} classes stand in two spatial blocks or more, and "
                          "indices are judged at new places by two classes at least; give smaller blocks, or samples of more "
                          "places")  # fmt: skip
    return _Judge(truth, len(samples.legend), learnable, blocks, split_spatial(samples, split), options)


def _put_together(best: IndexScore, values: Mapping[str, Floats], judge: _Judge) -> tuple[IndexScore, ...]:
    """Add, one at a time, the index that raises the score most; stop where none does."""
    chosen, held = [best], values[best.formulas[0]]
    while len(chosen) < judge.options.n_together:
        scores = {f: judge.score(np.concatenate([held, v], axis=1)) for f, v in values.items() if f not in chosen[-1].formulas}
        if not scores or max(scores.values()) <= chosen[-1].macro_f1:
            break
        more = max(scores, key=lambda f: scores[f])
        held = np.concatenate([held, values[more]], axis=1)
        chosen.append(judge.describe([*chosen[-1].formulas, more], held))
    return tuple(chosen)


def _score_nested(values: Mapping[str, Floats], judge: _Judge) -> float | None:
    """Choose the best formula from the other folds alone, for each fold of the first repeat, and score what these predict."""
    folds = judge.repeats[0]
    if len(folds) < 3:
        return None
    predicted = np.full(len(judge.truth), -1, dtype=np.int64)
    for fold in folds:
        best = max(values, key=lambda f: _score_within(values[f], fold, folds, judge))
        chosen = values[best]
        predicted[fold.test] = discriminate(chosen[fold.train], judge.truth[fold.train], chosen[fold.test])
    return _score_all(predicted, judge)


def _score_within(values: Floats, fold: Fold, folds: Sequence[Fold], judge: _Judge) -> float:
    """Score a formula without the rows that a fold tests: the other folds test each other."""
    predicted = np.full(len(judge.truth), -1, dtype=np.int64)
    for other in folds:
        train = np.intersect1d(other.train, fold.train, assume_unique=True)
        test = np.intersect1d(other.test, fold.train, assume_unique=True)
        if other is not fold and len(test) and len(train):
            predicted[test] = discriminate(values[train], judge.truth[train], values[test])
    return _score_all(predicted, judge)


def _score_all(predicted: Codes, judge: _Judge) -> float:
    one = np.zeros(len(predicted), dtype=np.int64)
    return judge.mean_f1(count_parts(one, predicted, judge.truth, n_groups=1, n_classes=judge.n_classes))
