"""Sentinel-2 products are read in place, coded as their own metadata say."""

from __future__ import annotations

import shutil
from datetime import datetime

import pytest

from landweave.errors import SceneError, SourceError
from landweave.imagery import SourceOptions, find_scenes
from landweave.io.rasters import read_info


def find(path, **options):
    return find_scenes(SourceOptions(paths=path, **options))


def test_folder_gives_native_resolutions_and_the_offset_of_its_metadata(make_safe):
    (scene,) = find(make_safe(), sensor="sentinel-2-l2a")
    assets = {a.band: a for a in scene.assets}
    assert scene.bands == ("coastal", "blue", "green", "red", "rededge071", "nir", "nir08", "nir09", "swir16")
    assert (assets["red"].scale, assets["red"].offset) == (1e-4, -0.1)
    assert "_10m" in assets["blue"].path
    assert "_20m" in assets["swir16"].path
    assert "_60m" in assets["coastal"].path


def test_product_tells_time_tile_and_baseline(make_safe):
    (scene,) = find(make_safe(), sensor="sentinel-2-l2a")
    assert scene.time_start == scene.time_end == datetime(2024, 8, 30, 10, 5, 59, 24000)
    assert dict(scene.properties) == {"tile": "32TPS", "processing_baseline": "05.11"}
    assert scene.id.startswith("S2B_MSIL2A_20240830T100559_N0511")


def test_generic_takes_the_sensor_of_the_product(make_safe):
    (scene,) = find(make_safe())
    assert scene.sensor.name == "sentinel-2-l2a"


def test_baseline_before_4_has_no_offset(make_safe):
    (scene,) = find(make_safe("02.14", offset=None))
    assert scene.assets[0].offset == 0


def test_baseline_from_4_on_without_offset_is_refused(make_safe):
    with pytest.raises(SourceError, match=r"baseline 05\.11, but its metadata state no BOA_ADD_OFFSET"):
        find(make_safe(offset=None))


def test_zip_is_read_in_place(make_safe, tmp_path):
    folder = make_safe()
    archive = shutil.make_archive(str(tmp_path / folder.stem), "zip", tmp_path, folder.name)
    (scene,) = find(archive)
    assert scene.assets[1].path.startswith("/vsizip/")
    assert read_info(scene.assets[1].path).geobox.shape == (12, 12)


def test_truncated_zip_is_named(make_safe, tmp_path):
    folder = make_safe()
    archive = tmp_path / f"{folder.stem}.zip"
    shutil.make_archive(str(archive.with_suffix("")), "zip", tmp_path, folder.name)
    archive.write_bytes(archive.read_bytes()[:2000])
    with pytest.raises(SourceError, match=r"\.zip is no complete archive \(truncated\? download it again\)"):
        find(archive)


def test_scene_classification_masks_on_request_and_is_no_band_otherwise(make_safe):
    folder = make_safe()
    (scene,) = find(folder, mask_band="SCL", mask_clear=[4, 5, 6])
    assert scene.mask.clear == (4, 5, 6)
    assert scene.mask.asset.band == "scl"
    assert "scl" not in scene.bands
    assert find(folder, bands=["scl", "red"])[0].bands == ("scl", "red")


def test_metadata_file_stands_for_its_product(make_safe):
    assert len(find(make_safe() / "MTD_MSIL2A.xml")) == 1


def test_folder_of_products_gives_a_scene_each(make_safe, tmp_path):
    make_safe(day="20240830")
    make_safe(day="20240904")
    assert [s.time_start.day for s in find(tmp_path)] == [30, 4]


def test_two_processings_of_one_scene_contradict(make_safe, tmp_path):
    make_safe("05.10")
    make_safe("05.11")
    with pytest.raises(SceneError, match=r"N0510.* and .*N0511.* both hold band 'coastal'.*remove one of them"):
        find(tmp_path)


def test_wrong_sensor_is_refused(make_safe):
    with pytest.raises(SceneError, match="write `sensor: sentinel-2-l2a`"):
        find(make_safe(), sensor="landsat-c2-l2")


def test_product_without_images_is_named(make_safe):
    folder = make_safe()
    shutil.rmtree(folder / "GRANULE")
    with pytest.raises(SourceError, match="holds no images under GRANULE"):
        find(folder)


def test_broken_metadata_are_named(make_safe):
    folder = make_safe()
    (folder / "MTD_MSIL2A.xml").write_text("<n1:Level-2A", encoding="utf-8")
    with pytest.raises(SourceError, match="is no complete XML"):
        find(folder)


def test_other_archive_says_what_it_holds(tmp_path):
    folder = tmp_path / "X.SAFE"
    folder.mkdir()
    (folder / "readme.txt").write_text("x", encoding="utf-8")
    with pytest.raises(SourceError, match=r"neither a Sentinel-2 product.*readme\.txt; unpack it"):
        find(folder)
