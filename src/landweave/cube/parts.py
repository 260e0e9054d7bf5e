"""How much of a cube is read at once: windows are cut, and bands taken in turn, so that memory stays bounded.

Receives a `CubePlan` and a `Window`; hands on windows and groups of bands. Every pixel and band is computed by itself, or with
the bands that its rule looks at, so that neither choice can matter to a value.
"""

from __future__ import annotations

from collections.abc import Sequence

from landweave.cube.compositing import is_by_band
from landweave.cube.plan import CubePlan
from landweave.features.indices import get_index
from landweave.grid import Window

__all__ = ["group_bands", "split_window", "stored_bands"]

_STACK_BYTES = 160 * 2**20
"""Float32 values of the days of one step, and of the steps that are filled together, that are held at once: 24 days x 6 bands
of a block of 512 pixels. Smaller parts would decode the blocks of most files several times."""
_GROUP_BYTES = 32 * 2**20
"""Bands of a step are read in turn beyond this: the stack of the next one then takes the place of the last."""
_SIDES = (1024, 512, 256, 128)


def stored_bands(plan: CubePlan, names: Sequence[str]) -> frozenset[str]:
    """Name the bands that bands and indices are read from."""
    return frozenset(s for b in names for s in ((b,) if b in plan.stored else get_index(b).bands))


def _deepest(plan: CubePlan, chosen: Sequence[int]) -> int:
    """Days that are held together at most; a step of one day needs no stack."""
    days = max((len(plan.steps[i].days) for i in chosen), default=1)
    return days if days > 1 else 0


def _link(plan: CubePlan, names: Sequence[str], chosen: Sequence[int]) -> list[list[str]]:
    """Keep together the bands that lie in one file, or that one index is made of."""
    ties = {frozenset(e.band for e in f.layers) for i in chosen for d in plan.steps[i].days for s in d.scenes for f in s.files}
    ties |= {stored_bands(plan, [n]) for n in names}
    linked: list[tuple[set[str], list[str]]] = []
    for name in names:
        needs, own = set(stored_bands(plan, [name])), [name]
        for tie in ties:
            needs |= tie if tie & stored_bands(plan, [name]) else set()
        apart = []
        for known, members in linked:
            if known & needs:
                needs, own = needs | known, members + own
            else:
                apart.append((known, members))
        linked = [*apart, (needs, own)]
    return [members for _, members in linked]


def group_bands(plan: CubePlan, names: Sequence[str], chosen: Sequence[int], window: Window) -> list[list[str]]:
    """Group a cube's bands, so that one group after the other can be read and composited.

    Args:
        plan: The cube.
        names: Bands wanted.
        chosen: Steps wanted.
        window: What is read.

    Returns:
        Groups whose stacks stay below 32 MiB where possible; a single one where the rule looks at all bands together. No file
        is needed by two groups, masks apart.
    """
    depth = _deepest(plan, chosen)
    per_band = 4 * depth * window.height * window.width
    if not is_by_band(plan) or per_band * len(names) <= _GROUP_BYTES:
        return [list(names)]
    groups: list[list[str]] = []
    for members in _link(plan, names, chosen):
        if groups and per_band * (len(groups[-1]) + len(members)) <= _GROUP_BYTES:
            groups[-1] += members
        else:
            groups.append(members)
    return groups


def split_window(plan: CubePlan, window: Window, chosen: Sequence[int], names: Sequence[str]) -> list[Window]:
    """Cut a window along multiples of the files' blocks, where what is held beside the result would take too much memory."""
    depth = _deepest(plan, chosen)
    widest = max((len(m) for m in _link(plan, names, chosen)), default=1) if depth and is_by_band(plan) else len(names)
    per_px = 4 * (depth * widest + (3 * len(chosen) if plan.fill else 0))
    if per_px * window.height * window.width <= _STACK_BYTES:
        return [window]
    side = next((s for s in _SIDES if per_px * s * s <= _STACK_BYTES), _SIDES[-1])
    edges = [range(start // side * side, stop, side) for start, stop in
             ((window.row, window.row_end), (window.col, window.col_end))]  # fmt: skip
    parts = []
    for row in edges[0]:
        for col in edges[1]:
            top, left = max(row, window.row), max(col, window.col)
            parts.append(Window(top, left, min(row + side, window.row_end) - top, min(col + side, window.col_end) - left))
    return parts
