"""Running a recipe from Python: what is made, kept, warned of, and what cannot be."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from landweave.errors import AssessmentError, OutputExistsError, RecipeError, SampleError
from landweave.io.lineage import read_lineage
from landweave.io.tables import read_samples
from landweave.recipe import Job, read_recipe, run_recipe
from landweave.recipe.run import make_assessment, make_cube, make_model, make_samples, open_job_cube, open_products


def write_series(folder, n=60):
    """A table of extracted series of two classes, four dates and two bands, as users hold it: npz."""
    rng = np.random.default_rng(3)
    label = np.repeat(["crop", "forest"], n // 2)
    x = rng.normal(0, 0.05, (n, 4, 2)) + np.where(label == "crop", 0.3, 0.7)[:, None, None]
    np.savez(folder / "s.npz", X=x.astype(np.float32), y=label, bands=np.array(["ndvi", "evi"]),
             dates=np.array(["2020-01-01", "2020-04-01", "2020-07-01", "2020-10-01"]),
             lon=15 + rng.random(n), lat=45 + rng.random(n))  # fmt: skip


@pytest.fixture
def series_recipe(tmp_path):
    write_series(tmp_path)
    (tmp_path / "r.yaml").write_text(
        "name: series\nsamples: {series: s.npz}\nsplit: {block_size_deg: 0.25, n_folds: 3}\n"
        "model: {name: extra-trees, params: {n_estimators: 8}}\n"
    )
    return tmp_path / "r.yaml"


def test_a_table_without_rasters_gives_a_model_and_a_report_but_no_map(series_recipe, tmp_path):
    result = run_recipe(read_recipe(series_recipe), tmp_path / "out")
    names = {p.name for p in (tmp_path / "out").iterdir()}
    assert {"samples.parquet", "model", "assessment.json", "report.html", "lineage.json"} <= names
    assert not {"map.tif", "cube.zarr"} & names
    assert result.product is None
    assert result.assessment.cross_validation.random.overall_accuracy > 0.9


def test_a_run_tells_its_steps_and_what_it_made(job, tmp_path):
    seen = []
    result = run_recipe(read_recipe(job.folder / "recipe.yaml"), tmp_path / "out", progress=seen.append)
    assert list(dict.fromkeys(e.stage for e in seen)) == ["cube", "samples", "random folds", "spatial folds", "map"]
    assert all(e.done <= e.total for e in seen)
    assert result.product.files["map"] == tmp_path / "out" / "map.tif"
    assert result.report == tmp_path / "out" / "report.html"
    assert sum(result.product.count_px.values()) == 24 * 24


def test_the_lineage_names_stages_inputs_and_checksums(done):
    lineage = read_lineage(done.folder / "out")
    assert [s.name for s in lineage.stages] == ["cube", "samples", "model", "map", "assessment"]
    inputs = {f.path: f.sha256 for s in lineage.stages for f in s.inputs}
    assert all(inputs[str(path)] for path in (*done.images, done.places))
    assert lineage.recipe["name"] == "small"
    assert {"numpy", "rasterio", "landweave"} <= set(lineage.versions)


def test_a_changed_input_file_is_another_run(job, jobs, tmp_path):
    recipe = read_recipe(job.folder / "recipe.yaml")
    run_cube = lambda: make_cube(Job(recipe, tmp_path / "out"))  # noqa: E731
    run_cube()
    jobs.write_tif(job.images[0], jobs.make_values(77))
    with pytest.raises(FileExistsError, match=r"holds the cube of another run: files\..*20200601\.tif was "):
        run_cube()


def test_a_held_out_part_judges_the_map(job, tmp_path):
    recipe = read_recipe(job.write_recipe(split={"holdout": 0.3}))
    result = run_recipe(recipe, tmp_path / "out")
    assert 0.9 <= result.assessment.overall_accuracy.value <= 1
    assert 5 <= result.assessment.n_used <= 25
    assert all(a.area_ha is None for a in result.assessment.areas)  # no design, no estimate


def test_training_rows_give_way_to_reference_rows(job, jobs, tmp_path):
    jobs.make_places(16).iloc[::4].to_file(job.folder / "ref.gpkg", driver="GPKG")
    recipe = read_recipe(job.write_recipe(samples={"reference": "places.gpkg"}))
    both = read_recipe(job.write_recipe(reference={"reference": str(job.folder / "ref.gpkg"), "purpose": "reference"}))
    alone, beside = (make_samples(one, make_cube(one))[0] for one in (Job(recipe, tmp_path / "a"), Job(both, tmp_path / "b")))
    reasons = beside.rejected["reason"]
    assert len(beside) == len(alone) - reasons.str.contains("must not train").sum()
    assert len(beside) < len(alone)


def test_places_need_imagery_to_read_values_from(job, tmp_path):
    recipe = read_recipe(job.folder / "recipe.yaml").model_copy(update={"imagery": {}})
    with pytest.raises(RecipeError, match=r"places without values, and the recipe has no `imagery`"):
        make_samples(Job(recipe, tmp_path / "out"), None)


def test_a_stage_without_the_one_before_says_what_to_run(job, tmp_path):
    one = Job(read_recipe(job.folder / "recipe.yaml"), tmp_path / "out")
    with pytest.raises(SampleError, match=r"samples\.parquet does not exist; run `landweave samples` first"):
        make_model(one)


def test_a_reference_without_a_map_is_refused(done, tmp_path):
    recipe = read_recipe(done.folder / "recipe.yaml")
    with_reference = recipe.model_copy(update={"reference": recipe.samples})
    with pytest.raises(AssessmentError, match=r"has a reference but makes 0 maps"):
        make_assessment(Job(with_reference, done.folder / "out"), {})


def test_artefacts_of_a_run_open_again(done):
    one = Job(read_recipe(done.folder / "recipe.yaml"), done.folder / "out")
    assert list(open_products(one)) == [""]
    assert open_job_cube(one)["main"].sizes["time"] == 2
    assert len(read_samples(done.folder / "out" / "samples.parquet")) == 48


def test_auto_explains_its_choice(job, tmp_path):
    model = {"name": "auto", "params": None, "candidates": ["nearest-centroid", "logistic-regression"]}
    one = Job(read_recipe(job.write_recipe(model=model)), tmp_path / "out")
    make_samples(one, make_cube(one))
    make_model(one)
    choice = pd.read_json(tmp_path / "out" / "validation.json", typ="series")["choice"]
    assert [row[0] for row in choice["rows"]]
    assert "macro-F1" in choice["why"]


def test_a_model_knows_the_regions_file_that_its_folds_came_from(series_recipe, tmp_path):
    import geopandas as gpd
    from shapely.geometry import box

    def write_regions(edges):
        parts = [box(a, 44, b, 47) for a, b in pairwise(edges)]
        gpd.GeoDataFrame(geometry=parts, crs="EPSG:4326").to_file(tmp_path / "regions.gpkg")

    write_regions([14, 15.3, 15.6, 17])
    by_region = "{by: region, regions: regions.gpkg, n_folds: 3}"
    series_recipe.write_text(series_recipe.read_text().replace("{block_size_deg: 0.25, n_folds: 3}", by_region))
    run_recipe(read_recipe(series_recipe), tmp_path / "out")
    write_regions([14, 15.2, 15.7, 17])
    with pytest.raises(OutputExistsError, match=r"holds the model of another run: files\..*regions\.gpkg was"):
        run_recipe(read_recipe(series_recipe), tmp_path / "out")
