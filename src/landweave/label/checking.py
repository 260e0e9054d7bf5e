"""All checks of labels on one sample table, with the care that samples need: groups, places, spatial folds, gaps.

Receives a `SampleTable` with features; hands on a `LabelReport`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from landweave.errors import SampleError
from landweave.label.confident import PruneRule, find_label_errors
from landweave.label.findings import LabelFinding, LabelReport
from landweave.label.neighbours import check_by_neighbours, find_conflicts, find_outliers
from landweave.label.som import check_by_map
from landweave.models import ModelOptions, cross_validate
from landweave.models.inputs import prepare_features
from landweave.samples import SplitOptions, split_random, split_spatial
from landweave.types import Fold, Options, Progress, SampleTable

__all__ = ["CheckOptions", "check_labels", "held_out_proba", "make_vectors", "number_groups", "number_places"]

CheckName = Literal["confident", "som", "neighbours", "outliers", "conflicts"]
_LEAST_TRAINED = 0.2
"""Share of a class's rows below which a fold has not learnt the class, so that its probabilities say nothing about it."""


class CheckOptions(Options):
    """Which checks of labels are made, and how."""

    methods: tuple[CheckName, ...] = Field(
        ("confident", "som", "neighbours", "outliers", "conflicts"), description="checks to make, in this order"
    )
    model: ModelOptions = Field(default_factory=ModelOptions, description="model whose folds judge the labels (confident)")
    split: SplitOptions = Field(default_factory=SplitOptions, description="spatial folds of that model")
    rule: PruneRule = Field("both", description="how confident learning chooses: confident, class, noise-rate, both")
    k: int = Field(10, ge=2, description="neighbours looked at")
    min_share: float = Field(0.3, gt=0, lt=1, description="least share of neighbours with the same label")
    conditional: float = Field(0.6, gt=0, lt=1, description="least share of the label in its neuron (som)")
    posterior: float = Field(0.6, gt=0, lt=1, description="least share after weighing with the neurons beside it (som)")
    n_maps: int = Field(1, ge=1, description="self-organising maps that are averaged")
    seed: int = Field(0, ge=0, description="seed of the maps")

    @field_validator("methods")
    @classmethod
    def _some(cls, value: tuple[CheckName, ...]) -> tuple[CheckName, ...]:
        if not value or len(set(value)) < len(value):
            raise ValueError(f"methods are {list(value)}; name at least one check, each once")
        return value


def check_labels(
    samples: SampleTable, *, options: CheckOptions | None = None, proba: NDArray[np.floating] | None = None,
    progress: Progress | None = None,
) -> LabelReport:  # fmt: skip
    """Look for wrong labels with several checks that know different things.

    Args:
        samples: Table with features.
        options: Which checks and how.
        proba: Probabilities (row, class) of models that did not see the row, if they are there already; otherwise
            `held_out_proba` makes them.
        progress: Told of the folds.

    Returns:
        One finding per check; `LabelReport.combine` joins them.

    Raises:
        SampleError: If the table has no features or too few rows.
        SplitError: If the rows cannot be split as the options say.
        ModelError: If the model cannot be trained.
    """
    options = options or CheckOptions()
    labels, k = samples.to_class_index(), len(samples.legend)
    groups = number_groups(samples)
    needs_vectors = bool(set(options.methods) & {"som", "neighbours", "outliers"})
    vectors = make_vectors(samples) if needs_vectors else np.empty((0, 0), np.float32)
    rng = np.random.default_rng(options.seed)
    findings: list[LabelFinding] = []
    for method in options.methods:
        if method == "confident":
            note = "probabilities as given"
            if proba is None:
                proba, note = held_out_proba(samples, model=options.model, split=options.split, progress=progress)
            findings.append(find_label_errors(labels, proba, rule=options.rule, note=note))
        elif method == "som":
            findings.append(check_by_map(
                vectors, labels, n_classes=k, rng=rng, conditional=options.conditional, posterior=options.posterior,
                n_maps=options.n_maps,
            ))  # fmt: skip
        elif method == "neighbours":
            findings.append(
                check_by_neighbours(vectors, labels, groups, n_classes=k, k=options.k, min_share=options.min_share)
            )
        elif method == "outliers":
            findings.append(find_outliers(vectors, labels, groups))
        else:
            findings.append(find_conflicts(number_places(samples), labels, n_classes=k))
    return LabelReport(tuple(findings))


def held_out_proba(
    samples: SampleTable, *, model: ModelOptions, split: SplitOptions, progress: Progress | None = None
) -> tuple[NDArray[np.float64], str]:
    """Give each row the mean probabilities of models that did not see it or its block.

    A spatial fold whose training part holds less than a fifth of some class's rows has not learnt that class (it stands in a
    block or two), and would call every label of it wrong. The rows that such a fold tests get the probabilities of random
    folds by groups instead.

    Args:
        samples: Table with features.
        model: The model.
        split: Spatial folds; their repeats are averaged.
        progress: Told of the folds.

    Returns:
        Probabilities (row, class), NaN where a row has too few valid dates; and a sentence on the folds.

    Raises:
        SplitError: If the rows cannot be split.
        ModelError: If the model cannot be trained.
    """
    repeats = split_spatial(samples, split)
    spatial = cross_validate(samples, repeats, options=model, keep_proba=True, progress=progress).proba
    if spatial is None:
        raise SampleError("cross-validation kept no probabilities")
    proba = np.asarray(spatial, dtype=np.float64)
    labels, k = samples.to_class_index(), len(samples.legend)
    unlearnt = [[_lacks_class(fold, labels, k) for fold in folds] for folds in repeats]
    n_random = 0
    if any(any(row) for row in unlearnt):
        again = split_random(samples, split)
        kept = cross_validate(samples, again, options=model, keep_proba=True, progress=progress).proba
        for r, folds in enumerate(repeats):
            for lacks, fold in zip(unlearnt[r], folds, strict=True):
                if lacks and kept is not None:
                    proba[r, fold.test] = kept[r, fold.test]
                    n_random += len(fold.test)
    note = f"{split.n_folds} spatial folds"
    if n_random:
        share = n_random / (len(repeats) * len(samples))
        note += f", but random ones for {share:.0%} of the rows, whose spatial fold leaves too little of a class to train on"
    return proba.mean(axis=0), note


def _lacks_class(fold: Fold, labels: NDArray[np.int64], n_classes: int) -> bool:
    total, trained = np.bincount(labels, minlength=n_classes), np.bincount(labels[fold.train], minlength=n_classes)
    return bool((trained[total > 0] < _LEAST_TRAINED * total[total > 0]).any())


def make_vectors(samples: SampleTable) -> NDArray[np.float32]:
    """Give the features on comparable scales: gaps filled as in training, each band less its mean, over its spread.

    Mean and spread are taken over all rows and dates of a band, so that the shape of a series is kept. Inputs with time count
    as much as static ones: each input is divided by the root of its number of dates.

    Returns:
        (row, feature) float32, NaN in rows without any observation.

    Raises:
        SampleError: If the table has no features.
    """
    flat = samples.to_features()
    features, usable = prepare_features(flat, samples.inputs, missing="fill", min_valid_steps=1)
    parts, at = [], 0
    for spec in samples.inputs:
        width = len(spec.feature_names)
        series = features[:, at : at + width].reshape(len(features), -1, len(spec.bands)).astype(np.float64)
        at += width
        known = series[usable]
        mean, spread = known.mean(axis=(0, 1)), known.std(axis=(0, 1))
        scaled = (series - mean) / np.where(spread > 0, spread, 1) / np.sqrt(series.shape[1])
        parts.append(scaled.reshape(len(features), -1))
    vectors = np.concatenate(parts, axis=1).astype(np.float32)
    vectors[~usable] = np.nan
    return vectors


def number_groups(samples: SampleTable) -> NDArray[np.int64]:
    """Number the groups of the rows."""
    return np.unique(samples.frame["group"].to_numpy().astype(str), return_inverse=True)[1].reshape(-1).astype(np.int64)


def number_places(samples: SampleTable) -> NDArray[np.int64]:
    """Number the places and times of the rows: same longitude and latitude to 1e-6 degrees (0.1 m), same start of the time."""
    at = np.round(samples.to_xy("EPSG:4326") * 1e6).astype(np.int64)
    time = samples.frame["time_start"].to_numpy().astype("datetime64[ms]").astype(np.int64)
    keys: Sequence[NDArray[np.int64]] = (at[:, 0], at[:, 1], time)
    return np.unique(np.stack(keys, axis=1), axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)
