"""Values of samples brought to one scale, and one value per group."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def standardise(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centre and scale the columns of (row, column), NaN becoming the mean; constant and empty columns are left out."""
    count = np.maximum((~np.isnan(values)).sum(axis=0), 1)
    centred = np.nan_to_num(values - np.nansum(values, axis=0) / count, nan=0.0)
    spread = np.sqrt(np.square(centred).mean(axis=0))
    return np.asarray(centred[:, spread > 1e-12] / spread[spread > 1e-12])


def group_means(values: NDArray[np.float64], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """Give the mean (group, column) of each group's rows, leaving NaN out; NaN where a group has nothing else."""
    valid = ~np.isnan(values)
    total, count = np.zeros((2, int(groups.max()) + 1, values.shape[1]))
    np.add.at(total, groups, np.where(valid, values, 0))
    np.add.at(count, groups, valid)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
