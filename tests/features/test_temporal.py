"""Temporal metrics against numpy's own functions."""

from __future__ import annotations

import numpy as np
import pytest

from landweave.errors import CubeError
from landweave.features.temporal import TEMPORAL_METRICS, compute_temporal

DAYS = np.arange(12) * 16.0


@pytest.fixture
def series(rng):
    values = rng.random((12, 5, 7)).astype(np.float32)
    values[rng.random(values.shape) < 0.3] = np.nan
    return values


@pytest.mark.parametrize(("metric", "reference"), [
    ("mean", np.nanmean), ("std", np.nanstd), ("min", np.nanmin), ("max", np.nanmax),
    ("p10", lambda a, axis: np.nanpercentile(a, 10, axis)),
    ("p50", np.nanmedian), ("p75", lambda a, axis: np.nanpercentile(a, 75, axis)),
])  # fmt: skip
def test_metric_is_numpys(series, metric, reference):
    out = compute_temporal(series, [metric])[metric]
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, reference(series, axis=0), rtol=1e-5)


def test_differences_are_of_the_metrics_they_name(series):
    out = compute_temporal(series, ["min", "max", "range", "p10", "p90", "amplitude"])
    np.testing.assert_allclose(out["range"], out["max"] - out["min"])
    np.testing.assert_allclose(out["amplitude"], out["p90"] - out["p10"])


def test_slope_is_least_squares_per_year(series):
    slope = compute_temporal(series, ["slope"], times_days=DAYS)["slope"]
    one = series[:, 2, 3]
    known = ~np.isnan(one)
    np.testing.assert_allclose(slope[2, 3], np.polyfit(DAYS[known] / 365.25, one[known], 1)[0], rtol=1e-4)


def test_slope_does_not_lean_on_the_origin_of_time(series):
    a, b = (compute_temporal(series, ["slope"], times_days=DAYS + shift)["slope"] for shift in (0, 18_000))
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_pixel_without_observation_is_nan():
    out = compute_temporal(np.full((3, 2), np.nan), times_days=[1, 2, 3])
    assert all(np.isnan(v).all() for k, v in out.items() if k != "count")
    np.testing.assert_array_equal(out["count"], [0, 0])


def test_single_observation_has_no_slope():
    out = compute_temporal([[np.nan], [4.0], [np.nan]], times_days=[1, 2, 3])
    assert np.isnan(out["slope"][0])
    assert (out["mean"][0], out["std"][0], out["p90"][0]) == (4, 0, 4)


def test_order_and_names_follow_the_request(series):
    assert list(compute_temporal(series, ["p90", "mean"])) == ["p90", "mean"]
    assert list(compute_temporal(series, times_days=DAYS)) == list(TEMPORAL_METRICS)


def test_a_pixel_does_not_depend_on_its_neighbours(series):
    alone = compute_temporal(series[:, 2:3, 3:4], times_days=DAYS)
    whole = compute_temporal(series, times_days=DAYS)
    assert all(alone[m][0, 0] == whole[m][2, 3] for m in TEMPORAL_METRICS)


@pytest.mark.parametrize(("metrics", "times", "message"), [
    (["median"], None, "no temporal metric named 'median'; there are count, mean"),
    (["slope"], None, "needs times_days"),
    (["slope"], [1, 2], r"times_days has shape \(2,\), the series has 12 steps"),
])  # fmt: skip
def test_mistake_says_what_to_give(series, metrics, times, message):
    with pytest.raises(CubeError, match=message):
        compute_temporal(series, metrics, times_days=times)
