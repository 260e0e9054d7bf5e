"""Oblivious trees: the same scores, classes and probabilities as catboost's own predict."""

from __future__ import annotations

import json

import numpy as np
import pytest
from catboost import CatBoostClassifier

from landweave.errors import ModelError
from landweave.models.families.catboost import export
from landweave.models.oblivious import ObliviousTrees
from landweave.models.oblivious_kernels import softmax

SHAPES = [(2, 3, 6, 0.0), (3, 9, 4, 0.2), (8, 5, 6, 0.1), (4, 3, 9, 0.1)]  # classes, trees, depth, share of NaN


def fit(n_classes: int, trees: int, depth: int, gaps: float, nan_mode: str = "Min"):
    rng = np.random.default_rng(n_classes)
    X = rng.normal(0, 1, (400, 5)).astype(np.float32)
    y = np.digitize(X[:, :2].sum(axis=1), np.linspace(-1, 1, n_classes - 1))
    X[:, :4][rng.random((400, 4)) < gaps] = np.nan  # the last feature has no gap in training
    return CatBoostClassifier(iterations=trees, depth=depth, loss_function="MultiClass", nan_mode=nan_mode, border_count=64,
                              verbose=False, allow_writing_files=False, random_seed=0, thread_count=1).fit(X, y)  # fmt: skip


def draw(trees: ObliviousTrees, gaps: float, n: int = 1300) -> np.ndarray:
    """Draw rows; many values lie exactly on a border, or are NaN or infinite."""
    rng = np.random.default_rng(0)
    X = rng.normal(0, 1, (n, 5)).astype(np.float32)
    for f in range(5):
        borders = trees.borders[trees.border_starts[f] : trees.border_starts[f + 1]]
        if borders.size:
            X[f::4, f] = rng.choice(borders, X[f::4, f].size)
    X[:, :4][rng.random((n, 4)) < gaps] = np.nan
    X[::97, 1], X[::89, 2] = np.inf, -np.inf
    return X


@pytest.mark.parametrize("nan_mode", ["Min", "Max"])
@pytest.mark.parametrize("shape", SHAPES)
def test_same_class_and_probabilities_as_catboost(shape, nan_mode):
    model = fit(*shape, nan_mode=nan_mode)
    engine = export(model)
    X = draw(engine.trees, shape[3])
    np.testing.assert_array_equal(engine.predict_column(X), model.predict(X).ravel())
    np.testing.assert_array_equal(engine.predict_proba(X).argmax(axis=1), model.predict(X).ravel())
    np.testing.assert_allclose(engine.predict_proba(X), model.predict_proba(X), atol=1e-6)


def test_scores_are_catboosts_to_the_last_bit():
    model = fit(8, 7, 6, 0.1)
    trees = export(model).trees
    X = draw(trees, 0.1)
    np.testing.assert_array_equal(trees.sum_leaves(X), model.predict(X, prediction_type="RawFormulaVal"))


@pytest.mark.parametrize("n", [0, 1, 511, 513])
def test_any_number_of_pixels(n):
    trees = export(fit(3, 5, 3, 0.0)).trees
    X = draw(trees, 0.0)
    np.testing.assert_array_equal(trees.sum_leaves(X[:n]), trees.sum_leaves(X)[:n])


def test_arrays_there_and_back():
    trees = export(fit(3, 5, 3, 0.0)).trees
    again = ObliviousTrees.from_arrays(trees.to_arrays())
    X = draw(trees, 0.1)
    np.testing.assert_array_equal(again.sum_leaves(X), trees.sum_leaves(X))


def test_scores_too_close_for_their_exponentials_keep_their_order():
    scores = np.array([[0.0, 1e-17, -1.0], [2.0, 2.0, 2.0]])
    scores[0] += [-5e-17, 0, 0]
    best = scores.argmax(axis=1)
    softmax(scores)
    assert scores.argmax(axis=1).tolist() == best.tolist() == [1, 0]
    np.testing.assert_allclose(scores.sum(axis=1), 1)


def test_other_trees_are_refused(tmp_path):
    rng = np.random.default_rng(0)
    model = CatBoostClassifier(iterations=3, grow_policy="Lossguide", loss_function="MultiClass", verbose=False,
                               allow_writing_files=False).fit(rng.random((60, 2)), np.arange(60) % 3)  # fmt: skip
    model.save_model(str(tmp_path / "m.json"), format="json")
    with pytest.raises(ModelError, match="only the grow policy SymmetricTree"):
        ObliviousTrees.from_catboost(json.loads((tmp_path / "m.json").read_text()), 2)
