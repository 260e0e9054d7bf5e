"""Segments as a cube: the measures of a pixel's segment, the same whichever window is read."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from landweave.cube import CubeOptions, list_sources, load_cube, open_cube, write_cube
from landweave.errors import BandError, CubeError
from landweave.features.segment_statistics import segment_statistics
from landweave.features.segments import SegmentOptions, segment_window

ASKED = {"size_px": 25, "window_px": 64, "statistics": ["mean", "p90"], "shapes": ["area_px", "elongation"]}


@pytest.fixture
def load(write, make_scene, rng):
    """Load two dates of fields of 8 pixels with noise and a hole, 90 x 70, with segments as asked."""
    y, x = np.mgrid[:90, :70]
    fields = 1000 + 700 * ((y // 8 + 2 * (x // 8)) % 5)
    scenes = []
    for day in ("2020-06-01", "2020-07-01"):
        data = np.stack([fields, 5000 - fields]) + rng.normal(0, 60, (2, 90, 70))
        data[:, 10:14, 20:29] = -9999
        scenes.append(make_scene(write(data.astype(np.int16)), day=day))
    return lambda **more: load_cube(scenes, options=CubeOptions(segments={**ASKED, **more}))


def test_pixels_carry_the_measures_of_their_segment(load):
    cubes = load()
    cube, image = cubes["segments"], cubes["main"].values.astype(np.float64).mean(axis=0)[:, :64, :64].astype(np.float32)
    labels = segment_window((image - 0) / np.float32(0.6), SegmentOptions(size_px=25, window_px=64))
    numbers, table = segment_statistics(image, labels.astype(np.int64), statistics=["mean", "p90"],
                                        shapes=["area_px", "elongation"])  # fmt: skip
    assert cube["band"].values.tolist() == ["red_mean", "nir_mean", "red_p90", "nir_p90", "area_px", "elongation"]
    assert cube.dims == ("band", "y", "x")
    np.testing.assert_allclose(cube.values[:, 40, 30], table[np.searchsorted(numbers, labels[40, 30])], rtol=1e-6)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(row=st.integers(0, 89), col=st.integers(0, 69), height=st.integers(1, 40), width=st.integers(1, 40))
def test_any_window_holds_the_bytes_of_the_whole(load, row, col, height, width):
    whole = load()["segments"].values
    part = load()["segments"].isel(band=[1, 4], y=slice(row, row + height), x=slice(col, col + width)).values
    np.testing.assert_array_equal(part, whole[[1, 4], row : row + height, col : col + width])


def test_nodata_stays_nodata_and_all_else_has_a_segment(load):
    cubes = load()
    hole = np.isnan(cubes["main"].values).all(axis=(0, 1))
    np.testing.assert_array_equal(np.isnan(cubes["segments"].values), np.broadcast_to(hole, (6, 90, 70)))


def test_segments_travel_to_other_processes_and_into_a_store(load, tmp_path):
    cubes = load()
    sent = pickle.loads(pickle.dumps(cubes))
    np.testing.assert_array_equal(sent["segments"].values, cubes["segments"].values)
    assert list_sources(cubes["segments"]) == list_sources(cubes["main"])
    np.testing.assert_array_equal(open_cube(write_cube(cubes, tmp_path / "c.zarr"))["segments"].values, sent["segments"].values)


def test_bands_to_cut_by_and_to_measure_may_differ(load):
    by_nir = load(bands=["red"], by=["nir"], range={"nir": [0.0, 0.5]}, shapes=[])["segments"]
    assert by_nir["band"].values.tolist() == ["red_mean", "red_p90"]


@pytest.mark.parametrize(
    ("asked", "error", "told"),
    [
        ({"bands": ["blue"]}, BandError, r"source 'main' has no band 'blue'; there are red, nir"),
        ({"source": "dem"}, CubeError, r"source 'dem' is not imagery with the pixels of the output grid; main is"),
        ({"statistics": ["mode"]}, ValueError, r"no statistic of segments is named 'mode'; there are mean, std"),
        ({"shapes": ["area"]}, ValueError, r"no shape of segments is named 'area'; there are area_px"),
        ({"range": [1, 0]}, ValueError, "give the lower value first"),
    ],
)
def test_mistakes_are_named(load, asked, error, told):
    with pytest.raises(error, match=told):
        load(**asked)
