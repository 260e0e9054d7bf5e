from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from landweave.errors import ModelError
from landweave.models import ModelOptions, load_model, save_model, train_model
from landweave.models.conformal import Conformal, fit_conformal, measure_coverage, shift_weights
from landweave.models.uncertainty import add_uncertainty
from landweave.types import Fold


def _world(rng, n, middle=0.0):
    """One feature, three classes that follow one another along it, and the probabilities of a fair model."""
    x = rng.normal(middle, 1, n)
    true = softmax(2 * np.column_stack([-x, 0 * x, x]), axis=1)
    truth = (rng.random((n, 1)) < true.cumsum(axis=1)).argmax(axis=1)
    return x[:, None], softmax(1.5 * np.log(true) + rng.normal(0, 0.5, true.shape), axis=1), truth


def test_each_class_is_in_its_sets_at_the_rate(rng):
    _, proba, truth = _world(rng, 6000)
    sets = fit_conformal(proba[:3000], truth[:3000]).predict_sets(proba[3000:], 0.1)
    for c in range(3):
        mine = truth[3000:] == c
        assert sets[mine, c].mean() == pytest.approx(0.9, abs=0.03)


def test_thresholds_are_the_stated_order_statistic():
    score = np.linspace(0, 0.9, 19, dtype=np.float32)
    found = Conformal(score, np.zeros(19, np.int64), 1 - score, score < 0.5, 2).thresholds(0.1)
    assert found[0] == pytest.approx(score[17])  # ceil(20 x 0.9) = 18th smallest
    assert np.isinf(found[1])  # no row of the class: it can never be ruled out


def test_weights_restore_coverage_where_the_map_differs(rng):
    x, proba, truth = _world(rng, 3000)
    x_new, proba_new, truth_new = _world(rng, 3000, middle=1.2)
    conformal = fit_conformal(proba, truth)
    row_weights, weights = shift_weights(x, x_new)
    covered = [s[np.arange(3000), truth_new][truth_new == 0].mean() for s in (
        conformal.predict_sets(proba_new, 0.1),
        conformal.predict_sets(proba_new, 0.1, row_weights=row_weights, weights=weights),
    )]  # fmt: skip
    assert covered[0] < 0.8  # the first class is rarer and harder where the map is
    assert covered[1] == pytest.approx(0.9, abs=0.07)


def test_equal_weights_change_nothing_but_rounding(rng):
    _, proba, truth = _world(rng, 1000)
    conformal = fit_conformal(proba, truth)
    plain = conformal.predict_sets(proba, 0.2)
    weighted = conformal.predict_sets(proba, 0.2, row_weights=np.ones(1000), weights=np.ones(1000))
    np.testing.assert_array_equal(plain, weighted)


def test_coverage_is_measured_on_folds_that_were_held_out(rng, deal_folds):
    _, proba, truth = _world(rng, 3000)
    found = measure_coverage(proba, truth, deal_folds(3000)[0], error_rate=0.1)
    assert found.coverage == pytest.approx(0.9, abs=0.02)
    assert 1 < found.set_size < 3
    assert found.n == 3000


def test_pixels_kept_are_wrong_at_most_at_the_rate(rng):
    _, proba, truth = _world(rng, 8000)
    limit = fit_conformal(proba[:4000], truth[:4000]).unsure_below(0.05)
    kept = proba[4000:].max(axis=1) >= limit
    assert 0.1 < kept.mean() < 0.95
    assert (proba[4000:].argmax(axis=1) != truth[4000:])[kept].mean() == pytest.approx(0.05, abs=0.02)


def test_a_rate_out_of_reach_says_what_can_be_reached(rng):
    _, proba, truth = _world(rng, 100)
    with pytest.raises(ModelError, match=r"error rate of 0.001 is out of reach: the model's 100 held-out rows reach 0\.\d+"):
        fit_conformal(proba, truth).unsure_below(0.001)


def test_saved_models_give_the_same_sets(make_samples, deal_folds, tmp_path):
    samples = make_samples((60, 60, 60), noise=0.2)
    options = ModelOptions(name="logistic-regression", conformal=True, calibration="temperature")
    model = add_uncertainty(train_model(samples, options=options), samples, deal_folds(180), options=options)
    again = load_model(save_model(model, tmp_path / "model"))
    flat = samples.to_features()
    np.testing.assert_array_equal(again.predict_sets(flat, 0.1), model.predict_sets(flat, 0.1))
    assert again.unsure_below(0.3) == model.unsure_below(0.3)
    assert again.card.metrics["conformal"]["coverage"] > 0.8


def test_mistakes_are_named(rng, make_samples):
    _, proba, truth = _world(rng, 100)
    conformal = fit_conformal(proba, truth)
    with pytest.raises(ModelError, match="error rate is 10; give a share"):
        conformal.predict_sets(proba, 10)
    with pytest.raises(ModelError, match="one side only; weighted sets need both"):
        conformal.predict_sets(proba, 0.1, weights=np.ones(100))
    with pytest.raises(ModelError, match=r"has no held-out scores; set model\.conformal: true"):
        train_model(make_samples(), options=ModelOptions(name="nearest-centroid")).unsure_below(0.1)


def test_standard_error_of_the_coverage_grows_where_rows_of_a_block_are_alike(rng):
    n = 400
    block = np.repeat(np.arange(20), 20)
    sure = np.repeat(rng.uniform(0.3, 0.95, 20), 20)
    truth = rng.integers(0, 2, n)
    proba = np.where(np.arange(2) == truth[:, None], sure[:, None], 1 - sure[:, None])
    folds = [Fold(np.flatnonzero(block % 4 != k), np.flatnonzero(block % 4 == k)) for k in range(4)]
    apart = measure_coverage(proba, truth, folds, error_rate=0.2)
    alike = measure_coverage(proba, truth, folds, error_rate=0.2, groups=block)
    assert apart.se == pytest.approx(np.sqrt(apart.coverage * (1 - apart.coverage) / (n - 1)))
    assert alike.se > 2 * apart.se
