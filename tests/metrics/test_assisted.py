"""Model-assisted areas: unbiased whatever the model, precise where it is good."""

from __future__ import annotations

import numpy as np
import pytest

from landweave.errors import AssessmentError
from landweave.metrics import UnitSample, estimate_assisted, estimate_regression, estimate_units, make_shares


@pytest.fixture(scope="module")
def population():
    """20000 pixels of three classes, with a good model's probabilities and a bad one's."""
    rng = np.random.default_rng(3)
    truth = rng.choice(3, 20_000, p=[0.6, 0.3, 0.1])
    good = np.exp(3.0 * np.eye(3)[truth] + rng.normal(size=(20_000, 3)))
    bad = np.exp(rng.normal(size=(20_000, 3)) + np.array([2.0, 0.0, 0.0]))
    return truth, *(p / p.sum(axis=1, keepdims=True) for p in (good, bad))


def draw(population, rng, n=400):
    truth, good, bad = population
    rows = rng.choice(len(truth), n, replace=False)
    zeros = np.zeros(n, dtype=int)
    sample = UnitSample(good[rows].argmax(axis=1), make_shares(truth[rows], 3), np.ones(n), zeros)
    return sample, good[rows], bad[rows]


@pytest.mark.parametrize("method", ["difference", "regression"])
def test_areas_are_unbiased_and_their_errors_right_even_with_a_bad_model(population, method, rng):
    truth, _, bad = population
    area = np.bincount(truth) / len(truth)
    made = []
    for _ in range(200):
        sample, _, at = draw(population, rng)
        made.append(estimate_assisted(sample, at, bad.mean(axis=0), method=method))
    values, errors = np.array([m.value for m in made]), np.array([m.se for m in made])
    # 200 draws: a mean is known to se / 14, a standard deviation to 5 %
    assert (np.abs(values.mean(axis=0) - area) < 4 * errors.mean(axis=0) / np.sqrt(200)).all()
    np.testing.assert_allclose(values.std(axis=0), errors.mean(axis=0), rtol=0.2)


@pytest.mark.parametrize("method", ["difference", "regression"])
def test_a_good_model_makes_areas_precise_and_they_add_up(population, method, rng):
    sample, at, _ = draw(population, rng)
    made = estimate_assisted(sample, at, population[1].mean(axis=0), method=method)
    assert made.value.sum() == pytest.approx(1)
    assert (made.se < 0.8 * estimate_units(sample).area.se).all()


def test_a_regression_on_a_constant_is_the_plain_mean(population, rng):
    sample, _, _ = draw(population, rng)
    made = estimate_regression(sample, sample.reference, np.ones((400, 1)), np.ones(1))
    plain = estimate_units(sample).area
    np.testing.assert_allclose(made.value, plain.value)
    np.testing.assert_allclose(made.se, plain.se)


def test_probabilities_that_are_none_are_refused(population, rng):
    sample, at, _ = draw(population, rng)
    with pytest.raises(AssessmentError, match=r"probabilities have shape \(400, 2\), their means \(3,\); expected \(400, 3\)"):
        estimate_assisted(sample, at[:, :2], np.ones(3) / 3)
    with pytest.raises(AssessmentError, match="probabilities at the sample add up to 2 over the classes; expected 1"):
        estimate_assisted(sample, 2 * at, np.ones(3) / 3)
    with pytest.raises(AssessmentError, match="no model-assisted method named 'magic'; known: difference, regression"):
        estimate_assisted(sample, at, np.ones(3) / 3, method="magic")


def test_a_regression_needs_more_units_than_variables(population, rng):
    sample, at, _ = draw(population, rng, n=3)
    with pytest.raises(AssessmentError, match="3 sample units cannot carry a regression on 3 variables"):
        estimate_assisted(sample, at, np.ones(3) / 3)
