"""Catalogues: a real STAC API on localhost, files on disk, and what goes wrong with them."""

from __future__ import annotations

import json
import socket
import time
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from landweave.cube import CubeOptions, load_cube
from landweave.errors import BandError, SceneError, SourceError
from landweave.imagery import CatalogueOptions, SourceOptions, find_scenes, search_items
from landweave.imagery.catalogue import items_path
from landweave.io.rasters import close_rasters

BBOX = (15.0, 45.0, 16.5, 46.0)


def options(server, **more):
    return CatalogueOptions(**{"url": server.url, "collections": "sentinel-2-l2a", "retries": 2, "timeout_s": 5, **more})


def source(server, more=None, **about):
    return SourceOptions(catalogue=options(server, **(more or {})), **about)


def test_every_page_of_a_search_is_read(server, add_item):
    for day in range(1, 8):
        add_item(f"S2_{day}", f"2023-06-0{day}T10:00:00Z")
    found = search_items(options(server, page_size=3))
    assert [i["id"] for i in found] == [f"S2_{d}" for d in range(1, 8)]
    assert len(server.faults.searches) == 3
    assert len(search_items(options(server, page_size=3, max_items=4))) == 4


def test_a_500_is_asked_again(server, add_item):
    add_item("S2_1", "2023-06-01T10:00:00Z")
    server.faults.search_errors = 1
    assert len(search_items(options(server))) == 1
    assert server.faults.hits["/search"] == 2


def test_a_server_that_keeps_failing_is_one_clear_error(server, add_item):
    add_item("S2_1", "2023-06-01T10:00:00Z")
    server.faults.search_errors = 99
    with pytest.raises(SourceError, match=r"catalogue http://127\.0\.0\.1:\d+ failed: .*500"):
        search_items(options(server, retries=1))


def test_a_slow_answer_ends_in_a_clear_error(server):
    server.faults.slow_s = 1.0
    with pytest.raises(SourceError, match=r"did not answer within 0\.2 s \(1 attempts\); try again later, or raise timeout_s"):
        search_items(options(server, timeout_s=0.2, retries=0))


def test_an_unreachable_catalogue_says_so():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(SourceError, match=r"cannot be reached \(1 attempts\); look at the address and the network"):
        search_items(CatalogueOptions(url=url, collections="a", retries=0, timeout_s=1))


@pytest.mark.parametrize(("more", "message"), [
    ({"collections": "landsat"}, "collections landsat holds no item; known collections: sentinel-2-l2a"),
    ({"bbox": (100, 0, 101, 1)}, r"no item is left by bbox \(100\.0, 0\.0, 101\.0, 1\.0\); bboxes of 2 items .* span \[15"),
    ({"bbox": BBOX, "start": "2024-01-01"}, r"left by dates 2024-01-01 to \.\.; dates of 2 .* run from 2023-06-01 to"),
    ({"max_cloud_cover_pct": 3}, r"left by max_cloud_cover_pct 3\.0; the lowest cover of 2 items without it is 20 %"),
    ({"query": {"s2:mgrs_tile": "31UFS"}}, r"left by query .*31UFS.*; properties of 2 items without it: .*s2:mgrs_tile"),
])  # fmt: skip
def test_an_empty_search_says_what_emptied_it(server, add_item, more, message):
    for day in (1, 2):
        add_item(f"S2_{day}", f"2023-06-0{day}T10:00:00Z", **{"eo:cloud_cover": 20, "s2:mgrs_tile": "33TWL"})
    with pytest.raises(SceneError, match=message):
        search_items(options(server, **more))


def test_conditions_hold_where_the_api_does_not_know_them(server, add_item):
    server.faults.no_query = True
    for day, cover in ((1, 80), (2, 5)):
        add_item(f"S2_{day}", f"2023-06-0{day}T10:00:00Z", **{"eo:cloud_cover": cover})
    assert [i["id"] for i in search_items(options(server, max_cloud_cover_pct=10))] == ["S2_2"]
    assert all("query" not in s for s in server.faults.searches)


def test_conditions_are_put_to_an_api_that_knows_them(server, add_item):
    add_item("S2_1", "2023-06-01T10:00:00Z", **{"eo:cloud_cover": 5})
    search_items(options(server, max_cloud_cover_pct=10, start="2023-06-01", end="2023-06-01"))
    (asked,) = server.faults.searches
    assert asked["query"] == {"eo:cloud_cover": {"lte": 10.0}}
    assert asked["datetime"] == "2023-06-01T00:00:00Z/2023-06-01T23:59:59Z"


def test_scenes_of_a_catalogue_become_a_cube(server, add_item):
    add_item("S2_old", "2021-06-01T10:00:00Z", value=2000, **{"s2:processing_baseline": "03.01"})
    add_item("S2_new", "2023-06-01T10:00:00Z", value=3000, **{"s2:processing_baseline": "05.09"})
    scenes = find_scenes(source(server))
    assert [(s.id, s.sensor.name, s.bands, s.time_start.year) for s in scenes] == [
        ("S2_old", "sentinel-2-l2a", ("red", "nir"), 2021), ("S2_new", "sentinel-2-l2a", ("red", "nir"), 2023),
    ]  # fmt: skip
    values = load_cube(scenes)["main"].sel(band="red").values
    np.testing.assert_allclose(values.mean(axis=(1, 2)), [0.2, 0.2], rtol=1e-5)  # mixed baselines agree


def test_a_saved_search_needs_no_catalogue(server, add_item, tmp_path):
    add_item("S2_1", "2023-06-01T10:00:00Z")
    asked = source(server)
    path = items_path(asked.catalogue, tmp_path / "items", "main")
    first = find_scenes(asked, items=path)
    add_item("S2_2", "2023-06-02T10:00:00Z")
    assert find_scenes(asked, items=path) == first
    assert json.loads(path.read_text())["landweave:search"]["collections"] == ["sentinel-2-l2a"]
    assert items_path(options(server, max_items=1), tmp_path, "main").name != path.name


def test_a_signature_that_ends_is_renewed(server, add_item):
    server.faults.signature_life_s = 0.6
    add_item("S2_1", "2023-06-01T10:00:00Z", under="signed/")
    asked = source(server, {"sign": f"{server.url}/sign?href="})
    cube = load_cube(find_scenes(asked))["main"]
    first = cube.values
    time.sleep(0.8)
    np.testing.assert_array_equal(cube.values, first)
    assert server.faults.hits["/sign"] >= 3


def test_an_unsigned_file_is_refused_without_showing_a_signature(server, add_item):
    add_item("S2_1", "2023-06-01T10:00:00Z", under="signed/")
    with pytest.raises(SourceError, match=r"/files/signed/S2_1_(red|nir)\.tif cannot be opened"):
        load_cube(find_scenes(source(server)))


def test_a_truncated_cog_is_named(server, add_item):
    add_item("S2_cut", "2023-06-01T10:00:00Z", size=300, rough=True)
    path = server.folder / "S2_cut_red.tif"
    path.write_bytes(path.read_bytes()[:30_000])
    with pytest.raises(SourceError, match=r"(cannot read|cannot be opened).*S2_cut_red\.tif|S2_cut_red\.tif cannot be opened"):
        _ = load_cube(find_scenes(source(server)))["main"].values


def test_a_file_server_that_hangs_ends_in_a_clear_error(server, add_item):
    add_item("S2_slow", "2023-06-01T10:00:00Z")
    server.faults.slow_file_s = 5.0
    with pytest.raises(SourceError, match=r"S2_slow_red\.tif cannot be opened \(.* the server is slow\): .*too slow"):
        load_cube(find_scenes(source(server, {"timeout_s": 1, "retries": 0})))


def test_a_download_that_is_cut_goes_on_and_is_kept(server, add_item, tmp_path):
    add_item("S2_1", "2023-06-01T10:00:00Z", size=300, rough=True)
    server.faults.cut_at, server.faults.cuts = 20_000, 2
    asked = source(server, {"cache": tmp_path / "cache"}, bands=["red"])
    (scene,) = find_scenes(asked)
    kept = Path(scene.assets[0].path)
    assert kept.read_bytes() == (server.folder / "S2_1_red.tif").read_bytes()
    assert not list((tmp_path / "cache").glob("*nir*"))
    hits = server.faults.hits["/files/S2_1_red.tif"]
    find_scenes(asked)
    assert server.faults.hits["/files/S2_1_red.tif"] == hits
    kept.write_bytes(b"x" * kept.stat().st_size)  # damaged on disk: its checksum tells
    find_scenes(asked)
    assert server.faults.hits["/files/S2_1_red.tif"] == hits + 1


def test_a_band_that_no_item_has_lists_what_exists(server, add_item):
    add_item("S2_1", "2023-06-01T10:00:00Z")
    with pytest.raises(BandError, match=r"bands: swir16 asked for, but the files hold red, nir"):
        find_scenes(source(server, bands=["red", "swir16"]))


def test_scl_of_an_item_masks_its_scene(server, add_item):
    scl = np.full((12, 12), 4, np.uint8)
    scl[5, 5] = 9
    add_item("S2_1", "2023-06-01T10:00:00Z", scl=scl)
    asked = source(server, mask={"from": "scl", "dilate_px": 1})
    cube = load_cube(find_scenes(asked), options=CubeOptions(bands=("red",)))["main"]
    assert np.isnan(cube.values[0, 0]).sum() == 9


def test_an_api_needs_collections_and_one_address():
    with pytest.raises(ValueError, match=r"collections is empty; name at least one collection of https://earth-search"):
        CatalogueOptions(preset="earth-search")
    with pytest.raises(ValueError, match="give one of them"):
        CatalogueOptions(preset="cdse", url="https://a.b", collections="c")
    with pytest.raises(ValueError, match=r"has the operator 'like'; known: eq, neq"):
        CatalogueOptions(url="items.json", query={"platform": {"like": "a"}})
    assert "sas/v1/sign" in str(CatalogueOptions(preset="planetary-computer", collections="a").signer)


def test_times_of_scenes_are_utc_without_a_zone(server, add_item):
    add_item("S2_1", "2023-06-01T12:00:00+02:00")
    assert find_scenes(source(server))[0].time_start == datetime(2023, 6, 1, 10)


@pytest.fixture(autouse=True)
def _no_open_files():
    yield
    close_rasters()
