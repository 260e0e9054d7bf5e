"""What the dates of several cubes say about each other.

Receives cubes; hands on sentences for the notes.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import xarray as xr

from landweave.types import CubeSet

__all__ = ["note_disjoint_dates"]


def note_disjoint_dates(cubes: CubeSet) -> CubeSet:
    """Give the cubes with a note for every two sources, next to each other in time, that share none.

    Such cubes are no error: a model may take each at its own dates. But what tells their sensors apart then may as well be the
    season, which a reader of the report has to know.
    """
    spans = sorted((*_span(cube), name) for name, cube in cubes.cubes.items() if "time" in cube.dims and cube.sizes["time"])
    notes = tuple(
        f"{b} ({first} to {last}) begins after {a} ({start} to {end}) has ended: what differs between them may be the season "
        "as well as the sensor; set `start` and `end` to a time that both cover, or find dates of the same time."
        for (start, end, a), (first, last, b) in pairwise(spans) if end < first
    )  # fmt: skip
    return replace(cubes, notes=(*cubes.notes, *notes)) if notes else cubes


def _span(cube: xr.DataArray) -> tuple[str, str]:
    """Give the first and the last day, as ISO dates."""
    days = cube["time"].values.astype("datetime64[D]").astype(str)
    return str(days[0]), str(days[-1])
