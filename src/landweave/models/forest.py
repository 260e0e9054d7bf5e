"""Forests as packed arrays: what scikit-learn's trees become, and the engine that predicts from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from landweave.errors import ModelError
from landweave.models.engines import Weights, register_engine

__all__ = ["ForestEngine", "pack_trees", "round_down", "to_columns", "to_nodes"]


def round_down(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Give the largest float32 not above each value: `x <= t` then holds for the same float32 x."""
    near = values.astype(np.float32)
    too_large = near.astype(np.float64) > values
    result: NDArray[np.float32] = np.where(too_large, np.nextafter(near, np.float32(-np.inf)), near).astype(np.float32)
    return result


def _pack_tree(tree: Any, node_base: int, leaf_base: int) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Pack one fitted `sklearn.tree._tree.Tree` breadth first, siblings side by side."""
    from landweave.models.kernels import NODE

    left, right = tree.children_left, tree.children_right
    order, place = [0], np.zeros(tree.node_count, dtype=np.int64)
    for node in order:  # grows while it is walked
        if left[node] >= 0:
            place[left[node]], place[right[node]] = len(order), len(order) + 1
            order += [int(left[node]), int(right[node])]
    rows = np.array(order)
    inner = left[rows] >= 0
    nodes = np.zeros(rows.size, dtype=NODE)
    nodes["feature"] = np.where(inner, tree.feature[rows], -1)
    nodes["threshold"] = np.where(inner, round_down(tree.threshold[rows]), 0)
    nodes["missing"] = np.where(inner, tree.missing_go_to_left[rows], 0)
    values = tree.value[rows, 0, :]
    pure = (values == 1.0).any(axis=1) & ((values != 0.0).sum(axis=1) == 1)
    mixed = ~inner & ~pure
    leaf_code = np.where(mixed, -(leaf_base + np.cumsum(mixed)), values.argmax(axis=1))
    nodes["child"] = np.where(inner, node_base + place[np.maximum(left[rows], 0)], leaf_code)
    return nodes, values[mixed]


def pack_trees(trees: Sequence[Any], n_classes: int) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.float64]]:
    """Pack fitted scikit-learn trees into nodes, roots and leaf values (see `kernels`).

    Raises:
        ModelError: If a tree splits on a feature beyond 32767, the most that a packed node can name.
    """
    packed, roots, leaves = [], [], []
    n_nodes = n_leaves = 0
    for tree in trees:
        if tree.n_features > np.iinfo(np.int16).max:
            raise ModelError(f"a forest on {tree.n_features} features cannot be packed; the most is {np.iinfo(np.int16).max}")
        nodes, values = _pack_tree(tree, n_nodes, n_leaves)
        packed.append(nodes)
        leaves.append(values)
        roots.append(n_nodes)
        n_nodes += len(nodes)
        n_leaves += len(values)
    values = np.concatenate(leaves) if n_leaves else np.zeros((0, n_classes))
    return np.concatenate(packed), np.array(roots, dtype=np.int64), np.ascontiguousarray(values.reshape(-1, n_classes))


def to_columns(nodes: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Give packed nodes as one plain array per field, which is how they are stored."""
    return {name: np.ascontiguousarray(nodes[name]) for name in ("feature", "threshold", "child", "missing")}


def to_nodes(columns: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """Pack stored fields into nodes; the inverse of `to_columns`."""
    from landweave.models.kernels import NODE

    nodes = np.empty(columns["feature"].size, dtype=NODE)
    for name in ("feature", "threshold", "child", "missing"):
        nodes[name] = columns[name]
    return nodes


@dataclass(frozen=True)
class ForestEngine:
    """Trees whose leaf values are averaged: random forest, extra trees.

    Attributes:
        nodes: Packed nodes of all trees.
        roots: First node of each tree.
        values: Values of the mixed leaves (leaf, class).
    """

    kind: ClassVar[str] = "forest"
    nodes: NDArray[Any]
    roots: NDArray[np.int64]
    values: NDArray[np.float64]

    @classmethod
    def from_sklearn(cls, forest: Any) -> ForestEngine:
        """Pack a fitted scikit-learn forest."""
        return cls(*pack_trees([e.tree_ for e in forest.estimators_], len(forest.classes_)))

    @classmethod
    def from_weights(cls, weights: Weights) -> ForestEngine:
        """Build from stored arrays."""
        return cls(to_nodes(weights.arrays), weights.arrays["roots"], weights.arrays["values"])

    def to_weights(self) -> Weights:
        """Give the arrays."""
        return Weights({**to_columns(self.nodes), "roots": self.roots, "values": self.values})

    @cached_property
    def _walk(self) -> Any:
        from landweave.models.kernels import to_walk

        return to_walk(self.nodes, self.roots, self.values)

    def predict_proba(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Average the leaf values; equal to scikit-learn's `predict_proba` to the last bit."""
        from landweave.models.kernels import sum_leaves

        return sum_leaves(features, self._walk) / len(self.roots)

    def predict_column(self, features: NDArray[np.float32]) -> NDArray[np.int64]:
        """Give the most probable column without visiting trees that cannot change it."""
        from landweave.models.kernels import vote_early

        return vote_early(features, self._walk)


register_engine("forest", ForestEngine.from_weights)
