"""Scenes on disk: renders every date of a landscape block by block and writes it.

Receives a `Setting` and a `Land`; hands on files. Dates run on threads; each holds one block at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.grid import GeoBox, Window, split_blocks
from landweave.io.geotiff import TiffSpec, write_geotiff
from landweave.sensors import get_sensor
from landweave.simulate.covers import INDEX
from landweave.simulate.domain import FloatArray
from landweave.simulate.landcover import Land, Setting
from landweave.simulate.noise import fractal_field, make_key, make_rng
from landweave.simulate.options import SimulateOptions
from landweave.simulate.render import Layers, Lines, aperture_kernels, observe, observe_radar, render_surface
from landweave.simulate.sky import Sky, make_sky
from landweave.simulate.spectra import Units, YearWeather, endmember, make_units, paint_radar, paint_units
from landweave.types import Progress, ProgressEvent

OPTICAL_BANDS = ("blue", "green", "red", "rededge071", "rededge075", "rededge078", "nir", "nir08", "swir16", "swir22")
"""Bands of an optical scene, by common name; the mask `scl` follows them."""

SIMULATED_BY = "Landweave"
"""Value of the tag `simulated` in every scene, so that nobody takes one for an observation."""


@dataclass(frozen=True)
class View:
    """All that rendering a year needs.

    Attributes:
        geobox: The grid.
        layers: Whole-grid layers.
        water: Whole-grid mask of open water.
        units: Units of the year.
        weather: The year's weather.
        year: The year.
        options: The landscape's options.
    """

    geobox: GeoBox
    layers: Layers
    water: NDArray[np.bool_]
    units: Units
    weather: YearWeather
    year: int
    options: SimulateOptions


def make_view(geobox: GeoBox, setting: Setting, land: Land, options: SimulateOptions, year: int) -> View:
    """Gather what rendering a year needs."""
    classes = land.classes
    road, track, stream = _line_covers(setting, land)
    vigour, wetness = _variation(setting, classes == 9, options.seed, year)
    gy, gx = np.gradient(setting.height, options.resolution_m)
    layers = Layers(
        land.unit, land.hedge, road, track, stream, vigour, wetness, np.asarray(gy, np.float32), np.asarray(gx, np.float32)
    )
    units = make_units(land.cover, land.unit, options.seed, year)
    return View(geobox, layers, classes == 1, units, YearWeather.draw(options.seed, year), year, options)


def _line_covers(setting: Setting, land: Land) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Fractions of asphalt, bare track and running water over what the units are."""
    classes = land.classes
    built, water, woods = classes == 9, classes == 1, np.isin(classes, (3, 4))
    road = np.where(land.cover == INDEX["road"], 0, setting.road)
    road = np.where(_streets(setting.plot) & built, np.maximum(road, 0.45), road)
    # crowns close over forest tracks
    track = np.where(built | water, 0, setting.track * np.where(woods, 0.35, 1))
    stream = np.where(water, 0, setting.waters.stream)
    return road.astype(np.float32), track.astype(np.float32), stream.astype(np.float32)


def _variation(setting: Setting, built: NDArray[np.bool_], seed: int, year: int) -> tuple[FloatArray, FloatArray]:
    """Fields of vigour and wetness (sd about 1); in towns the latter stands for the mixture of roofs."""
    shape = setting.domain.shape
    grain = make_rng(seed, "grain").standard_normal(shape, dtype=np.float32)
    vigour = 0.75 * fractal_field(shape, make_rng(seed, "vigour", year), beta=2.0, longest_px=30) + 0.6 * grain
    wetness = 0.8 * fractal_field(shape, make_rng(seed, "wetness"), beta=2.6, longest_px=60) - 0.4 * setting.noise["patch"]
    roofs = make_rng(seed, "roofs").standard_normal(shape, dtype=np.float32)
    return vigour.astype(np.float32), np.where(built, 0.8 * roofs + 0.3 * grain, wetness).astype(np.float32)


def _streets(plot: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Streets run where one block meets the next."""
    street = np.zeros(plot.shape, dtype=bool)
    street[:, 1:] |= plot[:, 1:] != plot[:, :-1]
    street[1:] |= plot[1:] != plot[:-1]
    return street


def plan_dates(year: int, count: int, seed: int, sensor: str) -> list[date]:
    """Spread dates on a five-day revisit over the growing season, mid-February to mid-November; over the year if many."""
    first, last = (48, 318) if count <= 54 else (1, 365)
    ideal = np.linspace(first, last, count + 1)[:-1] + 0.5 * (last - first) / count
    jitter = make_rng(seed, "dates", sensor, year).integers(-1, 2, count) * (5 if (last - first) / count > 15 else 0)
    days = 5 * np.round((ideal + jitter) / 5).astype(int) + (1 if sensor.startswith("sentinel-1") else 3)
    return [date(year, 1, 1) + timedelta(days=int(d) - 1) for d in np.unique(days)]


def render_scenes(folder: Path, view: View, *, workers: int, progress: Progress | None) -> dict[str, tuple[Path, ...]]:
    """Write the scenes of a year, one file per sensor and date.

    Returns:
        Sensor -> files in order of date.
    """
    options = view.options
    jobs: list[tuple[str, date, float, bool]] = []
    suffix = "" if view.year == options.year else f"_{view.year}"
    if "sentinel-2-l2a" in options.sensors:
        dates = plan_dates(view.year, options.n_dates, options.seed, "sentinel-2-l2a")
        covers, gaps = _draw_skies(dates, options, view.year)
        jobs += [("sentinel-2-l2a", d, c, g) for d, c, g in zip(dates, covers, gaps, strict=True)]
    if "sentinel-1-rtc" in options.sensors:
        count = options.n_radar_dates or options.n_dates
        jobs += [("sentinel-1-rtc", d, 0.0, False) for d in plan_dates(view.year, count, options.seed, "sentinel-1-rtc")]
    files: dict[str, list[Path]] = {}
    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        running = []
        for sensor, day, cover, gap in jobs:
            short = {"sentinel-2-l2a": "s2", "sentinel-1-rtc": "s1"}[sensor]
            path = folder / (short + suffix) / f"{day:%Y%m%d}.tif"
            files.setdefault(sensor, []).append(path)
            if sensor == "sentinel-2-l2a":
                running.append(pool.submit(_write_optical, path, view, day, cover, gap))
            else:
                running.append(pool.submit(_write_radar, path, view, day))
        for done, job in enumerate(as_completed(running), start=1):
            job.result()
            if progress is not None:
                progress(ProgressEvent(f"scenes {view.year}", done, len(running), "scenes"))
    return {sensor: tuple(paths) for sensor, paths in files.items()}


def _draw_skies(dates: list[date], options: SimulateOptions, year: int) -> tuple[list[float], list[bool]]:
    """Cloud cover per date, whose mean is the asked one; a third of the dates are nearly clear, some are mostly covered."""
    rng = make_rng(options.seed, "covers", year)
    share = rng.beta(0.32, 0.9, len(dates))
    share *= options.cloud_cover_pct / max(float(share.mean()), 1e-6)
    gaps = np.zeros(len(dates), dtype=bool)
    gaps[rng.permutation(len(dates))[: options.missing_swaths]] = True
    return [float(min(s, 95.0)) for s in share], [bool(g) for g in gaps]


def optical_sky(view: View, day: date, cover_pct: float, gap: bool) -> Sky:
    """Make the sky of an optical date."""
    options = view.options
    return make_sky(
        (options.rows, options.cols), options.resolution_m, day, seed=options.seed, latitude_deg=options.lonlat[1],
        cover_pct=cover_pct, gap=gap,
    )  # fmt: skip


def _blocks(view: View) -> Iterator[Window]:
    return split_blocks((view.options.rows, view.options.cols), view.options.block_px)


def _write_optical(path: Path, view: View, day: date, cover_pct: float, gap: bool) -> None:
    sky = optical_sky(view, day, cover_pct, gap)
    spec = TiffSpec(
        "uint16", (*OPTICAL_BANDS, "scl"), nodata=0, scales=(*(1e-4 for _ in OPTICAL_BANDS), 1.0),
        tags={"TIFFTAG_DATETIME": f"{day:%Y:%m:%d} 10:40:00", "simulated": SIMULATED_BY},
    )  # fmt: skip
    write_geotiff(path, view.geobox, spec, render_optical(view, day, sky, _blocks(view)))


def render_optical(view: View, day: date, sky: Sky, windows: Iterator[Window]) -> Iterator[tuple[Window, NDArray[np.uint16]]]:
    """Render windows of an optical date: stored reflectance of `OPTICAL_BANDS` and the mask, uint16 (11, y, x)."""
    options = view.options
    bands = [get_sensor("sentinel-2-l2a").get_band(name) for name in OPTICAL_BANDS]
    centers = np.array([b.center_nm for b in bands], dtype=np.float64)
    painted = paint_units(view.units, _day_of_year(day), view.weather, list(centers), wet=sky.wet)
    lines = Lines(_line_spectra(day, centers))
    rng = make_rng(options.seed, "aim", day.isoformat())
    native = np.array([(b.resolution_m or 10.0) / options.resolution_m for b in bands])
    kernels = aperture_kernels(native, (float(rng.normal(0, 0.12)), float(rng.normal(0, 0.12))))
    key = make_key(options.seed, "sensor noise", day.isoformat())
    red_nir = (OPTICAL_BANDS.index("red"), OPTICAL_BANDS.index("nir"))
    for window in windows:
        surface = render_surface(view.layers, painted, lines, window, kernels)
        values, mask = observe(
            surface, view.layers, view.water, sky, window, center_nm=centers, key=key, red_nir=red_nir
        )  # fmt: skip
        yield window, np.concatenate([values, mask[None].astype(np.uint16)])


def _line_spectra(day: date, centers: NDArray[np.float64]) -> NDArray[np.float32]:
    leafy = 0.25 + 0.6 * float(np.exp(-(((_day_of_year(day) - 200) / 75.0) ** 4)))
    tree = 0.85 * (leafy * endmember("broadleaf", centers) + (1 - leafy) * endmember("dry", centers))
    return np.stack([tree, endmember("asphalt", centers), 0.8 * endmember("loam", centers), endmember("river", centers)])


def _day_of_year(day: date) -> float:
    return float(day.timetuple().tm_yday)


def _write_radar(path: Path, view: View, day: date) -> None:
    spec = TiffSpec("float32", ("vv", "vh"), nodata=float("nan"), predictor=3, tags={
        "TIFFTAG_DATETIME": f"{day:%Y:%m:%d} 05:20:00", "simulated": SIMULATED_BY, "unit": "linear power",
    })  # fmt: skip
    write_geotiff(path, view.geobox, spec, render_radar(view, day, _blocks(view)))


def render_radar(view: View, day: date, windows: Iterator[Window]) -> Iterator[tuple[Window, NDArray[np.float32]]]:
    """Render windows of a radar date: VV and VH as linear power, float32 (2, y, x)."""
    options = view.options
    rng = make_rng(options.seed, "rain", day.isoformat())
    painted = paint_radar(view.units, _day_of_year(day), view.weather, wet=float(rng.beta(1.4, 2.0)))
    lines = Lines(np.array([[-9.5, -15.5], [-15.0, -22.0], [-12.0, -20.0], [-16.0, -23.0]], dtype=np.float32))
    kernels = aperture_kernels(np.full(2, 1.3), (0.0, 0.0))
    key = make_key(options.seed, "speckle", day.isoformat())
    # the swath of the interferometric wide mode: 29 to 46 degrees over 250 km
    incidence = (np.deg2rad(36.5), np.deg2rad(17.0) / 250e3 * options.resolution_m)
    for window in windows:
        level = render_surface(view.layers, painted, lines, window, kernels)
        yield window, observe_radar(level, view.layers, window, key=key, looks=options.radar_looks, incidence=incidence)


def write_dem(path: Path, geobox: GeoBox, height: NDArray[Any], seed: int) -> Path:
    """Write the elevation model in metres, with the error of a 30 m model smoothed to the grid."""
    shape = (int(geobox.shape[0]), int(geobox.shape[1]))
    error = 0.6 * fractal_field(shape, make_rng(seed, "dem"), beta=2.2, longest_px=20, shortest_px=4)
    data = (height - min(0.0, float(height.min())) + 240.0 + error).astype(np.float32)
    spec = TiffSpec("float32", ("elevation",), nodata=-32768.0, predictor=3, tags={"simulated": SIMULATED_BY})
    return write_geotiff(path, geobox, spec, [(Window(0, 0, *shape), data[None])])
