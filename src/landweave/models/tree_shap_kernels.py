"""Numba kernel of the SHAP values: every leaf adds to the features on its path. Compiled on first use, one thread, no GIL."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["add_leaves"]


@numba.njit(nogil=True, cache=True)
def add_leaves(features: NDArray[np.float32], boxes: Any, weights: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """Add the Shapley values of every leaf's product to `out` (row, feature, column); see `tree_shap.explain_trees`.

    With o_i = 1 for the features whose questions the row passes (hot) and 0 for the others (cold), a hot feature gets
    value Z (1 - z_i) sum_k w_k [H / (t + z_i)]_k and a cold one -value Z sum_k w_k H_k, where H = prod over hot of (t + z_j)
    and Z = prod over cold of z_j.

    Args:
        features: (row, feature).
        boxes: `LeafBoxes`.
        weights: Shapley weights (d, k).
        out: Added to.
    """
    deepest = weights.shape[0]
    hot = np.empty(deepest, dtype=np.bool_)
    poly = np.empty(deepest + 1)
    n_columns = boxes.values.shape[1]
    for row in range(features.shape[0]):
        for leaf in range(boxes.values.shape[0]):
            first, d = boxes.starts[leaf], boxes.starts[leaf + 1] - boxes.starts[leaf]
            n, cold = 0, 1.0
            poly[0] = 1.0
            for s in range(d):
                slot = first + s
                x, z = features[row, boxes.feature[slot]], boxes.share[slot]
                inside = boxes.takes_nan[slot] if np.isnan(x) else (x > boxes.low[slot]) and (x <= boxes.high[slot])
                hot[s] = inside
                if inside:
                    poly[n + 1] = poly[n]
                    for k in range(n, 0, -1):
                        poly[k] = poly[k - 1] + z * poly[k]
                    poly[0] *= z
                    n += 1
                else:
                    cold *= z
            if cold == 0.0:
                continue
            off = 0.0
            if n < d:
                for k in range(n + 1):
                    off -= weights[d, k] * poly[k]
            for s in range(d):
                slot = first + s
                z = boxes.share[slot]
                moved = off
                if hot[s]:
                    # synthetic division by t + z from the top: errors shrink, as z <= 1
                    quotient, moved = poly[n], weights[d, n - 1] * poly[n]
                    for k in range(n - 1, 0, -1):
                        quotient = poly[k] - z * quotient
                        moved += weights[d, k - 1] * quotient
                    moved *= 1.0 - z
                moved *= cold
                for c in range(n_columns):
                    out[row, boxes.feature[slot], c] += moved * boxes.values[leaf, c]
