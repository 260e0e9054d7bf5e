"""Walking nodes and early exit."""

from __future__ import annotations

import numpy as np

from landweave.models.forest import ForestEngine
from landweave.models.kernels import NODE, sum_leaves, sum_leaves_missing, to_walk, vote_early


def two_stumps():
    """Two trees that split feature 0 at 0.5; the second has mixed leaves."""
    nodes = np.array([(0.5, 1, 0, 0), (0, 0, -1, 0), (0, 1, -1, 0), (0.5, 4, 0, 1), (0, -1, -1, 0), (0, -2, -1, 0)], dtype=NODE)
    return nodes, np.array([0, 3]), np.array([[0.25, 0.75], [0.5, 0.5]])


def test_leaves_lead_to_themselves():
    walk, codes = to_walk(two_stumps()[0])
    np.testing.assert_array_equal(walk["child"], [1, 1, 2, 4, 4, 5])
    np.testing.assert_array_equal(codes, [0, 0, 1, 0, -1, -2])


def test_sums_add_pure_and_mixed_leaves():
    nodes, roots, values = two_stumps()
    X = np.array([[0.5], [0.6]], np.float32)
    np.testing.assert_array_equal(sum_leaves(X, *to_walk(nodes), roots, values), [[1.25, 0.75], [0.5, 1.5]])


def test_missing_values_go_where_the_node_says():
    nodes, roots, values = two_stumps()
    # right in the first tree, left in the second
    np.testing.assert_array_equal(sum_leaves_missing(np.array([[np.nan]], np.float32), nodes, roots, values), [[0.25, 1.75]])


def test_ties_go_to_the_first_class():
    nodes, roots, _ = two_stumps()
    values = np.array([[0.0, 1.0], [1.0, 0.0]])
    assert vote_early(np.array([[0.0], [1.0]], np.float32), *to_walk(nodes), roots, values).tolist() == [0, 0]


def test_no_pixels_give_no_classes():
    nodes, roots, values = two_stumps()
    engine = ForestEngine(nodes, roots, values)
    assert engine.predict_column(np.empty((0, 1), np.float32)).shape == (0,)
    assert engine.predict_proba(np.empty((0, 1), np.float32)).shape == (0, 2)
