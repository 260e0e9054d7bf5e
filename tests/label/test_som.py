from __future__ import annotations

import numpy as np
import pytest

from landweave.errors import SampleError
from landweave.label import check_by_map, fit_map


def test_neighbouring_neurons_look_alike(features, rng):
    fitted = fit_map(features, rng)
    d = np.linalg.norm(fitted.neurons[:, None] - fitted.neurons[None], axis=2)
    assert d[fitted.distances == 1].mean() < 0.6 * d[fitted.distances > 2].mean()


def test_map_represents_the_rows_better_than_their_mean(features, rng):
    fitted = fit_map(features, rng, shape=(5, 5))
    error = np.linalg.norm(features - fitted.neurons[fitted.find_neurons(features)], axis=1).mean()
    assert error < 0.5 * np.linalg.norm(features - features.mean(axis=0), axis=1).mean()


def test_same_seed_same_map(features):
    one, two = (fit_map(features, np.random.default_rng(4)) for _ in range(2))
    assert np.array_equal(one.neurons, two.neurons)


def test_planted_errors_are_found_and_the_truth_suggested(features, noisy, truth, rng):
    labels, wrong = noisy
    found = check_by_map(features, labels, n_classes=3, rng=rng)
    hit = found.suspect & wrong
    assert hit.sum() >= 0.9 * wrong.sum()
    assert hit.sum() >= 0.7 * found.suspect.sum()
    assert (found.suggested[hit] == truth[hit]).mean() > 0.9


def test_published_rule_suspects_mixed_neurons_as_a_whole(features, noisy):
    def run(spare):
        return check_by_map(features, noisy[0], n_classes=3, rng=np.random.default_rng(0), spare_leading=spare).suspect

    assert (run(True) <= run(False)).all()


def test_rows_with_gaps_are_not_judged(features, noisy, rng):
    features[0, 0] = np.nan
    found = check_by_map(features, noisy[0], n_classes=3, rng=rng)
    assert np.isnan(found.score[0])
    assert not found.suspect[0]


def test_too_few_rows_are_refused(features, rng):
    with pytest.raises(SampleError, match="needs 9 rows without gaps; there are 5"):
        fit_map(features[:5], rng)
