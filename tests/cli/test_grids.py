"""`landweave grid` as a user meets it."""

from __future__ import annotations

import geopandas as gpd
import pytest
from shapely import box

from landweave.cli.app import run


def test_grids_are_listed_with_an_example_each(capsys):
    assert run(["grid"]) == 0
    assert "majortom:10:435U_120R" in capsys.readouterr().out


def test_tiles_over_a_file_are_written_with_their_bounds(capsys, tmp_path):
    gpd.GeoDataFrame(geometry=[box(13.4, 45.4, 16.6, 46.9)], crs=4326).to_file(tmp_path / "area.gpkg")
    out = tmp_path / "tiles.gpkg"
    assert run(["grid", "mgrs", "--area", str(tmp_path / "area.gpkg"), "--resolution", "10", "-o", str(out)]) == 0
    assert "10,000 x 10,000" in capsys.readouterr().out
    tiles = gpd.read_file(out)
    assert list(tiles.columns) == ["id", "crs", "left", "bottom", "right", "top", "geometry"]
    assert "mgrs:33TVL" in set(tiles["id"])


def test_long_lists_are_cut_on_the_screen(capsys):
    assert run(["grid", "quad:12", "--bbox", "13.4", "45.4", "16.6", "46.9"]) == 0
    assert "more; write them all with --out" in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "message"), [
    (["mgrs:33TIM"], "columns of zone 33"), (["mgrs", "--bbox", "16", "46", "14", "45"], "west, south, east, north"),
    (["mgrs", "--bbox", "1", "2", "3", "4", "--area", "x.gpkg"], "keep one"),
])  # fmt: skip
def test_mistakes_are_one_line(arguments, message, capsys):
    assert run(["grid", *arguments]) == 2
    assert message in capsys.readouterr().err
