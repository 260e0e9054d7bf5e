"""`landweave assess` in its three ways."""

from __future__ import annotations

import pytest

from landweave.assess import read_assessment

OLOFSSON = """map,ref_deforestation,ref_gain,ref_forest,ref_stable,mapped_area_px
deforestation,66,0,5,4,200000
gain,0,55,8,12,150000
forest,1,0,153,11,3200000
stable,2,1,9,313,6450000
"""


@pytest.fixture
def counts(tmp_path):
    (tmp_path / "counts.csv").write_text(OLOFSSON)
    return tmp_path / "counts.csv"


def test_published_counts_give_the_published_areas(cli, counts, tmp_path):
    code, text = cli("assess", "--matrix", counts, "--pixel-area-m2", "900", "--out", tmp_path / "judged")
    assert code == 0
    assert "overall accuracy 0.947" in text
    area = read_assessment(tmp_path / "judged" / "assessment.json").areas[0]
    assert (round(area.area_ha), round(area.ci95_ha)) == (21158, 6158)


def test_counts_need_the_area_of_a_pixel(cli, counts):
    code, text = cli("assess", "--matrix", counts)
    assert code == 2
    assert "--matrix needs --pixel-area-m2, the area of one mapped pixel (900 for 30 m pixels)" in text


def test_any_map_is_judged_on_any_places(cli, done, tmp_path):
    code, text = cli("assess", "--map", done.folder / "out" / "map.tif", "--reference", done.places, "--class-column", "class",
                     "--out", tmp_path / "a.json")  # fmt: skip
    assert code == 0
    assert "overall accuracy 1.000" in text
    assert "no stated probability design" in text
    assert read_assessment(tmp_path / "a.json").n_used == 48


def test_a_map_needs_places(cli, done):
    code, text = cli("assess", "--map", done.folder / "out" / "map.tif")
    assert code == 2
    assert "--map needs --reference, a file of places with a class column" in text


@pytest.mark.parametrize("args", [(), ("r.yaml", "--matrix", "c.csv"), ("--map", "m.tif", "--matrix", "c.csv")])
def test_exactly_one_way_is_given(cli, args):
    code, text = cli("assess", *args)
    assert code == 2
    assert "give one of RECIPE" in text


def test_a_recipes_run_needs_its_folder(cli, done):
    code, text = cli("assess", done.folder / "recipe.yaml")
    assert code == 2
    assert "--out" in text
