"""Statistics of a map by zones: what each polygon holds of each class, pixels cut by its border counted by the share inside.

Receives a finished map and polygons; hands on a table with a row per zone. These are mapped areas, with the map's errors; for
estimated areas with intervals see the room `assess`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from landweave.errors import MapError, MissingExtraError
from landweave.grid import Window, crs_of, pixel_area_m2
from landweave.io.files import atomic_path
from landweave.io.rasters import read_window
from landweave.io.vectors import read_vectors
from landweave.maps.opening import open_map
from landweave.maps.tasks import LEVELS
from landweave.types import MapProduct

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

__all__ = ["summarise_zones", "zones_of_map"]

_MAX_CELLS = 4_000_000
"""Pixels of a zone held at once; larger zones are read in parts."""


def zones_of_map(
    path: Path | str, zones: Path | str, out: Path | str | None = None, *, layer: str | None = None,
    keep: Sequence[str] | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Add up a map by the polygons of a vector file.

    Args:
        path: Folder of a map, or any raster of codes with a legend.
        zones: Polygons, in any crs.
        out: .parquet or .csv to write the table to.
        layer: Layer of `zones`, where it has several.
        keep: Columns of `zones` to carry over; all but the geometry by default.

    Returns:
        See `summarise_zones`.

    Raises:
        MapError: If a column is unknown, the output's ending is neither, or no zone touches the map.
        SourceError: If the zones cannot be read.
    """
    target = Path(out) if out is not None else None
    if target is not None and target.suffix.lower() not in (".parquet", ".csv"):
        raise MapError(f"cannot write zones to {target}; the ending must be .parquet or .csv")
    table = summarise_zones(open_map(path), read_vectors(zones, layer=layer), keep=keep)
    if target is not None:
        with atomic_path(target) as part:
            if target.suffix.lower() == ".csv":
                table.to_csv(part, index=False)
            else:
                table.to_parquet(part, index=False)
    return table


def summarise_zones(product: MapProduct, zones: gpd.GeoDataFrame, *, keep: Sequence[str] | None = None) -> pd.DataFrame:
    """Add up a map by polygons, by the exact share of every pixel inside (exactextract; Baston 2023).

    Args:
        product: The map.
        zones: Polygons with a crs; they may overlap, and need not lie inside the map.
        keep: Columns to carry over; all but the geometry by default.

    Returns:
        A row per zone, in their order: the kept columns; `mapped_ha` (geodesic area with a class), `unmapped_ha` (nodata and
        unsure), `majority` (the class with the largest area, None where the zone holds none); for every class `<name>_ha`,
        and `<name>_share` of the mapped area (NaN where that is 0); with proba.tif `mean_proba_<name>`, with uncertainty.tif
        `mean_entropy` and `mean_margin`, both over the pixels that have them. A class called like a kept column keeps its
        own: the zone's is written as `zone_<name>`.

    Raises:
        MissingExtraError: If exactextract is not installed.
        MapError: If no zone touches the map, or a column to keep is unknown.
    """
    import pandas as pd

    kept = [str(c) for c in zones.columns if c != zones.geometry.name] if keep is None else list(keep)
    unknown = [c for c in kept if c not in zones.columns]
    if unknown:
        raise MapError(f"zones have no column {unknown[0]!r}; they have {', '.join(map(str, zones.columns))}")
    moved = zones.to_crs(crs_of(product.geobox).to_wkt()).reset_index(drop=True)
    box = product.geobox.boundingbox
    if not len(moved.cx[box.left : box.right, box.bottom : box.top]):
        raise MapError(f"none of the {len(zones)} zones touches the map of {product.folder}; is their crs right?")
    measured = _measure(product, moved)
    carried = zones[kept].reset_index(drop=True)
    carried = carried.rename(columns={c: f"zone_{c}" for c in kept if c in measured.columns})
    table: pd.DataFrame = pd.concat([carried, measured], axis=1)
    return table


def _measure(product: MapProduct, zones: gpd.GeoDataFrame) -> pd.DataFrame:
    import pandas as pd

    legend = product.legend
    columns = [f"class {code}" for code in (*legend.codes, -1)]
    sums = _extract(product, zones, dict.fromkeys(columns, "sum"))
    per_class = [sums[c] / 1e4 for c in columns[:-1]]
    stacked = np.stack(per_class)
    mapped = stacked.sum(axis=0)
    best = stacked.argmax(axis=0)
    table: dict[str, Any] = {
        "mapped_ha": mapped, "unmapped_ha": sums[columns[-1]] / 1e4,
        "majority": [legend.names[k] if total > 0 else None for k, total in zip(best, mapped, strict=True)],
    }  # fmt: skip
    for name, area in zip(legend.names, per_class, strict=True):
        table[f"{name}_ha"] = area
        table[f"{name}_share"] = np.divide(area, mapped, out=np.full(len(area), np.nan), where=mapped > 0)
    layers = {f"mean_proba_{n}": f"proba {i}" for i, n in enumerate(legend.names, 1)} if "proba" in product.files else {}
    if "uncertainty" in product.files:
        layers |= {"mean_entropy": "uncertainty 1", "mean_margin": "uncertainty 2"}
    if layers:
        means = _extract(product, zones, dict.fromkeys(layers.values(), "mean"))
        table |= {name: means[layer] for name, layer in layers.items()}
    return pd.DataFrame(table)


class _Windows:
    """Reads windows of a map's products as floats; keeps the last, which several sources ask for in turn."""

    def __init__(self, product: MapProduct) -> None:
        self._product = product
        self._last: tuple[Any, NDArray[Any]] | None = None

    def read(self, what: str, window: Window) -> NDArray[np.float64]:
        """Give the area in m2 of the pixels of `class CODE` (-1: of none) and 0 elsewhere, or a layer, NaN where nodata."""
        kind, number = what.split()
        values = self._stored(kind, window)
        if kind != "class":
            return np.asarray(values[int(number) - 1])
        return np.asarray(np.where(values[0] == int(number), values[1], 0.0))

    def _stored(self, kind: str, window: Window) -> NDArray[Any]:
        if self._last is None or self._last[0] != (kind, window):
            self._last = ((kind, window), self._load(kind, window))
        return self._last[1]

    def _load(self, kind: str, window: Window) -> NDArray[Any]:
        legend, geobox = self._product.legend, self._product.geobox
        if kind == "class":
            stored, valid = read_window(str(self._product.files["map"]), [1], geobox, window)
            known = valid[0] & np.isin(stored[0], legend.codes)
            return np.stack([np.where(known, stored[0].astype(np.float64), -1.0), pixel_area_m2(geobox, window)])
        count = len(legend) if kind == "proba" else 2
        stored, valid = read_window(str(self._product.files[kind]), list(range(1, count + 1)), geobox, window)
        return np.where(valid, stored / LEVELS, np.nan)


def _extract(product: MapProduct, zones: gpd.GeoDataFrame, wanted: Mapping[str, str]) -> dict[str, NDArray[np.float64]]:
    """Run exactextract: layer -> operation gives layer -> value per zone (0 sum, NaN mean, where a zone is off the map)."""
    try:
        from exactextract import exact_extract
        from exactextract.raster import RasterSource
    except ImportError as err:
        raise MissingExtraError("statistics by zones need exactextract: pip install exactextract") from err
    windows, geobox = _Windows(product), product.geobox

    class Source(RasterSource):  # type: ignore[misc, unused-ignore]
        """A layer as exactextract reads it."""

        def __init__(self, what: str) -> None:
            super().__init__()
            self.set_name(what)
            self.what = what

        def res(self) -> tuple[float, float]:
            return abs(geobox.affine.a), abs(geobox.affine.e)

        def extent(self) -> tuple[float, float, float, float]:
            box = geobox.boundingbox
            return box.left, box.bottom, box.right, box.top

        def nodata_value(self) -> None:
            return None

        def srs_wkt(self) -> str:
            return str(crs_of(geobox).to_wkt())

        def read_window(self, x0: int, y0: int, nx: int, ny: int) -> NDArray[np.float64]:
            return windows.read(self.what, Window(y0, x0, ny, nx))

    by_operation: dict[str, list[str]] = {}
    for what, operation in wanted.items():
        by_operation.setdefault(operation, []).append(what)
    found: dict[str, NDArray[np.float64]] = {}
    shapes = zones[[zones.geometry.name]].set_crs(crs_of(geobox).to_wkt(), allow_override=True)
    for operation, names in by_operation.items():
        sources = [Source(what) for what in names]
        table = exact_extract(sources, shapes, [operation], output="pandas", max_cells_in_memory=_MAX_CELLS)
        for what in names:
            column = operation if len(names) == 1 else f"{what}_{operation}"
            values = table[column].to_numpy(dtype=np.float64)
            found[what] = np.nan_to_num(values, nan=0.0) if operation == "sum" else values
    return found
