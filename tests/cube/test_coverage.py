"""Coverage: shares, gaps and verdicts that can be counted by hand, and the clouds of a real series."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio
from affine import Affine

from landweave.cube import CoverageOptions, CubeOptions, assess_coverage, load_cube, write_coverage
from landweave.cube.coverage import COLUMNS, list_low, longest_gap
from landweave.cube.coverage_picture import draw_coverage
from landweave.errors import CubeError
from landweave.imagery import SourceOptions, find_scenes
from landweave.types import CubeSet, Scene

Write = Callable[..., str]
Make = Callable[..., Scene]


@pytest.fixture
def series(write: Write, make_scene: Make) -> Callable[..., CubeSet]:
    """Five dates, ten days apart, of 32 x 32 pixels: the right half is clean on the first date only."""

    def make(**options: object) -> CubeSet:
        scenes = []
        for i, day in enumerate(("2020-06-01", "2020-06-11", "2020-06-21", "2020-07-01", "2020-07-11")):
            data = np.full((1, 32, 32), 3000, np.int16)
            data[0, :, 16:] = 3000 if i == 0 else -9999
            scenes.append(make_scene(write(data), ["red"], day))
        return load_cube(scenes, options=CubeOptions(**options))  # type: ignore[arg-type]

    return make


def test_shares_and_gaps_are_those_counted_by_hand(series: Callable[..., CubeSet]) -> None:
    found = assess_coverage(series(), options=CoverageOptions(area_px=16, usable_share=0.6, max_gap_days=30))
    assert found.whole.spatial == pytest.approx((1 + 4 * 0.5) / 5)
    assert (found.whole.n_usable, found.whole.temporal) == (1, 0.2)
    assert [d.is_usable for d in found.dates] == [True, False, False, False, False]
    assert (found.share[0, 0], found.share[0, 31]) == (1.0, np.float32(0.2))
    assert (found.gap_days[0, 0], found.gap_days[0, 31]) == (10.0, 40.0)
    assert [(a.name, a.verdict) for a in found.areas] == [("1-1", "high"), ("1-2", "low"), ("2-1", "high"), ("2-2", "low")]
    assert "area 1-2 is low (20% clean, 1 of 5 dates usable, longest gap 40 days)" in list_low([found])[0]


def test_what_filling_would_make_up_for_is_counted_in_steps(series: Callable[..., CubeSet]) -> None:
    dates = assess_coverage(series()).gaps
    assert (dates.n_steps, dates.share, dates.never) == (5, pytest.approx(0.4), 0.0)
    edges = np.array(["2020-06-01", "2020-07-01", "2020-08-01"], dtype="datetime64[D]")
    months = list(pairwise(edges))
    found = assess_coverage(series(), steps=months)
    assert (found.gaps.n_steps, found.gaps.share) == (2, pytest.approx(0.25))  # the right half in July
    assert assess_coverage(series(), steps=months[1:]).gaps.never == pytest.approx(0.5)
    assert "in 2 time steps 25.0% of the values" in found.describe_gaps()
    with pytest.raises(CubeError, match="give one at least"):
        assess_coverage(series(), steps=[])


def test_a_long_gap_alone_makes_temporal_coverage_low(series: Callable[..., CubeSet]) -> None:
    options = CoverageOptions(area_px=16, max_gap_days=5)
    (left, *_) = assess_coverage(series(), options=options).areas
    assert (left.spatial_verdict, left.temporal_verdict) == ("high", "low")


def test_filling_does_not_hide_gaps(series: Callable[..., CubeSet]) -> None:
    filled = series(fill="linear")
    assert not np.isnan(filled["main"].values).any()
    np.testing.assert_array_equal(assess_coverage(filled).share, assess_coverage(series()).share)


def test_figures_pixels_and_picture_are_written(series: Callable[..., CubeSet], tmp_path: Path) -> None:
    found = assess_coverage(series())
    files = write_coverage(found, tmp_path / "out")
    told = json.loads(files["figures"].read_text())
    assert told["whole"]["spatial"] == pytest.approx(found.whole.spatial)
    with rasterio.open(files["pixels"]) as src:
        assert src.descriptions == ("clean_share", "gap_days")
        np.testing.assert_array_equal(src.read(1), found.share)
    assert len(found.to_rows()[0]) == len(COLUMNS)


def test_the_picture_says_verdict_thresholds_scales_and_days(series: Callable[..., CubeSet]) -> None:
    picture = ElementTree.fromstring(draw_coverage(assess_coverage(series(), options=CoverageOptions(max_gap_days=30))))
    texts = [e.text or "" for e in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[0] == "main: coverage is high"
    assert texts[1].startswith("5 dates, 2020-06-01 to 2020-07-11: 60% of pixels clean (high); 100% of dates usable")
    assert "longest gap of the median pixel up to 30 days" in texts[2]
    assert {"0 %", "100 %", "limit 30", "40 days", "2020-06-01", "2020-07-11"} <= set(texts)
    bars = [e for e in picture.iter("{http://www.w3.org/2000/svg}rect") if e.get("width") == "4"]
    assert [float(b.get("height", 0)) for b in bars] == [110, 55, 55, 55, 55]


def test_one_date_and_a_name_of_markup_make_a_picture(write: Write, make_scene: Make) -> None:
    cubes = load_cube([make_scene(write(np.full((1, 4, 9), 3000, np.int16)), ["red"], "2020-06-01")])
    found = replace(assess_coverage(cubes), name="a<b&c")
    texts = [e.text or "" for e in ElementTree.fromstring(draw_coverage(found)).iter()]
    assert "a<b&c: coverage is high" in texts
    assert any(t.startswith("one date: 100%") for t in texts)


def test_a_cube_without_time_has_no_coverage(write: Write, make_scene: Make) -> None:
    static = load_cube([make_scene(write(np.full((1, 4, 4), 3000, np.int16)), ["red"], None)])
    with pytest.raises(CubeError, match="no cube is named; cubes with time: none"):
        assess_coverage(static)


def test_an_absent_band_lists_what_there_is(series: Callable[..., CubeSet]) -> None:
    with pytest.raises(CubeError, match="cube 'main' has no band 'nir'; it has red"):
        assess_coverage(series(), options=CoverageOptions(band="nir"))


def test_nothing_clean_is_one_gap_as_long_as_the_series() -> None:
    days = np.array([0.0, 5.0, 30.0])
    assert longest_gap(np.zeros((3, 1, 1), bool), days)[0, 0] == 30
    assert longest_gap(np.array([[[True]], [[False]], [[True]]]), days)[0, 0] == 30


@pytest.mark.real
def test_clouds_of_slovenia(real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "sentinel2-slovenia"
    index, clouds = (np.load(folder / f"{n}.npy")[..., 0] for n in ("NDVI", "CLM"))
    days = [datetime.fromisoformat(str(t)) for t in json.loads((folder / "timestamps.json").read_text())]
    rows = ["path,band,layer,time_start"]
    for name, data in (("ndvi", index.astype("float32")), ("clm", clouds.astype("uint8"))):
        shape = {"height": data.shape[1], "width": data.shape[2], "count": len(data), "dtype": data.dtype}
        grid = {"crs": "EPSG:32633", "transform": Affine(10, 0, 500_000, 0, -10, 5_100_000)}
        with rasterio.open(tmp_path / f"{name}.tif", "w", driver="GTiff", **grid, **shape) as dst:
            dst.write(data)
        rows += [f"{name}.tif,{name},{i},{day.isoformat()}" for i, day in enumerate(days, start=1)]
    (tmp_path / "table.csv").write_text("\n".join(rows))
    source = SourceOptions(table=tmp_path / "table.csv", mask={"from": "clm", "clear": [0]}, kind={"ndvi": "index"})
    cubes = load_cube(find_scenes(source), options=CubeOptions(out_of_range="nodata"))
    found = assess_coverage(cubes)
    assert (len(days), len(found.dates)) == (68, 67)  # two of 2015-12-08, mosaicked
    valid = ~np.isnan(cubes["main"].sel(band="ndvi").values)
    assert found.whole.spatial == pytest.approx(valid.mean(), abs=1e-6)
    assert found.whole.spatial == pytest.approx((clouds == 0).mean(), abs=0.02)
    assert found.whole.gap_days > 20
