from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from landweave.errors import ModelError
from landweave.metrics.calibration import calibration_error
from landweave.models import ModelOptions, load_model, save_model, train_model
from landweave.models.calibration import Calibration, fit_calibration
from landweave.models.uncertainty import add_uncertainty, calibrate_across

METHODS = ["temperature", "isotonic", "dirichlet"]


def _overconfident(rng, n=3000, sharper=2.0):
    true = softmax(rng.standard_normal((n, 3)), axis=1)
    truth = (rng.random((n, 1)) < true.cumsum(axis=1)).argmax(axis=1)
    return softmax(sharper * np.log(true), axis=1), truth


@pytest.mark.parametrize("method", METHODS)
def test_held_out_probabilities_come_true(rng, method):
    proba, truth = _overconfident(rng)
    after = fit_calibration(proba[::2], truth[::2], method=method).apply(proba[1::2])
    assert calibration_error(proba[1::2], truth[1::2]).value > 0.1
    assert calibration_error(after, truth[1::2]).value < 0.075  # 15 bins of 100 rows: 0.04 by chance alone


def test_temperature_finds_the_factor(rng):
    proba, truth = _overconfident(rng)
    found = fit_calibration(proba, truth)
    assert 1 / found.weights[0, 0] == pytest.approx(2, rel=0.1)


@pytest.mark.parametrize("method", METHODS)
def test_rows_sum_to_one_nan_stays_and_neighbours_do_not_matter(rng, method):
    proba, truth = _overconfident(rng, 400)
    calibration = fit_calibration(proba, truth, method=method)
    proba[5] = np.nan
    after = calibration.apply(proba)
    assert np.isnan(after[5]).all()
    np.testing.assert_allclose(np.delete(after, 5, axis=0).sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(after[17:31], calibration.apply(proba[17:31]))


def test_temperature_never_changes_the_class(rng):
    proba, truth = _overconfident(rng, 500)
    after = fit_calibration(proba, truth).apply(proba)
    np.testing.assert_array_equal(after.argmax(axis=1), proba.argmax(axis=1))


@pytest.mark.parametrize("method", METHODS)
def test_it_runs_inside_predict_proba_after_loading(make_samples, deal_folds, tmp_path, method):
    samples = make_samples((60, 60, 60), noise=0.2)
    options = ModelOptions(name="random-forest", params={"n_estimators": 20}, calibration=method)
    plain = train_model(samples, options=options)
    model = add_uncertainty(plain, samples, deal_folds(180), options=options)
    flat = samples.to_features()[::7]
    again = load_model(save_model(model, tmp_path / "model"))
    np.testing.assert_array_equal(again.predict_features(flat), model.calibration.apply(plain.predict_features(flat)))
    np.testing.assert_array_equal(again.predict_features_index(flat), again.predict_features(flat).argmax(axis=1))
    assert {"ece_before", "ece_after", "ece_after_upper"} <= set(again.card.metrics["calibration"])


def test_each_fold_is_calibrated_by_the_others(rng, deal_folds):
    proba, truth = _overconfident(rng, 600)
    folds = deal_folds(600, 3)[0]
    after = calibrate_across(proba, truth, folds, method="temperature")
    by_hand = fit_calibration(proba[folds[0].train], truth[folds[0].train]).apply(proba[folds[0].test])
    np.testing.assert_allclose(after[folds[0].test], by_hand, atol=1e-6)


def test_too_few_rows_and_unknown_methods_are_refused(rng):
    proba, truth = _overconfident(rng, 4)
    with pytest.raises(ModelError, match="4 held-out rows cannot calibrate 3 classes"):
        fit_calibration(proba, truth)
    with pytest.raises(ModelError, match="holds platt; expected one of temperature"):
        Calibration.from_arrays({"platt": np.zeros(2)})
