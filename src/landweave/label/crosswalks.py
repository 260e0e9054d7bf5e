"""Crosswalks between legends, with their uncertainty: a class may correspond to several, which then share its vote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.errors import LegendError
from landweave.legend import Legend, Nomenclature, get_nomenclature

__all__ = ["Crosswalk", "crosswalk_between", "make_crosswalk"]


@dataclass(frozen=True)
class Crosswalk:
    """From the codes of one legend to the classes of another.

    Attributes:
        source: Legend of the codes.
        target: Legend that is wanted.
        shares: Share of each target class in a source class (source, target); rows sum to 1, or to 0 for a class that
            corresponds to nothing.
    """

    source: Legend
    target: Legend
    shares: NDArray[np.float64]

    @property
    def n_candidates(self) -> dict[str, int]:
        """Source class -> how many target classes it may be; more than one is uncertain, 0 is left out."""
        return dict(zip(self.source.names, (self.shares > 0).sum(axis=1).tolist(), strict=True))

    def to_shares(self, codes: NDArray[Any]) -> NDArray[np.float64]:
        """Turn source codes (...) into votes (target class, ...); 0 where a code is nodata, unknown or left out."""
        index = self.source.to_index(np.where((codes < 0) | (codes > 65535), 65535, codes))
        table = np.vstack([self.shares, np.zeros(len(self.target))])
        return np.moveaxis(table[index], -1, 0)


def make_crosswalk(
    source: Legend, target: Legend, table: Mapping[str, str | tuple[str, ...] | Mapping[str, float]]
) -> Crosswalk:
    """Make a crosswalk by hand.

    Args:
        source: Legend of the product.
        target: Legend that is wanted.
        table: Source class -> a target class, several that share it alike, or shares by target class. Classes that are not in
            it correspond to nothing.

    Raises:
        LegendError: If a name is unknown on its side, or shares are not positive.
    """
    shares = np.zeros((len(source), len(target)))
    for name, to in table.items():
        parts = to if isinstance(to, Mapping) else dict.fromkeys((to,) if isinstance(to, str) else to, 1.0)
        row = source.index_of(name)
        for other, share in parts.items():
            if not share > 0:
                raise LegendError(f"share of {other!r} in {name!r} is {share}; shares are positive, leave the class out for 0")
            shares[row, target.index_of(other)] = share
    total = shares.sum(axis=1, keepdims=True)
    return Crosswalk(source, target, shares / np.where(total > 0, total, 1))


def crosswalk_between(source: str | Nomenclature, target: str | Nomenclature) -> Crosswalk:
    """Give the crosswalk between two nomenclatures: as published, through one that both know, or the published one reversed.

    A published crosswalk names the classes that one may correspond to, without shares: they share alike. Reversed, a class
    corresponds to all whose entry names it. Through a third nomenclature shares multiply.

    Args:
        source: Key or nomenclature of the product.
        target: Key or nomenclature that is wanted.

    Raises:
        LegendError: If there is none; lists what the source leads to.
    """
    a = get_nomenclature(source) if isinstance(source, str) else source
    b = get_nomenclature(target) if isinstance(target, str) else target
    if a.key == b.key:
        return Crosswalk(a.legend, b.legend, np.eye(len(a.legend)))
    direct = _direct(a, b)
    if direct is not None:
        return direct
    between = [get_nomenclature(k) for k in a.crosswalks]
    for middle in between:
        second = _direct(middle, b)
        first = _direct(a, middle)
        if first is not None and second is not None:
            shares = first.shares @ second.shares
            total = shares.sum(axis=1, keepdims=True)
            return Crosswalk(a.legend, b.legend, shares / np.where(total > 0, total, 1))
    raise LegendError(f"no crosswalk from {a.key!r} to {b.key!r}: {a.key!r} leads to {', '.join(a.crosswalks) or 'none'}; make "
                      "one with make_crosswalk")  # fmt: skip


def _direct(a: Nomenclature, b: Nomenclature) -> Crosswalk | None:
    if b.key in a.crosswalks:
        return make_crosswalk(a.legend, b.legend, {k: tuple(v) for k, v in a.crosswalks[b.key].items() if v})
    if a.key in b.crosswalks:
        back: dict[str, tuple[str, ...]] = {}
        for theirs, ours in b.crosswalks[a.key].items():
            for name in ours:
                back[name] = (*back.get(name, ()), theirs)
        return make_crosswalk(a.legend, b.legend, back)
    return None
