"""Reference data into samples: points, polygons or label pixels become rows of labelled places on a grid.

Receives `SampleOptions`, a legend if there is one, and the grid; hands on a `SampleTable` without features.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from landweave.errors import SampleError
from landweave.grid import GeoBox, crs_of
from landweave.io.vectors import read_vectors
from landweave.legend import Legend
from landweave.samples._rows import is_open, join_rejected, list_rejected, make_frame, to_text
from landweave.samples.design import state_design
from landweave.samples.labels import Labels, read_labels
from landweave.samples.options import SampleOptions
from landweave.samples.polygons import sample_polygons
from landweave.types import SampleTable

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

__all__ = ["cap_classes", "filter_rows", "import_reference", "pixel_of", "read_times"]

logger = logging.getLogger(__name__)

_RASTERS = {".tif", ".tiff", ".gtif", ".gtiff", ".img", ".vrt", ".jp2", ".bsq", ".nc", ".bmp", ".png"}


def import_reference(options: SampleOptions, *, legend: Legend | None = None, geobox: GeoBox) -> SampleTable:
    """Read labelled places and put them on a grid.

    Points keep their place; the pixel under them is theirs, and points of one pixel share a group. Of polygons, the pixels
    whose centre lies inside become rows that share the polygon's group; a polygon that holds no centre gives the pixel under
    its representative point, marked `sub_pixel`. Of a label raster, `max_per_class` pixels of each class are drawn.

    Args:
        options: Where the labels are and how they are read.
        legend: The classes; made from the labels in sorted order by default.
        geobox: The grid; samples outside are rejected.

    Returns:
        Rows in the grid's crs, without features; what could not be used stands in `rejected` with its reason.

    Raises:
        SourceError: If the file is missing or cannot be read.
        SampleError: If it has no crs, labels are unknown or contradictory, or no sample lies on the grid (the message shows
            both bounds and whether the axes look swapped).
    """
    if options.reference is None:
        raise SampleError("samples have no `reference`; name a file of points or polygons, or use import_series")
    if Path(options.reference).suffix.lower() in _RASTERS:
        from landweave.samples.raster_labels import import_label_raster

        return import_label_raster(options, legend=legend, geobox=geobox)
    places = read_vectors(options.reference, layer=options.layer, crs=options.crs, lon_column=options.lon_column,
                          lat_column=options.lat_column)  # fmt: skip
    places = filter_rows(places, options)
    labels = read_labels(places.drop(columns=places.geometry.name), options, legend=legend)
    empty = np.asarray(places.geometry.isna() | places.geometry.is_empty)
    if empty.all():
        raise SampleError(f"{options.reference} has {len(places)} rows and none has a geometry; check the export")
    on_grid = _to_grid(places.geometry, geobox)
    frame, source, note = _make_rows(places, on_grid, empty, labels, geobox, options)
    reasons = _find_reasons(frame, source, on_grid, labels, empty, geobox)
    if not is_open(reasons).any():
        _raise_all_rejected(places.geometry, on_grid, reasons, geobox, options)
    keep = is_open(reasons)
    # rejected rows list the label as it stands in the file, which may be none of the legend's
    frame["class"] = to_text([labels.names[s] or labels.raw[s] for s in source])
    rejected = list_rejected(frame[~keep], reasons[~keep])
    kept = frame[keep].reset_index(drop=True)
    rng = np.random.default_rng([options.seed, 1])
    capped = cap_classes(kept, options.max_per_class, rng)
    if len(capped) < len(kept):
        note += f"; of {len(kept)} rows {len(capped)} were kept, at most {options.max_per_class} per class"
    if labels.note:
        note += f". {labels.note}"
    design = state_design(options.design, frame, geobox, note)
    if len(capped) < len(kept) and design.kind != "none":
        raise SampleError(f"max_per_class {options.max_per_class} would leave out {len(kept) - len(capped)} rows of a sample "
                          f"whose design is stated as {design.kind}, and so break it; leave one of them out")  # fmt: skip
    capped = _fill_probability(capped, design)
    return SampleTable(capped, labels.legend, (), design, join_rejected(rejected))


def filter_rows(frame: Any, options: SampleOptions) -> Any:
    """Keep the rows that `where` asks for.

    Raises:
        SampleError: If a column does not exist or nothing is left.
    """
    keep = np.ones(len(frame), dtype=bool)
    for column, wanted in options.where.items():
        if column not in frame.columns:
            raise SampleError(f"where names the column {column!r}; columns are {', '.join(map(str, frame.columns))}")
        values = wanted if isinstance(wanted, list) else [wanted]
        texts = {str(v) for v in values}
        keep &= np.asarray(frame[column].isin(values) | frame[column].astype(str).isin(texts))
    if not keep.any():
        raise SampleError(f"where {options.where} leaves no row of {len(frame)}; check the values")
    return frame[keep].reset_index(drop=True) if not keep.all() else frame.reset_index(drop=True)


def read_times(table: pd.DataFrame, options: SampleOptions) -> tuple[NDArray[np.datetime64], NDArray[np.datetime64]]:
    """Read the time that each row's label stands for: first day and (exclusive) end, NaT where nothing says it.

    Raises:
        SampleError: If a column is missing, a date cannot be read, or a start does not come before its end.
    """
    names = set(map(str, table.columns))
    start = options.start_column or options.date_column or ("time_start" if "time_start" in names else None)
    end = options.end_column or ("time_end" if "time_end" in names and not options.date_column else None)
    starts = _read_dates(table, start) if start else np.full(len(table), options.start or "NaT", dtype="datetime64[ms]")
    ends = _read_dates(table, end) if end else np.full(len(table), options.end or "NaT", dtype="datetime64[ms]")
    if options.date_column:
        ends = starts + np.timedelta64(1, "D")
    wrong = np.flatnonzero(ends <= starts)
    if len(wrong):
        i = int(wrong[0])
        raise SampleError(f"{len(wrong)} rows end before they start (row {i}: {starts[i]} to {ends[i]}); the end is exclusive "
                          "and must be later")  # fmt: skip
    return starts.astype("datetime64[ms]"), ends.astype("datetime64[ms]")


def _read_dates(table: pd.DataFrame, column: str) -> NDArray[np.datetime64]:
    import pandas as pd

    if column not in table.columns:
        raise SampleError(f"there is no column {column!r}; columns are {', '.join(map(str, table.columns))}")
    values = table[column]
    if values.dtype.kind in "iuf" and values.dropna().between(1900, 2200).all():  # a year is a date of its own
        values = values.map(lambda y: None if pd.isna(y) else f"{int(y)}-01-01")
    try:
        dates = pd.to_datetime(values, format="ISO8601", utc=True)
    except (ValueError, TypeError) as err:
        raise SampleError(f"column {column!r} holds dates that cannot be read: {err}; write them as YYYY-MM-DD") from err
    return np.asarray(dates.dt.tz_localize(None).to_numpy(dtype="datetime64[ms]"))


def pixel_of(frame: gpd.GeoDataFrame, geobox: GeoBox) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give row and column of the pixel under each point, which may lie outside the grid."""
    points = frame.geometry if frame.crs.equals(crs_of(geobox).to_wkt()) else frame.geometry.to_crs(crs_of(geobox).to_wkt())
    x, y = points.x.to_numpy(dtype=float), points.y.to_numpy(dtype=float)
    inverse = ~geobox.affine
    with np.errstate(invalid="ignore"):
        col = np.floor(inverse.a * x + inverse.b * y + inverse.c)
        row = np.floor(inverse.d * x + inverse.e * y + inverse.f)
    far = ~(np.isfinite(row) & np.isfinite(col)) | (np.abs(row) > 2**40) | (np.abs(col) > 2**40)
    return np.where(far, -1, row).astype(np.int64), np.where(far, -1, col).astype(np.int64)


def cap_classes(frame: gpd.GeoDataFrame, max_per_class: int | None, rng: np.random.Generator) -> gpd.GeoDataFrame:
    """Keep at most `max_per_class` rows of each class, chosen at random and spread evenly over its groups.

    Every group gives one row before any gives its second, so that a large polygon does not crowd out the small ones.
    """
    if max_per_class is None or frame["class"].value_counts().max() <= max_per_class:
        return frame
    order = rng.permutation(len(frame))
    shuffled = frame.iloc[order]
    rank_in_group = shuffled.groupby(["class", "group"], sort=False).cumcount().to_numpy()
    by_rank = shuffled.iloc[np.argsort(rank_in_group, kind="stable")]
    chosen = by_rank.groupby("class", sort=False).head(max_per_class).index
    return frame.loc[np.sort(chosen)].reset_index(drop=True)


# --- from geometries to rows ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _OnGrid:
    """Geometries in the grid's crs, and which of them are points."""

    geometry: gpd.GeoSeries
    is_point: NDArray[np.bool_]


def _to_grid(geometry: gpd.GeoSeries, geobox: GeoBox) -> _OnGrid:
    import shapely

    wkt = crs_of(geobox).to_wkt()
    kinds = geometry.geom_type
    lines = ~kinds.isin(["Point", "MultiPoint", "Polygon", "MultiPolygon"]) & geometry.notna()
    if lines.any():
        raise SampleError(f"{int(lines.sum())} of {len(geometry)} geometries are {kinds[lines].iloc[0]}s; samples are points "
                          "or polygons: buffer lines into polygons first")  # fmt: skip
    flat = geometry.force_2d()
    if not geometry.crs.equals(wkt):
        # a straight edge in one crs is a curve in the other: a vertex at least every 20th of the polygon keeps it straight
        bounds = flat.bounds.to_numpy(dtype=float)
        longest = np.nanmax(np.column_stack([bounds[:, 2] - bounds[:, 0], bounds[:, 3] - bounds[:, 1]]), axis=1)
        dense = [g if g is None or step <= 0 or not np.isfinite(step) else shapely.segmentize(g, step)
                 for g, step in zip(flat, longest / 20, strict=True)]  # fmt: skip
        flat = type(flat)(dense, crs=geometry.crs).to_crs(wkt)
    return _OnGrid(flat, np.asarray(kinds.isin(["Point", "MultiPoint"])))


def _make_rows(
    places: gpd.GeoDataFrame, on_grid: _OnGrid, empty: NDArray[np.bool_], labels: Labels, geobox: GeoBox, options: SampleOptions
) -> tuple[gpd.GeoDataFrame, NDArray[np.int64], str]:
    """Turn features into rows; gives the frame, the feature that each row came from, and a note on the choice."""
    import geopandas as gpd

    usable = ~empty & is_open(labels.reasons)
    area = np.flatnonzero(usable & ~on_grid.is_point)
    # features that are rejected whole stand as one row each, at their representative point
    single = np.flatnonzero(~usable | on_grid.is_point)
    points = on_grid.geometry.iloc[single].representative_point()
    rng = np.random.default_rng([options.seed, 0])
    note = f"{len(places)} features of {Path(str(options.reference)).name}"
    source, x, y = single, points.x.to_numpy(dtype=float), points.y.to_numpy(dtype=float)
    sub = np.zeros(len(single), dtype=bool)
    if len(area):
        pixels = sample_polygons(on_grid.geometry.iloc[area], geobox, max_per_polygon=options.max_per_polygon, rng=rng)
        source, sub = np.concatenate([source, area[pixels.polygon]]), np.concatenate([sub, pixels.sub_pixel])
        x, y = np.concatenate([x, pixels.x]), np.concatenate([y, pixels.y])
        note += f": {len(pixels.polygon)} of {int(pixels.n_inside.sum())} pixel centres of {len(area)} polygons"
    order = np.argsort(source, kind="stable")
    source = source[order]
    table = places.drop(columns=places.geometry.name).iloc[source].reset_index(drop=True)
    polygon_id = np.where(on_grid.is_point[source], -1, source)
    columns = _schema_columns(table, options) | {
        "class": labels.names[source], "polygon_id": polygon_id, "sub_pixel": sub[order], "purpose": options.purpose,
    }  # fmt: skip
    geometry = gpd.points_from_xy(x[order], y[order])
    frame = make_frame(columns, geometry, on_grid.geometry.crs)
    if options.group_column is None:
        row, col = pixel_of(frame, geobox)
        frame["group"] = to_text([f"polygon {p}" if p >= 0 else f"pixel {r} {c}"
                                  for p, r, c in zip(polygon_id, row, col, strict=True)])  # fmt: skip
    return frame, source, note


def _schema_columns(table: pd.DataFrame, options: SampleOptions) -> dict[str, Any]:
    starts, ends = read_times(table, options)
    columns: dict[str, Any] = {"time_start": starts, "time_end": ends}
    named = {
        "group": options.group_column, "labeller": options.labeller_column, "stratum": options.stratum_column,
        "psu": options.psu_column, "inclusion_probability": options.probability_column, "weight": options.weight_column,
    }  # fmt: skip
    for name, column in named.items():
        if column is None:
            continue
        if column not in table.columns:
            raise SampleError(f"there is no column {column!r} for the {name}; columns are {', '.join(map(str, table.columns))}")
        columns[name] = table[column].to_numpy()
    return columns


def _find_reasons(
    frame: gpd.GeoDataFrame, source: NDArray[np.int64], on_grid: _OnGrid, labels: Labels, empty: NDArray[np.bool_],
    geobox: GeoBox,
) -> NDArray[Any]:  # fmt: skip
    """Say for every row why it cannot be used, None where it can."""
    reasons = labels.reasons[source].copy()
    reasons[empty[source]] = "has no geometry"
    row, col = pixel_of(frame, geobox)
    outside = (row < 0) | (col < 0) | (row >= geobox.shape[0]) | (col >= geobox.shape[1])
    reasons[is_open(reasons) & outside] = "lies outside the grid"
    free = np.flatnonzero(is_open(reasons) & (frame["polygon_id"].to_numpy() >= 0))
    if len(free):
        reasons[free] = _overlap_reasons(frame.iloc[free], on_grid, labels, (row * geobox.shape[1] + col)[free])
    return reasons


def _overlap_reasons(frame: gpd.GeoDataFrame, on_grid: _OnGrid, labels: Labels, pixel: NDArray[np.int64]) -> NDArray[Any]:
    """Find the pixels that lie in polygons of two classes at one time, and those already taken by a polygon of their class."""
    import pandas as pd

    reasons = np.full(len(frame), None, dtype=object)
    owner = frame["polygon_id"].to_numpy()
    time = frame["time_start"].to_numpy().astype("int64")
    # by polygon: also catches places that the cap did not choose in the other polygon
    usable = np.array([n is not None for n in labels.names]) & ~on_grid.is_point
    shapes = on_grid.geometry.where(pd.Series(usable, index=on_grid.geometry.index), None)
    hit_row, hit_polygon = shapes.sindex.query(frame.geometry.to_numpy(), predicate="within")
    time_of = np.full(len(on_grid.geometry), time.min() if len(time) else 0)
    time_of[owner] = time
    other = (labels.names[hit_polygon] != labels.names[owner[hit_row]]) & (time_of[hit_polygon] == time[hit_row])
    for i, p in zip(hit_row[other], hit_polygon[other], strict=True):
        if reasons[i] is None:
            both = sorted((labels.names[p], labels.names[owner[i]]))
            reasons[i] = f"lies in polygons of two classes ({' and '.join(both)})"
    # by pixel: polygons smaller than a pixel do not hold each other's places
    table = pd.DataFrame({"pixel": pixel, "time": time, "class": labels.names[owner]})
    groups = table.groupby(["pixel", "time"])["class"]
    mixed = (groups.transform("nunique") > 1).to_numpy() & is_open(reasons)
    reasons[mixed] = "shares its pixel with a polygon of another class"
    later = table.duplicated(["pixel", "time"]).to_numpy() & is_open(reasons)
    reasons[later] = "its pixel is already taken by another polygon of its class"
    return reasons


def _fill_probability(frame: gpd.GeoDataFrame, design: Any) -> gpd.GeoDataFrame:
    if design.kind == "none" or frame["inclusion_probability"].notna().any():
        return frame
    if design.kind == "stratified":
        of = {s.name: s.n_drawn / s.size_px for s in design.strata}
        frame["inclusion_probability"] = frame["stratum"].map(of).astype("float64")
    elif design.strata:
        frame["inclusion_probability"] = design.strata[0].n_drawn / design.strata[0].size_px
    return frame


# --- nothing on the grid ---------------------------------------------------------------------------------------------------


def _raise_all_rejected(
    geometry: gpd.GeoSeries, on_grid: _OnGrid, reasons: NDArray[Any], geobox: GeoBox, options: SampleOptions
) -> None:
    counts = {str(r): int(np.sum(reasons == r)) for r in dict.fromkeys(reasons)}
    told = ", ".join(f"{n} {r}" if r.startswith(("lies", "has")) else f"{n}: {r}" for r, n in counts.items())
    if "lies outside the grid" not in counts:
        raise SampleError(f"none of the {len(reasons)} samples of {options.reference} can be used: {told}")
    frame = geobox.boundingbox
    at = on_grid.geometry.total_bounds
    hint = _swap_hint(geometry, geobox)
    raise SampleError(
        f"no sample of {options.reference} lies on the grid ({told}): samples span x {at[0]:.6g} to {at[2]:.6g}, y {at[1]:.6g} "
        f"to {at[3]:.6g}, the grid x {frame.left:.6g} to {frame.right:.6g}, y {frame.bottom:.6g} to {frame.top:.6g} "
        f"({_short(crs_of(geobox))}){hint}"
    )


def _swap_hint(geometry: gpd.GeoSeries, geobox: GeoBox) -> str:
    """Say so where exchanging x and y would put the samples on the grid."""
    import geopandas as gpd

    points = geometry[geometry.notna() & ~geometry.is_empty].representative_point()
    swapped = gpd.GeoSeries(gpd.points_from_xy(points.y, points.x), crs=geometry.crs)
    row, col = pixel_of(gpd.GeoDataFrame(geometry=swapped), geobox)
    inside = (row >= 0) & (col >= 0) & (row < geobox.shape[0]) & (col < geobox.shape[1])
    if inside.mean() < 0.5:
        return "; check the crs of the samples and the area of the imagery"
    return (f"; {int(inside.sum())} of {len(inside)} would lie on it with x and y exchanged: the axes look swapped (latitude "
            "before longitude), write the file with longitude first or exchange lon_column and lat_column")  # fmt: skip


def _short(crs: Any) -> str:
    code = crs.to_epsg()
    return f"EPSG:{code}" if code else str(crs.proj.name or "unnamed crs")
