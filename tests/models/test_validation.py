"""Folds are kept apart; rare classes do not stop a cross-validation."""

from __future__ import annotations

import numpy as np
import pytest

from landweave.errors import ModelError
from landweave.models import ModelOptions, cross_validate
from landweave.types import Fold

FAST = ModelOptions(params={"n_estimators": 5})


def test_every_tested_row_gets_a_class(make_samples, deal_folds):
    result = cross_validate(make_samples(), deal_folds(120, repeats=2), options=FAST, keep_proba=True)
    assert result.predicted.shape == (2, 120)
    assert (result.predicted == result.truth).mean() > 0.9
    assert result.proba.shape == (2, 120, 3)
    assert result.fit_s.shape == (2, 4)


def test_untested_rows_have_no_class(make_samples):
    rows = np.arange(120)
    result = cross_validate(make_samples(), [[Fold(rows[40:], rows[:20])]], options=FAST)
    assert (result.predicted[0] >= 0).nonzero()[0].tolist() == list(range(20))


@pytest.mark.parametrize("name", ["random-forest", "svm", "catboost"])
def test_a_class_absent_from_training_gets_probability_zero(make_samples, name):
    samples, rows = make_samples((30, 30, 30)), np.arange(90)
    params = {"iterations": 5} if name == "catboost" else {}
    result = cross_validate(
        samples, [[Fold(rows[30:], rows[:30])]], options=ModelOptions(name=name, params=params), keep_proba=True
    )
    assert (result.proba[0, :30, 0] == 0).all()
    np.testing.assert_allclose(result.proba[0, :30].sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("name", ["random-forest", "svm", "logistic-regression", "mlp-svm"])
def test_a_class_of_fewer_rows_than_folds_works(make_samples, deal_folds, name):
    samples = make_samples((20, 20, 2))
    params = {"max_iter": 300} if name == "mlp-svm" else {}
    result = cross_validate(samples, deal_folds(42), options=ModelOptions(name=name, params=params))
    assert (result.predicted >= 0).all()


def test_result_does_not_depend_on_threads(make_samples, deal_folds):
    samples, folds = make_samples(noise=0.3), deal_folds(120)
    one, two = (cross_validate(samples, folds, options=FAST, n_jobs=n, keep_proba=True) for n in (1, 2))
    np.testing.assert_array_equal(one.proba, two.proba)


def test_rows_outside_the_training_fold_do_not_move_the_model(make_samples):
    samples, rows = make_samples((20, 20)), np.arange(40)
    train = rows[rows % 4 != 0]
    frame = samples.frame.copy()
    frame.loc[frame.index % 4 == 0, list(samples.feature_names)] *= 1000
    shifted = type(samples)(frame, samples.legend, samples.inputs)
    options, folds = ModelOptions(name="logistic-regression"), [[Fold(train, train)]]
    a, b = (cross_validate(s, folds, options=options, keep_proba=True) for s in (samples, shifted))
    np.testing.assert_array_equal(a.proba, b.proba)


def test_rows_with_too_few_dates_stay_unpredicted(make_samples, deal_folds):
    samples = make_samples()
    frame = samples.frame.copy()
    frame.loc[frame.index == 7, list(samples.feature_names)] = np.nan
    result = cross_validate(type(samples)(frame, samples.legend, samples.inputs), deal_folds(120), options=FAST)
    assert (result.predicted[0] < 0).nonzero()[0].tolist() == [7]


def test_progress_counts_folds(make_samples, deal_folds):
    seen = []
    cross_validate(make_samples(), deal_folds(120), options=FAST, progress=seen.append)
    assert [(e.done, e.total, e.unit) for e in seen] == [(1, 4, "folds"), (2, 4, "folds"), (3, 4, "folds"), (4, 4, "folds")]


def test_no_folds_are_an_error(make_samples):
    with pytest.raises(ModelError, match="no folds; make one with split_random"):
        cross_validate(make_samples(), [], options=FAST)
