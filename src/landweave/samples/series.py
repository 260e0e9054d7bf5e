"""Tables of series already extracted (npz, parquet, csv) into the schema of samples.

Receives `SampleOptions`; hands on a `SampleTable` with features, bound to calendar dates where all rows share them, else to a
season by day offsets.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from landweave.errors import BandError, SampleError, SourceError
from landweave.io.vectors import read_table, read_vectors
from landweave.legend import Legend
from landweave.samples._rows import is_open, join_rejected, list_rejected, make_frame, to_text
from landweave.samples.design import state_design
from landweave.samples.labels import read_labels
from landweave.samples.options import SampleOptions
from landweave.samples.reference import cap_classes, filter_rows, read_times
from landweave.sensors import get_sensor
from landweave.types import BandKind, ModelInput, SampleTable, Season, SeasonStep

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["import_series"]

_DAY = np.timedelta64(1, "D")
_WIDE = re.compile(r"^(?P<band>.+?)[_.\-](?:t|T|step)?(?P<step>\d{1,4}|\d{4}[-_]?\d{2}[-_]?\d{2})$")
"""Column of a wide table: band and step number (`ndvi_t03`, `NDVI.3`) or date (`ndvi_2019-03-06`)."""
_INDICES = {"ndvi", "evi", "evi2", "ndwi", "mndwi", "savi", "msavi", "nbr", "ndbi", "gndvi", "ndmi", "lswi", "ndre", "bsi"}


@dataclass(frozen=True)
class _Raw:
    """Series as a file holds them: values (n, step, band), their bands, dates (n, step) or None, and the attributes."""

    values: NDArray[np.float32]
    bands: tuple[str, ...]
    dates: NDArray[np.datetime64] | None
    table: pd.DataFrame
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]


def import_series(options: SampleOptions, *, legend: Legend | None = None, season: Season | None = None) -> SampleTable:
    """Read series that were extracted elsewhere.

    The values are physical as they stand (`scale` and `nodata` of the options change that). Bands get their common names
    through the sensor's aliases. Rows of one place share a group.

    Args:
        options: Where the series are and how they are read. An npz has the arrays X (n, step, band), y, lon, lat, bands and
            dates_days_since_1970 (n, step); a parquet or csv has a column per band and step (`ndvi_t00`, `ndvi_2019-03-06`)
            beside the label and the coordinates.
        legend: The classes; made from the labels by default.
        season: The season that the steps are; made from the dates by default, where rows are of several years.

    Returns:
        Rows on WGS84 with features.

    Raises:
        SourceError: If the file is missing or not such a table.
        SampleError: If labels, dates or steps contradict each other or the season.
        BandError: If a wanted band is not there; lists those that are.
    """
    if options.series is None:
        raise SampleError("samples have no `series`; name a table of extracted series, or use import_reference")
    raw = _name_bands(_read(options), options)
    values, bands = _select_bands(raw, options)
    spec, starts, ends = _make_input(raw.dates, values.shape[1], bands, options, season)
    if raw.dates is None:
        starts, ends = read_times(raw.table, options)
    labels = read_labels(raw.table, options, legend=legend)
    reasons = labels.reasons.copy()
    reasons[is_open(reasons) & ~(np.isfinite(raw.lon) & np.isfinite(raw.lat))] = "has no coordinates"
    reasons[is_open(reasons) & np.isnan(values).all(axis=(1, 2))] = "has no valid observation"
    frame = _make_frame(raw, values, spec, options, (starts, ends))
    frame["class"] = to_text([n or r for n, r in zip(labels.names, labels.raw, strict=True)])
    keep = is_open(reasons)
    if not keep.any():
        raise SampleError(f"none of the {len(keep)} rows of {options.series} can be used: {reasons[0]}")
    kept = frame[keep].reset_index(drop=True)
    capped = cap_classes(kept, options.max_per_class, np.random.default_rng([options.seed, 1]))
    note = ". ".join(t for t in (f"{len(capped)} of {len(frame)} series of {Path(options.series).name}", labels.note) if t)
    design = state_design(options.design, capped, None, note)
    rejected = join_rejected(list_rejected(frame[~keep], reasons[~keep]))
    return SampleTable(capped, labels.legend, (spec,), design, rejected)


def _make_frame(
    raw: _Raw, values: NDArray[np.float32], spec: ModelInput, options: SampleOptions,
    times: tuple[NDArray[np.datetime64], NDArray[np.datetime64]],
) -> Any:  # fmt: skip
    import geopandas as gpd
    import pandas as pd

    n = len(values)
    columns: dict[str, Any] = {"time_start": times[0], "time_end": times[1], "purpose": options.purpose}
    for name, column in (("group", options.group_column), ("labeller", options.labeller_column),
                         ("stratum", options.stratum_column), ("psu", options.psu_column),
                         ("inclusion_probability", options.probability_column), ("weight", options.weight_column)):  # fmt: skip
        if column is not None:
            if column not in raw.table.columns:
                raise SampleError(f"there is no column {column!r} ({name}_column); columns are "
                                  f"{', '.join(map(str, raw.table.columns))}")  # fmt: skip
            columns[name] = raw.table[column].to_numpy()
    if "group" not in columns:  # a millionth of a degree is a decimetre: the same place, written twice
        columns["group"] = [f"place {x:.6f} {y:.6f}" for x, y in zip(raw.lon, raw.lat, strict=True)]
    frame = make_frame(columns, gpd.points_from_xy(raw.lon, raw.lat), "EPSG:4326")
    features = pd.DataFrame(values.reshape(n, -1), columns=list(spec.feature_names), dtype=np.float32)
    return gpd.GeoDataFrame(pd.concat([frame, features], axis=1), geometry="geometry", crs="EPSG:4326")


# --- reading ---------------------------------------------------------------------------------------------------------------


def _read(options: SampleOptions) -> _Raw:
    path = Path(str(options.series))
    if not path.exists():
        raise SourceError(f"file {path} does not exist")
    raw = _read_npz(path) if path.suffix.lower() == ".npz" else _read_wide(path, options)
    if options.dates is not None:
        if len(options.dates) != raw.values.shape[1]:
            raise SampleError(f"dates lists {len(options.dates)} dates, {path} has {raw.values.shape[1]} steps; give one per "
                              "step")  # fmt: skip
        days = np.array(options.dates, dtype="datetime64[D]")
        raw = _Raw(raw.values, raw.bands, np.broadcast_to(days, raw.values.shape[:2]), raw.table, raw.lon, raw.lat)
    values = raw.values
    if options.nodata is not None:
        values = np.where(values == np.float32(options.nodata), np.nan, values)
    if options.scale is not None:
        values = values * np.float32(options.scale)
    if options.where:
        marked = raw.table.assign(**{"landweave row": np.arange(len(values))})
        rows = filter_rows(marked, options)["landweave row"].to_numpy()
        dates = None if raw.dates is None else raw.dates[rows]
        return _Raw(values[rows], raw.bands, dates, raw.table.iloc[rows].reset_index(drop=True), raw.lon[rows], raw.lat[rows])
    return _Raw(values, raw.bands, raw.dates, raw.table, raw.lon, raw.lat)


def _read_npz(path: Path) -> _Raw:
    import pandas as pd

    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = {k: file[k] for k in file.files}
    except (ValueError, OSError, EOFError, AttributeError, zipfile.BadZipFile) as err:
        raise SourceError(f"{path} is not an npz of plain arrays (truncated? pickled objects?): {err}") from err
    missing = [k for k in ("X", "y", "lon", "lat", "bands") if k not in arrays]
    if missing:
        raise SourceError(f"{path} lacks the arrays {', '.join(missing)}; it has {', '.join(arrays)}; needed are X (n, step, "
                          "band), y, lon, lat, bands and dates_days_since_1970")  # fmt: skip
    x = arrays["X"]
    n, bands = len(x), tuple(str(b) for b in arrays["bands"])
    if x.ndim != 3 or x.shape[2] != len(bands) or any(len(arrays[k]) != n for k in ("y", "lon", "lat")):
        raise SourceError(f"{path}: X has the shape {x.shape}, expected (n, step, band) with {len(bands)} bands and "
                          f"as many rows as y ({len(arrays['y'])}), lon and lat")  # fmt: skip
    days = arrays.get("dates_days_since_1970")
    dates = None if days is None else np.broadcast_to(days, x.shape[:2]).astype("datetime64[D]")
    extra = {k: v for k, v in arrays.items() if k not in ("X", "bands", "dates_days_since_1970") and v.shape == (n,)}
    table = pd.DataFrame({"class": arrays["y"], **{k: v for k, v in extra.items() if k != "y"}})
    lon, lat = (np.asarray(arrays[k], dtype=np.float64) for k in ("lon", "lat"))
    return _Raw(x.astype(np.float32), bands, dates, table, lon, lat)


def _read_wide(path: Path, options: SampleOptions) -> _Raw:
    places = read_vectors(path, crs=options.crs, lon_column=options.lon_column, lat_column=options.lat_column)
    points = places.geometry.to_crs("EPSG:4326").representative_point()
    table = places.drop(columns=places.geometry.name)
    found: dict[str, dict[str, str]] = {}
    for column in table.columns:
        match = _WIDE.match(str(column))
        if match and table[column].dtype.kind in "iuf":
            found.setdefault(match["band"], {})[match["step"]] = column
    # the longest series says what the steps are; other numbered columns (id_1) are attributes
    longest = max((set(s) for s in found.values()), key=len, default=set())
    bands = [b for b, s in found.items() if set(s) == longest]
    steps = sorted(longest, key=lambda s: int(re.sub(r"\D", "", s)))
    if not bands or len(steps) < 2:
        raise SampleError(f"{path} has no columns of series; name them BAND_tNN or BAND_YYYY-MM-DD with every step for every "
                          f"band (columns: {', '.join(map(str, read_table(path).columns[:30]))})")  # fmt: skip
    values = np.stack([table[[found[b][s] for b in bands]].to_numpy(dtype=np.float32) for s in steps], axis=1)
    dates = None
    if all(len(s) >= 8 for s in steps):
        texts = [re.sub(r"\D", "", s) for s in steps]
        days = np.array([f"{t[:4]}-{t[4:6]}-{t[6:8]}" for t in texts], dtype="datetime64[D]")
        dates = np.broadcast_to(days, (len(table), len(days)))
    rest = table.drop(columns=[found[b][s] for b in bands for s in steps])
    return _Raw(values, tuple(bands), dates, rest, points.x.to_numpy(dtype=float), points.y.to_numpy(dtype=float))


# --- bands -----------------------------------------------------------------------------------------------------------------


def _name_bands(raw: _Raw, options: SampleOptions) -> _Raw:
    """Give the bands their common names; a generic sensor keeps the file's names in lower case."""
    sensor = get_sensor(options.sensor)
    names = []
    for given in raw.bands:
        band = sensor.find_band(given)
        names.append(given.lower() if band is None or (sensor.is_open and band.name == given) else band.name)
    doubled = sorted({n for n in names if names.count(n) > 1})
    if doubled:
        raise BandError(f"{options.series} has the band {doubled[0]!r} twice (its bands: {', '.join(raw.bands)})")
    return _Raw(raw.values, tuple(names), raw.dates, raw.table, raw.lon, raw.lat)


def _select_bands(raw: _Raw, options: SampleOptions) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    if options.bands is None:
        return raw.values, raw.bands
    sensor = get_sensor(options.sensor)
    at = []
    for wanted in options.bands:
        band = sensor.find_band(wanted)
        for name in dict.fromkeys((wanted.lower(), wanted, band.name if band else wanted)):
            if name in raw.bands:
                at.append(raw.bands.index(name))
                break
        else:
            raise BandError(f"{options.series} has no band {wanted!r}; it has {', '.join(raw.bands)}")
    return np.ascontiguousarray(raw.values[:, :, at]), tuple(raw.bands[i] for i in at)


def _kinds(bands: Sequence[str], options: SampleOptions) -> tuple[BandKind, ...]:
    sensor = get_sensor(options.sensor)
    kinds: list[BandKind] = []
    for name in bands:
        band = sensor.find_band(name)
        known = None if band is None or (sensor.is_open and band.kind == "other") else band.kind
        kinds.append(known or ("index" if name in _INDICES else "other"))
    return tuple(kinds)


# --- time ------------------------------------------------------------------------------------------------------------------


def _make_input(
    dates: NDArray[np.datetime64] | None, n_steps: int, bands: tuple[str, ...], options: SampleOptions, season: Season | None
) -> tuple[ModelInput, NDArray[np.datetime64], NDArray[np.datetime64]]:
    """Describe the series as a model's input; gives first day and end of each row's series too."""
    kinds = _kinds(bands, options)
    if dates is None:
        if season is not None and len(season.steps) != n_steps:
            raise SampleError(f"season has {len(season.steps)} steps, the series of {options.series} have {n_steps}")
        nat = np.full(1, "NaT", dtype="datetime64[ms]")
        return ModelInput(bands=bands, kinds=kinds, n_steps=n_steps, season=season), nat, nat
    gaps = np.diff(dates, axis=1) / _DAY
    if (gaps <= 0).any():
        row = int(np.flatnonzero((gaps <= 0).any(axis=1))[0])
        raise SampleError(f"dates of row {row} of {options.series} do not increase: {', '.join(map(str, dates[row][:5]))}, ...")
    last = int(np.median(gaps)) if gaps.size else 1
    lengths = np.column_stack([gaps, np.full(len(dates), last)]).astype(int)
    starts = dates if options.dates_are == "start" else dates - (lengths // 2) * _DAY
    first, end = starts[:, 0].astype("datetime64[ms]"), (starts[:, -1] + lengths[:, -1] * _DAY).astype("datetime64[ms]")
    if season is None and (dates == dates[0]).all():
        middles = tuple(str(d) for d in starts[0] + (lengths[0] // 2) * _DAY)
        return ModelInput(bands=bands, kinds=kinds, n_steps=n_steps, dates=middles), first, end
    made = season or _make_season(starts, lengths, options)
    _check_season(made, starts + (lengths // 2) * _DAY, options)
    return ModelInput(bands=bands, kinds=kinds, n_steps=n_steps, season=made), first, end


def _make_season(starts: NDArray[np.datetime64], lengths: NDArray[np.int64], options: SampleOptions) -> Season:
    """Make the season that rows of several years share: the commonest first day, and the commonest offset of each step."""
    days = [str(d)[5:] for d in starts[:, 0]]
    common, _ = max(((d, days.count(d)) for d in set(days)), key=lambda x: (x[1], x[0]))
    of_common = np.array([d == common for d in days])
    offsets = ((starts - starts[:, :1]) / _DAY).astype(int)[of_common]
    table, n = np.unique(np.column_stack([offsets, lengths[of_common, -1]]), axis=0, return_counts=True)
    best = table[np.argmax(n)]
    borders = [*(int(v) for v in best[:-1]), int(best[-2] + best[-1])]
    steps = tuple(SeasonStep(from_day=a, to_day=b) for a, b in pairwise(borders))
    return Season(start="03-01" if common == "02-29" else common, length_days=borders[-1], steps=steps)


def _check_season(season: Season, middles: NDArray[np.datetime64], options: SampleOptions) -> None:
    """Check that every row's steps fall on the season's, by offset from the nearest start of a season."""
    if len(season.steps) != middles.shape[1]:
        raise SampleError(f"season has {len(season.steps)} steps, the series of {options.series} have {middles.shape[1]}")
    centre = np.array([(s.from_day + s.to_day) / 2 for s in season.steps])
    half = np.array([(s.to_day - s.from_day) / 2 for s in season.steps])
    first = middles[:, 0] - int(centre[0]) * _DAY
    years = first.astype("datetime64[Y]").astype(int) + 1970
    candidates = np.array([[f"{y + d:04d}-{season.start.replace('02-29', '03-01')}" for d in (-1, 0, 1)] for y in years],
                          dtype="datetime64[D]")  # fmt: skip
    nearest = np.argmin(np.abs((candidates - first[:, None]) / _DAY), axis=1)
    offsets = (middles - candidates[np.arange(len(first)), nearest][:, None]) / _DAY
    off = np.abs(offsets - centre) > half
    if off.any():
        row, step = (int(v) for v in np.argwhere(off)[0])
        expected = season.steps[step]
        raise SampleError(f"{int(off.any(axis=1).sum())} of {len(off)} rows of {options.series} do not fit the season that "
                          f"starts on {season.start}: row {row}, step {step} is day {offsets[row, step]:.0f}, expected "
                          f"{expected.from_day} to {expected.to_day}; state another season, or leave rows out with "
                          "where")  # fmt: skip
