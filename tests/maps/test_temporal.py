"""Hidden Markov smoothing against every possible history."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from landweave.errors import LegendError, MapError
from landweave.legend import Legend
from landweave.maps.temporal import SeriesOptions, find_path, make_transition, smooth_series

LEGEND = Legend.from_names(["Forest", "Pasture", "Urban"])
OPTIONS = SeriesOptions(stay=0.7, forbidden=(("Urban", "Forest"), ("Urban", "Pasture")))


def make_series(rng, n_years=5, side=4):
    proba = np.moveaxis(rng.dirichlet(np.ones(3), (n_years, side, side)), 3, 1).astype(np.float32)
    proba[2, :, 1, 1] = np.nan
    proba[:, :, 0, 0] = np.nan
    return proba


def histories(proba, matrix):
    """Weight of every sequence of classes of one pixel."""
    seen = np.where(np.isnan(proba), 1, np.maximum(proba.astype(np.float64), 1e-4))
    for path in itertools.product(range(3), repeat=len(proba)):
        steps = [matrix[a, b] for a, b in itertools.pairwise(path)]
        yield path, np.prod([seen[t, k] for t, k in enumerate(path)]) * np.prod(steps)


@pytest.mark.parametrize(("y", "x"), [(2, 3), (1, 1)])
def test_probabilities_and_path_are_those_of_all_histories(rng, y, x):
    proba, matrix = make_series(rng), make_transition(LEGEND, OPTIONS)
    weights = dict(histories(proba[:, :, y, x], matrix))
    marginal = np.zeros((5, 3))
    for path, weight in weights.items():
        marginal[range(5), path] += weight
    marginal /= marginal.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(smooth_series(proba, matrix)[:, :, y, x], marginal, atol=1e-6)
    assert tuple(find_path(proba, matrix)[:, y, x]) == max(weights, key=weights.get)


def test_no_path_holds_a_forbidden_change(rng):
    path = find_path(make_series(rng, 8, 20), make_transition(LEGEND, OPTIONS))
    for before, after in itertools.pairwise(path):
        assert not ((before == 2) & (after != 2)).any()


def test_pixels_never_seen_stay_nodata_and_gaps_are_filled(rng):
    proba, matrix = make_series(rng), make_transition(LEGEND)
    assert np.isnan(smooth_series(proba, matrix)[:, :, 0, 0]).all()
    assert not np.isnan(smooth_series(proba, matrix)[2, :, 1, 1]).any()
    assert (find_path(proba, matrix)[:, 0, 0] == -1).all()


def test_matrix_is_made_or_taken():
    matrix = make_transition(LEGEND, OPTIONS)
    np.testing.assert_allclose(matrix, [[0.7, 0.15, 0.15], [0.15, 0.7, 0.15], [0, 0, 1]])
    given = SeriesOptions(transition=((0.8, 0.1, 0.1), (0, 1, 0), (0.5, 0, 0.5)), forbidden=(("Urban", "Forest"),))
    np.testing.assert_allclose(make_transition(LEGEND, given), [[0.8, 0.1, 0.1], [0, 1, 0], [0, 0, 1]])


def test_wrong_matrices_are_named():
    with pytest.raises(MapError, match="legend has 3 classes"):
        make_transition(LEGEND, SeriesOptions(transition=((1.0,),)))
    with pytest.raises(MapError, match="from 'Pasture' are"):
        make_transition(LEGEND, SeriesOptions(transition=((1, 0, 0), (0.5, 0.1, 0), (0, 0, 1))))
    with pytest.raises(MapError, match="every change from 'Urban' is forbidden"):
        make_transition(LEGEND, SeriesOptions(forbidden=(("Urban", "Forest"), ("Urban", "Pasture"), ("Urban", "Urban"))))
    with pytest.raises(LegendError, match="did you mean 'Urban'"):
        make_transition(LEGEND, SeriesOptions(forbidden=(("Urbn", "Forest"),)))
