from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from landweave.cube import CubeOptions, load_cube, open_cube, write_cube
from landweave.errors import BandError, CubeError
from landweave.features.radar import compute_radar_index, to_db, to_linear
from landweave.features.speckle import filter_speckle, filter_temporal
from landweave.features.texture import compute_texture, quantise
from landweave.sensors import get_sensor
from landweave.types import Asset, Scene

RADAR = {"speckle": "lee", "window": 5, "enl": 4.4, "indices": ["rvi"]}
TEXTURE = {"bands": ["vv"], "measures": ["contrast", "entropy"], "window": 5}


@pytest.fixture
def scene(write: Callable[..., str], rng: np.random.Generator) -> Callable[..., Scene]:
    """Make a Sentinel-1 scene in decibels, 40 x 50 pixels, with a corner of nodata."""

    def make(day: str | None = None, sensor: str = "sentinel-1-grd-db", power: np.ndarray | None = None) -> Scene:
        values = rng.gamma(4.4, 0.02, (2, 40, 50)) * [[[1.0]], [[0.2]]] if power is None else power
        db = to_db(values) if sensor.endswith("db") else values.astype(np.float32)
        db[:, :4, :6] = np.nan
        path, when = write(db), None if day is None else np.datetime64(day).astype("datetime64[s]").item()
        return Scene(path, get_sensor(sensor), when, when, tuple(Asset(b, path, i + 1) for i, b in enumerate(("vv", "vh"))))

    return make


def options(**more: object) -> CubeOptions:
    return CubeOptions.model_validate(more)


def pick(cube: xr.DataArray, band: str) -> np.ndarray:
    return cube.sel(band=band).values


def test_bands_are_filtered_then_made_into_indices_and_texture(scene: Callable[..., Scene]) -> None:
    made = scene()
    raw = load_cube([made])["main"].values
    cube = load_cube([made], options=options(radar={**RADAR, "unit": "linear"}, texture=TEXTURE))["main"]
    vv, vh = (filter_speckle(to_linear(v), method="lee", window_px=5, enl=4.4) for v in raw)
    np.testing.assert_array_equal(pick(cube, "vv"), vv)
    np.testing.assert_array_equal(pick(cube, "rvi"), compute_radar_index("rvi", {"vv": vv, "vh": vh}))
    grey = quantise(to_db(vv), low=-30, high=0, levels=16)
    contrast = compute_texture(grey, n_levels=16, measures=["contrast"], window_px=5)[0]
    np.testing.assert_array_equal(pick(cube, "vv_contrast"), contrast)
    assert cube["band"].values.tolist() == ["vv", "vh", "rvi", "vv_contrast", "vv_entropy"]
    assert cube["kind"].values.tolist() == ["backscatter", "backscatter", "index", "other", "other"]


def test_without_a_unit_backscatter_stays_what_it_was(scene: Callable[..., Scene]) -> None:
    made = scene()
    assert np.nanmax(load_cube([made], options=options(radar=RADAR))["main"].values[0]) < 0  # decibels
    linear = scene(sensor="sentinel-1-grd")
    assert np.nanmin(load_cube([linear], options=options(radar=RADAR))["main"].values[0]) > 0
    turned = load_cube([linear], options=options(radar={"unit": "db"}))["main"].values
    np.testing.assert_array_equal(turned, to_db(load_cube([linear])["main"].values))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(row=st.integers(0, 39), col=st.integers(0, 49), height=st.integers(1, 20), width=st.integers(1, 20))
def test_any_window_holds_the_bytes_of_the_whole(
    scene: Callable[..., Scene], row: int, col: int, height: int, width: int
) -> None:  # fmt: skip
    made = [scene("2020-01-01"), scene("2020-01-13")]
    for speckle in ("refined-lee", "quegan"):
        radar = {"speckle": speckle, "enl": 4.4, "indices": ["vh_vv"]}
        cube = load_cube(made, options=options(radar=radar, texture=TEXTURE))["main"]
        part = cube.isel(time=[1], y=slice(row, row + height), x=slice(col, col + width)).values
        np.testing.assert_array_equal(part, cube.values[1:, :, row : row + height, col : col + width])


def test_nodata_stays_nodata_in_every_band(scene: Callable[..., Scene]) -> None:
    values = load_cube([scene()], options=options(radar=RADAR, texture=TEXTURE))["main"].values
    assert np.isnan(values[:, :4, :6]).all()
    assert not np.isnan(values[:, 10:, 10:]).any()


def test_the_temporal_filter_sees_every_date_even_where_one_is_read(scene: Callable[..., Scene]) -> None:
    made = [scene(f"2020-01-{d:02d}") for d in (1, 13, 25)]
    raw = to_linear(load_cube(made)["main"].values)
    cube = load_cube(made, options=options(radar={"speckle": "quegan", "unit": "linear"}))["main"]
    np.testing.assert_array_equal(cube.isel(time=1).sel(band="vh").values, filter_temporal(raw[:, 1])[1])


def test_a_stored_cube_holds_what_the_lazy_one_gives(scene: Callable[..., Scene], tmp_path: object) -> None:
    cubes = load_cube([scene()], options=options(radar=RADAR, texture=TEXTURE))
    stored = open_cube(write_cube(cubes, f"{tmp_path}/cube.zarr"))
    np.testing.assert_allclose(stored["main"].sel(band=cubes["main"]["band"]).values, cubes["main"].values, rtol=1e-6)


def test_looks_are_estimated_and_said_where_they_are_not_given(scene: Callable[..., Scene]) -> None:
    cubes = load_cube([scene()], options=options(radar={"speckle": "lee"}))
    assert any("equivalent number of looks of vv was estimated as 4." in n or "as 5." in n for n in cubes.notes)


def test_indices_of_changed_bands_are_made_after_the_change(scene: Callable[..., Scene]) -> None:
    pytest.importorskip("spyndex", reason="RFDI of vv and vh is spyndex's")
    asked = {"indices": ["DpRVIVV"], "radar": {"speckle": "lee", "enl": 4.4, "unit": "linear"}}
    cube = load_cube([scene()], options=options(**asked))["main"]
    vv, vh = pick(cube, "vv"), pick(cube, "vh")
    np.testing.assert_allclose(pick(cube, "DpRVIVV"), 4 * vh / (vv + vh), rtol=1e-4)


def test_incidence_is_dealt_with_before_the_filter(write: Callable[..., str], rng: np.random.Generator) -> None:
    power = rng.gamma(4.4, 0.02, (20, 20))
    path = write(np.stack([power, np.full((20, 20), 60.0)]).astype(np.float32))
    made = Scene("s", get_sensor("sentinel-1-grd"), None, None, (Asset("vv", path, 1), Asset("angle", path, 2)))
    plain = load_cube([made])["main"].sel(band="vv").values
    gamma = load_cube([made], options=options(radar={"incidence": "gamma0"}))["main"].sel(band="vv").values
    np.testing.assert_allclose(gamma, 2 * plain, rtol=1e-6)


@pytest.mark.parametrize(("more", "error", "says"), [
    ({"radar": {"speckle": "quegan"}}, CubeError, "quegan filters several dates together, and 'main' has one"),
    ({"radar": {"incidence": "gamma0"}}, BandError, r"needs the band 'angle' \(degrees\); 'main' has vv, vh"),
    ({"radar": {"indices": ["rfdi"]}}, BandError, "radar index 'rfdi' needs hh, hv in one source; there is vv, vh"),
    ({"radar": {"unit": "db"}, "composite": "percentile", "period": "month"}, CubeError, "makes several bands of one"),
    ({"texture": {"bands": ["nir"]}}, BandError, "texture: no source has the band 'nir'"),
])  # fmt: skip
def test_what_the_source_cannot_give_is_said(
    scene: Callable[..., Scene], more: dict[str, object], error: type[Exception], says: str
) -> None:  # fmt: skip
    with pytest.raises(error, match=says):
        load_cube([scene()], options=options(**more))


def test_radar_without_backscatter_and_texture_without_a_range_are_refused(
    write: Callable[..., str], make_scene: Callable[..., Scene], coded: Callable[..., np.ndarray]
) -> None:  # fmt: skip
    made = make_scene(write(coded(3)), bands=("red", "nir", "elevation"))
    with pytest.raises(BandError, match="no source has bands of the kind backscatter"):
        load_cube([made], options=options(radar={"unit": "db"}))
    with pytest.raises(CubeError, match=r"texture of 'elevation' needs a range .* range: \{elevation: \[low, high\]\}"):
        load_cube([made], options=options(texture={"bands": ["elevation"]}))


@pytest.mark.parametrize(("more", "says"), [
    ({"radar": {}}, "radar asks for nothing"),
    ({"radar": {"speckle": "refined-lee", "window": 5}}, "defined in windows of 7 px"),
    ({"radar": {"indices": ["rvy"]}}, "did you mean 'rvi'"),
    ({"texture": {"bands": ["vv"], "measures": ["entrpy"]}}, "did you mean 'entropy'"),
    ({"texture": {"bands": ["vv"], "range": [0, -30]}}, r"range is 0\.\.-30"),
])  # fmt: skip
def test_options_that_make_no_sense_are_refused(more: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        options(**more)
