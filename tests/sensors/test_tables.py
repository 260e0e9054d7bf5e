"""What holds for the table of every sensor, and the facts that are easily mistaken."""

from __future__ import annotations

import numpy as np
import pytest

from landweave.errors import BandError
from landweave.sensors import get_sensor, list_sensors
from landweave.sensors.ranges import INDEX_RANGE, REFLECTANCE_RANGE, default_range

SENSORS = list_sensors()


@pytest.mark.parametrize("sensor", SENSORS, ids=lambda s: s.name)
def test_names_and_aliases_are_unambiguous(sensor):
    called = [n for b in sensor.bands for n in {x.casefold() for x in (b.name, *b.aliases)}]
    assert len(called) == len(set(called))


@pytest.mark.parametrize("sensor", SENSORS, ids=lambda s: s.name)
def test_table_states_its_source_and_sensible_ranges(sensor):
    assert len(sensor.source) > 20
    assert all(b.valid_range[0] < b.valid_range[1] for b in sensor.bands)


@pytest.mark.parametrize("sensor", [s for s in SENSORS if not s.is_open], ids=lambda s: s.name)
def test_nodata_is_no_valid_observation_or_is_known_by_its_marker(sensor):
    for band in sensor.bands:
        if band.kind == "reflectance":
            assert band.valid_range == REFLECTANCE_RANGE
            assert (band.scale is None) == (sensor.name == "prisma-l2d")  # whose products state it each
            assert band.nodata is not None
            assert band.center_nm is not None
            assert 400 < band.center_nm < 2500


@pytest.mark.parametrize(("sensor", "alias", "name"), [
    ("landsat-tm-c2-l2", "SR_B4", "nir"), ("landsat-oli-c2-l2", "SR_B4", "red"), ("landsat-tm-c2-l2", "B6", "lwir"),
    ("landsat-tm-c2-l2", "band7", "swir22"), ("sentinel-2-l2a", "b8a", "nir08"), ("sentinel-2-l2a", "B8", "nir"),
    ("cbers4-awfi", "BAND15", "red"), ("modis-mod13q1", "MIR", "swir22"), ("sentinel-2-l1c", "B10", "cirrus"),
])  # fmt: skip
def test_band_numbers_mean_what_the_sensor_means(sensor, alias, name):
    assert get_sensor(sensor).get_band(alias).name == name


def test_mixed_landsat_knows_no_band_numbers():
    with pytest.raises(BandError, match="landsat-c2-l2 has no band 'SR_B4'; it has coastal, blue"):
        get_sensor("landsat-c2-l2").get_band("SR_B4")


def test_landsat_range_is_what_its_coding_can_hold():
    band = get_sensor("landsat-oli-c2-l2").get_band("red")
    assert np.isclose(65455 * band.scale + band.offset, REFLECTANCE_RANGE[1], atol=1e-3)
    assert np.isclose(1 * band.scale + band.offset, REFLECTANCE_RANGE[0], atol=1e-3)


def test_generic_takes_any_name_and_claims_no_unit():
    sensor = get_sensor("generic")
    assert sensor.get_band("anything").kind == "other"
    assert sensor.get_band("red").kind == "other"
    assert sensor.get_band("red").valid_range == (-np.inf, np.inf)


def test_default_range_follows_the_kind():
    assert default_range("index") == INDEX_RANGE
    assert default_range("other") == (-np.inf, np.inf)


def test_files_in_decibels_lie_outside_linear_power():
    low, _ = get_sensor("sentinel-1-rtc").get_band("vv").valid_range
    assert low == 0
    assert get_sensor("sentinel-1-rtc-db").get_band("VV").unit == "dB"


@pytest.mark.parametrize(("sensor", "alias", "name"), [
    ("hls-l30", "B05", "nir"), ("hls-s30", "B8A", "nir08"), ("hls-s30", "Fmask", "fmask"),
    ("planetscope-8b", "green_i", "green05"),
    ("palsar-2-mosaic", "sl_HV", "hv"), ("copernicus-dem", "DSM", "elevation"), ("esa-worldcover", "worldcover", "map"),
    ("sentinel-1-grd", "Sigma0_VV", "vv"), ("aerial-rgbn", "N", "nir"), ("landsat-oli-c2-l2", "nir08", "nir"),
    ("modis-mod13q1", "250m_16_days_NDVI", "ndvi"), ("modis-mod13q1", "NIR_reflectance", "nir"),
    ("palsar-2-mosaic", "qa", "mask"), ("sentinel-1-rtc", "HH", "hh"),
])  # fmt: skip
def test_products_bands_are_found_by_their_own_names(sensor, alias, name):
    assert get_sensor(sensor).get_band(alias).name == name


def test_palsar_counts_become_the_amplitude_of_gamma_naught():
    band = get_sensor("palsar-2-mosaic").get_band("hh")
    counts = np.array([1000.0, 8000.0])
    np.testing.assert_allclose(20 * np.log10(counts * band.scale), 10 * np.log10(counts**2) - 83)


@pytest.mark.parametrize(("sensor", "n"), [("enmap-l2a", 224), ("prisma-l2d", 230)])
def test_spectrometers_name_the_bands_nearest_to_the_usual_ones(sensor, n):
    bands = get_sensor(sensor).bands
    red, reference = get_sensor(sensor).get_band("red"), get_sensor("sentinel-2-l2a").get_band("red")
    assert len(bands) == n
    assert abs(red.center_nm - reference.center_nm) == min(abs(b.center_nm - reference.center_nm) for b in bands)
    assert get_sensor(sensor).get_band(red.aliases[0]) is red


def test_thematic_mapper_sees_infrared_from_760_nm():
    band = get_sensor("landsat-tm-c2-l2").get_band("nir")
    assert (band.center_nm - band.width_nm / 2, band.center_nm + band.width_nm / 2) == (760, 900)


def test_wavelengths_in_descriptions_name_the_bands_of_a_spectrometer():
    from landweave.imagery.naming import _match_wavelength

    assert _match_wavelength("band 48 (665.0 Nanometers)", get_sensor("enmap-l2a")) == "red"
