"""The whole chain on a simulated landscape with known truth: the numbers, not only the files."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
import rasterio
from pyproj import Geod, Transformer

from landweave.assess import read_assessment

ARTEFACTS = ("cube.zarr", "samples.parquet", "model", "map.tif", "proba.tif", "uncertainty.tif", "map.qml", "item.json",
             "assessment.json", "report.html", "lineage.json")  # fmt: skip


@pytest.fixture(scope="module")
def mapped(landscape):
    with rasterio.open(landscape / "out" / "map.tif") as file:
        return file.read(1)


@pytest.fixture(scope="module")
def truth(landscape):
    with rasterio.open(landscape / "land" / "truth_2023.tif") as file:
        return file.read(1)


@pytest.fixture(scope="module")
def assessment(landscape):
    return read_assessment(landscape / "out" / "assessment.json")


def geodesic_ha(path):
    """Area of a raster's outline on the ellipsoid, its edges cut into a hundred pieces."""
    with rasterio.open(path) as file:
        left, bottom, right, top = file.bounds
        to_degrees = Transformer.from_crs(file.crs, 4326, always_xy=True)
    xs, ys = np.linspace(left, right, 101), np.linspace(bottom, top, 101)
    ring_x = np.concatenate([xs, np.full(101, right), xs[::-1], np.full(101, left)])
    ring_y = np.concatenate([np.full(101, bottom), ys, np.full(101, top), ys[::-1]])
    area, _ = Geod(ellps="WGS84").polygon_area_perimeter(*to_degrees.transform(ring_x, ring_y))
    return abs(area) / 1e4


def test_all_artefacts_are_there_and_nothing_unfinished(landscape):
    names = {p.name for p in (landscape / "out").iterdir()}
    assert set(ARTEFACTS) <= names
    assert not [n for n in names if n.endswith((".part", ".tmp")) or n == ".work"]


def test_the_map_is_good_but_not_perfect(mapped, truth):
    assert (mapped != 255).all()
    accuracy = (mapped == truth).mean()
    assert 0.74 < accuracy < 0.95


def test_every_cover_of_some_extent_is_found(mapped, truth):
    for code in np.unique(truth)[np.bincount(truth.ravel())[np.unique(truth)] > 500]:
        both = ((mapped == code) & (truth == code)).sum()
        assert both / ((mapped == code) | (truth == code)).sum() > 0.2, code


def test_the_reported_accuracy_holds_the_true_one(assessment, mapped, truth):
    told = assessment.overall_accuracy
    assert told.lower <= (mapped == truth).mean() <= told.upper
    assert told.upper - told.lower < 0.08  # 600 places: about +- 3 points


def test_mapped_areas_are_the_counted_pixels(assessment, mapped):
    shares = {a.code: a.mapped_ha / assessment.total_area_ha for a in assessment.areas}
    for code, share in shares.items():
        assert share == pytest.approx((mapped == code).mean(), rel=1e-3)  # a pixel's area varies by less within 1.4 km


def test_areas_add_up_to_the_geodesic_area_of_the_grid(assessment, landscape):
    whole = geodesic_ha(landscape / "out" / "map.tif")
    assert sum(a.mapped_ha for a in assessment.areas) == pytest.approx(whole, rel=1e-5)
    assert sum(a.area_ha for a in assessment.areas) == pytest.approx(whole, rel=1e-5)


def test_estimated_areas_hold_the_true_ones_for_most_classes(assessment, truth):
    held = [a.lower_ha <= (truth == a.code).mean() * assessment.total_area_ha <= a.upper_ha for a in assessment.areas]
    assert sum(held) >= 8, held  # of ten 95 % intervals, the ones of rare classes being rough


def test_estimates_are_nearer_to_the_truth_than_the_counted_pixels(assessment, truth):
    true = np.array([(truth == a.code).mean() * assessment.total_area_ha for a in assessment.areas])
    estimated, mapped = (np.array([getattr(a, name) for a in assessment.areas]) for name in ("area_ha", "mapped_ha"))
    assert np.abs(estimated - true).sum() < np.abs(mapped - true).sum()


def test_random_folds_promise_at_least_as_much_as_spatial_ones(assessment):
    random, spatial = assessment.cross_validation.random, assessment.cross_validation.spatial
    assert random.overall_accuracy >= spatial.overall_accuracy - 0.01  # chance of the folds
    assert assessment.baselines["majority"].overall_accuracy < spatial.overall_accuracy < 1
    assert (spatial.block_size_m, spatial.n_folds) == (140.0, 5)


def test_the_printed_summary_and_the_report_say_the_same_figure(landscape, assessment, cli):
    figure = f"{assessment.overall_accuracy.value:.3f}"
    code, text = cli("run", landscape / "land" / "recipe.yaml", "--out", landscape / "out")
    assert code == 0
    assert f"overall accuracy {figure}" in text
    share = f"{100 * assessment.overall_accuracy.value:.1f}".removesuffix(".0")
    assert re.search(rf"{re.escape(share)}(\.0)?\s%", (landscape / "out" / "report.html").read_text())


def test_probabilities_agree_with_the_map(landscape, mapped):
    with rasterio.open(landscape / "out" / "proba.tif") as file:
        proba = file.read()
    codes = np.array([c["code"] for c in json.loads((landscape / "land" / "legend.json").read_text())])
    best = proba.max(axis=0)
    assert (proba[np.searchsorted(codes, mapped), *np.indices(mapped.shape)] == best).all()
    np.testing.assert_allclose(proba.sum(axis=0, dtype=int), 250, atol=5)  # each of ten bands is rounded


def finished(folder):
    """When each product was written; a stage that is kept leaves them alone."""
    names = ("cube.zarr/.zmetadata", "samples.parquet", "model/card.json", "map.tif", "proba.tif", "validation.json")
    return {name: (folder / name).stat().st_mtime_ns for name in names if (folder / name).exists()}


def test_a_second_run_keeps_what_is_finished(landscape, cli):
    before = finished(landscape / "out")
    assert len(before) >= 5
    assert cli("run", landscape / "land" / "recipe.yaml", "--out", landscape / "out")[0] == 0
    assert finished(landscape / "out") == before


def test_another_recipe_is_refused_with_what_differs(landscape, cli):
    recipe = landscape / "land" / "other.yaml"
    recipe.write_text((landscape / "land" / "recipe.yaml").read_text().replace("n_estimators: 40", "n_estimators: 41"))
    before = finished(landscape / "out")
    code, text = cli("run", recipe, "--out", landscape / "out")
    assert code == 2
    assert "model.params.n_estimators was 40, is 41" in text
    assert "--overwrite" in text
    assert finished(landscape / "out") == before


def test_a_rerun_gives_the_same_bytes(landscape, cli, tmp_path):
    code, text = cli("rerun", landscape / "out" / "lineage.json", "--out", tmp_path / "again", "--workers", "2")
    assert code == 0
    assert "map.tif yes" in text
    assert "proba.tif yes" in text
    assert " no " not in text
    assert (tmp_path / "again" / "map.tif").read_bytes() == (landscape / "out" / "map.tif").read_bytes()


def test_stages_one_by_one_make_the_map_of_the_run(landscape, cli, tmp_path):
    recipe, out = landscape / "land" / "recipe.yaml", tmp_path / "stages"
    for stage in ("cube", "samples --check", "train", "predict", "assess", "report"):
        verb, *flags = stage.split()
        code, text = cli(verb, recipe, "--out", out, *flags)
        assert code == 0, f"{stage}: {text}"
    for name in ("map.tif", "proba.tif", "uncertainty.tif", "map.qml", "assessment.json"):
        assert (out / name).read_bytes() == (landscape / "out" / name).read_bytes(), name
    assert set(ARTEFACTS) <= {p.name for p in out.iterdir()}


def test_a_map_without_a_cube_on_disk_is_the_same(done, cli, tmp_path):
    recipe = tmp_path / "direct.yaml"
    text = (done.folder / "recipe.yaml").read_text().replace("paths: img", f"paths: {done.folder / 'img'}")
    recipe.write_text(text.replace("reference: places.gpkg", f"reference: {done.places}") + "write_cube: false\n")
    assert cli("run", recipe, "--out", tmp_path / "out")[0] == 0
    assert not (tmp_path / "out" / "cube.zarr").exists()
    with rasterio.open(tmp_path / "out" / "map.tif") as ours, rasterio.open(done.folder / "out" / "map.tif") as theirs:
        np.testing.assert_array_equal(ours.read(), theirs.read())


def test_overwrite_replaces_the_products_of_another_recipe(done, cli, tmp_path):
    shutil.copytree(done.folder, tmp_path / "job")
    job = type(done)(tmp_path / "job")
    recipe, out = job.write_recipe(model={"name": "logistic-regression", "params": {"n_estimators": None}}), job.folder / "out"
    assert cli("run", recipe, "--out", out)[0] == 2
    assert cli("run", recipe, "--out", out, "--overwrite")[0] == 0
    assert json.loads((out / "lineage.json").read_text())["stages"]
    assert cli("run", recipe, "--out", out)[0] == 0
