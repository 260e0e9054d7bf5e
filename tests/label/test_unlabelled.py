from __future__ import annotations

import numpy as np
import pytest

from landweave.errors import SampleError
from landweave.label import PseudoOptions, add_pseudo_labels, self_train, spread_labels
from landweave.models import ModelOptions

MODEL = ModelOptions(params={"n_estimators": 20})


@pytest.fixture
def few(truth):
    """Four labels of each class; the others unknown."""
    labels = np.full(len(truth), -1)
    for c in range(3):
        rows = np.flatnonzero(truth == c)[:4]
        labels[rows] = c
    return labels


def test_labels_spread_to_rows_that_look_alike(features, truth, few):
    proba = spread_labels(features, few, n_classes=3)
    assert np.mean(proba.argmax(axis=1) == truth) > 0.98
    assert proba.sum(axis=1) == pytest.approx(1)


def test_rows_that_no_label_reaches_get_none(rng):
    x = np.vstack([rng.normal(0, 0.1, (10, 2)), rng.normal(9, 0.1, (10, 2)), rng.normal(99, 0.1, (10, 2))])
    labels = np.full(30, -1)
    labels[[0, 10]] = 0, 1
    assert np.isnan(spread_labels(x, labels, n_classes=2, k=3)[20:]).all()


def test_self_training_labels_the_rest(features, truth, few):
    proba = self_train(features, few, n_classes=3, model=MODEL)
    assert np.mean(proba.argmax(axis=1) == truth) > 0.98


@pytest.mark.parametrize("method", ["self-training", "label-spreading"])
def test_sure_rows_are_added_with_less_weight(clean, few, truth, method):
    samples, pool = clean.select(few >= 0), clean.select(few < 0)
    options = PseudoOptions(method=method, max_per_label=3, min_proba=0.6)
    made = add_pseudo_labels(samples, pool, model=MODEL, options=options)
    added = made.frame.iloc[12:]
    assert np.array_equal(made.to_class_index()[:12], samples.to_class_index())
    assert added["class"].value_counts().to_dict() == {"crop": 12, "forest": 12, "water": 12}
    assert set(added["labeller"]) == {method}
    assert added["weight"].between(0.5 * 0.6, 0.5).all()
    assert made.frame["sample_id"].is_unique


def test_nothing_to_learn_from_is_refused(features, clean, table):
    with pytest.raises(SampleError, match="180 of 180 rows have a label"):
        spread_labels(features, clean.to_class_index(), n_classes=3)
    with pytest.raises(SampleError, match="12 features, the pool 0"):
        add_pseudo_labels(clean, table(None, np.array([0, 1]), np.zeros((2, 2))))
