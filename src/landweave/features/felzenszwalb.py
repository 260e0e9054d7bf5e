"""Graph-based segments: pixels joined along the weakest edges first, as far as the inside of both sides allows."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["segment_graph"]


def segment_graph(pixels: NDArray[np.float64], scale: float) -> NDArray[np.int32]:
    """Segment by the greedy rule of Felzenszwalb and Huttenlocher 2004 (doi:10.1023/B:VISI.0000022288.19776.77, section 4).

    Edges between neighbours (4 sides), weighted by the distance of their values, are taken in rising order; two components are
    joined where the edge is no heavier than the heaviest edge inside either of them plus scale / size.

    Args:
        pixels: (y, x, band), 1 is the range of a band; NaN in any band is nodata.
        scale: k of the paper: larger makes larger segments.

    Returns:
        int32 (y, x): numbers of components, -1 where nodata; not yet tidied up by size.
    """
    height, width, _ = pixels.shape
    down = np.sqrt(np.square(pixels[1:] - pixels[:-1]).sum(axis=2))
    right = np.sqrt(np.square(pixels[:, 1:] - pixels[:, :-1]).sum(axis=2))
    number = np.arange(height * width, dtype=np.int32).reshape(height, width)
    first = np.concatenate([number[:-1].ravel(), number[:, :-1].ravel()])
    second = np.concatenate([number[1:].ravel(), number[:, 1:].ravel()])
    weight = np.concatenate([down.ravel(), right.ravel()])
    order = np.argsort(weight, kind="stable")  # NaN comes last
    order = order[: int((~np.isnan(weight)).sum())]
    labels = _join(first[order], second[order], weight[order], height * width, scale).reshape(height, width)
    return np.where(np.isnan(pixels).any(axis=2), np.int32(-1), labels)


@numba.njit(nogil=True, cache=True)
def _join(first, second, weight, n, scale):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    parent = np.arange(n).astype(np.int32)
    size = np.ones(n, np.int32)
    inside = np.zeros(n)
    for e in range(first.shape[0]):
        a, b = first[e], second[e]
        while parent[a] != a:
            parent[a] = parent[parent[a]]
            a = parent[a]
        while parent[b] != b:
            parent[b] = parent[parent[b]]
            b = parent[b]
        if a == b:
            continue
        if weight[e] <= min(inside[a] + scale / size[a], inside[b] + scale / size[b]):
            if size[a] < size[b]:
                a, b = b, a
            parent[b] = a
            size[a] += size[b]
            inside[a] = weight[e]
    out = np.empty(n, np.int32)
    for i in range(n):
        a = i
        while parent[a] != a:
            a = parent[a]
        out[i] = a
    return out
