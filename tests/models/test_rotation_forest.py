"""Rotations are what they are called; the engine follows the trees."""

from __future__ import annotations

import numpy as np
import pytest

from landweave.models.rotation_forest import RotationEngine, RotationForest, draw_rotation


def draw(kind, n=7, subset_size=3):
    rng = np.random.RandomState(0)
    rows, target = rng.standard_normal((60, n)), rng.randint(3, size=60)
    return draw_rotation(rows, target, kind, rng=rng, subset_size=subset_size, share=0.75)


@pytest.mark.parametrize("kind", ["pca", "random"])
def test_rotation_is_orthogonal(kind):
    rotation = draw(kind)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(7), atol=1e-12)


def test_principal_axes_stay_within_their_subset():
    assert sorted((draw("pca") != 0).sum(axis=1)) == [1, 3, 3, 3, 3, 3, 3]


def test_sparse_rotation_leaves_no_row_empty():
    rotation = draw("sparse", n=30)
    assert rotation.any(axis=1).all()
    assert (rotation == 0).mean() > 0.6


def test_haar_rotations_have_no_preferred_direction():
    rng = np.random.RandomState(1)
    X = np.zeros((2, 3))
    first = [draw_rotation(X, np.zeros(2, int), "random", rng=rng, subset_size=3, share=1)[0, 0] for _ in range(2000)]
    # a coordinate of a uniform direction in space is uniform on (-1, 1): mean 0 +- .013, mean square 1/3 +- .007
    assert abs(np.mean(first)) < 0.06
    assert abs(np.mean(np.square(first)) - 1 / 3) < 0.03


@pytest.mark.parametrize("rotation", ["pca", "sparse", "random"])
def test_engine_gives_the_mean_of_the_trees(rotation, rng):
    X, y = rng.normal(size=(80, 5)), rng.integers(0, 3, 80)
    forest = RotationForest(4, rotation=rotation, max_depth=4, random_state=0).fit(X, y)
    scaled = forest.scaler_.transform(X)
    each = [t.predict_proba((scaled @ r.T).astype(np.float32)) for t, r in zip(forest.trees_, forest.rotations_, strict=True)]
    # BLAS adds up in another order, so a row may fall on the other side of a split that passes through it
    assert (np.abs(forest.predict_proba(X) - np.mean(each, axis=0)) < 1e-9).all(axis=1).mean() > 0.95


def test_oblique_boundary_is_learnt_with_fewer_splits(rng):
    X = rng.normal(size=(600, 6))
    y = (X.sum(axis=1) > 0).astype(int)
    forest = RotationForest(20, rotation="pca", max_depth=5, random_state=0).fit(X[:400], y[:400])
    assert (forest.predict(X[400:]) == y[400:]).mean() > 0.85


def test_weights_restore_the_same_engine(rng):
    X, y = rng.normal(size=(60, 5)), rng.integers(0, 3, 60)
    before = RotationForest(3, bootstrap=True, random_state=0).fit(X, y).to_engine()
    after = RotationEngine.from_weights(before.to_weights())
    np.testing.assert_array_equal(before.predict_proba(X), after.predict_proba(X))


@pytest.mark.parametrize(("params", "message"), [
    ({"rotation": "pcr"}, "'pcr'; it is one of pca, sparse, random"), ({"share": 2.0}, r"share is in \(0, 1\]"),
])  # fmt: skip
def test_wrong_parameters_are_named(params, message):
    with pytest.raises(ValueError, match=message):
        RotationForest(**params).fit(np.eye(4), [0, 1, 0, 1])
