"""The plan of a draw: how many places each stratum gets, and the precision that this lets one expect.

Receives the sizes of strata and `DrawOptions`; hands on a `DesignPlan`, which the draw follows and the command line prints.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landweave.errors import SampleError
from landweave.legend import suggest_name
from landweave.samples.design_size import (
    expect_areas_se,
    expect_overall_se,
    expect_shares,
    share_out,
    size_for_areas,
    size_for_overall,
    size_for_share,
)
from landweave.samples.options import DrawOptions

__all__ = ["DesignPlan", "make_plan"]


@dataclass(frozen=True)
class DesignPlan:
    """What will be drawn, stratum by stratum; a design without strata is planned as if its places fell in proportion.

    Attributes:
        names: Names of the strata (H).
        codes: Their codes.
        size_px: Their pixels.
        area_ha: Their areas.
        n: Places in each; for a design without strata those to be expected.
        expected_accuracy: User's accuracy taken for granted in the figures below (H,).
        overall_se: Standard error to expect of overall accuracy; of a simple random sample of this size without strata.
        area_se: Standard errors to expect of the strata's classes' areas, as shares of the whole (H,).
        total: Places in all.
    """

    names: tuple[str, ...]
    codes: tuple[int, ...]
    size_px: tuple[int, ...]
    area_ha: tuple[float, ...]
    n: tuple[int, ...]
    expected_accuracy: tuple[float, ...]
    overall_se: float
    area_se: tuple[float, ...]
    total: int


def make_plan(
    sizes: Mapping[int, int], areas: Mapping[int, float], names: Mapping[int, str], options: DrawOptions
) -> DesignPlan:
    """Share the places out over the strata.

    Args:
        sizes: Stratum code -> pixels.
        areas: Stratum code -> hectares.
        names: Stratum code -> name.
        options: Options.

    Raises:
        SampleError: If an option names no stratum, or more is asked of a stratum than it has.
    """
    codes = list(sizes)
    px = np.array([sizes[c] for c in codes], dtype=np.float64)
    labels = [names[c] for c in codes]
    accuracy = _accuracy(labels, options)
    if options.by_stratum:
        n = _allocate(px, labels, accuracy, options)
        overall = expect_overall_se(px, accuracy, n)
        area_se = expect_areas_se(px, _shares(px, labels, accuracy, options), n)
        total = int(n.sum())
    else:
        total = _total(px, accuracy, options)
        p, whole = (px / px.sum() * accuracy).sum(), px / px.sum()
        overall, area_se = float(np.sqrt(p * (1 - p) / total)), np.sqrt(whole * (1 - whole) / total)
        n = share_out(total, px)
    return DesignPlan(
        tuple(labels), tuple(codes), tuple(sizes.values()), tuple(areas[c] for c in codes), tuple(int(v) for v in n),
        tuple(float(a) for a in accuracy), overall, tuple(float(s) for s in area_se), total,
    )  # fmt: skip


def _accuracy(names: list[str], options: DrawOptions) -> NDArray[np.float64]:
    given = options.expected_accuracy
    if isinstance(given, dict):
        _check_names("expected_accuracy", given, names)
        missing = [n for n in names if n not in given]
        if missing:
            raise SampleError(f"expected_accuracy lacks the strata {', '.join(missing)}; name all, or give one number for all")
        made = np.array([given[n] for n in names])
    else:
        made = np.full(len(names), float(given))
    if not ((made > 0) & (made < 1)).all():
        raise SampleError(f"an expected accuracy is {made[~((made > 0) & (made < 1))][0]:g}; give shares between 0 and 1, and "
                          "not the ends, with which no sample would be needed at all")  # fmt: skip
    return made


def _shares(
    px: NDArray[np.float64], names: list[str], accuracy: NDArray[np.float64], options: DrawOptions
) -> NDArray[np.float64]:
    made = expect_shares(px, accuracy)
    _check_names("expected_shares", options.expected_shares, names)
    for stratum, shares in options.expected_shares.items():
        _check_names(f"expected_shares of {stratum!r}", shares, names)
        if abs(sum(shares.values()) - 1) > 0.01:
            raise SampleError(f"expected_shares of {stratum!r} add up to {sum(shares.values()):g}; they have to make 1")
        made[names.index(stratum)] = [shares.get(n, 0.0) for n in names]
    return made


def _total(
    px: NDArray[np.float64], accuracy: NDArray[np.float64], options: DrawOptions, rates: NDArray[np.float64] | None = None
) -> int:
    if options.n is not None:
        return options.n
    if options.half_width is None:
        raise SampleError(f"a {options.kind} design needs its size; give n or half_width")
    if rates is not None:
        return size_for_overall(px, accuracy, options.half_width, rates=rates)
    share = float((px / px.sum() * accuracy).sum())
    return size_for_share(share, options.half_width, design_effect=options.design_effect)


def _allocate(
    px: NDArray[np.float64], names: list[str], accuracy: NDArray[np.float64], options: DrawOptions
) -> NDArray[np.int64]:
    shares = _shares(px, names, accuracy, options)
    if isinstance(options.allocation, dict):
        _check_names("allocation", options.allocation, names)
        wanted = np.array([options.allocation.get(n, 0) for n in names], dtype=np.int64)
    elif options.allocation == "optimal":
        _check_names("target_se", options.target_se, names)
        wanted = size_for_areas(px, shares, {names.index(k): v for k, v in options.target_se.items()})
    else:
        rates = _rates(px, names, accuracy, shares, options)
        wanted = share_out(_total(px, accuracy, options, rates), rates)
    wanted = np.maximum(wanted, np.minimum(options.min_per_stratum, px).astype(np.int64))
    for name, n, size in zip(names, wanted, px, strict=True):
        if n > size:
            raise SampleError(f"{n} places are asked of stratum {name!r}, which has {size:.0f} pixels; ask for fewer")
    return wanted


def _rates(
    px: NDArray[np.float64], names: list[str], accuracy: NDArray[np.float64], shares: NDArray[np.float64], options: DrawOptions
) -> NDArray[np.float64]:
    if options.allocation == "equal":
        return np.ones(len(px))
    if options.allocation == "proportional":
        return px
    # Neyman 1934: in proportion to size times standard deviation (Cochran 1977, eq. 5.26)
    p = accuracy
    if options.neyman_for is not None:
        _check_names("neyman_for", [options.neyman_for], names)
        p = shares[:, names.index(options.neyman_for)]
    return np.asarray(px * np.sqrt(p * (1 - p)))


def _check_names(what: str, given: Mapping[str, object] | list[str], names: list[str]) -> None:
    for name in given:
        if name not in names:
            near = suggest_name(name, names)
            hint = f"; did you mean {near!r}?" if near else ""
            raise SampleError(f"{what} names the stratum {name!r}, which is not there{hint} (there are {', '.join(names)})")
