from __future__ import annotations

import numpy as np
import pytest

from landweave.metrics.calibration import calibration_error, reliability


def _two_class(confidence):
    return np.column_stack([confidence, 1 - confidence])


def test_error_of_a_worked_example():
    # two bins of two rows: mean confidence .65 with one of two right, .95 with both right
    proba, truth = _two_class(np.array([0.6, 0.7, 0.9, 1.0])), np.array([0, 1, 0, 0])
    assert calibration_error(proba, truth, n_bins=2).value == pytest.approx((0.15 + 0.05) / 2)
    bins = reliability(proba, truth, n_bins=2)
    np.testing.assert_allclose(bins.confidence, [0.65, 0.95])
    np.testing.assert_allclose(bins.accuracy, [0.5, 1])


def test_interval_of_a_calibrated_model_reaches_zero(rng):
    confidence = rng.uniform(0.5, 1, 2000)
    truth = (rng.random(2000) > confidence).astype(int)
    found = calibration_error(_two_class(confidence), truth, groups=np.arange(2000) // 20)
    assert found.value < 0.04
    assert found.lower < 0.02


def test_interval_of_a_boastful_model_excludes_zero(rng):
    truth = (rng.random(1000) > 0.6).astype(int)
    found = calibration_error(_two_class(np.full(1000, 0.9)), truth, groups=np.arange(1000) // 10)
    assert found.lower > 0.2
    assert found.lower < 0.3 < found.upper


def test_one_group_has_no_interval(rng):
    found = calibration_error(_two_class(rng.uniform(0.5, 1, 50)), np.zeros(50, int), groups=np.zeros(50, int))
    assert np.isnan([found.lower, found.upper]).all()
