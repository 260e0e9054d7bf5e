"""Items read into layers: bands by name, coding as the item states it, one processing per acquisition."""

from __future__ import annotations

import math

import pytest

from landweave.errors import BandError
from landweave.imagery import CatalogueOptions, SourceOptions
from landweave.imagery.stac_items import keep_newest, read_item, sensor_of_collection

CATALOGUE = CatalogueOptions(url="https://stac.example.org", collections="any")
TIFF = "image/tiff; application=geotiff; profile=cloud-optimized"


def item(assets, collection="sentinel-2-l2a", name="S2A_33TWL_20230601", time="2023-06-01T10:00:00Z", **properties):
    full = {k: {"href": f"https://files.example.org/{k}.tif", "type": TIFF, **a} for k, a in assets.items()}
    return {"type": "Feature", "id": name, "collection": collection, "properties": {"datetime": time, **properties},
            "assets": full}  # fmt: skip


def read(assets, catalogue=CATALOGUE, options=None, **more):
    layers = read_item(item(assets, **more), options or SourceOptions(catalogue=catalogue), catalogue)
    return {f.asset.band: f.asset for f in layers}


@pytest.mark.parametrize(("collection", "sensor"), [
    ("sentinel-2-l2a", "sentinel-2-l2a"), ("sentinel-2-c1-l2a", "sentinel-2-l2a"), ("landsat-c2-l2", "landsat-c2-l2"),
    ("sentinel-1-rtc", "sentinel-1-rtc"), ("cop-dem-glo-30", "copernicus-dem"), ("esa-worldcover", "esa-worldcover"),
    ("hls2-l30", "hls-l30"), ("HLSS30_2.0", "hls-s30"), ("modis-13Q1-061", "modis-mod13q1"), ("naip", None),
    ("landsat-c2-l1", None), ("landsat-c2l2-sr", "landsat-c2-l2"), ("cop-dem-glo-30-dged-cog", "copernicus-dem"),
    ("alos-palsar-mosaic", "palsar-2-mosaic"), ("CB4-16D-2", "cbers4-awfi"), ("CB4_64_16D_STK-1", "cbers4-awfi"),
    ("CB4MUX_2M-1", None), ("CBERS4AWFI", None),
])  # fmt: skip
def test_collections_of_the_public_catalogues_have_their_sensor(collection, sensor):
    assert sensor_of_collection(collection) == sensor


@pytest.mark.parametrize(("properties", "raster", "offset"), [
    ({"s2:processing_baseline": "05.09"}, {}, -0.1),  # Planetary Computer: the baseline alone
    ({"s2:processing_baseline": "02.14"}, {}, 0.0),
    ({"s2:processing_baseline": "05.09", "earthsearch:boa_offset_applied": True}, {"scale": 1e-4, "offset": -0.1}, 0.0),
    ({"earthsearch:boa_offset_applied": False}, {"scale": 1e-4, "offset": -0.1}, -0.1),
    ({"processing:version": "05.11"}, {"raster:scale": 1e-4, "raster:offset": -0.1}, -0.1),  # CDSE
    ({"s2:product_uri": "S2A_MSIL2A_20230601T100031_N0509_R122_T33TWL_20230601T161800.SAFE"}, {}, -0.1),
    ({}, {}, 0.0),
])  # fmt: skip
def test_the_offset_of_sentinel2_is_what_the_item_says(properties, raster, offset):
    asset = read({"red": {"bands": [{"name": "B04", **raster}]}}, **properties)["red"]
    assert (asset.scale, asset.offset) == (1e-4, pytest.approx(offset))


def test_landsat_takes_its_coding_and_its_platform_from_the_item():
    raster = {"raster:bands": [{"scale": 2.75e-05, "offset": -0.2, "nodata": 0}]}
    assets = {"nir08": {**raster, "eo:bands": [{"name": "OLI_B5", "common_name": "nir08"}]}, "red": raster, "qa_pixel": {}}
    found = read(assets, collection="landsat-c2-l2", name="LC08_L2SP_191029_20230601_02_T1")
    assert list(found) == ["red", "nir", "qa_pixel"]
    assert (found["nir"].scale, found["nir"].offset, found["nir"].nodata) == (2.75e-05, -0.2, 0)


@pytest.mark.parametrize(("collection", "name", "keys", "bands"), [
    ("sentinel-1-rtc", "S1A_IW_GRDH_rtc", "vv vh", "vv vh"),
    ("esa-worldcover", "ESA_WorldCover_10m_2021_v200_N45E015", "map input_quality.1", "map"),
    ("hls2-s30", "HLS.S30.T33TWL.2023152", "B04 B8A Fmask SZA", "red nir08 fmask"),
    ("landsat-c2-l2", "LC09_L2SP_191029_20230601_02_T1", "blue nir08 lwir11 qa_pixel qa_radsat", "blue nir lwir11 qa_radsat"),
    ("modis-13Q1-061", "MOD13Q1.A2023145", "250m_16_days_EVI 250m_16_days_NIR_reflectance", "evi nir"),
    ("alos-palsar-mosaic", "N46E015_21_MOS", "HH HV linci mask date", "hh hv incidence mask"),
    ("CB4-16D-2", "CB4-16D_V2_014013_20230101", "BAND15 BAND16 NDVI CMASK", "red nir ndvi"),
])  # fmt: skip
def test_assets_are_known_by_the_keys_of_the_public_catalogues(collection, name, keys, bands):
    found = read({k: {} for k in keys.split()}, collection=collection, name=name)
    assert set(found) >= set(bands.split())
    assert not set(found) & {"SZA", "date", "CMASK", "input_quality.1"}


def test_of_several_sizes_the_finest_is_taken():
    keys = ("B04_60m", "B04_10m", "B8A_20m", "SCL_20m", "TCI_10m")
    found = read({k: {"type": "image/jp2", "bands": [{"name": k[:3]}]} for k in keys})
    assert {b: a.path.rsplit("/", 1)[1] for b, a in found.items()} == {
        "red": "B04_10m.tif", "nir08": "B8A_20m.tif", "scl": "SCL_20m.tif",
    }  # fmt: skip


def test_geotiff_is_taken_before_jpeg2000_and_pictures_are_left_out():
    visual = {"eo:bands": [{"name": "red", "common_name": "red"}]}
    found = read({"red-jp2": {"type": "image/jp2"}, "red": {}, "visual": visual, "nir": {"roles": ["overview"]}})
    assert {b: a.path.rsplit("/", 1)[1] for b, a in found.items()} == {"red": "red.tif"}


def test_layers_of_one_asset_are_bands_by_their_names():
    bands = [{"name": "blue"}, {"name": "x"}, {"name": "nir", "nodata": "nan"}]
    found = read({"image": {"bands": bands}})
    assert [(b, a.layer) for b, a in found.items()] == [("blue", 1), ("nir", 3)]
    assert math.isnan(found["nir"].nodata)


def test_elevation_has_no_date():
    (found,) = read_item(item({"data": {}}, collection="cop-dem-glo-30"), SourceOptions(catalogue=CATALOGUE), CATALOGUE)
    assert (found.asset.band, found.times) == ("elevation", (None, None))


def test_buckets_become_gdal_paths_unless_a_web_address_is_given():
    s3 = {"href": "s3://eodata/a.tif"}
    web = {**s3, "alternate": {"https": {"href": "https://files.example.org/a.tif"}}}
    assert read({"red": s3})["red"].path == "/vsis3/eodata/a.tif"
    assert read({"red": web})["red"].path == "https://files.example.org/a.tif"


def test_addresses_carry_what_signs_them():
    signing = CatalogueOptions(preset="planetary-computer", collections="sentinel-2-l2a")
    path = read({"B04": {}}, catalogue=signing)["red"].path
    assert path.startswith("https://files.example.org/B04.tif#sign=https%3A%2F%2Fplanetarycomputer")


def test_an_item_of_no_known_band_lists_its_assets():
    with pytest.raises(BandError, match=r"none of its assets \(odd, other\) is a band of sentinel-2-l2a, which has coastal"):
        read({"odd": {}, "other": {}})


def test_of_several_processings_the_latest_is_kept():
    names = [("a", "02.12"), ("b", "05.00"), ("c", "04.00")]
    same = [item({"red": {}}, name=n, **{"s2:processing_baseline": b, "s2:mgrs_tile": "33TWL"}) for n, b in names]
    other = item({"red": {}}, name="d", **{"s2:mgrs_tile": "33TWM"})
    assert [i["id"] for i in keep_newest([*same, other])] == ["b", "d"]
