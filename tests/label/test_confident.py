from __future__ import annotations

import numpy as np
import pytest

from landweave.errors import SampleError
from landweave.label import confident_joint, confident_thresholds, estimate_joint, find_label_errors


@pytest.fixture
def proba(truth, rng):
    """A model that is right most of the time, more or less sure."""
    p = rng.dirichlet(np.ones(3), len(truth)) * 0.5
    p[np.arange(len(truth)), truth] += 0.5
    return p


def test_thresholds_are_mean_self_confidence():
    p = np.array([[0.9, 0.1], [0.5, 0.5], [0.4, 0.6]])
    assert confident_thresholds(np.array([0, 0, 1]), p) == pytest.approx([0.7, 0.6])


def test_class_without_rows_has_no_threshold_to_reach():
    assert confident_thresholds(np.array([0, 0]), np.full((2, 2), 0.5))[1] == np.inf


def test_joint_of_a_worked_case():
    # thresholds .7 and .7: row 2 reaches that of class 1 though it is labelled 0, row 5 that of class 0
    p = np.array([[0.9, 0.1], [0.9, 0.1], [0.3, 0.7], [0.2, 0.8], [0.2, 0.8], [0.5, 0.5]])
    assert confident_joint(np.array([0, 0, 0, 1, 1, 1]), p).tolist() == [[2, 1], [0, 2]]


def test_estimated_joint_keeps_the_shares_of_given_labels(noisy, proba):
    joint = estimate_joint(noisy[0], proba)
    assert joint.sum() == pytest.approx(1)
    assert joint.sum(axis=1) == pytest.approx(np.bincount(noisy[0]) / len(noisy[0]))
    assert 1 - np.trace(joint) == pytest.approx(0.1, abs=0.05)


@pytest.mark.parametrize("rule", ["confident", "class", "noise-rate", "both"])
def test_every_rule_finds_most_planted_errors(noisy, proba, truth, rule):
    labels, wrong = noisy
    found = find_label_errors(labels, proba, rule=rule)
    assert (found.suspect & wrong).sum() >= 0.6 * wrong.sum()
    assert (found.suspect & wrong).sum() >= 0.7 * found.suspect.sum()
    assert (found.suggested[found.suspect & wrong] == truth[found.suspect & wrong]).mean() > 0.9


def test_clean_labels_and_a_sure_model_give_no_suspects(truth):
    assert not find_label_errors(truth, np.eye(3)[truth]).suspect.any()


def test_rows_without_probabilities_are_not_judged(noisy, proba):
    proba[:5] = np.nan
    found = find_label_errors(noisy[0], proba)
    assert found.n_judged == len(proba) - 5
    assert not found.suspect[:5].any()


def test_joint_is_that_of_cleanlab(noisy, proba):
    count = pytest.importorskip("cleanlab.count", reason="cleanlab is not installed")
    theirs = count.compute_confident_joint(noisy[0], proba, calibrate=False)
    ours = confident_joint(noisy[0], proba)
    # cleanlab sets the diagonal to at least 1, which changes nothing here
    assert ours.tolist() == theirs.tolist()
    calibrated = count.compute_confident_joint(noisy[0], proba, calibrate=True) / len(proba)
    assert estimate_joint(noisy[0], proba) == pytest.approx(calibrated, abs=2 / len(proba))  # theirs is rounded to rows


def test_suspects_are_those_of_cleanlab(noisy, proba):
    filters = pytest.importorskip("cleanlab.filter", reason="cleanlab is not installed")
    for theirs, ours in (("prune_by_class", "class"), ("prune_by_noise_rate", "noise-rate"), ("both", "both")):
        marked = filters.find_label_issues(noisy[0], proba, filter_by=theirs, n_jobs=1)
        differ = marked != find_label_errors(noisy[0], proba, rule=ours).suspect
        assert differ.sum() <= 2, theirs  # rounding of the counts of a class


@pytest.mark.parametrize(
    ("labels", "p", "told"),
    [
        ([0, 1], np.full((3, 2), 0.5), r"shape \(3, 2\) for 2 labels"),
        ([0, 5], np.full((2, 2), 0.5), "labels run from 0 to 5, probabilities have 2 classes"),
        ([0, 1], np.full((2, 2), np.nan), "none of the 2 rows has probabilities; cross-validate with keep_proba"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(labels, p, told):
    with pytest.raises(SampleError, match=told):
        find_label_errors(np.array(labels), p)


def test_unknown_rule_lists_the_known(truth):
    with pytest.raises(SampleError, match="'best'; known: confident, class, noise-rate, both"):
        find_label_errors(truth, np.eye(3)[truth], rule="best")
