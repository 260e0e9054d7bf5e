"""Label rasters into samples: pixels drawn at random from each class, spread over the whole raster.

Receives `SampleOptions` that name a raster of whole numbers; hands on a `SampleTable` without features. The raster is read in
blocks; at most `max_per_class` candidates per class are kept at any time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.errors import SampleError, SourceError
from landweave.grid import GeoBox, crs_of, split_blocks
from landweave.io.rasters import read_info, read_window
from landweave.legend import Legend
from landweave.samples._rows import make_frame, to_text
from landweave.samples.design import state_design
from landweave.samples.labels import read_labels, to_label
from landweave.samples.options import SampleOptions
from landweave.types import SampleTable

__all__ = ["import_label_raster"]

_BLOCK_PX = 1024
_MIX = np.uint64(0x9E3779B97F4A7C15)


def import_label_raster(options: SampleOptions, *, legend: Legend | None = None, geobox: GeoBox) -> SampleTable:
    """Draw pixels of each class of a label raster.

    A label is taken at the centre of each pixel of `geobox` (nearest label pixel). The draw depends on the seed and the
    grid alone, never on blocks.

    Args:
        options: `reference` names the raster, `layer` its band (1 by default), `classes` gives names to its values,
            `unlabelled` the values that are no label, `max_per_class` how many pixels of each class are drawn.
        legend: The classes, matched by code where `classes` names none.
        geobox: The grid.

    Raises:
        SampleError: If `max_per_class` is not stated, or no label lies on the grid.
        SourceError: If the raster cannot be read or does not hold whole numbers.
    """
    import geopandas as gpd
    import pandas as pd

    path = str(options.reference)
    info = read_info(path)
    layer = _check_raster(options, info)
    if options.max_per_class is None:
        raise SampleError(f"{path} is a label raster, in which every pixel is a sample; say how many of each class are drawn "
                          "with max_per_class")  # fmt: skip
    unlabelled = [float(v) for v in options.unlabelled if isinstance(v, int | float)]
    picked, counts = _draw(path, layer, geobox, options, unlabelled)
    if not picked:
        raise SampleError(f"{path} has no label on the grid: it covers {info.geobox.extent.boundingbox.bbox}, the grid "
                          f"{tuple(geobox.boundingbox.bbox)}; check the area and the crs")  # fmt: skip
    values = np.concatenate([np.full(len(rows), v) for v, rows in picked.items()])
    pixel = np.concatenate(list(picked.values()))
    order = np.argsort(pixel)
    values, pixel = values[order], pixel[order]
    labels = read_labels(pd.DataFrame({"class": values}), options, legend=legend)
    keep = np.array([n is not None for n in labels.names])
    row, col = np.divmod(pixel[keep], geobox.shape[1])
    a = geobox.affine
    points = gpd.points_from_xy(a.c + a.a * (col + 0.5) + a.b * (row + 0.5), a.f + a.d * (col + 0.5) + a.e * (row + 0.5))
    columns: dict[str, Any] = {
        "class": labels.names[keep], "purpose": options.purpose,
        "time_start": np.datetime64(options.start or "NaT", "ms"), "time_end": np.datetime64(options.end or "NaT", "ms"),
        "group": [f"pixel {r} {c}" for r, c in zip(row, col, strict=True)],
    }  # fmt: skip
    frame = make_frame(columns, points, crs_of(geobox).to_wkt())
    design = state_design(options.design, frame, geobox, _tell(path, labels.names, values, counts))
    used = {to_label(v): n for v, n in counts.items()}
    left = [v for v in used if v is not None and v not in set(labels.raw[keep])]
    rejected = _list_left_out(left, used) if left else None
    return SampleTable(frame, labels.legend, (), design, rejected)


def _check_raster(options: SampleOptions, info: Any) -> int:
    layer = options.layer if options.layer is not None else 1
    if not isinstance(layer, int) or not 1 <= layer <= info.count:
        raise SampleError(f"{options.reference} has {info.count} layers, numbered from 1; layer is {layer!r}")
    if np.dtype(info.dtypes[layer - 1]).kind not in "iuf":
        raise SourceError(f"{options.reference} holds {info.dtypes[layer - 1]}; labels are whole numbers")
    return layer


def _draw(
    path: str, layer: int, geobox: GeoBox, options: SampleOptions, unlabelled: list[float]
) -> tuple[dict[int, NDArray[np.int64]], dict[int, int]]:
    """Give the pixels drawn per value (positions on the grid) and how many pixels carry each value."""
    n = int(options.max_per_class or 0)
    keys: dict[int, NDArray[np.uint64]] = {}
    held: dict[int, NDArray[np.int64]] = {}
    counts: dict[int, int] = {}
    for window in split_blocks((geobox.shape[0], geobox.shape[1]), _BLOCK_PX):
        data, valid = read_window(path, [layer], geobox, window, src_crs=options.crs)
        values = data[0]
        if values.dtype.kind == "f" and not np.array_equal(values[valid[0]], np.round(values[valid[0]])):
            raise SourceError(f"{path} holds fractions such as {values[valid[0]][0]:g}; labels are whole numbers")
        row, col = np.nonzero(valid[0] & ~np.isin(values, unlabelled))
        here = values[row, col].astype(np.int64)
        at = (row + window.row).astype(np.int64) * geobox.shape[1] + col + window.col
        for value in np.unique(here):
            v, mine = int(value), at[here == value]
            counts[v] = counts.get(v, 0) + len(mine)
            key = np.concatenate([keys.get(v, np.empty(0, np.uint64)), _key(mine, options.seed)])
            both = np.concatenate([held.get(v, np.empty(0, np.int64)), mine])
            best = np.argpartition(key, n)[:n] if len(key) > n else slice(None)
            keys[v], held[v] = key[best], both[best]
    return held, counts


def _key(pixel: NDArray[np.int64], seed: int) -> NDArray[np.uint64]:
    """Give each pixel a pseudo-random key of its own (the finaliser of splitmix64, Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        z = pixel.astype(np.uint64) + np.uint64(seed + 1) * _MIX
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def _tell(path: str, names: NDArray[Any], values: NDArray[Any], counts: dict[int, int]) -> str:
    shares = [f"{int((values == v).sum())} of {n} pixels with the label {v}" for v, n in sorted(counts.items())]
    return f"{Path(path).name}: {', '.join(shares)}" if len(names) else ""


def _list_left_out(left: list[str], counts: dict[str | None, int]) -> Any:
    """List a left-out class as one row with its count: its pixels are too many to list."""
    import pandas as pd

    reasons = to_text([f"class is excluded by the recipe ({counts[v]} pixels)" for v in left])
    number = np.full(len(left), -1, dtype=np.int64)
    return pd.DataFrame({"sample_id": number, "class": to_text(left), "reason": reasons, "lon": np.nan, "lat": np.nan})
