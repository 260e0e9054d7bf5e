"""Bad input as a user meets it: one clear line with the value and the remedy, or its place in a report; never a traceback."""

from __future__ import annotations

import errno
import os
import shutil

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
from affine import Affine
from rasterio.warp import reproject, transform_bounds

from landweave.assess import read_assessment
from landweave.io.rasters import close_rasters


def run_it(cli, job, **changes):
    return cli("run", job.write_recipe(**changes), "--out", job.folder / "out", "--workers", "1")


def run_cube(cli, job, **changes):
    return cli("cube", job.write_recipe(**changes), "--out", job.folder / "out", "--workers", "1")


def made(job):
    """Names of the products in the output folder."""
    out = job.folder / "out"
    return sorted(p.name for p in out.iterdir() if not p.name.startswith(".")) if out.exists() else []


# --- imagery -------------------------------------------------------------------------------------------------------------


def test_missing_file_is_named_with_its_line(cli, job):
    code, text = run_it(cli, job, imagery={"main": {"paths": ["img/20200601.tif", "img/20200801.tif"]}})
    assert code == 2
    assert "20200801.tif" in text
    assert "does not exist" in text
    assert made(job) == []


def test_truncated_file_is_named_and_leaves_no_cube(cli, job):
    close_rasters()
    os.truncate(job.images[1], job.images[1].stat().st_size - 1800)
    code, text = run_it(cli, job)
    assert code in (2, 3)
    assert "20200701.tif" in text
    assert "truncated" in text
    assert not [name for name in made(job) if name.endswith((".zarr", ".tif"))]


def test_file_that_is_no_raster_is_named(cli, job):
    job.images[1].write_text("date;value\n")
    code, text = run_it(cli, job)
    assert code == 2
    assert "20200701.tif" in text
    assert "not a raster" in text


def reproject_file(source, crs):
    close_rasters()
    with rasterio.open(source) as src:
        left, bottom, right, top = transform_bounds(src.crs, crs, *src.bounds)
        width, height = int((right - left) // 10) + 1, int((top - bottom) // 10) + 1
        transform = Affine(10, 0, left, 0, -10, top)
        data, names = np.zeros((src.count, height, width), src.dtypes[0]), src.descriptions
        reproject(src.read(), data, src_transform=src.transform, src_crs=src.crs, dst_transform=transform, dst_crs=crs,
                  src_nodata=0, dst_nodata=0)  # fmt: skip
    with rasterio.open(source, "w", driver="GTiff", count=3, width=width, height=height, dtype=data.dtype, crs=crs,
                       transform=transform) as dst:  # fmt: skip
        dst.write(data)
        dst.descriptions = names


def test_file_in_another_crs_is_reprojected_and_said(cli, job):
    reproject_file(job.images[1], "EPSG:32632")
    code, text = run_cube(cli, job, cube={"crs": "EPSG:32633", "bounds": [500000, 5000000, 500240, 5000240]})
    assert code == 0
    assert "reprojected" in text
    assert "20200701" in text or "EPSG:32632" in text


def test_file_without_crs_names_the_remedy_which_helps(cli, job, jobs):
    for i, path in enumerate(job.images):
        jobs.write_tif(path, jobs.make_values(i), crs=None)
    code, text = run_cube(cli, job)
    assert code == 2
    assert "20200601.tif" in text
    assert "crs" in text
    assert run_cube(cli, job, imagery={"main": {"crs": "EPSG:32633"}})[0] == 0


def test_two_files_for_one_band_and_date_are_named(cli, job):
    shutil.copy(job.images[0], job.folder / "img" / "20200601_copy.tif")
    code, text = run_it(cli, job, imagery={"main": {"pattern": "{date:%Y%m%d}*.tif"}})
    assert code == 2
    assert "20200601.tif" in text
    assert "20200601_copy.tif" in text


def test_two_scenes_of_one_day_are_mosaicked_and_said(cli, job, jobs):
    values = jobs.make_values(1)
    for part, cols in (("a", slice(0, 14)), ("b", slice(10, 24))):
        jobs.write_tif(job.folder / "img" / f"{part}_20200601.tif", values[:, :, cols], left=500_000.0 + 10 * cols.start)
    job.images[0].unlink()
    code, text = run_cube(cli, job, imagery={"main": {"pattern": "{tile}_{date:%Y%m%d}.tif"}})
    assert code == 0
    assert "mosaic" in text
    assert "2020-06-01" in text or "1 day" in text


def test_dates_without_overlap_are_listed(cli, job):
    code, text = run_it(cli, job, cube={"start": "2021-01-01", "end": "2021-12-31"})
    assert code == 2
    assert "2020-06-01" in text
    assert "2021-01-01" in text


def test_cube_of_nodata_alone_is_refused(cli, job, jobs):
    for path in job.images:
        jobs.write_tif(path, np.zeros((3, 24, 24), "uint16"))
    code, text = run_it(cli, job)
    assert code == 2
    assert "nodata" in text
    assert made(job) == []


def test_values_out_of_the_range_of_their_kind_name_the_scale(cli, job):
    code, text = run_it(cli, job, imagery={"main": {"scale": None}})
    assert code == 2
    assert "0.0001" in text


# --- samples -------------------------------------------------------------------------------------------------------------


def test_samples_without_crs_name_the_remedy_which_helps(cli, job, jobs):
    places = jobs.make_places()
    table = pd.DataFrame({"class": places["class"], "x": places.geometry.x, "y": places.geometry.y})
    table.to_csv(job.folder / "places.csv", index=False)
    named = {"reference": "places.csv", "lon_column": "x", "lat_column": "y"}
    code, text = run_it(cli, job, samples=named)
    assert code == 2
    assert "places.csv" in text
    assert "crs: EPSG" in text
    job.write_recipe(samples={**named, "crs": "EPSG:32633"})
    assert cli("samples", job.folder / "recipe.yaml", "--out", job.folder / "out")[0] == 0


def test_some_samples_far_outside_are_counted_and_listed(cli, job, jobs):
    places = jobs.make_places()
    places.loc[:4, "geometry"] = places.geometry[:5].translate(300_000)
    places.to_file(job.places, driver="GPKG")
    code, text = cli("samples", job.write_recipe(), "--out", job.folder / "out")
    assert code == 0
    assert "5 not used" in text
    rejected = pd.read_csv(job.folder / "out" / "samples.rejected.csv")
    assert len(rejected) == 5
    assert rejected.reason.str.contains("outside").all()


def test_all_samples_far_outside_show_both_places(cli, job, jobs):
    places = jobs.make_places()
    places.set_geometry(places.translate(300_000)).to_file(job.places, driver="GPKG")
    code, text = run_it(cli, job)
    assert code == 2
    assert "outside" in text
    assert "800" in text


def test_swapped_axis_order_is_recognised(cli, job, jobs):
    degrees = jobs.make_places().to_crs(4326)
    table = pd.DataFrame({"class": degrees["class"], "lon": degrees.geometry.y, "lat": degrees.geometry.x})
    table.to_csv(job.folder / "places.csv", index=False)
    code, text = run_it(cli, job, samples={"reference": "places.csv"})
    assert code == 2
    assert "swapped" in text


def test_labels_of_another_time_than_the_images_are_refused(cli, job):
    code, text = run_it(cli, job, samples={"start": "2015-01-01", "end": "2016-01-01"})
    assert code == 2
    assert "2015" in text
    assert "2020" in text


def test_class_with_one_sample_fails_the_check_and_stops_the_run_with_two_remedies(cli, job, jobs):
    places = pd.concat([jobs.make_places(), jobs.make_places(1, seed=5).replace({"water": "reed"}).iloc[:1]])
    places.to_file(job.places, driver="GPKG")
    code, text = cli("samples", job.write_recipe(), "--out", job.folder / "out", "--check")
    assert code == 2
    assert "reed" in text
    code, text = run_it(cli, job)
    assert code == 2
    assert "class reed has one sample" in text
    assert "exclude: [reed]" in text
    assert run_it(cli, job, samples={"exclude": ["reed"]}, name="other")[0] == 2  # the table of another run stands there
    code, text = cli("run", job.folder / "recipe.yaml", "--out", job.folder / "second")
    assert code == 0, text


def test_unknown_class_is_listed_with_the_nearest_name(cli, job, jobs):
    jobs.make_places().replace({"forest": "forrest"}).to_file(job.places, driver="GPKG")
    legend = [{"code": i, "name": name} for i, name in enumerate(jobs.CLASSES)]
    code, text = run_it(cli, job, legend=legend)
    assert code == 2
    assert "forrest" in text
    assert "forest" in text.replace("forrest", "")


# --- model and map -------------------------------------------------------------------------------------------------------


def predict(cli, done, tmp_path, *images, **options):
    more = [v for k, value in options.items() for v in (f"--{k}", value)]
    return cli("predict", done.folder / "out" / "model", *images, "--out", tmp_path / "map.tif", "--pattern",
               "{date:%Y%m%d}.tif", *more)  # fmt: skip


def test_values_times_10000_against_a_reflectance_model_name_the_scale(cli, done, tmp_path):
    code, text = predict(cli, done, tmp_path, *done.images)
    assert code == 2
    assert "x 1e+04" in text or "x 10000" in text
    assert "0.0001" in text
    assert not (tmp_path / "map.tif").exists()


def test_bands_in_another_order_give_the_same_map(cli, done, jobs, tmp_path):
    order = [2, 0, 1]
    for seed, image in enumerate(done.images, start=1):
        names = tuple(jobs.BANDS[i] for i in order)
        jobs.write_tif(tmp_path / image.name, jobs.make_values(seed)[order], names=names, nodata=0)
    code, text = predict(cli, done, tmp_path, *sorted(tmp_path.glob("*.tif")), scale=0.0001)
    assert code == 0, text
    with rasterio.open(tmp_path / "map.tif") as ours, rasterio.open(done.folder / "out" / "map.tif") as theirs:
        np.testing.assert_array_equal(ours.read(), theirs.read())


def test_bands_under_swapped_names_are_noticed_by_their_values(cli, done, jobs, tmp_path):
    for seed, image in enumerate(done.images, start=1):
        jobs.write_tif(tmp_path / image.name, jobs.make_values(seed), names=("nir", "red", "green"), nodata=0)
    code, text = predict(cli, done, tmp_path, *sorted(tmp_path.glob("*.tif")), scale=0.0001)
    assert code in (0, 2)
    assert "Median of main.green" in text or "median of main.green" in text
    assert "the training data's 1st to 99th percentile is" in text


def test_missing_band_is_named(cli, done, jobs, tmp_path):
    for image in done.images:
        jobs.write_tif(tmp_path / image.name, jobs.make_values()[:2], names=("green", "red"))
    code, text = predict(cli, done, tmp_path, *sorted(tmp_path.glob("*.tif")), scale=0.0001)
    assert code == 2
    assert "nir" in text


def test_bands_without_names_ask_for_them(cli, done, jobs, tmp_path):
    for image in done.images:
        jobs.write_tif(tmp_path / image.name, jobs.make_values(), names=None)
    code, text = predict(cli, done, tmp_path, *sorted(tmp_path.glob("*.tif")), scale=0.0001)
    assert code == 2
    assert "--bands" in text
    assert predict(cli, done, tmp_path, *sorted(tmp_path.glob("2*.tif")), scale=0.0001, bands="green,red,nir")[0] == 0


def test_model_for_another_legend_is_refused(cli, done, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(done.folder / "out", out)
    (out / "map.tif").unlink()
    legend = [{"code": i, "name": name} for i, name in enumerate(("lake", "field", "wood"))]
    recipe = done.write_recipe(legend=legend).rename(tmp_path / "other.yaml")
    done.write_recipe()
    text = recipe.read_text().replace("paths: img", f"paths: {done.folder / 'img'}")
    recipe.write_text(text.replace("reference: places.gpkg", f"reference: {done.places}"))
    code, text = cli("predict", recipe, "--out", out)
    assert code == 2
    assert "legend" in text
    assert "lake" in text


def test_class_in_the_reference_that_the_map_lacks_is_counted_and_said(cli, done, jobs, tmp_path):
    places = jobs.make_places(seed=9).replace({"forest": "town"})
    places.to_file(tmp_path / "reference.gpkg", driver="GPKG")
    code, text = cli("assess", "--map", done.folder / "out" / "map.tif", "--reference", tmp_path / "reference.gpkg",
                     "--class-column", "class", "--out", tmp_path)  # fmt: skip
    assert code == 0, text
    assert "town" in text
    assessment = read_assessment(tmp_path / "assessment.json")
    assert assessment.overall_accuracy.value == pytest.approx(2 / 3, abs=0.05)


# --- output --------------------------------------------------------------------------------------------------------------


def test_small_disk_is_said_before_anything_is_written(cli, job, monkeypatch):
    usage = shutil.disk_usage(job.folder)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=10))
    code, text = run_it(cli, job)
    assert code == 2
    assert "need" in text
    assert made(job) == []


def test_disk_that_fills_leaves_no_partial_output_and_says_how_much_is_needed(cli, job, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    assert run_cube(cli, job)[0] == 0
    with monkeypatch.context() as patch:
        patch.setattr("landweave.maps.store.BlockStore.read_window", full)
        code, text = run_it(cli, job)
    assert code == 2
    assert "full" in text
    assert not [name for name in made(job) if name.endswith((".tif", ".part"))]
    assert run_it(cli, job)[0] == 0


def test_output_of_another_run_says_what_differs_and_overwrite_replaces_it(cli, done, tmp_path):
    folder = tmp_path / "job"
    shutil.copytree(done.folder, folder)
    job = type(done)(folder)
    recipe = job.write_recipe(model={"params": {"n_estimators": 9}})
    lines = (folder / "out" / "lineage.json").read_text()
    (folder / "out" / "lineage.json").write_text(lines.replace(str(done.folder), str(folder)))
    code, text = cli("run", recipe, "--out", folder / "out")
    assert code == 2
    assert "another run" in text
    assert "--overwrite" in text


def test_folder_of_unknown_origin_is_not_overwritten(cli, job):
    (job.folder / "out" / "cube.zarr").mkdir(parents=True)
    code, text = run_it(cli, job)
    assert code == 2
    assert "no run of landweave is known to have written it" in text


def test_empty_reference_file_is_named(cli, job):
    gpd.GeoDataFrame({"class": []}, geometry=[], crs="EPSG:32633").to_file(job.places, driver="GPKG")
    code, text = run_it(cli, job)
    assert code == 2
    assert "places.gpkg" in text
