"""Scenes of the real data sets, as their README describes them."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

import pytest

from landweave.errors import BandError
from landweave.imagery import SourceOptions, find_scenes

pytestmark = pytest.mark.real

TM = ("blue", "green", "red", "nir", "swir16", "lwir", "swir22")


def find(paths, **options):
    return find_scenes(SourceOptions(paths=paths, **options))


def test_cbers_has_23_periods_of_two_indices(real_data):
    scenes = find(real_data / "cbers4-cerrado", sensor="cbers4-awfi")
    assert len(scenes) == 23
    assert all(set(s.bands) == {"ndvi", "evi"} for s in scenes)
    assert (scenes[0].time_start, scenes[-1].time_end) == (datetime(2018, 8, 29), datetime(2019, 8, 29))
    assert all(a.time_end == b.time_start for a, b in pairwise(scenes))


def test_landsat5_is_named_by_its_descriptions(real_data):
    path = real_data / "landsat5-para" / "rstoolbox_lsat.tif"
    (scene,) = find(path, sensor="landsat-tm-c2-l2", static=True, scale=1)
    assert scene.bands == TM


def test_landsat7_is_named_by_its_descriptions_whatever_their_order(real_data):
    scenes = find(str(real_data / "landsat7_honduras_guatemala" / "LE7*.gtif"), sensor="landsat-c2-l2", scale=1e-4)
    assert [s.time_start.date().isoformat() for s in scenes] == ["1999-11-18", "2002-04-16"]
    assert {a.band: a.layer for a in scenes[0].assets}["swir22"] == 6
    assert {a.band: a.layer for a in scenes[0].assets}["lwir"] == 7


def test_landsat7_has_its_mask_on_layer_8(real_data):
    layers = ["blue", "green", "red", "nir", "swir16", "swir22", None, "clear"]
    path = str(real_data / "landsat7_honduras_guatemala" / "LE7*.gtif")
    scenes = find(path, sensor="landsat-c2-l2", layers=layers, mask_band="clear", mask_clear=[0], scale=1e-4)
    assert all(s.mask.asset.layer == 8 and "clear" not in s.bands for s in scenes)


def test_unnamed_bands_are_never_guessed(real_data):
    for name in ("landsat8-radar/img_l8.tif", "s2_lulc_py/s2image.tif"):
        with pytest.raises(BandError, match=r"Name them in order with `layers"):
            find(real_data / name)


def test_sentinel_chips_are_named_by_their_descriptions(real_data):
    chips = real_data / "sen1floods11" / "sample"
    (optical,) = find(chips / "S2", sensor="sentinel-2-l1c", static=True)
    (radar,) = find(chips / "S1", sensor="sentinel-1-rtc-db", static=True)
    assert len(optical.bands) == 13
    assert optical.bands[8:11] == ("nir08", "nir09", "cirrus")
    assert radar.bands == ("vv", "vh")


def test_envi_pair_is_named_by_its_header(real_data):
    scenes = find(real_data / "change-taizhou", sensor="landsat-tm-c2-l2", pattern="{date:%Y}TM", scale=1)
    assert [s.id for s in scenes] == ["2000TM", "2003TM"]
    assert scenes[0].bands == ("blue", "green", "red", "nir", "swir16", "swir22")


def test_dtwsat_layers_are_dates(real_data):
    data = real_data / "modis-matogrosso" / "dtwsat_mato_grosso" / "data"
    scenes = find(str(data / "*.tif"), sensor="modis-mod13q1", layer_dates=data / "timeline")
    assert len(scenes) == 137
    assert set(scenes[0].bands) == {"blue", "red", "nir", "swir22", "ndvi", "evi", "doy"}
    assert [a.layer for a in scenes[136].assets] == [137] * 7


def test_elevation_is_static(real_data):
    (scene,) = find(real_data / "landsat5-para" / "rstoolbox_srtm_lsat.tif", sensor="dem")
    assert (scene.bands, scene.time_start) == (("elevation",), None)
