"""A self-organising map of series, and how well each label agrees with the series that look alike.

Receives features; hands on neurons, and a `LabelFinding` by the conditional and posterior probabilities of Santos et al.
2021, Quality control and class noise reduction of satellite image time series, doi:10.1016/j.isprsjprs.2021.04.014.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landweave.errors import SampleError
from landweave.label.findings import LabelFinding

__all__ = ["SelfOrganisingMap", "check_by_map", "fit_map"]


@dataclass(frozen=True)
class SelfOrganisingMap:
    """Neurons on a rectangular lattice, each a series; neighbours on the lattice look alike.

    Attributes:
        neurons: Weights (rows * columns, feature).
        shape: Rows and columns.
    """

    neurons: NDArray[np.float32]
    shape: tuple[int, int]

    def find_neurons(self, features: NDArray[np.float32]) -> NDArray[np.int64]:
        """Give the neuron nearest to each row by Euclidean distance (row,)."""
        return _nearest(np.ascontiguousarray(features, dtype=np.float32), self.neurons)

    @property
    def distances(self) -> NDArray[np.int64]:
        """Lattice distance (neuron, neuron): the larger of the steps along rows and columns, so that 8 neurons are next."""
        at = _positions(self.shape)
        return np.asarray(np.abs(at[:, None] - at[None]).max(axis=2))


def _positions(shape: tuple[int, int]) -> NDArray[np.int64]:
    return np.stack(np.divmod(np.arange(shape[0] * shape[1]), shape[1]), axis=1)


def _nearest(x: NDArray[np.float32], neurons: NDArray[np.float32]) -> NDArray[np.int64]:
    half = 0.5 * np.square(neurons).sum(axis=1)
    return np.concatenate([(x[s : s + 4096] @ neurons.T - half).argmax(axis=1) for s in range(0, len(x), 4096)])


def fit_map(
    features: NDArray[np.float32], rng: np.random.Generator, *, shape: tuple[int, int] | None = None, n_epochs: int = 40
) -> SelfOrganisingMap:
    """Fit by the batch algorithm (Kohonen 2013, doi:10.1016/j.neunet.2012.09.018, section 4): every epoch each neuron becomes
    the mean of all rows, weighted by a Gaussian of the lattice distance to the row's neuron, whose width shrinks to 0.4.

    Args:
        features: Rows (row, feature) without gaps, on comparable scales.
        rng: Draws the rows that neurons start from.
        shape: Rows and columns; by default about 2.5 sqrt(n) neurons in a square, at least 3 x 3 (half the 5 sqrt(n) of
            Vesanto and Alhoniemi 2000, doi:10.1109/72.846731: a neuron must hold enough rows for its shares to mean something).
        n_epochs: Passes over the rows.

    Raises:
        SampleError: If there are gaps or fewer rows than 9.
    """  # noqa: D205 (one sentence says both)
    x = np.ascontiguousarray(features, dtype=np.float32)
    if len(x) < 9 or np.isnan(x).any():
        raise SampleError(f"a self-organising map needs 9 rows without gaps; there are {len(x)}, "
                          f"{int(np.isnan(x).any(axis=1).sum())} with gaps")  # fmt: skip
    side = max(3, round(np.sqrt(2.5 * np.sqrt(len(x)))))
    shape = shape or (side, side)
    n = shape[0] * shape[1]
    neurons = _start_on_plane(x, shape, rng)
    at = _positions(shape).astype(np.float32)
    squared = np.square(at[:, None] - at[None]).sum(axis=2)
    widths = np.geomspace(max(shape) / 3, 0.4, n_epochs)
    for width in widths:
        near = _nearest(x, neurons)
        sums = np.zeros_like(neurons)
        np.add.at(sums, near, x)
        counts = np.bincount(near, minlength=n).astype(np.float32)
        kernel = np.exp(-squared / (2 * np.float32(width) ** 2))
        total = kernel @ counts
        filled = total > 1e-6
        neurons[filled] = (kernel[filled] @ sums) / total[filled, None]
    return SelfOrganisingMap(neurons, shape)


def _start_on_plane(x: NDArray[np.float32], shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """Lay the lattice out on the plane of the two largest components of a sample of the rows."""
    rows = x[rng.choice(len(x), min(len(x), 2000), replace=False)]
    mean = rows.mean(axis=0)
    _, s, vt = np.linalg.svd(rows - mean, full_matrices=False)
    spread = s[:2] / np.sqrt(len(rows))
    at = _positions(shape) / np.maximum(np.array(shape) - 1, 1) * 2 - 1
    plane = at[:, : len(spread)] * spread @ vt[:2]
    return np.asarray(mean + plane + 1e-4 * rng.standard_normal((len(at), x.shape[1])), dtype=np.float32)


def check_by_map(
    features: NDArray[np.float32], labels: NDArray[np.int64], *, n_classes: int, rng: np.random.Generator,
    conditional: float = 0.6, posterior: float = 0.6, n_maps: int = 1, spare_leading: bool = True,
) -> LabelFinding:  # fmt: skip
    """Check labels against the neurons that their series fall in.

    The conditional probability of a row's label is its share in the row's neuron. The posterior weighs it with the mean share
    m in the neighbouring neurons: (v p + e m) / (v + e), where v is the variance of the share among the neighbours and
    e = 1 - max p of the neuron. The published rule suspects every row whose conditional is below its threshold, and wants
    those whose posterior is below its own looked at. Where many labels are wrong, most neurons are mixed and that rule
    suspects right and wrong alike; so the rows of the class that leads their neuron, after averaging the maps, are spared.

    Args:
        features: Rows (row, feature) without gaps, on comparable scales; rows with NaN are not judged.
        labels: class_index of the given label (row,).
        n_classes: Number of classes.
        rng: Seeds the maps.
        conditional: Least share of the label in the neuron.
        posterior: Least posterior.
        n_maps: Maps fitted from different starts; their probabilities are averaged.
        spare_leading: False for the published rule: every row below either threshold.

    Returns:
        Suspects; the score is 1 less the posterior, the suggestion the neuron's commonest class.
    """
    rows = np.flatnonzero(~np.isnan(features).any(axis=1))
    share = np.zeros((len(rows), n_classes))
    smooth = np.zeros((len(rows), n_classes))
    for _ in range(n_maps):
        fitted = fit_map(features[rows], rng)
        near = fitted.find_neurons(features[rows])
        p, q = _neuron_proba(fitted, near, labels[rows], n_classes)
        share += p[near] / n_maps
        smooth += q[near] / n_maps
    at = np.arange(len(rows))
    given, after = share[at, labels[rows]], smooth[at, labels[rows]]
    score = np.full(len(labels), np.nan)
    suspect = np.zeros(len(labels), dtype=bool)
    suggested = np.full(len(labels), -1, dtype=np.int64)
    best = share.argmax(axis=1)
    score[rows] = np.clip(1 - after, 0, 1)
    low = (given < conditional) | (after < posterior)
    suspect[rows] = low & (best != labels[rows]) if spare_leading else low
    suggested[rows] = np.where(best == labels[rows], -1, best)
    removed, analysed = int((given < conditional).sum()), int(((given >= conditional) & (after < posterior)).sum())
    size = "x".join(map(str, fitted.shape))
    note = f"map of {size} neurons: {removed} rows below the conditional, {analysed} more below the posterior probability"
    return LabelFinding("som", suspect, score, suggested, note)


def _neuron_proba(
    fitted: SelfOrganisingMap, near: NDArray[np.int64], labels: NDArray[np.int64], n_classes: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the conditional and posterior probabilities (neuron, class)."""
    n = len(fitted.neurons)
    counts = np.bincount(near * n_classes + labels, minlength=n * n_classes).reshape(n, n_classes).astype(np.float64)
    size = counts.sum(axis=1, keepdims=True)
    p = counts / np.maximum(size, 1)
    beside = (fitted.distances == 1).astype(np.float64) * (size[:, 0] > 0)  # an empty neuron says nothing of its neighbours
    m = beside.sum(axis=1, keepdims=True)
    mean = beside @ p / np.maximum(m, 1)
    variance = np.maximum(beside @ np.square(p) - m * np.square(mean), 0) / np.maximum(m - 1, 1)
    eta = np.maximum(1 - p.max(axis=1, keepdims=True), 1e-7)
    q = (variance * p + eta * mean) / (variance + eta)
    return p, np.where(m >= 2, q, p)
