"""STAC on disk: catalogues that link, folders of items, item collections, stac-geoparquet."""

from __future__ import annotations

import json

import numpy as np
import pytest

from landweave.cube import load_cube
from landweave.errors import SceneError, SourceError
from landweave.imagery import SourceOptions, find_scenes
from landweave.imagery.stac_files import read_items


@pytest.fixture
def items(make_item, tmp_path):
    (tmp_path / "served").mkdir()
    return [make_item(f"S2_{day}", f"2023-06-0{day}T10:00:00Z", base="../served/") for day in (1, 2)]


@pytest.fixture
def folder(items, tmp_path):
    """A catalogue of two items, whose assets have relative addresses."""
    folder = tmp_path / "catalogue"
    folder.mkdir()
    for item in items:
        (folder / f"{item['id']}.json").write_text(json.dumps(item))
    links = [{"rel": "item", "href": f"./{i['id']}.json"} for i in items[:1]]
    (folder / "catalog.json").write_text(json.dumps({"type": "Catalog", "id": "c", "stac_version": "1.0.0", "links": links}))
    return folder


def test_a_catalogue_is_read_by_its_links(folder):
    assert [i["id"] for i in read_items(folder)] == ["S2_1"]
    assert [i["id"] for i in read_items(folder / "catalog.json")] == ["S2_1"]


def test_a_folder_without_a_catalogue_is_looked_through(folder):
    (folder / "catalog.json").unlink()
    assert [i["id"] for i in read_items(folder)] == ["S2_1", "S2_2"]


def test_items_on_disk_become_a_cube(folder):
    source = SourceOptions(catalogue={"url": str(folder), "start": "2023-06-01", "end": "2023-06-01"})
    values = load_cube(find_scenes(source))["main"].values
    np.testing.assert_allclose(values, 0.15, rtol=1e-5)


def test_conditions_hold_on_disk_too(folder):
    with pytest.raises(SceneError, match=r"left by dates 2025-01-01 to \.\.; dates of 1 items without it run from 2023-06-01"):
        find_scenes(SourceOptions(catalogue={"url": str(folder), "start": "2025-01-01"}))
    with pytest.raises(SceneError, match="collections landsat holds no item; collections there: sentinel-2-l2a"):
        find_scenes(SourceOptions(catalogue={"url": str(folder), "collections": "landsat"}))


def test_stac_geoparquet_is_a_catalogue(items, tmp_path):
    arrow = pytest.importorskip("stac_geoparquet.arrow", reason="the extra 'stac' is not installed")
    for item in items:
        for asset in item["assets"].values():
            asset["href"] = asset["href"].replace("..", str(tmp_path))
    arrow.to_parquet(arrow.parse_stac_items_to_arrow(items), tmp_path / "items.parquet")
    scenes = find_scenes(SourceOptions(catalogue={"url": str(tmp_path / "items.parquet")}))
    assert [(s.id, s.bands) for s in scenes] == [("S2_1", ("red", "nir")), ("S2_2", ("red", "nir"))]


@pytest.mark.parametrize(("content", "message"), [
    ({"type": "Other"}, r"is no STAC catalogue, collection, item or item collection \(type 'Other'\)"),
    ({"type": "FeatureCollection", "features": []}, "holds no STAC items"),
    ({"type": "Catalog", "links": [{"rel": "item", "href": "https://a.b/c.json"}]}, "must hold its items itself"),
])
def test_a_file_that_is_no_catalogue_says_what_it_is(tmp_path, content, message):
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(SourceError, match=message):
        read_items(tmp_path / "a.json")


def test_a_missing_catalogue_says_what_may_be_given(tmp_path):
    with pytest.raises(SourceError, match="does not exist; give a folder, a JSON or parquet file, or an address"):
        read_items(tmp_path / "nothing")
