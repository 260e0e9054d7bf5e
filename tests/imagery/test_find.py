"""Scenes from plain files."""

from __future__ import annotations

from datetime import datetime

import pytest

from landweave.errors import BandError, GridError, SceneError, SourceError
from landweave.imagery import SourceOptions, find_scenes
from landweave.sensors.ranges import REFLECTANCE_RANGE

PATTERN = "{tile}_{date:%Y%m%d}_{band}.tif"


def find(*paths, **options):
    return find_scenes(SourceOptions(paths=[str(p) for p in paths], **options))


@pytest.fixture
def series(write_raster, tmp_path):
    for day in ("20200301", "20200117"):
        for band in ("nir", "red"):
            write_raster(tmp_path / f"T1_{day}_{band}.tif")
    return tmp_path


def test_files_of_one_date_are_one_scene_and_scenes_are_in_order(series):
    scenes = find(series, pattern=PATTERN)
    assert [(s.id, s.time_start, s.bands) for s in scenes] == [
        ("T1_20200117", datetime(2020, 1, 17), ("nir", "red")), ("T1_20200301", datetime(2020, 3, 1), ("nir", "red")),
    ]  # fmt: skip


def test_bands_are_kept_in_the_order_asked_for(series):
    assert find(series, pattern=PATTERN, bands=["red", "nir"])[0].bands == ("red", "nir")
    assert find(series, pattern=PATTERN, bands="RED", scale={"Red": 0.5})[0].assets[0].scale == 0.5


def test_absent_band_asked_for_lists_what_is_there(series):
    with pytest.raises(BandError, match="bands: swir16 asked for, but the files hold nir, red"):
        find(series, pattern=PATTERN, bands=["swir16"])


def test_override_of_an_absent_band_is_refused(series):
    with pytest.raises(BandError, match="scale: blue named, but the files hold nir, red"):
        find(series, pattern=PATTERN, scale={"blue": 0.1})


def test_files_that_do_not_fit_the_pattern_are_left_out(series, write_raster):
    write_raster(series / "legend.tif")
    assert len(find(series, pattern=PATTERN)) == 2


def test_named_file_that_does_not_fit_is_refused(write_raster, tmp_path):
    with pytest.raises(SceneError, match=r"x\.tif does not fit the pattern '\{tile\}_"):
        find(write_raster(tmp_path / "x.tif"), pattern=PATTERN)


def test_pattern_that_fits_nothing_shows_a_name(series):
    with pytest.raises(
        SceneError, match=r"pattern 'Q_\{band\}\.tif' fits none of the 4 files found, such as T1_20200117_nir\.tif"
    ):
        find(series, pattern="Q_{band}.tif")


def test_two_files_for_one_band_and_date_are_named(series, write_raster):
    write_raster(series / "sub" / "T1_20200301_red.tif")
    with pytest.raises(
        SceneError, match=r"T1_20200301_red\.tif and .*sub/T1_20200301_red\.tif both hold band 'red' at 2020-03-01"
    ):
        find(series, series / "sub", pattern=PATTERN)


def test_adjacent_files_of_one_date_are_scenes_of_their_own(write_raster, tmp_path):
    write_raster(tmp_path / "a_20200101_red.tif")
    write_raster(tmp_path / "b_20200101_red.tif", origin=(6e5 + 60, 5e6))
    scenes = find(tmp_path, pattern="*_{date:%Y%m%d}_{band}.tif")
    assert [s.id for s in scenes] == ["a_20200101", "b_20200101"]


def test_bands_follow_the_footprint_of_their_tile(write_raster, tmp_path):
    for name, x in (("a", 6e5), ("b", 6e5 + 80)):
        for band in ("red", "nir"):
            write_raster(tmp_path / f"{name}_20200101_{band}.tif", origin=(x, 5e6))
    scenes = find(tmp_path, pattern="*_{date:%Y%m%d}_{band}.tif")
    assert [{a.path.rsplit("/", 1)[1][0] for a in s.assets} for s in scenes] == [{"a"}, {"b"}]


def test_other_crs_is_another_footprint(write_raster, tmp_path):
    write_raster(tmp_path / "a_20200101_red.tif")
    write_raster(tmp_path / "b_20200101_red.tif", crs="EPSG:32634")
    assert len(find(tmp_path, pattern="*_{date:%Y%m%d}_{band}.tif")) == 2


def test_shards_of_an_earth_engine_export_are_scenes_of_one_time(write_raster, tmp_path):
    for i, part in enumerate(("0000000000-0000000000", "0000000000-0000000008")):
        write_raster(tmp_path / f"s2_20200101-{part}.tif", 2, descriptions=["B4", "B8"], origin=(6e5 + 80 * i, 5e6))
    scenes = find(tmp_path, sensor="sentinel-2-l2a")
    assert [(s.id, s.bands, s.time_start) for s in scenes] == [
        (f"s2_20200101_{i}", ("red", "nir"), datetime(2020, 1, 1)) for i in (1, 2)
    ]


def test_layers_may_be_dates(write_raster, tmp_path):
    for band in ("ndvi", "mir"):
        write_raster(tmp_path / f"{band}.tif", 3)
    (tmp_path / "dates").write_text("2007-09-14\n2007-09-30\n2007-10-16\n", encoding="utf-8")
    scenes = find(tmp_path / "*.tif", sensor="modis-mod13q1", layer_dates=tmp_path / "dates")
    assert [(s.time_start.day, [(a.band, a.layer) for a in s.assets]) for s in scenes] == [
        (14, [("swir22", 1), ("ndvi", 1)]), (30, [("swir22", 2), ("ndvi", 2)]), (16, [("swir22", 3), ("ndvi", 3)]),
    ]  # fmt: skip


def test_layers_in_another_order_than_time_come_in_order_and_twice_one_date_is_refused(write_raster, tmp_path):
    path = write_raster(tmp_path / "red.tif", 3)
    about = {"paths": str(path), "pattern": "{band}.tif"}
    scenes = find_scenes(SourceOptions(layer_dates=["2020-03-01", "2020-01-01", "2020-02-01"], **about))
    assert [(s.time_start.month, s.assets[0].layer) for s in scenes] == [(1, 2), (2, 3), (3, 1)]
    with pytest.raises(SceneError, match=r"\(layer 2\) and .*\(layer 3\) both hold band 'red' at 2020-01-01"):
        find_scenes(SourceOptions(layer_dates=["2020-03-01", "2020-01-01", "2020-01-01"], **about))


def test_other_number_of_dates_than_layers_is_refused(write_raster, tmp_path):
    with pytest.raises(SceneError, match=r"ndvi\.tif has 3 layers, but layer_dates holds 1 dates; give one date per layer"):
        find(write_raster(tmp_path / "ndvi.tif", 3), layer_dates=["2020-01-01"])


def test_mistaken_date_file_names_its_line(write_raster, tmp_path):
    (tmp_path / "dates").write_text("2007-09-14\nmonday\n", encoding="utf-8")
    with pytest.raises(SourceError, match="dates line 2: 'monday' is no date; write YYYY-MM-DD"):
        find(write_raster(tmp_path / "ndvi.tif", 2), layer_dates=tmp_path / "dates")


def test_command_lines_bands_name_the_layers_of_an_image(write_raster, tmp_path):
    (scene,) = find(write_raster(tmp_path / "image.tif", 3), layers=["blue", None, "red"])
    assert [(a.band, a.layer) for a in scene.assets] == [("blue", 1), ("red", 3)]
    assert (scene.id, scene.time_start) == ("image", None)


def test_dated_sensor_without_a_date_tells_three_remedies(write_raster, tmp_path):
    path = write_raster(tmp_path / "stack.tif", 2, descriptions=["B4", "B8"])
    with pytest.raises(SceneError, match=r"holds no date, .*`pattern: .*`, `date: YYYY-MM-DD`, or `static: true`"):
        find(path, sensor="sentinel-2-l2a")
    assert find(path, sensor="sentinel-2-l2a", static=True)[0].time_start is None
    assert find(path, sensor="sentinel-2-l2a", date="2020-05-06")[0].time_end == datetime(2020, 5, 7)


def test_one_date_in_a_name_is_taken_two_are_not(write_raster, tmp_path):
    one = write_raster(tmp_path / "s2_2020-05-06.tif", descriptions=["B4"])
    two = write_raster(tmp_path / "s2_20200506_20200601.tif", descriptions=["B4"])
    assert find(one, sensor="sentinel-2-l2a")[0].time_start == datetime(2020, 5, 6)
    with pytest.raises(SceneError, match="holds more than one date"):
        find(two, sensor="sentinel-2-l2a")


@pytest.mark.parametrize("name", [
    "MOD13Q1.A2020161.h12v10_NDVI", "MOD13Q1.061__250m_16_days_NDVI_doy2020161_aid0001", "2020_06_09_NDVI",
])  # fmt: skip
def test_dates_of_modis_deliveries_are_read(write_raster, tmp_path, name):
    (scene,) = find(write_raster(tmp_path / f"{name}.tif"), sensor="modis-mod13q1")
    assert (scene.bands, scene.time_start) == (("ndvi",), datetime(2020, 6, 9))


def test_platform_in_the_name_decides_the_table(write_raster, tmp_path):
    for name in ("LC08_L2SP_193027_20200704_20200913_02_T1_SR_B4", "LE07_L2SP_193027_20200712_20200913_02_T1_SR_B4"):
        write_raster(tmp_path / f"{name}.TIF")
    scenes = find(tmp_path, sensor="landsat-c2-l2")
    assert [(s.sensor.name, s.bands) for s in scenes] == [("landsat-oli-c2-l2", ("red",)), ("landsat-tm-c2-l2", ("nir",))]


def test_numbers_without_a_platform_are_not_guessed(write_raster, tmp_path):
    path = write_raster(tmp_path / "stack_20200101.tif", 2, descriptions=["SR_B4", "SR_B5"])
    with pytest.raises(BandError, match="none of its 2 layers has a name that landsat-c2-l2 knows"):
        find(path, sensor="landsat-c2-l2")


def test_file_of_no_band_is_left_out_of_a_folder_but_refused_alone(write_raster, tmp_path):
    name = "LC08_L2SP_193027_20200704_20200913_02_T1_{}.TIF"
    write_raster(tmp_path / name.format("SR_B4"))
    odd = write_raster(tmp_path / name.format("ST_CDIST"))
    assert find(tmp_path, sensor="landsat-c2-l2")[0].bands == ("red",)
    with pytest.raises(BandError, match=r"has no band 'ST_CDIST' \(from the file's name\)"):
        find(odd, sensor="landsat-c2-l2")


def test_mask_layer_becomes_the_scenes_mask(write_raster, tmp_path):
    path = write_raster(tmp_path / "x.tif", 2)
    (scene,) = find(path, layers=["red", "clouds"], mask_band="clouds", mask_clear=[0, 1])
    assert scene.bands == ("red",)
    assert (scene.mask.asset.layer, scene.mask.clear) == (2, (0, 1))


def test_mask_may_be_a_file_of_its_own(series, write_raster):
    for day in ("20200117", "20200301"):
        write_raster(series / f"T1_{day}_cloud.tif", dtype="uint8", value=0)
    scenes = find(series, pattern=PATTERN, mask_band="cloud", mask_clear=[0])
    assert all(s.mask.asset.path.endswith("_cloud.tif") and s.bands == ("nir", "red") for s in scenes)


def test_scene_without_its_mask_is_refused(series, write_raster):
    write_raster(series / "T1_20200117_cloud.tif", dtype="uint8", value=0)
    with pytest.raises(BandError, match=r"scene T1_20200301 .* has no mask band 'cloud'; it holds nir, red"):
        find(series, pattern=PATTERN, mask_band="cloud", mask_clear=[0])


def test_stated_scale_replaces_the_sensors_coding_as_a_whole(write_raster, tmp_path):
    path = write_raster(tmp_path / "x.tif", 2)
    (scene,) = find(path, sensor="landsat-tm-c2-l2", static=True, layers=["red", "nir"], scale=1e-4, nodata={"red": -1})
    assert [(a.scale, a.offset, a.nodata) for a in scene.assets] == [(1e-4, 0.0, -1), (1e-4, 0.0, None)]


def test_kind_brings_its_valid_range_and_the_recipe_may_state_another(write_raster, tmp_path):
    path = write_raster(tmp_path / "x.tif", 2)
    (scene,) = find(path, layers=["red", "mine"], kind={"red": "reflectance"}, valid_range={"mine": (0, 7)})
    red, mine = scene.sensor.get_band("red"), scene.sensor.get_band("mine")
    assert (red.kind, red.valid_range) == ("reflectance", REFLECTANCE_RANGE)
    assert (mine.kind, mine.valid_range) == ("other", (0, 7))


def test_file_without_crs_needs_one(write_raster, tmp_path):
    path = write_raster(tmp_path / "x.tif", crs=None)
    with pytest.raises(GridError, match=r"x\.tif has no crs; state it with `crs: EPSG:...`"):
        find(path, layers=["red"])
    assert find(path, layers=["red"], crs="EPSG:32633")[0].crs == "EPSG:32633"


def test_file_that_is_nowhere_is_refused(tmp_path):
    from PIL import Image

    Image.new("L", (4, 4)).save(tmp_path / "photo.png")
    with pytest.raises(GridError, match=r"photo\.png has no georeference"):
        find(tmp_path / "photo.png", layers=["red"], crs="EPSG:32633")


def test_file_that_is_no_raster_is_named(tmp_path):
    (tmp_path / "x.tif").write_text("not a raster", encoding="utf-8")
    with pytest.raises(SourceError, match=r"x\.tif is not a raster that GDAL can open"):
        find(tmp_path / "x.tif")


def test_one_layer_without_any_name_is_refused(write_raster, tmp_path):
    with pytest.raises(
        BandError, match=r"neither a description nor the file's name says which band it is; give `layers: \[NAME\]`"
    ):
        find(write_raster(tmp_path / "img.tif"))


def test_two_images_without_dates_contradict(write_raster, tmp_path):
    for name in ("a", "b"):
        write_raster(tmp_path / f"{name}.tif", 2)
    with pytest.raises(SceneError, match=r"both hold band 'red' without a date for the same place; give `pattern"):
        find(tmp_path, layers=["red", "nir"])


def test_static_layers_of_one_place_are_one_scene(write_raster, tmp_path):
    for name in ("elevation", "pan"):
        write_raster(tmp_path / f"{name}.tif")
    (scene,) = find(tmp_path)
    assert scene.bands == ("elevation", "pan")


def test_finding_is_the_same_twice(series):
    options = SourceOptions(paths=[str(series)], pattern=PATTERN)
    assert find_scenes(options) == find_scenes(options)
