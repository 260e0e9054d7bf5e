from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landweave.errors import SampleError
from landweave.label import bayes_risk, dawid_skene, find_consensus, majority_vote


@pytest.fixture
def voted(rng):
    """Three classes, five labellers who are right with chances .95, .9, .8, .6, .5, and their votes."""
    truth = rng.choice(3, 600, p=[0.5, 0.3, 0.2])
    chance = np.array([0.95, 0.9, 0.8, 0.6, 0.5])
    wrong = (truth[:, None] + rng.integers(1, 3, (600, 5))) % 3
    votes = np.where(rng.random((600, 5)) < chance, truth[:, None], wrong)
    return truth, chance, np.where(rng.random((600, 5)) < 0.1, -1, votes)


def test_majority_counts_heads_and_leaves_ties_open():
    found = majority_vote(np.array([[0, 0, 1], [1, 1, -1], [0, 1, -1], [-1, -1, -1]]), n_classes=2)
    assert found.label.tolist() == [0, 1, -1, -1]
    assert found.posterior[0] == pytest.approx([2 / 3, 1 / 3])
    assert np.isnan(found.posterior[3]).all()


def test_dawid_skene_recovers_the_quality_of_labellers(voted):
    _, chance, votes = voted
    found = dawid_skene(votes, n_classes=3)
    assert found.quality == pytest.approx(chance, abs=0.05)
    assert found.prevalence == pytest.approx([0.5, 0.3, 0.2], abs=0.05)


def test_dawid_skene_beats_the_majority_where_labellers_differ(voted):
    truth, _, votes = voted
    right = {m: np.mean(find_consensus(votes, n_classes=3, method=m).label == truth) for m in ("majority", "dawid-skene")}
    assert right["dawid-skene"] > right["majority"] + 0.02


def test_a_labeller_with_a_bias_is_read_through_it(rng):
    truth = rng.integers(0, 2, 400)
    good = [np.where(rng.random(400) < 0.9, truth, 1 - truth) for _ in range(3)]
    found = dawid_skene(np.stack([*good, 1 - truth], axis=1), n_classes=2)
    assert np.mean(found.label == truth) > 0.99
    assert found.quality[3] < 0.05


def test_posterior_is_calibrated_on_simulated_votes(voted):
    truth, _, votes = voted
    p = dawid_skene(votes, n_classes=3).posterior
    assert p.max(axis=1).mean() == pytest.approx(np.mean(p.argmax(axis=1) == truth), abs=0.03)


@given(st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_likelihood_never_falls_with_more_rounds(seed):
    votes = np.random.default_rng(seed).integers(-1, 3, (30, 4))
    values = [dawid_skene(votes, n_classes=3, max_rounds=n, tolerance=0, pseudo=0).log_likelihood for n in (1, 2, 5, 20)]
    assert np.all(np.diff(values) > -1e-6)


def test_order_of_labellers_does_not_matter(voted):
    votes = voted[2]
    one, two = dawid_skene(votes, n_classes=3), dawid_skene(votes[:, ::-1], n_classes=3)
    assert one.posterior == pytest.approx(two.posterior, abs=1e-4)


def test_risk_of_equal_costs_is_what_the_best_class_lacks():
    decision, risk = bayes_risk(np.array([[0.7, 0.3], [0.2, 0.8], [np.nan, np.nan]]))
    assert decision.tolist() == [0, 1, -1]
    assert risk[:2] == pytest.approx([0.3, 0.2])
    assert np.isnan(risk[2])


def test_costly_omission_changes_the_decision():
    # calling deforestation (0) stable costs 10: a chance of .2 suffices to call it
    decision, risk = bayes_risk(np.array([0.2, 0.8]), loss=np.array([[0, 10], [1, 0]]))
    assert (decision, risk) == (0, pytest.approx(0.8))


def test_risk_map_has_the_shape_of_the_grid(rng):
    proba = rng.dirichlet(np.ones(3), (4, 5)).transpose(2, 0, 1)
    decision, risk = bayes_risk(proba, axis=0)
    assert decision.shape == risk.shape == (4, 5)
    assert risk == pytest.approx(1 - proba.max(axis=0))


@pytest.mark.parametrize(
    ("votes", "told"),
    [
        (np.zeros(3, int), r"votes are int64 of shape \(3,\); give class indices"),
        (np.array([[0, 4]]), "votes run from 0 to 4 with 3 classes"),
        (np.full((2, 3), -1), "none of the 2 places has a vote of any of the 3 labellers"),
    ],
)
def test_votes_that_are_none_are_refused(votes, told):
    with pytest.raises(SampleError, match=told):
        majority_vote(votes, n_classes=3)


def test_loss_must_fit_the_classes():
    with pytest.raises(SampleError, match=r"shape \(2, 2\) for 3 classes"):
        bayes_risk(np.full((4, 3), 1 / 3), loss=np.eye(2))
    with pytest.raises(SampleError, match="known: majority, dawid-skene"):
        find_consensus(np.array([[0, 1]]), n_classes=2, method="mean")
