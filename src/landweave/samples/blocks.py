"""Spatial blocks of samples: cells measured on the ellipsoid (or in degrees), one per group, for splitting and bootstrapping.

Receives samples; hands on one block label per row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.errors import SplitError
from landweave.samples._rows import lonlat_of
from landweave.samples.options import SplitOptions
from landweave.types import SampleTable

__all__ = ["block_of", "block_size_of", "blocks_per_class", "classes_in_one_block", "earth_xyz", "ellipsoid_cells"]

_A, _F = 6378137.0, 1 / 298.257223563  # WGS84
_E2 = _F * (2 - _F)
_CELLS_ACROSS = 10
"""Blocks across the longer side of the samples' extent where no size is stated: enough for five folds, each of many blocks."""


def earth_xyz(lonlat: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give geocentric coordinates (n, 3) in metres of points on the WGS84 ellipsoid.

    The straight distance between two of them is never longer than the geodesic, and 1e-6 shorter at 30 km.
    """
    lon, lat = np.radians(lonlat[:, 0]), np.radians(lonlat[:, 1])
    n = _A / np.sqrt(1 - _E2 * np.sin(lat) ** 2)
    return np.column_stack([n * np.cos(lat) * np.cos(lon), n * np.cos(lat) * np.sin(lon), n * (1 - _E2) * np.sin(lat)])


def _meridian_arc(lat: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance in metres from the equator along a meridian (Snyder 1987, eq. 3-21)."""
    e2, e4, e6 = _E2, _E2**2, _E2**3
    return np.asarray(_A * (
        (1 - e2 / 4 - 3 * e4 / 64 - 5 * e6 / 256) * lat
        - (3 * e2 / 8 + 3 * e4 / 32 + 45 * e6 / 1024) * np.sin(2 * lat)
        + (15 * e4 / 256 + 45 * e6 / 1024) * np.sin(4 * lat)
        - (35 * e6 / 3072) * np.sin(6 * lat)
    ))  # fmt: skip


def ellipsoid_cells(lonlat: NDArray[np.float64], size_m: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give row and column of the cell that each point falls in: bands of `size_m` along the meridian, cut into cells of
    `size_m` along the parallel through the band's middle. Cells are close to square anywhere on Earth.
    """  # noqa: D205 (one sentence says both)
    lat = np.radians(lonlat[:, 1])
    row = np.floor(_meridian_arc(lat) / size_m).astype(np.int64)
    # latitude of the band's middle, on the sphere of the same meridian: it decides the cells' width only
    middle = np.clip((row + 0.5) * size_m / _meridian_arc(np.array([np.pi / 2]))[0] * (np.pi / 2), -np.pi / 2, np.pi / 2)
    radius = np.maximum(_A / np.sqrt(1 - _E2 * np.sin(middle) ** 2) * np.cos(middle), size_m / (2 * np.pi))
    col = np.floor(np.radians(lonlat[:, 0]) * radius / size_m).astype(np.int64)
    return row, col


def block_size_of(samples: SampleTable, options: SplitOptions) -> float:
    """Give the side of a block in metres: as stated, or a tenth of the longer side of the samples' extent.

    A size in degrees is turned into the metres of its north-south side at the samples' mean latitude.
    """
    at = lonlat_of(samples.frame)
    lat = float(np.radians(at[:, 1].mean()))
    if options.block_size_m is not None:
        return options.block_size_m
    if options.block_size_deg is not None:
        half = np.radians(options.block_size_deg) / 2
        arc = _meridian_arc(np.array([lat - half, lat + half]))
        return float(arc[1] - arc[0])
    height = float(np.ptp(_meridian_arc(np.radians(at[:, 1]))))
    width = float(np.radians(np.ptp(at[:, 0])) * _A * np.cos(lat))
    longest = max(height, width)
    if longest == 0:
        raise SplitError(f"all {len(samples)} samples stand on one place, so there are no spatial blocks; collect more places")
    return longest / _CELLS_ACROSS


def block_of(samples: SampleTable, options: SplitOptions) -> NDArray[np.int64]:
    """Give the block of every sample as numbers 0, 1, ...; all rows of a group have the block of the group's middle.

    With `by: group` the groups are the blocks, with a column's name its values are.

    Raises:
        SplitError: If the column does not exist or has empty values.
    """
    if options.by == "group":
        return _number(samples.frame["group"].to_numpy())
    if options.by != "block":
        return _column_blocks(samples, options.by)
    at = _group_middles(samples)
    if options.block_size_deg is not None:
        cells = np.floor(at / options.block_size_deg).astype(np.int64)
    else:
        cells = np.column_stack(ellipsoid_cells(at, block_size_of(samples, options)))
    _, number = np.unique(cells, axis=0, return_inverse=True)
    return number.reshape(-1).astype(np.int64)


def _group_middles(samples: SampleTable) -> NDArray[np.float64]:
    """Give each row the longitude and latitude of its group's row that is nearest to the group's mean."""
    at = lonlat_of(samples.frame)
    group = _number(samples.frame["group"].to_numpy())
    counts = np.bincount(group)
    mean = np.column_stack([np.bincount(group, weights=at[:, i]) / counts for i in (0, 1)])
    distance = np.square(at - mean[group]).sum(axis=1)
    order = np.lexsort((distance, group))
    _, first = np.unique(group[order], return_index=True)
    return np.asarray(at[order[first]][group])


def _column_blocks(samples: SampleTable, column: str) -> NDArray[np.int64]:
    frame = samples.frame
    if column == "year":
        values = frame["time_start"].dt.year
    elif column in frame.columns:
        values = frame[column]
    else:
        known = ", ".join(c for c in frame.columns if c not in (*samples.feature_names, "geometry"))
        raise SplitError(f"cannot split by {column!r}: there is no such column; give block, group, year, or one of {known}")
    if values.isna().any():
        raise SplitError(f"cannot split by {column!r}: {int(values.isna().sum())} of {len(frame)} rows have no value in it")
    return _number(values.astype(str).to_numpy())


def _number(values: NDArray[Any]) -> NDArray[np.int64]:
    """Number the distinct values in the order of their first row."""
    import pandas as pd

    return np.asarray(pd.factorize(values)[0], dtype=np.int64)


def blocks_per_class(samples: SampleTable, blocks: NDArray[np.int64]) -> dict[str, int]:
    """Count the blocks that each class stands in."""
    classes = samples.frame["class"].to_numpy()
    return {name: len(np.unique(blocks[classes == name])) for name in samples.legend.names}


def classes_in_one_block(samples: SampleTable, blocks: NDArray[np.int64] | Sequence[int]) -> list[str]:
    """List the classes that stand in fewer than two blocks: no spatial fold can both train and test them.

    Args:
        samples: The samples.
        blocks: Block of each row, from `block_of`.
    """
    return [name for name, n in blocks_per_class(samples, np.asarray(blocks)).items() if n == 1]
