"""Scenes of several sensors in one cube."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from landweave.cube import CubeOptions, load_cube
from landweave.errors import CubeError
from landweave.sensors import get_sensor
from landweave.types import Asset, Scene

Write = Callable[..., str]
Make = Callable[..., Scene]


@pytest.fixture
def sources(write: Write, make_scene: Make, rng: np.random.Generator) -> dict[str, list[Scene]]:
    """Sentinel-2A and Landsat 8 of the same days; OLI sees 0.9 x + 0.02 of what MSI sees."""
    truth = rng.uniform(0.05, 0.4, (3, 30, 32))
    made: dict[str, list[Scene]] = {"s2": [], "l8": []}
    for day in ("2020-06-01", "2020-06-11"):
        s2 = write(np.round((truth + 0.1) * 1e4).astype(np.uint16))
        l8 = write(np.round((0.9 * truth + 0.02 + 0.2) / 2.75e-5).astype(np.uint16))
        coded = {"scale": 1e-4, "offset": -0.1, "nodata": 0.0}
        names = ("red", "nir", "nir08")
        msi = make_scene(s2, names, day, id=f"S2A_MSIL2A_{day}")
        assets = tuple(Asset(b, s2, i + 1, **coded) for i, b in enumerate(names))
        made["s2"].append(replace(msi, sensor=get_sensor("sentinel-2-l2a"), assets=assets))
        oli = make_scene(l8, ("red", "swir16", "nir"), day, id=f"LC08_{day}")
        made["l8"].append(replace(oli, sensor=get_sensor("landsat-oli-c2-l2")))
    return made


def load(sources: dict[str, list[Scene]], **more: object):
    return load_cube(sources, options=CubeOptions(merge={"optical": ("s2", "l8")}, period="month", **more))


def test_merged_sources_keep_the_bands_they_share(sources: dict[str, list[Scene]]) -> None:
    cubes = load(sources)
    assert list(cubes.cubes) == ["optical"]
    assert cubes["optical"]["band"].values.tolist() == ["red", "nir"]
    assert any("merged from s2 (2 scenes), l8 (2 scenes)" in n for n in cubes.notes)


def test_published_lines_change_the_other_sensor_only(sources: dict[str, list[Scene]]) -> None:
    later = [replace(s, time_start=s.time_start.replace(month=7), time_end=None) for s in sources["l8"]]
    only = {"s2": sources["s2"], "l8": later}
    raw, made = load(only)["optical"], load(only, harmonise={})["optical"]
    red, plain = made.sel(band="red").values, raw.sel(band="red").values
    np.testing.assert_allclose(red[0], 0.9765 * plain[0] + 0.0009, atol=1e-6)
    np.testing.assert_array_equal(red[1], plain[1])


def test_near_infrared_of_sentinel_2_becomes_band_8a(sources: dict[str, list[Scene]]) -> None:
    cubes = load(sources, harmonise={"to": "oli", "method": "published"}, mosaic="last", composite="last")
    alone = load_cube(sources["s2"], options=CubeOptions(period="month"))["main"].sel(band="nir08").values
    np.testing.assert_allclose(cubes["optical"].sel(band="nir").values, 0.9983 * alone - 0.0001, atol=1e-6)


def test_overlaps_give_the_line_and_its_r2(sources: dict[str, list[Scene]]) -> None:
    cubes = load(sources, harmonise={"method": "overlap", "to": "oli"})
    note = next(n for n in cubes.notes if "red of msi-a" in n)
    assert "0.9000 x + 0.0200 of oli (r2 1.000" in note


def test_sensors_that_never_meet_have_no_overlap(sources: dict[str, list[Scene]]) -> None:
    late = [replace(s, time_start=s.time_start.replace(year=2021), time_end=None) for s in sources["l8"]]
    with pytest.raises(CubeError, match=r"share no day within 1 days .* method: published"):
        load({"s2": sources["s2"], "l8": late}, harmonise={"method": "overlap"})
    assert any("do not overlap" in n for n in load({"s2": sources["s2"], "l8": late}).notes)


def test_an_unknown_source_is_named(sources: dict[str, list[Scene]]) -> None:
    with pytest.raises(CubeError, match=r"no source 'l9' to merge; sources: s2, l8"):
        load_cube(sources, options=CubeOptions(merge={"optical": ("s2", "l9")}))
