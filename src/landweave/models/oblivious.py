"""Oblivious trees as plain arrays: what catboost's own description of a model becomes.

Receives catboost's JSON export; hands on arrays and sums of leaf values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.errors import ModelError

__all__ = ["ObliviousTrees"]

_TOGETHER = 4
"""Trees that the kernel adds in one go."""


@dataclass(frozen=True)
class ObliviousTrees:
    """Trees in which all nodes of one depth ask the same question (Kohavi and Li 1995; used by catboost).

    Attributes:
        borders: float32, those of one feature side by side, rising.
        border_starts: First border of each feature, and their number at the end.
        nan_is_high: Per feature, whether NaN lies above all borders; else below.
        split_features: Feature of each question, tree by tree; question d gives bit d of the leaf.
        split_levels: uint8; the answer is yes where more borders than this lie below the value.
        split_starts: First question of each tree, and their number at the end.
        leaf_values: float64 (leaf, column), tree by tree.
        bias: Added to the sum of each column.
    """

    borders: NDArray[np.float32]
    border_starts: NDArray[np.int64]
    nan_is_high: NDArray[np.bool_]
    split_features: NDArray[np.int64]
    split_levels: NDArray[np.uint8]
    split_starts: NDArray[np.int64]
    leaf_values: NDArray[np.float64]
    bias: NDArray[np.float64]

    @classmethod
    def from_catboost(cls, model: Mapping[str, Any], n_features: int) -> ObliviousTrees:
        """Read what catboost writes with `save_model(format="json")`.

        Raises:
            ModelError: If the trees are not oblivious, or split on anything but plain numbers.
        """
        trees = model.get("oblivious_trees")
        if not trees:
            raise ModelError(f"catboost model holds {', '.join(sorted(model))}, and no oblivious_trees; only the grow policy "
                             "SymmetricTree can be taken over")  # fmt: skip
        splits = [s for t in trees for s in t["splits"]]
        strange = {s["split_type"] for s in splits} - {"FloatFeature"}
        if strange:
            raise ModelError(f"catboost model splits on {', '.join(sorted(strange))}; only FloatFeature can be taken over")
        named = {f["feature_index"]: f for f in model["features_info"]["float_features"]}
        columns = [np.array(named[i].get("borders") or (), np.float32) if i in named else np.zeros(0, np.float32)
                   for i in range(n_features)]  # fmt: skip
        features = np.array([s["float_feature_index"] for s in splits], dtype=np.int64)
        levels = [np.searchsorted(columns[s["float_feature_index"]], np.float32(s["border"])) for s in splits]
        scale, bias = model["scale_and_bias"]
        values = [np.array(t["leaf_values"], dtype=np.float64).reshape(2 ** len(t["splits"]), -1) for t in trees]
        return cls(
            borders=np.concatenate(columns), border_starts=_starts([len(c) for c in columns]),
            nan_is_high=np.array([named.get(i, {}).get("nan_value_treatment") == "AsTrue" for i in range(n_features)]),
            split_features=features, split_levels=np.array(levels, dtype=np.uint8),
            split_starts=_starts([len(t["splits"]) for t in trees]), leaf_values=np.concatenate(values) * float(scale),
            bias=np.atleast_1d(np.array(bias, dtype=np.float64)),
        )  # fmt: skip

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> ObliviousTrees:
        """Build from stored arrays; a missing one is a KeyError."""
        return cls(**{f.name: arrays[f.name] for f in fields(cls)})

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Give the arrays by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def sum_leaves(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Add up the leaf values of every tree, in the order of the trees: the raw scores (pixel, column).

        Args:
            features: (pixel, feature); NaN goes where the model was trained to send it.
        """
        from landweave.models.oblivious_kernels import sum_oblivious

        sums = np.zeros((len(features), self.leaf_values.shape[1]))
        sum_oblivious(features, self._groups, sums)
        return sums + self.bias

    @cached_property
    def _groups(self) -> Any:
        """The trees as the kernel takes them: in fours, empty ones (one leaf of value 0) at the end."""
        from landweave.models.oblivious_kernels import TreeGroups

        depths = np.diff(self.split_starts)
        missing = -len(depths) % _TOGETHER
        starts = np.append(self.split_starts, np.repeat(self.split_starts[-1], missing))
        values = np.append(self.leaf_values.ravel(), np.zeros(missing * self.leaf_values.shape[1]))
        deepest = max(int(depths.max()), 1)
        bits = (1 << np.arange(deepest)).astype(np.uint8 if deepest <= 8 else np.uint16)
        return TreeGroups(
            self.borders, self.border_starts, self.nan_is_high, self.split_features, self.split_levels, starts, values,
            _starts(1 << np.diff(starts)), bits,
        )  # fmt: skip


def _starts(lengths: Any) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
