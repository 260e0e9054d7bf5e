"""Landsat Collection 2 products are read in place, platform and coding from the MTL file."""

from __future__ import annotations

import json
import tarfile
from datetime import datetime

import pytest

from landweave.errors import SceneError, SourceError
from landweave.imagery import SourceOptions, find_scenes
from landweave.imagery.landsat import parse_mtl
from landweave.io.rasters import read_info


def find(path, **options):
    return find_scenes(SourceOptions(paths=path, **options))


def test_oli_folder_gives_bands_by_oli_numbers(make_landsat):
    (scene,) = find(make_landsat(), sensor="landsat-c2-l2")
    assert scene.sensor.name == "landsat-oli-c2-l2"
    assert scene.bands == ("coastal", "blue", "green", "red", "nir", "swir16", "swir22", "lwir11")
    assert scene.assets[3].path.endswith("_SR_B4.TIF")


def test_tm_folder_gives_bands_by_tm_numbers(make_landsat):
    (scene,) = find(make_landsat("LANDSAT_5"), sensor="landsat-c2-l2")
    assert scene.sensor.name == "landsat-tm-c2-l2"
    assert {a.band: a.path[-6:-4] for a in scene.assets}["nir"] == "B4"
    assert scene.bands[-2:] == ("swir22", "lwir")


def test_coding_is_level_2_not_level_1(make_landsat):
    (scene,) = find(make_landsat())
    red = scene.assets[3]
    assert (red.scale, red.offset) == (2.75e-5, -0.2)
    assert (scene.assets[-1].scale, scene.assets[-1].offset) == (0.00341802, 149.0)


def test_time_and_place_come_from_the_metadata(make_landsat):
    (scene,) = find(make_landsat())
    assert scene.time_start == datetime(2020, 7, 4, 9, 58, 19, 123456)
    assert dict(scene.properties) == {"platform": "LANDSAT_8", "tile": "193-27"}


def test_tar_is_read_in_place(make_landsat, tmp_path):
    folder = make_landsat()
    with tarfile.open(tmp_path / "LC08.tar", "w") as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, arcname=path.name)
    (scene,) = find(tmp_path / "LC08.tar")
    assert scene.assets[0].path.startswith("/vsitar/")
    assert read_info(scene.assets[0].path).geobox.shape == (8, 8)


def test_json_metadata_serve_too(make_landsat):
    folder = make_landsat()
    mtl = next(folder.glob("*_MTL.txt"))
    mtl.with_suffix(".json").write_text(json.dumps(parse_mtl(mtl.read_text(encoding="utf-8"))), encoding="utf-8")
    mtl.unlink()
    assert find(folder)[0].assets[0].scale == 2.75e-5


def test_two_products_in_one_folder_are_two_scenes(make_landsat, tmp_path):
    for platform in ("LANDSAT_7", "LANDSAT_8"):
        for path in make_landsat(platform).iterdir():
            path.rename(tmp_path / path.name)
    scenes = find(tmp_path)
    assert [s.sensor.name for s in scenes] == ["landsat-oli-c2-l2", "landsat-tm-c2-l2"]


def test_quality_layer_masks_on_request(make_landsat):
    (scene,) = find(make_landsat(), mask_band="qa_pixel", mask_clear=[21824])
    assert scene.mask.asset.path.endswith("_QA_PIXEL.TIF")


def test_level_1_is_refused(make_landsat):
    with pytest.raises(SceneError, match="is of level L1TP; give Collection 2 level-2 products"):
        find(make_landsat(level="L1TP"))


def test_other_table_than_the_platforms_is_refused(make_landsat):
    with pytest.raises(SceneError, match=r"is of LANDSAT_5 \(landsat-tm-c2-l2\).*write `sensor: landsat-c2-l2`"):
        find(make_landsat("LANDSAT_5"), sensor="landsat-oli-c2-l2")


def test_metadata_without_images_are_named(make_landsat):
    folder = make_landsat()
    for path in folder.glob("*.TIF"):
        path.unlink()
    with pytest.raises(SourceError, match=r"no image \(\*_SR_B\*\.TIF\) lies beside its MTL file"):
        find(folder)


def test_metadata_without_coding_are_named(make_landsat):
    folder = make_landsat()
    mtl = next(folder.glob("*_MTL.txt"))
    mtl.write_text(mtl.read_text(encoding="utf-8").replace("REFLECTANCE_ADD_BAND_1 ", "OTHER "), encoding="utf-8")
    with pytest.raises(SourceError, match="no REFLECTANCE_ADD_BAND_1; download the product again"):
        find(folder)


def test_truncated_tar_is_named(tmp_path):
    (tmp_path / "LC08.tar").write_bytes(b"no tar")
    with pytest.raises(SourceError, match=r"LC08\.tar is no complete archive"):
        find(tmp_path / "LC08.tar")
