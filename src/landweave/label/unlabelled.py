"""Learning from places without labels: self-training and label spreading give them provisional ones, at a lower weight.

Receives labelled and unlabelled tables with the same features; hands on a table with the sure ones added.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from landweave.errors import SampleError
from landweave.grid import metres_per_pixel
from landweave.label.checking import make_vectors
from landweave.models import ModelOptions, get_model
from landweave.samples import DrawOptions, draw_design, extract_samples
from landweave.samples.blocks import earth_xyz
from landweave.types import CubeSet, Options, Progress, SampleTable

__all__ = ["PseudoOptions", "add_pseudo_labels", "draw_pool", "self_train", "spread_labels"]


class PseudoOptions(Options):
    """How unlabelled rows get provisional labels."""

    method: Literal["self-training", "label-spreading"] = Field("self-training", description="the method")
    min_proba: float = Field(0.8, gt=0, lt=1, description="least probability for a provisional label")
    weight: float = Field(0.5, gt=0, le=1, description="weight of a provisional label, times its probability")
    k: int = Field(10, ge=1, description="neighbours of the graph (label-spreading)")
    max_rounds: int = Field(10, ge=1, description="rounds (self-training)")
    max_per_label: float = Field(5.0, gt=0, description="at most this many provisional labels per given label of a class")


def self_train(
    features: NDArray[np.float32], labels: NDArray[np.int64], *, n_classes: int, model: ModelOptions, min_proba: float = 0.8,
    max_rounds: int = 10,
) -> NDArray[np.float64]:  # fmt: skip
    """Label rows round by round with a model's own sure predictions (Yarowsky 1995; scikit-learn's SelfTrainingClassifier).

    Args:
        features: Rows (row, feature) without gaps.
        labels: class_index, -1 where there is none.
        n_classes: Number of classes.
        model: Family and parameters.
        min_proba: Probability from which a prediction becomes a label.
        max_rounds: Rounds at most.

    Returns:
        Probabilities (row, class) of the last model.

    Raises:
        SampleError: If fewer than two classes have labels, or no row lacks one.
    """
    from sklearn.semi_supervised import SelfTrainingClassifier

    _check_partly(labels)
    family = get_model(model.name)
    weight = model.class_weight if model.class_weight == "balanced" else None
    estimator = family.make(family.complete(model.params), features.shape[1], model.seed, weight)
    trained = SelfTrainingClassifier(estimator, threshold=min_proba, max_iter=max_rounds).fit(features, labels)
    proba = np.zeros((len(labels), n_classes))
    proba[:, trained.classes_.astype(int)] = trained.predict_proba(features)
    return proba


def spread_labels(
    features: NDArray[np.float32], labels: NDArray[np.int64], *, n_classes: int, k: int = 10, alpha: float = 0.2
) -> NDArray[np.float64]:
    """Spread labels along a graph of nearest rows (Zhou et al. 2003; scikit-learn's LabelSpreading).

    Args:
        features: Rows (row, feature) without gaps, on comparable scales.
        labels: class_index, -1 where there is none.
        n_classes: Number of classes.
        k: Neighbours of a row.
        alpha: Share of what a row takes from its neighbours, 0..1; the rest stays as given.

    Returns:
        Probabilities (row, class); NaN where no label reaches the row.

    Raises:
        SampleError: If fewer than two classes have labels, or no row lacks one.
    """
    from sklearn.semi_supervised import LabelSpreading

    _check_partly(labels)
    spread = LabelSpreading(kernel="knn", n_neighbors=min(k, len(labels) - 1), alpha=alpha, max_iter=200, tol=1e-3)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread.fit(features.astype(np.float64), labels)
    proba = np.zeros((len(labels), n_classes))
    proba[:, spread.classes_.astype(int)] = spread.label_distributions_
    return np.where(proba.sum(axis=1, keepdims=True) > 0, proba, np.nan)


def _check_partly(labels: NDArray[np.int64]) -> None:
    given = labels[labels >= 0]
    if len(np.unique(given)) < 2 or len(given) == len(labels):
        n_classes = len(np.unique(given))
        raise SampleError(f"{len(given)} of {len(labels)} rows have a label, of {n_classes} classes; give labels of two "
                          "classes or more, and rows without")  # fmt: skip


def add_pseudo_labels(
    samples: SampleTable, pool: SampleTable, *, model: ModelOptions | None = None, options: PseudoOptions | None = None
) -> SampleTable:
    """Add unlabelled rows that a method is sure of, with a lower weight and the method as their labeller.

    Args:
        samples: Labelled rows with features.
        pool: Rows with the same features; their classes are not looked at.
        model: For self-training.
        options: Method and limits.

    Returns:
        The samples and the added rows, whose `labeller` is "self-training" or "label-spreading".

    Raises:
        SampleError: If the tables' features differ, or there is nothing to learn from.
    """
    import geopandas as gpd
    import pandas as pd

    options, model = options or PseudoOptions(), model or ModelOptions()
    if samples.feature_names != pool.feature_names:
        raise SampleError(f"samples have {len(samples.feature_names)} features, the pool {len(pool.feature_names)}; extract "
                          "both from the same cube")  # fmt: skip
    common = [c for c in samples.frame.columns if c in pool.frame.columns]
    moved = pool.frame.to_crs(samples.frame.crs)[common]
    joined = gpd.GeoDataFrame(pd.concat([samples.frame[common], moved], ignore_index=True), geometry="geometry",
                              crs=samples.frame.crs)  # fmt: skip
    both = replace(samples, frame=joined)
    vectors = make_vectors(both)
    usable = np.flatnonzero(~np.isnan(vectors).any(axis=1))
    labels = np.concatenate([samples.to_class_index(), np.full(len(pool), -1)])
    k = len(samples.legend)
    proba = np.full((len(labels), k), np.nan)
    if options.method == "self-training":
        proba[usable] = self_train(vectors[usable], labels[usable], n_classes=k, model=model, min_proba=options.min_proba,
                                   max_rounds=options.max_rounds)  # fmt: skip
    else:
        proba[usable] = spread_labels(vectors[usable], labels[usable], n_classes=k, k=options.k)
    chosen, said = _sure_rows(proba, labels, options)
    sure = proba[chosen, said]
    names = np.array(samples.legend.names, dtype=object)
    first = int(samples.frame["sample_id"].max()) + 1
    added = joined.iloc[chosen].assign(**{
        "class": names[said], "weight": options.weight * sure, "labeller": options.method, "purpose": "train",
        "sample_id": np.arange(first, first + len(chosen)),
    })  # fmt: skip
    frame = pd.concat([joined.iloc[: len(samples)], added], ignore_index=True)
    return replace(samples, frame=gpd.GeoDataFrame(frame, geometry="geometry", crs=samples.frame.crs))


def draw_pool(
    samples: SampleTable, cubes: CubeSet, *, n: int = 2000, seed: int = 0, progress: Progress | None = None
) -> SampleTable:
    """Draw pixels of a cube at random, with the features that the samples have, to be given provisional labels.

    Args:
        samples: The labelled rows; pixels on their places are left out.
        cubes: What they were extracted from (of seasons, the cubes of one).
        n: Pixels drawn; those without observation are left out.
        seed: Of the draw.
        progress: Told about blocks.

    Raises:
        SampleError: If the cube gives other features than the samples have, or no pixel is left.
    """
    from scipy.spatial import cKDTree

    size = cubes.geobox.shape[0] * cubes.geobox.shape[1]
    drawn = draw_design(cubes.geobox, options=DrawOptions(kind="simple", n=min(n, size), seed=seed))
    pool = extract_samples(drawn, cubes, progress=progress)
    if pool.feature_names != samples.feature_names:
        raise SampleError(f"the cube gives {len(pool.feature_names)} features, the samples have {len(samples.feature_names)}; "
                          "use the cube that they were extracted from")  # fmt: skip
    known = cKDTree(earth_xyz(samples.to_xy("EPSG:4326")))
    pixel_m = max(metres_per_pixel(cubes.geobox))
    away = known.query(earth_xyz(pool.to_xy("EPSG:4326")), distance_upper_bound=pixel_m / 2)[0]
    if not np.isinf(away).any():
        raise SampleError(f"all {len(pool)} pixels drawn stand on labelled places; draw more")
    return pool.select(np.isinf(away))


def _sure_rows(
    proba: NDArray[np.float64], labels: NDArray[np.int64], options: PseudoOptions
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the unlabelled rows that are sure enough, the surest first within the limit of each class, and their classes."""
    best = np.nan_to_num(proba, nan=-1).argmax(axis=1)
    top = np.nan_to_num(proba, nan=-1).max(axis=1)
    chosen = []
    for c in range(proba.shape[1]):
        rows = np.flatnonzero((labels < 0) & (best == c) & (top >= options.min_proba))
        limit = int(options.max_per_label * np.sum(labels == c))
        chosen.append(rows[np.argsort(-top[rows], kind="stable")[:limit]])
    rows = np.sort(np.concatenate(chosen))
    return rows, best[rows]
