"""A plan opens everything, says what a run would do, and writes nothing."""

from __future__ import annotations

import numpy as np
import pytest

from landweave.errors import RecipeError, SampleError, SourceError
from landweave.maps.cost import CostOptions
from landweave.recipe import read_recipe
from landweave.recipe.plan import plan_recipe


def rows_of(tables, title):
    return {row[0]: row[1:] for table in tables if table.title == title for row in table.rows}


def test_a_plan_tells_scenes_grid_samples_and_work(job):
    before = sorted(job.folder.rglob("*"))
    tables = plan_recipe(read_recipe(job.folder / "recipe.yaml"), workers=2, memory="8GiB")
    assert [t.title for t in tables][:4] == ["Imagery", "Grid", "Samples", "Work"]
    assert tables[4].title.startswith("Cost on paper, at ")
    assert rows_of(tables, "Imagery")["main"] == ("generic", 2, 2, "2020-06-01 to 2020-07-01", "green, red, nir")
    assert rows_of(tables, "Grid")["crs"] == ("EPSG:32633",)
    assert rows_of(tables, "Samples") == {"crop": (16,), "forest": (16,), "water": (16,), "not used": (0,)}
    work = rows_of(tables, "Work")
    assert (work["workers"], work["memory budget"]) == (("2",), ("8,192 MiB for the whole process",))
    assert {"blocks", "disk for cube.zarr, at most", "disk for the map, at most"} <= set(work)
    assert sorted(job.folder.rglob("*")) == before


def test_a_plan_prints_what_a_country_and_the_globe_would_take(job):
    cost = CostOptions(area_km2=643_801, price_per_core_hour=40)
    table = plan_recipe(read_recipe(job.folder / "recipe.yaml"), cost=cost)[4]
    rows = {row[0]: [float(v.replace(",", "")) for v in row[1:]] for row in table.rows}
    assert list(rows) == ["this grid", "the area given", "the globe's land"]
    assert rows["the area given"][:2] == [643_801, 64.4]
    assert rows["the area given"][5] == pytest.approx(40 * rows["the area given"][2], rel=2e-3)
    ratio = np.array(rows["the globe's land"]) / rows["the area given"]
    np.testing.assert_allclose(ratio, 134.7e6 / 643_801, rtol=2e-3)  # as printed, rounded


def test_a_plan_without_a_cube_on_disk_asks_for_no_disk_for_it(job):
    work = rows_of(plan_recipe(read_recipe(job.write_recipe(write_cube=False))), "Work")
    assert "disk for cube.zarr, at most" not in work


def test_cubes_that_are_made_here_stand_beside_the_sources(job):
    recipe = job.write_recipe(cube={"place": {"encodings": ["sine_cosine"]}})
    made = rows_of(plan_recipe(read_recipe(recipe)), "Imagery")["place"]
    assert made == ("made here", "-", "-", "static", "sin_lon, cos_lon, sin_lat, cos_lat")


def test_a_plan_finds_what_a_run_would_stumble_over(job):
    job.images[1].write_bytes(job.images[1].read_bytes()[:50])
    with pytest.raises(SourceError, match=r"20200701\.tif"):
        plan_recipe(read_recipe(job.folder / "recipe.yaml"))


def test_a_plan_finds_samples_off_the_grid(job, jobs):
    places = jobs.make_places()
    places.set_geometry(places.translate(10_000)).to_file(job.places, driver="GPKG")
    with pytest.raises(SampleError, match="outside"):
        plan_recipe(read_recipe(job.folder / "recipe.yaml"))


def test_missing_places_are_named(job):
    job.places.unlink()
    with pytest.raises(RecipeError, match=r"line \d+: samples\.reference: .*places\.gpkg does not exist"):
        plan_recipe(read_recipe(job.folder / "recipe.yaml"))
