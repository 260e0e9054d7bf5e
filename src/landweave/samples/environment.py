"""Environmental clusters of samples: places that look alike, held out together.

Receives samples with features (or columns such as elevation); hands on one cluster per row.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from landweave.errors import SplitError
from landweave.samples._values import group_means, standardise
from landweave.samples.options import SplitOptions
from landweave.types import SampleTable

__all__ = ["environment_of"]


def environment_of(samples: SampleTable, options: SplitOptions) -> NDArray[np.int64]:
    """Cluster the samples by their environment with k-means on standardised values; a group is never cut.

    Environmental blocking is that of Roberts et al. (2017, doi:10.1111/ecog.02881) and Valavi et al. (2019,
    doi:10.1111/2041-210X.13107). Features of the imagery tell the class first of all, and clusters of them would be classes,
    which no fold could both train and test; so the class means are taken off, and what is clustered is how one class differs
    from place to place. Columns that are named (elevation, rainfall) are clustered as they are.

    Args:
        samples: The samples.
        options: `environment_columns`, `n_environments` (as many as folds by default), seed.

    Returns:
        Cluster of each row, 0..k-1.

    Raises:
        SplitError: If there are no features, a column does not exist or is no number, or there are fewer groups than clusters.
    """
    from sklearn.cluster import KMeans

    k = options.n_environments or options.n_folds
    groups = np.unique(samples.frame["group"].to_numpy().astype(str), return_inverse=True)[1]
    values = _named(samples, options.environment_columns) if options.environment_columns else _within_classes(samples)
    means, n = group_means(values, groups), np.bincount(groups)
    if len(np.unique(means, axis=0)) < k:
        raise SplitError(f"{len(samples)} samples have {len(np.unique(means, axis=0))} different environments, fewer than "
                         f"{k} clusters; ask for fewer (n_environments)")  # fmt: skip
    labels = KMeans(k, n_init=4, random_state=options.seed).fit(means, sample_weight=n).labels_
    return np.asarray(labels[groups], dtype=np.int64)


def _named(samples: SampleTable, columns: tuple[str, ...]) -> NDArray[np.float64]:
    missing = [c for c in columns if c not in samples.frame.columns]
    if missing:
        known = ", ".join(c for c in samples.frame.columns if c != "geometry")[:300]
        raise SplitError(f"samples have no column {missing[0]!r} to cluster by; environment_columns may name {known}")
    try:
        values = samples.frame[list(columns)].to_numpy(dtype=np.float64)
    except (TypeError, ValueError) as err:
        raise SplitError(f"environment_columns {list(columns)} hold more than numbers ({err}); name numbers only") from err
    return standardise(values)


def _within_classes(samples: SampleTable) -> NDArray[np.float64]:
    if not samples.inputs:
        raise SplitError("samples have no features to cluster by environment; extract them from a cube first, or name columns "
                         "(environment_columns)")  # fmt: skip
    values = samples.to_features().astype(np.float64)
    classes = samples.to_class_index()
    for index in np.unique(classes):
        mine = values[classes == index]
        count = np.maximum((~np.isnan(mine)).sum(axis=0), 1)
        values[classes == index] = mine - np.nansum(mine, axis=0) / count
    return standardise(values)
