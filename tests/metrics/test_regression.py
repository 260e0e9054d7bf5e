"""Scores of quantities, against scikit-learn, and on live fuel moisture."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from landweave.errors import AssessmentError
from landweave.metrics.regression import RegressionCounter, score_regression


@pytest.fixture
def pairs(rng):
    """Predicted and reference values far from zero, with strata."""
    reference = 1e6 + 20 * rng.standard_normal(500)
    return reference + 3 + 8 * rng.standard_normal(500), reference, rng.integers(0, 3, 500)


def _check(found, predicted, reference):
    assert float(found.rmse) == pytest.approx(root_mean_squared_error(reference, predicted), rel=1e-9)
    assert float(found.mae) == pytest.approx(mean_absolute_error(reference, predicted), rel=1e-9)
    assert float(found.bias) == pytest.approx((predicted - reference).mean(), rel=1e-7)
    assert float(found.r2) == pytest.approx(r2_score(reference, predicted), abs=1e-9)


def test_scores_are_those_of_scikit_learn(pairs):
    predicted, reference, _ = pairs
    _check(score_regression(predicted, reference), predicted, reference)


def test_blocks_workers_and_strata_give_the_same_whole(pairs):
    predicted, reference, stratum = pairs
    first, second = RegressionCounter(3), RegressionCounter(3)
    for counter, part in ((first, slice(0, 100)), (first, slice(100, 130)), (second, slice(130, None))):
        counter.update(predicted[part], reference[part], stratum[part])
    first.merge(second)
    _check(first.overall(), predicted, reference)
    for s in range(3):
        assert first.result().rmse[s] == pytest.approx(score_regression(predicted[stratum == s], reference[stratum == s]).rmse)
        assert first.result().r2[s] == pytest.approx(r2_score(reference[stratum == s], predicted[stratum == s]), abs=1e-9)


def test_nodata_counts_nowhere():
    counter = RegressionCounter(2)
    counter.update(np.array([1.0, np.nan, 3.0, 9.0]), np.array([2.0, 2.0, np.nan, 1.0]), np.array([0, 0, 0, -1]))
    assert counter.overall().n == 1
    assert counter.result().n.tolist() == [1, 0]
    assert np.isnan(counter.result().rmse[1])


def test_reference_that_does_not_vary_has_no_r2():
    assert np.isnan(score_regression(np.array([1.0, 2.0]), np.array([5.0, 5.0])).r2)


def test_wrong_input_is_refused():
    with pytest.raises(AssessmentError, match="one of each per place"):
        score_regression(np.zeros(3), np.zeros(2))
    with pytest.raises(AssessmentError, match="from 0 to 1"):
        RegressionCounter(2).update(np.zeros(1), np.zeros(1), np.array([2]))
    with pytest.raises(AssessmentError, match="use the same strata"):
        RegressionCounter(2).merge(RegressionCounter(3))


@pytest.fixture(scope="module")
def fuel(real_data):
    """Live fuel moisture: features, target, whether a row is of the official test split, month."""
    folder = real_data / "fuel_moisture" / "npy"
    x, y, test = (np.load(folder / f"{name}.npy") for name in ("s1_s2_era5_srtm", "target", "is_test"))
    return x.reshape(len(x), -1), y, test.astype(bool), np.load(folder / "month.npy")[:, -1].astype(int)


@pytest.mark.real
def test_linear_model_of_fuel_moisture_has_the_published_error(fuel):
    x, y, test, month = fuel
    from sklearn.linear_model import LinearRegression

    predicted = LinearRegression().fit(x[~test], y[~test]).predict(x[test])
    counter = RegressionCounter(12)
    counter.update(predicted, y[test], month[test])
    assert counter.overall().n == 735
    assert float(counter.overall().rmse) == pytest.approx(30.45, abs=0.01)
    assert int(counter.result().n.sum()) == 735


@pytest.mark.real
def test_forest_on_fuel_moisture_has_the_published_error(fuel):
    x, y, test, _ = fuel
    from sklearn.ensemble import RandomForestRegressor

    model = RandomForestRegressor(100, random_state=0, n_jobs=2).fit(x[~test], y[~test])
    # seeds 0 to 2 gave 25.13 to 25.54; the data's own page says 25.20
    assert float(score_regression(model.predict(x[test]), y[test]).rmse) == pytest.approx(25.2, abs=0.5)
