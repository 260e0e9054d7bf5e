"""The example recipes on real data, in full: the figures that others published or measured, as ranges."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import yaml

from landweave.assess import Assessment, read_assessment
from landweave.cli.app import run
from landweave.io.lineage import read_lineage
from landweave.recipe.document import check_recipe
from landweave.recipe.reading import load_yaml

EXAMPLES = Path(__file__).parents[2] / "examples"
pytestmark = pytest.mark.real
slow = pytest.mark.slow  # whole recipes take 15 s to two minutes


@pytest.fixture(scope="module")
def run_example(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A function that runs an example once, with parts replaced, and gives the folder of its products."""
    made: dict[str, Path] = {}

    def make(name: str, **changes: object) -> Path:
        key = f"{name}-{json.dumps(changes)}"
        if key not in made:
            folder = tmp_path_factory.mktemp(name)
            text = (EXAMPLES / f"{name}.yaml").read_text().replace("../../shared/data", str(real_data))
            recipe = folder / "recipe.yaml"
            recipe.write_text(yaml.safe_dump({**yaml.safe_load(text), **changes}) if changes else text)
            assert run(["run", str(recipe), "--out", str(folder / "out"), "--workers", "2"]) == 0
            made[key] = folder / "out"
        return made[key]

    return make


def judged(folder: Path) -> Assessment:
    return read_assessment(folder / "assessment.json")


def folds(folder: Path) -> tuple[float, float]:
    """Overall accuracy under random and under spatial folds."""
    scores = judged(folder).cross_validation
    return scores.random.overall_accuracy, scores.spatial.overall_accuracy


def codes_at(path: Path, places: gpd.GeoDataFrame) -> np.ndarray:
    with rasterio.open(path) as file:
        points = places.to_crs(file.crs).representative_point()
        return np.array([v[0] for v in file.sample(list(zip(points.x, points.y, strict=True)))])


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as file:
        return file.read(1)


@pytest.mark.parametrize("name", ["cerrado", "dtwsat", "landsat5", "landsat7", "mato-grosso"])
def test_the_example_names_the_data_where_the_real_data_lie(name):
    values, lines = load_yaml(EXAMPLES / f"{name}.yaml")
    assert check_recipe(values, source=name, lines=lines).name == name
    assert "../../shared/data" in (EXAMPLES / f"{name}.yaml").read_text()


# --- Cerrado -------------------------------------------------------------------------------------------------------------


@slow
def test_cerrado_with_a_support_vector_machine(run_example):
    random, spatial = folds(run_example("cerrado"))
    assert 0.93 < random < 0.96
    assert 0.91 < spatial < 0.95
    assert random > spatial


@slow
def test_cerrado_with_an_untuned_forest(run_example):
    random, spatial = folds(run_example("cerrado", model={"name": "random-forest"}))
    assert 0.90 < random < 0.94
    assert 0.89 < spatial < 0.93


@slow
def test_cerrado_is_mapped_without_holes_or_stripes(run_example):
    codes = read(run_example("cerrado") / "map.tif")
    assert codes.shape == (400, 400)
    assert np.isin(codes, [1, 2, 3, 4]).mean() > 0.99
    across, down = (np.mean(np.diff(codes.astype(int), axis=axis) != 0) for axis in (1, 0))
    assert 0.7 < across / down < 1.4  # land has no preferred direction; stripes do


# --- Mato Grosso ---------------------------------------------------------------------------------------------------------


@slow
def test_mato_grosso_promises_more_than_it_keeps_elsewhere(run_example):
    scores = judged(run_example("mato-grosso")).cross_validation
    assert 0.95 < scores.random.overall_accuracy < 0.97
    assert 0.82 < scores.spatial.overall_accuracy < 0.87
    assert 0.58 < scores.spatial.macro_f1 < 0.70


@slow
def test_mato_grosso_tells_the_classes_that_cannot_be_learnt_elsewhere(run_example):
    spatial = judged(run_example("mato-grosso")).cross_validation.spatial
    assert sorted(spatial.classes_in_one_block) == ["Forest", "Soy_Fallow"]
    assert 0.93 < spatial.overall_accuracy_learnable < 0.97
    assert 0.79 < spatial.macro_f1_learnable < 0.91


@slow
def test_mato_grosso_has_a_report_that_says_so_and_no_map(run_example):
    folder = run_example("mato-grosso")
    text = (folder / "report.html").read_text()
    assert "Soy_Fallow" in text
    assert "new places" in text
    assert not (folder / "map.tif").exists()


# --- dtwSat --------------------------------------------------------------------------------------------------------------


@slow
def test_dtwsat_gives_one_map_per_season(run_example):
    maps = sorted((run_example("dtwsat") / "maps").glob("*/map.tif"))
    assert [m.parent.name for m in maps] == [f"{year}-09-01" for year in range(2007, 2013)]
    codes = np.stack([read(m) for m in maps])
    assert codes.shape == (6, 27, 37)
    assert np.isin(codes, [1, 2, 3, 4, 5]).mean() > 0.95
    assert (codes == 1).all(axis=0).sum() > 20  # the forest stays forest through the years


@slow
def test_dtwsat_is_as_good_as_published_under_the_published_protocol(run_example):
    baselines = judged(run_example("dtwsat")).baselines
    published, ours = baselines["dtwSat"], baselines["this model, protocol of dtwSat"]
    assert published.macro_f1 == pytest.approx(0.972, abs=0.005)
    assert ours.macro_f1 > published.macro_f1 - 0.02


# --- Landsat 5 -----------------------------------------------------------------------------------------------------------


@slow
def test_landsat5_holds_for_polygons_that_it_has_not_seen(run_example):
    random, spatial = folds(run_example("landsat5"))
    assert random > 0.98
    assert spatial > 0.98


@slow
def test_landsat5_has_water_and_forest_where_they_are(run_example, real_data):
    codes = read(run_example("landsat5") / "map.tif")
    with rasterio.open(real_data / "landsat5-para" / "rstoolbox_lsat.tif") as file:
        red, nir = file.read([3, 4]).astype(float)
    ndvi = (nir - red) / np.maximum(nir + red, 1)
    assert (codes[ndvi < 0] == 1).mean() > 0.99  # only water reflects more red than near infrared here
    assert (nir[codes == 1] < 30).mean() > 0.97  # shores are mixed
    assert (ndvi[codes == 2] > 0.4).mean() > 0.95


@slow
def test_landsat5_lies_where_its_polygons_lie(run_example, real_data):
    places = gpd.read_file(real_data / "landsat5-para" / "rstoolbox_lsat_training.gpkg")
    codes = codes_at(run_example("landsat5") / "map.tif", places)
    names = np.array(["", "water", "forest", "cleared", "fallen_dry"])
    assert (names[codes] == places["class"]).mean() > 0.97


# --- Landsat 7 -----------------------------------------------------------------------------------------------------------


@slow
def test_landsat7_lists_the_two_polygons_that_contradict_themselves(run_example):
    folder = run_example("landsat7")
    told = "2 rows contradict themselves, the name wins: row 6: id 5 (elsewhere urban) but class"
    assert told in (folder / "report.html").read_text()
    assert told in read_lineage(folder).find_stage("samples").notes[0]


@slow
def test_landsat7_is_a_hard_sample(run_example):
    random, spatial = folds(run_example("landsat7"))
    assert 0.65 < random < 0.85
    assert 0.65 < spatial < 0.85


# --- Olofsson et al. 2014 ------------------------------------------------------------------------------------------------


def test_olofsson2014_from_the_command_line_to_the_printed_digit(real_data, capsys):
    table = real_data / "olofsson2014" / "error_matrix_counts.csv"
    assert run(["assess", "--matrix", str(table), "--pixel-area-m2", "900", "--interval", "normal"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for told in ("21158 6158", "11686 3756", "285770 15510", "581386 16282", "overall accuracy 0.947 +- 0.018"):
        assert told in text
