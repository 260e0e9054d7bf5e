"""Classes put together under their parents: the legend of a coarser level, and codes and probabilities on it.

Receives a legend whose classes name a parent (or a table of parents); hands on the parents' legend and arrays on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.errors import LegendError
from landweave.legend import LandClass, Legend

__all__ = ["Aggregation", "aggregate_codes", "aggregate_legend", "aggregate_proba"]


@dataclass(frozen=True)
class Aggregation:
    """How the classes of one legend fall together in another.

    Attributes:
        children: The finer legend.
        parents: The coarser legend, in the order in which the finer one first names its classes.
        parent_index: class_index in `parents` of every class of `children`.
    """

    children: Legend
    parents: Legend
    parent_index: tuple[int, ...]


def aggregate_legend(
    legend: Legend, *, parents: Mapping[str, str] | None = None, colors: Mapping[str, str] | None = None
) -> Aggregation:
    """Go up one level of a legend's hierarchy.

    A class without a parent stays a class of its own. Parents are numbered from 1 in the order in which they appear, unless
    the legend itself holds a class of that name, which then keeps its code and definition.

    Args:
        legend: The finer classes.
        parents: Class name -> parent, in place of the legend's own; classes that it leaves out stay as they are.
        colors: Parent -> "#rrggbb"; by default the colour of its first child.

    Raises:
        LegendError: If `parents` or `colors` name a class that is not there, or nothing falls together.
    """
    for name in parents or {}:
        legend.index_of(name)
    found = {c.name: (parents.get(c.name) if parents is not None else c.parent) or c.name for c in legend}
    names = list(dict.fromkeys(found.values()))
    if names == list(legend.names):
        raise LegendError(f"no class of the legend has a parent ({', '.join(legend.names)}); give `parent` in the legend or a "
                          "table of parents")  # fmt: skip
    for name in colors or {}:
        if name not in names:
            raise LegendError(f"a colour is given for {name!r}, which is no parent; parents are {', '.join(names)}")
    own = {c.name: c for c in legend}
    free = iter(code for code in range(1, 60000) if code not in {own[n].code for n in names if n in own} and code != 254
                and code != 255)  # fmt: skip
    made = []
    for name in names:
        first = next(c for c in legend if found[c.name] == name)
        color = (colors or {}).get(name) or (own[name].color if name in own else first.color)
        kept = own.get(name)
        code = kept.code if kept is not None else next(free)
        made.append(LandClass(code, name, color, kept.parent if kept else None, kept.definition if kept else ""))
    coarse = Legend(tuple(made))
    return Aggregation(legend, coarse, tuple(coarse.index_of(found[n]) for n in legend.names))


def aggregate_codes(codes: NDArray[Any], aggregation: Aggregation) -> NDArray[Any]:
    """Give the codes of the parents of mapped classes; the finer map decides.

    Args:
        codes: Codes of the finer legend, any shape.
        aggregation: Made by `aggregate_legend`.

    Returns:
        Codes of the coarser legend in its dtype; nodata and unsure become the coarser legend's.
    """
    children, parents = aggregation.children, aggregation.parents
    table = np.full(65536, parents.nodata, dtype=parents.dtype)
    table[children.unsure] = parents.unsure
    table[list(children.codes)] = np.array(parents.codes, dtype=parents.dtype)[list(aggregation.parent_index)]
    result: NDArray[Any] = table[codes.astype(np.int64)]
    return result


def aggregate_proba(proba: NDArray[np.float32], aggregation: Aggregation) -> NDArray[np.float32]:
    """Add the probabilities of the classes of each parent.

    The most probable parent may be another than that of the most probable class: three kinds of crop at .2 each outweigh a
    forest at .4.

    Args:
        proba: (class, y, x) of the finer legend, NaN where nodata.
        aggregation: Made by `aggregate_legend`.

    Returns:
        float32 (parent, y, x); NaN where nodata.
    """
    out = np.zeros((len(aggregation.parents), *proba.shape[1:]), dtype=np.float32)
    for child, parent in enumerate(aggregation.parent_index):
        out[parent] += proba[child]
    return np.minimum(out, np.float32(1))
