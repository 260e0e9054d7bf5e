"""SHAP values of forests and boosted trees: how much each feature moved a row's answer away from the mean answer.

Receives an engine of trees, rows to explain and background rows; hands on exact path-dependent values (Lundberg et al. 2018,
arXiv:1802.03888, and 2020, doi:10.1038/s42256-019-0138-9).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from landweave.errors import ModelError
from landweave.models.engines import Engine
from landweave.models.forest import ForestEngine
from landweave.models.oblivious import ObliviousTrees

__all__ = ["TreeShap", "explain_trees"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TreeShap:
    """SHAP values of rows.

    Attributes:
        values: (row, feature, column). With `base` they add up to the engine's answer for the row.
        base: Mean answer (column,): that of a row of which nothing is known.
        unit: `probability` where the answer is one (forests), `score` where a softmax follows (boosted trees).
    """

    values: Floats
    base: Floats
    unit: Literal["probability", "score"]


class Tree(NamedTuple):
    """One tree as plain arrays; node 0 is the root and a leaf has feature -1.

    Attributes:
        feature: (node,).
        threshold: float32; the left child takes x <= threshold.
        left: Number of the left child (node,).
        right: Number of the right child.
        nan_left: Whether NaN goes left.
        values: Answers (node, column); only those of leaves are read.
    """

    feature: NDArray[np.int64]
    threshold: NDArray[np.float32]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    nan_left: NDArray[np.bool_]
    values: Floats


class LeafBoxes(NamedTuple):
    """Leaves of all trees, each with one slot per different feature on its path.

    Attributes:
        starts: First slot of each leaf, and their number at the end.
        feature: Feature of each slot.
        low: float32; a value reaches the leaf where low < x <= high.
        high: float32.
        takes_nan: Whether NaN does.
        share: Share of the background rows at the path's nodes on this feature that go on towards the leaf.
        values: Answer of each leaf (leaf, column).
    """

    starts: NDArray[np.int64]
    feature: NDArray[np.int64]
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    takes_nan: NDArray[np.bool_]
    share: Floats
    values: Floats


def explain_trees(engine: Engine, features: NDArray[np.float32], background: NDArray[np.float32]) -> TreeShap:
    """Compute exact path-dependent SHAP values.

    The answer of which only the features S are known is the mean over the paths that x allows: at a node on another feature
    both children count by their share of the background rows (Lundberg et al. 2018, algorithm 1). A leaf alone is then a
    product, v(S) = value prod_(i in S) o_i prod_(i not in S) z_i, with o_i whether x passes all its questions on i and z_i the
    product of their shares, so that its Shapley values follow from the coefficients of prod_i (z_i + o_i t).

    Args:
        engine: Of a random forest, extra trees or catboost.
        features: Rows to explain (row, feature), as the engine takes them.
        background: Rows that state how often a branch is taken: the training rows. A node that none reaches is split evenly.

    Raises:
        ModelError: If the engine has no trees on the features themselves, or there is no background row.
    """
    if not len(background):
        raise ModelError("there are no background rows; give the rows that the model was trained on")
    trees, unit = _read_trees(engine)
    boxes, columns, base, scale = _make_boxes(trees, background)
    from landweave.models.tree_shap_kernels import add_leaves

    values = np.zeros((len(features), features.shape[1], columns))
    add_leaves(np.ascontiguousarray(features, dtype=np.float32), boxes, _weights(boxes), values)
    if unit == "probability":
        return TreeShap(values / scale, base / scale, unit)
    return TreeShap(values, base + _bias(engine), unit)


def _read_trees(engine: Engine) -> tuple[Iterator[Tree], Literal["probability", "score"]]:
    if isinstance(engine, ForestEngine):
        return _forest_trees(engine), "probability"
    held = getattr(engine, "trees", None)
    if isinstance(held, ObliviousTrees):
        return _oblivious_trees(held), "score"
    raise ModelError(f"an engine of the kind {engine.kind!r} has no trees on the features, and no exact SHAP values; they "
                     "exist for random-forest, extra-trees, catboost. Permutation importance serves every model")  # fmt: skip


def _bias(engine: Engine) -> Floats:
    return np.asarray(engine.trees.bias, dtype=np.float64)  # type: ignore[attr-defined]


def _forest_trees(engine: ForestEngine) -> Iterator[Tree]:
    ends = [*engine.roots[1:].tolist(), len(engine.nodes)]
    n_columns = engine.values.shape[1]
    for root, end in zip(engine.roots.tolist(), ends, strict=True):
        nodes = engine.nodes[root:end]
        feature, child = nodes["feature"].astype(np.int64), nodes["child"].astype(np.int64)
        values = np.zeros((len(nodes), n_columns))
        leaf = feature < 0
        pure, mixed = leaf & (child >= 0), leaf & (child < 0)
        values[np.flatnonzero(pure), child[pure]] = 1.0
        values[mixed] = engine.values[-child[mixed] - 1]
        left = np.where(leaf, -1, child - root)
        yield Tree(feature, nodes["threshold"], left, left + 1, nodes["missing"] == 1, values)


def _oblivious_trees(trees: ObliviousTrees) -> Iterator[Tree]:
    """Write trees whose levels ask one question each out as full binary trees, the last question at the root.

    All orders give the same answers, but not quite the same path-dependent values; this one is catboost's own.
    """
    at = 0
    for first, end in zip(trees.split_starts[:-1].tolist(), trees.split_starts[1:].tolist(), strict=True):
        asked, depth = trees.split_features[first:end], end - first
        border = trees.borders[trees.border_starts[asked] + trees.split_levels[first:end]]
        leaves = 2**depth
        node = np.arange(2 * leaves - 1)
        question = depth - 1 - np.floor(np.log2(node[: leaves - 1] + 1)).astype(np.int64)
        feature, threshold = np.full(len(node), -1, dtype=np.int64), np.zeros(len(node), dtype=np.float32)
        feature[: leaves - 1], threshold[: leaves - 1] = asked[question], border[question]
        nan_left = np.zeros(len(node), dtype=bool)
        nan_left[: leaves - 1] = ~trees.nan_is_high[asked[question]]
        values = np.zeros((len(node), trees.leaf_values.shape[1]))
        values[leaves - 1 :] = trees.leaf_values[at : at + leaves]
        at += leaves
        yield Tree(feature, threshold, 2 * node + 1, 2 * node + 2, nan_left, values)


# --- from trees to leaves --------------------------------------------------------------------------------------------------


def _make_boxes(trees: Iterator[Tree], background: NDArray[np.float32]) -> tuple[LeafBoxes, int, Floats, int]:
    """Give the leaves, the number of columns, the sum of the trees' mean answers, and the number of trees."""
    starts: list[int] = [0]
    slots: list[tuple[int, float, float, bool, float]] = []
    values: list[Floats] = []
    base: Any = 0.0
    n_trees = 0
    for tree in trees:
        n_trees += 1
        for path, node in _walk_leaves(tree, _shares(tree, background)):
            slots += [(f, *slot) for f, slot in path.items()]
            starts.append(len(slots))
            values.append(tree.values[node])
            base = base + tree.values[node] * np.prod([slot[3] for slot in path.values()])
    table = np.array(slots, dtype=np.float64).reshape(-1, 5)
    low, high = (np.ascontiguousarray(table[:, i].astype(np.float32)) for i in (1, 2))
    boxes = LeafBoxes(np.array(starts, dtype=np.int64), table[:, 0].astype(np.int64), low, high, table[:, 3] > 0,
                      np.ascontiguousarray(table[:, 4]), np.array(values))  # fmt: skip
    return boxes, boxes.values.shape[1], np.asarray(base, dtype=np.float64), n_trees


def _shares(tree: Tree, background: NDArray[np.float32]) -> Floats:
    """Share of its parent's background rows that reach each node (node,)."""
    share = np.ones(len(tree.feature))
    waiting = [(0, np.arange(len(background)))]
    while waiting:
        node, rows = waiting.pop()
        if tree.feature[node] < 0:
            continue
        x = background[rows, tree.feature[node]]
        goes_left = np.where(np.isnan(x), tree.nan_left[node], x <= tree.threshold[node])
        part = float(goes_left.mean()) if len(rows) else 0.5
        left, right = int(tree.left[node]), int(tree.right[node])
        share[left], share[right] = part, 1 - part
        waiting += [(left, rows[goes_left]), (right, rows[~goes_left])]
    return share


Path = dict[int, tuple[float, float, bool, float]]


def _walk_leaves(tree: Tree, share: Floats) -> Iterator[tuple[Path, int]]:
    """Give every leaf with, per feature on its path, the ends of its interval, whether it takes NaN, and the share."""
    waiting: list[tuple[int, Path]] = [(0, {})]
    while waiting:
        node, path = waiting.pop()
        f = int(tree.feature[node])
        if f < 0:
            yield path, node
            continue
        low, high, nan, part = path.get(f, (-np.inf, np.inf, True, 1.0))
        t, to_left = float(tree.threshold[node]), bool(tree.nan_left[node])
        left, right = int(tree.left[node]), int(tree.right[node])
        waiting.append((left, {**path, f: (low, min(high, t), nan and to_left, part * share[left])}))
        waiting.append((right, {**path, f: (max(low, t), high, nan and not to_left, part * share[right])}))


def _weights(boxes: LeafBoxes) -> Floats:
    """Shapley weights k! (d - k - 1)! / d! of sets of k among d features, (d, k)."""
    from math import factorial

    deepest = int(np.diff(boxes.starts).max(initial=1))
    made = np.zeros((deepest + 1, deepest + 1))
    for d in range(1, deepest + 1):
        made[d, :d] = [factorial(k) * factorial(d - k - 1) / factorial(d) for k in range(d)]
    return made
