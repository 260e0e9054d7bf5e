"""A reference sample with its design as single units, for everything that counts of cells cannot serve.

Receives `Evidence`; hands on the `UnitSample` whose weights, strata and clusters the design calls for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from landweave.errors import AssessmentError
from landweave.metrics.units import UnitSample, make_shares

if TYPE_CHECKING:
    from landweave.assess.estimation import Evidence
    from landweave.assess.options import AssessOptions

__all__ = ["find_post_strata", "find_strata", "find_weights", "make_units"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def make_units(evidence: Evidence, options: AssessOptions) -> UnitSample:
    """Write a probability sample out unit by unit.

    A simple or systematic sample is post-stratified by map class and loses its units outside the map (the others keep their
    order); a stratified one weighs a stratum's area over its units, clusters weigh by their inclusion probability, and both
    keep their units outside the map, which are part of the chance.

    Raises:
        AssessmentError: If the design is none, or rows contradict it.
    """
    shares = _shares(evidence, options)
    kind = evidence.design.kind
    if kind == "cluster":
        return _clusters(evidence, shares, options)
    if kind == "stratified":
        return _strata(evidence, shares, options)
    if kind in ("simple", "systematic"):
        return _post_strata(evidence, shares, options)
    raise AssessmentError(f"the design is {kind!r}: without a probability design nothing can be estimated for the whole map; "
                          "draw a sample with draw_design")  # fmt: skip


def _shares(evidence: Evidence, options: AssessOptions) -> Floats:
    if options.labels == "shares" and evidence.shares is not None:
        return evidence.shares
    return make_shares(evidence.reference_index, len(evidence.classes))


def _strata(evidence: Evidence, shares: Floats, options: AssessOptions) -> UnitSample:
    index = find_strata(evidence)
    design = evidence.design.strata
    n = np.bincount(index, minlength=len(design))
    sizes = np.array([s.area_ha for s in design])
    fraction = None
    if options.finite_population:
        fraction = n / np.maximum([s.size_px for s in design], 1)
    weight = sizes[index] / n[index]
    if not (weight > 0).all():
        name = design[int(index[np.argmin(weight)])].name
        raise AssessmentError(f"stratum {name!r} has samples and an area of 0 ha; correct the design")
    return UnitSample(evidence.map_index, shares, weight, index, fraction=fraction)


def _post_strata(evidence: Evidence, shares: Floats, options: AssessOptions) -> UnitSample:
    if evidence.mapped_ha is None:
        raise AssessmentError("areas need a map; give the map product that the samples are compared with")
    k, inside = len(evidence.classes), ~evidence.outside
    mapped, shares = evidence.map_index[inside], shares[inside]
    n = np.bincount(mapped, minlength=k).astype(np.float64)
    post_of = find_post_strata(n, evidence.mapped_ha)
    sizes, drawn = np.bincount(post_of, evidence.mapped_ha, k), np.bincount(post_of, n, k)
    post = post_of[mapped]
    weight = sizes[post] / drawn[post]
    px = evidence.mapped_px
    units = None if px is None or not options.finite_population else np.bincount(post_of, px, k)
    if evidence.design.kind == "systematic" and options.systematic_variance == "successive":
        if evidence.place is None:
            raise AssessmentError("successive differences need the samples' places on the map; give a map product, or "
                                  "choose systematic_variance: simple")  # fmt: skip
        whole = None if units is None else np.array([inside.sum() / units.sum()])
        zeros = np.zeros(len(post), dtype=np.int64)
        return UnitSample(mapped, shares, weight, zeros, fraction=whole, post=post, order=_walk(evidence.place[inside]))
    used, stratum = np.unique(post, return_inverse=True)
    fraction = None if units is None else drawn[used] / np.maximum(units[used], 1)
    return UnitSample(mapped, shares, weight, stratum.astype(np.int64), fraction=fraction)


def _walk(place: Ints) -> Ints:
    """Number places (row, column) along a path to and fro through the rows, so that successive ones are neighbours."""
    rows = np.unique(place[:, 0], return_inverse=True)[1]
    col = np.where(rows % 2 == 0, place[:, 1], -place[:, 1])
    made = np.empty(len(place), dtype=np.int64)
    made[np.lexsort((col, rows))] = np.arange(len(place))
    return made


def _clusters(evidence: Evidence, shares: Floats, options: AssessOptions) -> UnitSample:
    if (evidence.psu == "").any():
        raise AssessmentError(f"the design is a cluster sample but {int((evidence.psu == '').sum())} rows have no psu; name "
                              "the primary sampling unit of every row in the column psu")  # fmt: skip
    names, psu = np.unique(evidence.psu, return_inverse=True)
    weight = find_weights(evidence)
    fraction = within = None
    if options.finite_population and evidence.design.psu_count:
        f = len(names) / evidence.design.psu_count
        if f > 1:
            raise AssessmentError(f"the sample has {len(names)} clusters, but the design says that there are only "
                                  f"{evidence.design.psu_count}; correct psu_count")  # fmt: skip
        fraction = np.array([f])
        within = np.minimum(1 / weight / f, 1.0) if np.isfinite(evidence.probability).all() else None
    if len(evidence.design.strata) > 1 and (evidence.stratum != "").all():
        return _clusters_by_stratum(evidence, shares, weight, psu.astype(np.int64), options)
    zeros = np.zeros(len(psu), dtype=np.int64)
    return UnitSample(evidence.map_index, shares, weight, zeros, psu.astype(np.int64), fraction=fraction, within=within)


def _clusters_by_stratum(
    evidence: Evidence, shares: Floats, weight: Floats, psu: Ints, options: AssessOptions
) -> UnitSample:
    """Write out clusters that were drawn within strata: a ratio estimator in each (Cochran 1977, section 6.10).

    The weights of a stratum are scaled to its known area, and residuals centred within it; clusters vary within strata.
    """
    index, design = find_strata(evidence), evidence.design.strata
    sizes = np.array([s.area_ha for s in design])
    sums = np.bincount(index, weight, len(design))
    empty = [s.name for s, total in zip(design, sums, strict=True) if total == 0 and s.area_ha > 0]
    if empty:
        raise AssessmentError(f"stratum {empty[0]!r} of the cluster sample has no place, so that nothing is known about it; "
                              "draw clusters in every stratum")  # fmt: skip
    fraction = within = None
    if options.finite_population and all(s.psu_count for s in design):
        n = np.array([len(np.unique(psu[index == h])) for h in range(len(design))])
        fraction = n / np.array([s.psu_count for s in design], dtype=np.float64)
        if (fraction > 1).any():
            raise AssessmentError(f"stratum {design[int(fraction.argmax())].name!r} has {n[fraction.argmax()]} clusters, more "
                                  "than the design says that there are; correct psu_count")  # fmt: skip
        within = np.minimum(1 / weight / fraction[index], 1.0) if np.isfinite(evidence.probability).all() else None
    scaled = weight * (sizes / np.where(sums > 0, sums, 1))[index]
    return UnitSample(evidence.map_index, shares, scaled, index, psu, fraction=fraction, within=within, post=index)


def find_weights(evidence: Evidence) -> Floats:
    """Give the inverse of the inclusion probabilities (n,), or ones where none is known.

    Raises:
        AssessmentError: If only some rows have one.
    """
    known = np.isfinite(evidence.probability) & (evidence.probability > 0)
    if known.any() and not known.all():
        raise AssessmentError(f"{int((~known).sum())} of {len(known)} rows have no inclusion_probability; give it for all rows "
                              "of the cluster sample, or for none where it does not vary")  # fmt: skip
    return 1 / evidence.probability if known.all() else np.ones(len(known))


def find_strata(evidence: Evidence) -> Ints:
    """Give the position (n,) of each row's stratum in the design.

    Raises:
        AssessmentError: If a row's stratum is not in the design.
    """
    known = {s.name: i for i, s in enumerate(evidence.design.strata)}
    wrong = sorted(set(evidence.stratum.tolist()) - set(known))
    if wrong:
        raise AssessmentError(f"the column stratum holds {wrong[0] or 'empty'!r}, which the design does not list; its strata "
                              f"are {', '.join(known) or 'none'}; correct the rows or the design")  # fmt: skip
    return np.array([known[s] for s in evidence.stratum.tolist()], dtype=np.int64)


def find_post_strata(n: Floats, mapped: Floats) -> Ints:
    """Give the post-stratum of each class (K,): its own, or a common one for those with fewer than two samples.

    Where even those together have fewer than two, the class with the largest mapped area joins them.
    """
    post = np.arange(len(n))
    thin = (mapped > 0) & (n < 2)
    if thin.any() and n[thin].sum() < 2:
        thin[np.argmax(np.where(thin, -1, mapped))] = True
    post[thin] = np.argmax(thin)
    return post
