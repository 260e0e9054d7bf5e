from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy

from landweave.errors import SampleError
from landweave.label import choose_batch, committee_disagreement, information_density, uncertainty


@pytest.mark.parametrize("kind", ["entropy", "margin", "least-confident"])
def test_uncertainty_runs_from_sure_to_even(kind):
    p = np.array([[1, 0, 0], [0.6, 0.3, 0.1], [1 / 3, 1 / 3, 1 / 3]])
    scores = uncertainty(p, kind)
    assert scores[[0, 2]] == pytest.approx([0, 1])
    assert 0 < scores[1] < 1


def test_entropy_is_that_of_scipy(rng):
    p = rng.dirichlet(np.ones(4), 20)
    assert uncertainty(p, "entropy") == pytest.approx(entropy(p, axis=1, base=4))


def test_margin_looks_at_the_best_two_alone():
    assert uncertainty(np.array([[0.5, 0.4, 0.1], [0.45, 0.1, 0.45]]), "margin") == pytest.approx([0.9, 1.0])


def test_pixels_without_probabilities_have_no_score():
    assert np.isnan(uncertainty(np.array([[np.nan, np.nan]]), "entropy")).all()


def test_committee_that_agrees_has_nothing_to_ask():
    same, split = np.array([[0.9, 0.1]]), np.array([[0.1, 0.9]])
    for kind in ("divergence", "vote-entropy"):
        agree, differ = committee_disagreement(np.stack([np.vstack([same, same]), np.vstack([same, split])]), kind=kind)
        assert agree == pytest.approx(0)
        assert differ > 0.3


def test_typical_rows_are_denser_than_odd_ones(rng):
    x = np.vstack([rng.normal(0, 1, (200, 2)), [[30, 30]]])
    density = information_density(x, rng)
    assert density[-1] == density.min()
    assert density[np.linalg.norm(x[:-1], axis=1).argmin()] > np.median(density)


def test_best_scores_first(rng):
    assert choose_batch(np.array([0.1, 0.9, np.nan, 0.5]), 2, rng=rng).tolist() == [1, 3]


def test_clusters_spread_a_batch_over_the_kinds_of_places(rng):
    x = np.repeat(np.eye(5), 40, axis=0) * 10 + rng.normal(0, 0.1, (200, 5))
    score = np.where(np.arange(200) < 40, 0.9, 0.8) + rng.normal(0, 0.01, 200)
    kinds = [np.unique(choose_batch(score, 5, rng=rng, features=x, diversity=d) // 40).size for d in ("none", "cluster")]
    assert kinds == [1, 2] or kinds[1] > kinds[0]


def test_density_passes_over_odd_pixels(rng):
    x = np.vstack([rng.normal(0, 1, (100, 3)), rng.normal(50, 20, (3, 3))])
    score = np.append(np.full(100, 0.8), [0.9, 0.9, 0.9])
    assert choose_batch(score, 3, rng=rng).min() >= 100
    assert choose_batch(score, 3, rng=rng, features=x, diversity="density").max() < 100


@given(st.integers(0, 1000), st.floats(100, 20_000))
@settings(max_examples=15, deadline=None)
def test_chosen_places_keep_their_distance(seed, distance_m):
    rng = np.random.default_rng(seed)
    lonlat = rng.uniform(10, 10.3, (60, 2))
    chosen = choose_batch(rng.random(60), 10, rng=rng, lonlat=lonlat, min_distance_m=distance_m)
    at = lonlat[chosen] * [111_320 * np.cos(np.radians(10.15)), 110_600]
    d = np.linalg.norm(at[:, None] - at[None], axis=2)[np.triu_indices(len(at), 1)]
    assert len(np.unique(chosen)) == len(chosen)
    assert (d > distance_m * 0.99).all()


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"n": 0}, "0 places are asked of 3 candidates"),
        ({"diversity": "cluster"}, "'cluster' needs the features"),
        ({"diversity": "luck"}, "known: none, cluster, density"),
        ({"min_distance_m": 10}, "needs the coordinates"),
    ],
)
def test_batches_that_cannot_be_chosen_are_refused(more, told, rng):
    with pytest.raises(SampleError, match=told):
        choose_batch(np.ones(3), **({"n": 2, "rng": rng} | more))


def test_unknown_measures_list_the_known():
    with pytest.raises(SampleError, match="known: entropy, margin, least-confident"):
        uncertainty(np.eye(2), "luck")
    with pytest.raises(SampleError, match="known: vote-entropy, divergence"):
        committee_disagreement(np.ones((2, 2, 2)), kind="luck")
    with pytest.raises(SampleError, match="two members or more"):
        committee_disagreement(np.ones((1, 2, 2)))
