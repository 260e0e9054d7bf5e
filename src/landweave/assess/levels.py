"""Scores of a map at every level of its legend's hierarchy.

Receives a map and labelled places; hands on a score per level, from the finest.
"""

from __future__ import annotations

import numpy as np

from landweave.assess.places import read_map_codes
from landweave.errors import LegendError
from landweave.label import LevelScore, levels_of, score_levels
from landweave.legend import get_nomenclature
from landweave.types import MapProduct, SampleTable

__all__ = ["score_map_levels"]


def score_map_levels(
    product: MapProduct, reference: SampleTable, *, nomenclature: str | None = None
) -> list[LevelScore]:
    """Score a map at labelled places, level by level of its legend's hierarchy.

    Args:
        product: The map.
        reference: Labelled places, with classes of the map's legend; those outside the map or without a label do not count.
        nomenclature: Whose hierarchy counts; by default the parents that the map's own legend names.

    Raises:
        LegendError: If the map's classes are not all of the nomenclature, or the hierarchy has one level only.
        AssessmentError: If no place lies on the map.
    """
    legend = product.legend
    known = None if nomenclature is None else get_nomenclature(nomenclature)
    if known is not None:
        strange = [name for name in legend.names if name not in known.legend.names]
        if strange:
            raise LegendError(f"the map's class {strange[0]!r} is none of {nomenclature!r}; its classes are "
                              f"{', '.join(known.legend.names[:8])}, ...")  # fmt: skip
    levels = levels_of(legend if known is None else known)
    if len(levels) == 1:
        raise LegendError(f"no class of {', '.join(legend.names[:8])} has a parent; name a nomenclature that has")
    index = legend.to_index(read_map_codes(product, reference).codes)
    at = {name: i for i, name in enumerate(levels[0].legend.names)}
    to_level = np.array([*(at[name] for name in legend.names), -1])
    truth = np.array([at.get(str(name), -1) for name in reference.frame["class"]])
    return score_levels(to_level[index], truth, levels)
