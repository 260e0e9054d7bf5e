"""A map is right, whatever it was cut into and whoever computed it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr

from landweave.cube import CubeOptions, load_cube, make_inputs, read_blocks
from landweave.errors import CubeError, MapError
from landweave.grid import Window, crs_of, make_geobox, pixel_area_m2, resolve_crs, to_coords
from landweave.io.lineage import read_lineage
from landweave.legend import LandClass, Legend
from landweave.maps import MapOptions, predict_map, predict_maps
from landweave.types import CubeSet, Season, SeasonStep

BLOCK_SIZES = [64, 128, 37, 512]


@pytest.mark.parametrize("block_px", BLOCK_SIZES)
def test_any_block_size_and_worker_count_gives_the_same_bytes(block_px, model, cubes, tmp_path, read_products, undisturbed):
    predict_map(model, cubes, tmp_path / "out", options=MapOptions(block_px=block_px), workers=1 + block_px % 2)
    assert read_products(tmp_path / "out") == undisturbed


def test_an_executor_that_is_given_makes_the_same_map_and_stays_open(model, cubes, tmp_path, read_products, undisturbed):
    with ThreadPoolExecutor(2) as pool:
        predict_map(model, cubes, tmp_path / "out", options=MapOptions(block_px=64), workers=2, executor=pool)
        assert pool.submit(lambda: 1).result() == 1
    assert read_products(tmp_path / "out") == undisturbed


def test_the_map_has_no_seams_it_equals_the_prediction_of_the_whole_array(model, cubes, tmp_path):
    product = predict_map(model, cubes, tmp_path / "out", options=MapOptions(block_px=40))
    proba = model.predict_proba(read_blocks(cubes, Window(0, 0, *cubes.geobox.shape)))
    nodata = np.isnan(proba).all(axis=0)
    expected = np.where(nodata, 255, np.array([3, 0, 17])[np.nan_to_num(proba).argmax(axis=0)])
    with rasterio.open(product.files["map"]) as src:
        np.testing.assert_array_equal(src.read(1), expected)
    with rasterio.open(product.files["proba"]) as src:
        quantised = np.where(nodata, 255, np.rint(250 * np.nan_to_num(proba.astype(np.float64))))
        np.testing.assert_array_equal(src.read(), quantised)


def test_maps_by_objects_are_the_same_for_any_block_and_worker(mapping, scenes, tmp_path):
    asked = CubeOptions(segments={"size_px": 20, "window_px": 64}, place={"encodings": ["sine_cosine"]})
    cubes = load_cube(scenes, options=asked)
    model = mapping.SegmentModel(cubes)
    files = []
    for block_px, workers in ((512, 1), (48, 2)):
        folder = tmp_path / str(block_px)
        predict_map(model, cubes, folder, options=MapOptions(block_px=block_px), workers=workers)
        files.append((folder / "proba.tif").read_bytes())
    assert files[0] == files[1]


def test_nodata_in_is_nodata_out_in_every_product(model, cubes, tmp_path):
    product = predict_map(model, cubes, tmp_path / "out", options=MapOptions(block_px=48))
    missing = np.isnan(cubes["main"].values[:, 0]).all(axis=0)
    for name in ("map", "proba", "uncertainty"):
        with rasterio.open(product.files[name]) as src:
            for band in src.read():
                np.testing.assert_array_equal(band == 255, missing)


def test_blocks_without_observation_are_not_predicted(model, cubes, tmp_path):
    predict_map(model, cubes, tmp_path / "out", options=MapOptions(block_px=48))
    assert model.calls == 5 * 4 - 1  # of 5 x 4 blocks one lies in the missing corner


@pytest.mark.parametrize("crs", ["EPSG:32633", "EPSG:4326", "EPSG:3395",
                                 "+proj=aea +lat_0=0 +lon_0=-54 +lat_1=-1 +lat_2=-29 +ellps=GRS80 +units=m"])  # fmt: skip
def test_the_map_lies_exactly_where_the_cube_lies(crs, mapping, tmp_path):
    size = 0.001 if crs == "EPSG:4326" else 63.9981
    geobox = make_geobox((10 * size, 700 * size, 90 * size, 790 * size), crs, (size, size * 1.01))
    cubes = mapping.load(mapping.write_scenes(tmp_path, geobox))
    product = predict_map(mapping.FakeModel(cubes), cubes, tmp_path / "out")
    for name in ("map", "proba", "uncertainty"):
        with rasterio.open(product.files[name]) as src:
            assert src.transform == cubes.geobox.affine
            assert (src.height, src.width) == cubes.geobox.shape
            assert resolve_crs(src.crs) == crs_of(cubes.geobox)


def test_areas_add_up_to_the_geodesic_area_of_the_grid(model, cubes, tmp_path):
    product = predict_map(model, cubes, tmp_path / "out", options=MapOptions(block_px=50))
    assert sum(product.count_px.values()) == np.prod(cubes.geobox.shape)
    # the sum over pixels in another order: float64 rounding only
    assert sum(product.area_ha.values()) == pytest.approx(pixel_area_m2(cubes.geobox).sum() / 1e4, rel=1e-12)


def test_uncertainty_is_entropy_over_its_maximum_and_the_margin(model, cubes, tmp_path):
    product = predict_map(model, cubes, tmp_path / "out")
    proba = model.predict_proba(read_blocks(cubes, Window(0, 0, *cubes.geobox.shape))).astype(np.float64)
    valid = ~np.isnan(proba[0])
    p = np.sort(proba[:, valid], axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.nansum(p * np.log(p), axis=0) / np.log(3)
    with rasterio.open(product.files["uncertainty"]) as src:
        assert src.descriptions == ("entropy", "margin")
        stored = src.read()[:, valid] * src.scales[0]
    # half a step of the quantisation
    np.testing.assert_allclose(stored, [entropy, p[-1] - p[-2]], atol=0.0021)


def test_only_what_is_asked_for_is_written(model, cubes, tmp_path):
    product = predict_map(model, cubes, tmp_path / "out", options=MapOptions(proba=False, uncertainty=False))
    assert "proba" not in product.files
    assert not (tmp_path / "out" / "proba.tif").exists()
    assert not (tmp_path / "out" / ".work").exists()


def test_codes_above_253_make_a_uint16_map(mapping, cubes, tmp_path):
    legend = Legend((LandClass(1, "Low", "#112233"), LandClass(300, "High", "#aabbcc")))
    product = predict_map(mapping.FakeModel(cubes, legend=legend), cubes, tmp_path / "out")
    with rasterio.open(product.files["map"]) as src:
        assert (src.dtypes[0], src.nodata) == ("uint16", 65535)
        assert set(np.unique(src.read(1))) <= {1, 300, 65535}
        assert src.colormap(1)[300] == (0xAA, 0xBB, 0xCC, 255)


def test_probabilities_that_are_none_are_refused(model, cubes, tmp_path, monkeypatch):
    wrong = np.full((3, *cubes.geobox.shape), 2, dtype=np.float32)
    monkeypatch.setattr(type(model), "predict_proba", lambda self, blocks: wrong)
    with pytest.raises(MapError, match=r"outside 0\.\.1"):
        predict_map(model, cubes, tmp_path / "out", options=MapOptions(block_px=1024))


def test_lineage_says_where_the_map_comes_from_and_what_it_took(model, cubes, scenes, tmp_path):
    product = predict_map(model, cubes, tmp_path / "out")
    lineage = read_lineage(product.files["lineage"])
    stage = lineage.find_stage("map")
    assert {f.path for f in stage.inputs} == {s.assets[0].path for s in scenes}
    assert all(len(f.sha256) == 64 for f in (*stage.inputs, *stage.outputs))
    assert stage.results["checksum"] == product.checksum
    assert stage.peak_rss_bytes > 2**20
    assert lineage.versions["landweave"]


def test_a_memory_budget_that_is_too_small_is_refused_with_what_would_do(model, cubes, tmp_path):
    with pytest.raises(MapError, match=r"need \d+ MiB in all; raise --memory"):
        predict_map(model, cubes, tmp_path / "out", memory="20MiB")


def season_cubes(geobox, n_years):
    days = np.arange(n_years * 4) * 91 + 10
    start = np.datetime64("2020-01-01", "ns") + days * np.timedelta64(1, "D")
    end = start + np.timedelta64(20, "D")
    values = np.random.default_rng(3).random((len(days), 2, *geobox.shape), dtype=np.float32)
    coords = {"band": ["red", "nir"], "kind": ("band", ["reflectance"] * 2), "time": start + (end - start) // 2,
              "time_start": ("time", start), "time_end": ("time", end), **to_coords(geobox)}  # fmt: skip
    return CubeSet({"main": xr.DataArray(values, dims=("time", "band", "y", "x"), coords=coords)}, geobox)


def season_model(mapping, cubes):
    steps = tuple(SeasonStep(from_day=91 * i, to_day=91 * i + 40) for i in range(4))
    model = mapping.FakeModel(cubes)
    inputs = make_inputs(cubes, season=Season(start="01-01", length_days=365, steps=steps))
    model._card = model.card.model_copy(update={"inputs": inputs})
    return model


def test_every_named_season_gets_its_map(mapping, tmp_path):
    cubes = season_cubes(make_geobox((0, 0, 400, 300), "EPSG:32633", 10), 2)
    options = MapOptions(seasons=("2020-01-01", "2021-01-01"))
    made = predict_maps(season_model(mapping, cubes), cubes, tmp_path, options=options)
    assert list(made) == ["2020-01-01", "2021-01-01"]
    assert made["2021-01-01"].folder == tmp_path / "maps" / "2021-01-01"
    assert made["2020-01-01"].checksum != made["2021-01-01"].checksum


def test_a_season_that_is_not_named_must_be_the_only_one(mapping, tmp_path):
    one = season_cubes(make_geobox((0, 0, 400, 300), "EPSG:32633", 10), 1)
    assert predict_map(season_model(mapping, one), one, tmp_path / "one").folder == tmp_path / "one"
    two = season_cubes(make_geobox((0, 0, 400, 300), "EPSG:32633", 10), 2)
    with pytest.raises(CubeError, match="2020-01-01, 2021-01-01; name the start dates"):
        predict_map(season_model(mapping, two), two, tmp_path / "two")


def test_seasons_for_a_model_without_season_are_refused(model, cubes, tmp_path):
    with pytest.raises(MapError, match="not trained on a season; leave seasons out"):
        predict_map(model, cubes, tmp_path, options=MapOptions(seasons=("2020-01-01",)))


@pytest.mark.real
def test_the_cerrado_crop_maps_onto_its_odd_grid(real_data: Path, mapping, tmp_path):
    from datetime import datetime

    from landweave.types import Asset, Band, Scene, Sensor

    sensor = Sensor("t", "t", (Band("ndvi", "index", 1e-4, 0.0, -9999), Band("evi", "index", 1e-4, 0.0, -9999)), "t")
    files = sorted((real_data / "cbers4-cerrado").glob("*2018-1*NDVI.tif"))[:2]
    scenes = []
    for f in files:
        start, end = (datetime.fromisoformat(t) for t in f.name.split("_")[1:3])
        scenes.append(Scene(f.name, sensor, start, end, (Asset("ndvi", str(f)), Asset("evi", str(f).replace("NDVI", "EVI")))))
    cubes = mapping.load(scenes)
    product = predict_map(mapping.FakeModel(cubes), cubes, tmp_path, options=MapOptions(proba=False, uncertainty=False))
    with rasterio.open(product.files["map"]) as src, rasterio.open(files[0]) as source:
        assert src.transform == source.transform
        assert src.crs == source.crs
