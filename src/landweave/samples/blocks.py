"""Spatial blocks of samples: cells measured on the ellipsoid (or in degrees), one per group, for splitting and bootstrapping.

Receives samples; hands on one block label per row.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.errors import SplitError
from landweave.samples._rows import lonlat_of
from landweave.samples.ground import EARTH_A, earth_xyz, ellipsoid_cells, meridian_arc, tile_names
from landweave.samples.options import SplitOptions
from landweave.samples.variogram import suggest_block_size
from landweave.types import SampleTable

__all__ = [
    "block_of",
    "block_size_of",
    "blocks_per_class",
    "classes_in_one_block",
    "earth_xyz",
    "ellipsoid_cells",
    "polygon_of",
    "region_of",
]

_log = logging.getLogger(__name__)

_CELLS_ACROSS = 10
"""Blocks across the longer side of the samples' extent where no size is stated: enough for five folds, each of many blocks."""


def block_size_of(samples: SampleTable, options: SplitOptions) -> float:
    """Give the side of a block in metres: as stated, or a tenth of the longer side of the samples' extent.

    A size in degrees is turned into the metres of its north-south side at the samples' mean latitude; `auto` is the range of
    the samples' variogram (see `suggest_block_size`).
    """
    at = lonlat_of(samples.frame)
    lat = float(np.radians(at[:, 1].mean()))
    if options.block_size_m == "auto":
        suggestion = suggest_block_size(samples, seed=options.seed)
        _log.info("blocks of %.0f m: %s", suggestion.size_m, suggestion.why)
        return suggestion.size_m
    if options.block_size_m is not None:
        return options.block_size_m
    if options.block_size_deg is not None:
        half = np.radians(options.block_size_deg) / 2
        arc = meridian_arc(np.array([lat - half, lat + half]))
        return float(arc[1] - arc[0])
    height = float(np.ptp(meridian_arc(np.radians(at[:, 1]))))
    width = float(np.radians(np.ptp(at[:, 0])) * EARTH_A * np.cos(lat))
    longest = max(height, width)
    if longest == 0:
        raise SplitError(f"all {len(samples)} samples stand on one place, so there are no spatial blocks; collect more places")
    return longest / _CELLS_ACROSS


def block_of(samples: SampleTable, options: SplitOptions) -> NDArray[np.int64]:
    """Give the block of every sample as numbers 0, 1, ...; all rows of a group have the block of the group's middle.

    With `by: group` the groups are the blocks, with `polygon` the polygons, with `tile`, `region` and `environment` those, with
    a column's name its values. kNNDM has no blocks of its own: its rows stand in the blocks of `by: block`.

    Raises:
        SplitError: If the column does not exist or has empty values, or a sample lies in no region.
    """
    from landweave.samples.environment import environment_of

    if options.by == "group":
        return _number(samples.frame["group"].to_numpy())
    if options.by == "polygon":
        return _number(polygon_of(samples))
    if options.by == "environment":
        return environment_of(samples, options)
    if options.by == "region" and options.regions is not None:
        return _number(region_of(samples, options.regions, column=options.region_column))
    if options.by == "tile" and "tile" not in samples.frame.columns:
        return _number(tile_names(_group_middles(samples)))
    if options.by not in ("block", "knndm"):
        return _column_blocks(samples, options.by)
    at = _group_middles(samples)
    if options.block_size_deg is not None:
        cells = np.floor(at / options.block_size_deg).astype(np.int64)
    else:
        cells = np.column_stack(ellipsoid_cells(at, block_size_of(samples, options)))
    _, number = np.unique(cells, axis=0, return_inverse=True)
    return number.reshape(-1).astype(np.int64)


def polygon_of(samples: SampleTable) -> NDArray[Any]:
    """Name the polygon of every row; points stand for themselves, by group."""
    polygon = samples.frame["polygon_id"].to_numpy(dtype=np.int64)
    group = samples.frame["group"].to_numpy().astype(str)
    return np.array([f"polygon {p}" if p >= 0 else f"group {g}" for p, g in zip(polygon, group, strict=True)], dtype=object)


def region_of(samples: SampleTable, regions: str, *, column: str | None = None) -> NDArray[Any]:
    """Name the region that the middle of each row's group lies in.

    Args:
        samples: The samples.
        regions: File of polygons (GPKG, GeoJSON, GeoParquet, Shapefile).
        column: Column with the regions' names; polygons of one name are one region. Without it each polygon is a region.

    Raises:
        SourceError: If the file cannot be read.
        SplitError: If the column does not exist, or a sample lies in no region.
    """
    import geopandas as gpd

    from landweave.io.vectors import read_vectors

    frame = read_vectors(regions)
    if column is not None and column not in frame.columns:
        known = ", ".join(c for c in frame.columns if c != "geometry")
        raise SplitError(f"{regions} has no column {column!r}; set split.region_column to one of {known}")
    names = frame[column].astype(str).to_numpy() if column else np.array([f"polygon {i}" for i in range(len(frame))])
    at = gpd.GeoSeries(gpd.points_from_xy(*_group_middles(samples).T), crs="EPSG:4326").to_crs(frame.crs)
    row, polygon = frame.sindex.query(at, predicate="intersects")
    found = np.full(len(samples), None, dtype=object)
    found[row[::-1]] = names[polygon[::-1]]  # of overlapping polygons the first in the file
    outside = int(sum(f is None for f in found))
    if outside:
        raise SplitError(f"{outside} of {len(samples)} samples lie in no polygon of {regions}; extend the regions, or leave "
                         "these samples out")  # fmt: skip
    return found


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
