"""Walking nodes and early exit."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from landweave.models.forest import ForestEngine
from landweave.models.kernels import BATCH, NODE, sum_leaves, to_keys, to_walk, vote_early


def two_stumps():
    """Two trees that split feature 0 at 0.5; the second has mixed leaves."""
    nodes = np.array([(0.5, 1, 0, 0), (0, 0, -1, 0), (0, 1, -1, 0), (0.5, 4, 0, 1), (0, -1, -1, 0), (0, -2, -1, 0)], dtype=NODE)
    return nodes, np.array([0, 3]), np.array([[0.25, 0.75], [0.5, 0.5]])


def walk_plainly(X, nodes, roots, values):
    """Go down node by node, as the stored nodes say."""
    sums = np.zeros((len(X), values.shape[1]))
    for row, x in enumerate(X):
        for at in roots:
            while nodes["feature"][at] >= 0:
                value = x[nodes["feature"][at]]
                left = nodes["missing"][at] == 1 if np.isnan(value) else value <= nodes["threshold"][at]
                at = nodes["child"][at] + (0 if left else 1)
            leaf = nodes["child"][at]
            sums[row] += np.eye(values.shape[1])[leaf] if leaf >= 0 else values[-leaf - 1]
    return sums


def grow(rng, n_features, depth):
    """Nodes of a random tree, breadth first: splits at quarters, NaN to either side, pure and mixed leaves of three classes."""
    nodes, todo = [None], [(0, 0)]
    for at, level in todo:
        if level == depth or (level > 1 and rng.random() < 0.3):
            nodes[at] = (0, rng.integers(-2, 3), -1, 0)
        else:
            nodes[at] = (rng.integers(-4, 5) / 4, len(nodes), rng.integers(n_features), rng.integers(2))
            todo += [(len(nodes), level + 1), (len(nodes) + 1, level + 1)]
            nodes += [None, None]
    return np.array(nodes, dtype=NODE)


@settings(deadline=None)  # kernels are compiled in the first example
@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(0, 9), st.booleans())
def test_batches_walk_as_single_pixels_do(seed, n_features, depth, has_nan):
    rng = np.random.default_rng(seed)
    trees = [grow(rng, n_features, depth) for _ in range(5)]
    roots = np.cumsum([0, *(len(t) for t in trees[:-1])])
    for tree, root in zip(trees, roots, strict=True):
        tree["child"][tree["feature"] >= 0] += root
    values = np.array([[0.5, 0.25, 0.25], [0.0, 0.5, 0.5]])
    X = (rng.integers(-5, 6, (BATCH + 7, n_features)) / 4).astype(np.float32)
    if has_nan:
        X[rng.random(X.shape) < 0.2] = np.nan
        X[0, 0], X[1, 0] = np.inf, -np.inf
    found, nodes = sum_leaves(X, to_walk(np.concatenate(trees), roots, values)), np.concatenate(trees)
    some = np.concatenate([np.arange(12), np.arange(BATCH - 4, len(X))])
    np.testing.assert_array_equal(found[some], walk_plainly(X[some], nodes, roots, values))
    np.testing.assert_array_equal(vote_early(X, to_walk(nodes, roots, values)), (found / len(trees)).argmax(axis=1))


def test_leaves_lead_to_themselves():
    walk = to_walk(*two_stumps())
    np.testing.assert_array_equal(walk.children, [1, 1, 2, 1, 1, 2])  # from the root of each tree
    np.testing.assert_array_equal(walk.codes, [0, 0, 1, 0, -1, -2])


def test_a_tree_of_many_nodes_is_walked_too():
    n = 70000  # a chain of splits at 0, 1, 2, ..., each left child a leaf
    nodes = np.zeros(2 * n + 1, dtype=NODE)
    nodes["feature"], nodes["child"] = -1, np.arange(2 * n + 1) % 2
    inner = np.append(0, np.arange(2, 2 * n, 2))
    nodes["feature"][inner], nodes["threshold"][inner], nodes["child"][inner] = 0, np.arange(n), np.arange(1, 2 * n, 2)
    walk = to_walk(nodes, np.array([0]), np.zeros((0, 2)))
    X = np.array([[-1.0], [66000.5], [1e6]], np.float32)
    np.testing.assert_array_equal(sum_leaves(X, walk), walk_plainly(X, nodes, walk.roots, walk.values))


@given(hnp.arrays(np.float32, 20, elements=st.floats(width=32, allow_nan=False)))
def test_keys_are_ordered_like_their_values(values):
    keys = to_keys(values)
    np.testing.assert_array_equal(keys[:, None] < keys, values[:, None] < values)


def test_sums_add_pure_and_mixed_leaves():
    nodes, roots, values = two_stumps()
    X = np.array([[0.5], [0.6]], np.float32)
    np.testing.assert_array_equal(sum_leaves(X, to_walk(nodes, roots, values)), [[1.25, 0.75], [0.5, 1.5]])


def test_missing_values_go_where_the_node_says():
    nodes, roots, values = two_stumps()
    # right in the first tree, left in the second
    walk = to_walk(nodes, roots, values)
    np.testing.assert_array_equal(sum_leaves(np.array([[np.nan]], np.float32), walk), [[0.25, 1.75]])


def test_ties_go_to_the_first_class():
    nodes, roots, _ = two_stumps()
    values = np.array([[0.0, 1.0], [1.0, 0.0]])
    assert vote_early(np.array([[0.0], [1.0]], np.float32), to_walk(nodes, roots, values)).tolist() == [0, 0]


def test_no_pixels_give_no_classes():
    nodes, roots, values = two_stumps()
    engine = ForestEngine(nodes, roots, values)
    assert engine.predict_column(np.empty((0, 1), np.float32)).shape == (0,)
    assert engine.predict_proba(np.empty((0, 1), np.float32)).shape == (0, 2)
