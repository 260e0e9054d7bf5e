"""Charts as inline SVG."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import geopandas as gpd
import numpy as np
import pytest

from landweave.assess.charts import draw_matrix, draw_places, draw_series, nice_ticks, summarise_series
from landweave.assess.document import MatrixTable
from landweave.legend import Legend
from landweave.types import ModelInput, SampleTable, Season, SeasonStep

LEGEND = Legend.from_names(["a & b", "c", "unseen"])
SEASON = Season(start="09-14", length_days=96, steps=tuple(SeasonStep(from_day=32 * i, to_day=32 * i + 32) for i in range(3)))


def make_samples(source: ModelInput, values: np.ndarray) -> SampleTable:
    data = {"class": ["a & b", "a & b", "c"], **dict(zip(source.feature_names, values.reshape(3, -1).T, strict=True))}
    frame = gpd.GeoDataFrame(data, geometry=gpd.points_from_xy([0, 1, 1], [0, 1, 1]), crs="EPSG:4326")
    return SampleTable(frame, LEGEND, (source,))


def test_series_are_summarised_by_class_and_step() -> None:
    source = ModelInput(bands=("ndvi", "evi"), kinds=("index", "index"), n_steps=3, season=SEASON)
    values = np.arange(18, dtype=np.float64).reshape(3, 3, 2)
    values[0, 1, 0] = np.nan
    samples = make_samples(source, values)
    summary = summarise_series(samples, source, samples.feature_names)
    assert [c.name for c in summary["ndvi"]] == ["a & b", "c"]
    assert summary["ndvi"][0].mean.tolist() == [3, 8, 7]  # the gap leaves one value
    assert summary["evi"][1].mean.tolist() == [13, 15, 17]


def test_series_chart_is_well_formed_and_labels_months() -> None:
    source = ModelInput(bands=("ndvi",), kinds=("index",), n_steps=3, season=SEASON)
    values = np.random.default_rng(1).random((3, 3))
    values[2, 1] = np.nan  # class c has no value in the middle: the line is broken, not bridged
    (chart,) = draw_series(make_samples(source, values), {"c": "#ff0000"})
    first, second = (ET.fromstring(str(c)) for c in chart.charts)
    assert first.get("aria-label") == "a & b: mean and 10th to 90th percentile of 2 samples"
    assert {"Sep", "Nov", "Dec"} <= {t.text for t in first.iter("text")}
    assert next(p.get("d", "") for p in second.iter("path") if p.get("stroke") == "#ff0000").count("M") == 2


def test_static_bands_share_one_chart() -> None:
    source = ModelInput(bands=("red", "nir", "swir16"), kinds=("reflectance",) * 3)
    (chart,) = draw_series(make_samples(source, np.random.default_rng(1).random((3, 3))), {})
    assert len(chart.charts) == 2
    assert "nir" in str(chart.charts[0])


def test_kinds_of_band_do_not_share_an_axis() -> None:
    source = ModelInput(bands=("red", "elevation"), kinds=("reflectance", "elevation"))
    red, elevation = draw_series(make_samples(source, np.array([[0.1, 500], [0.2, 600], [0.3, 900]])), {"c": "#ff0000"})
    assert (red.title, elevation.title) == ("red", "elevation")
    assert "800" in {t.text for t in ET.fromstring(str(elevation.charts[1])).iter("text")}
    assert sum(1 for c in ET.fromstring(str(elevation.charts[1])).iter("circle")) == 2


def test_input_without_values_says_so() -> None:
    source = ModelInput(bands=("ndvi",), kinds=("index",), n_steps=3)
    (chart,) = draw_series(make_samples(source, np.full((3, 3), np.nan)), {})
    assert (chart.charts, chart.note) == ((), "no valid value in any sample")


def test_matrix_tells_agreement_by_code_not_by_position() -> None:
    matrix = MatrixTable(
        counts=[[5, 1], [2, 0]],
        proportions=[[0.5, 0.1], [0.4, 0.0]],
        row_codes=[1, 2],
        row_names=["a", "b"],
        column_codes=[2, 1],
        column_names=["b", "a"],
    )
    svg = ET.fromstring(str(draw_matrix(matrix)))
    kinds = [r.get("class") for r in svg.iter("rect") if r.get("class") != "lw-cell"]
    assert kinds == ["lw-confuse", "lw-agree", "lw-agree", "lw-confuse"]
    assert "50.0\u00a0%" in {t.text for t in svg.iter("text")}


def test_places_draw_each_place_once_per_class() -> None:
    source = ModelInput(bands=("ndvi",), kinds=("index",))
    svg = ET.fromstring(str(draw_places(make_samples(source, np.zeros((3, 1))), {"c": "#00ff00"}, bbox=(0.5, 0.5, 2, 2))))
    assert next(p.get("d", "") for p in svg.iter("path") if p.get("stroke") == "#00ff00").count("M") == 1
    assert any(r.get("class") == "lw-extent" for r in svg.iter("rect"))


@pytest.mark.parametrize(("low", "high", "ticks"), [(0, 1, [0, 0.25, 0.5, 0.75, 1]), (-0.3, 0.31, [-0.2, 0, 0.2]), (5, 5, [5])])
def test_ticks_are_round(low: float, high: float, ticks: list[float]) -> None:
    assert nice_ticks(low, high) == pytest.approx(ticks)
