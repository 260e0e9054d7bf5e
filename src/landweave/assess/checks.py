"""What is looked at before an assessment's numbers may be believed, each as a `Check` with its sentence.

Receives the evidence and the map; hands on checks, of which the failed ones become the document's warnings.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from landweave.assess.document import Check, LeftOut
from landweave.assess.estimation import Evidence
from landweave.grid import GeoBox, Window, pixel_area_m2
from landweave.types import MapProduct

__all__ = ["check_independence", "check_map", "check_sample"]

_FEW = 25
"""Below this many samples of a mapped class its user's accuracy is rough: +-0.2 at an accuracy of one half."""

_PIXEL_SPREAD = 0.02
"""Largest difference of pixel areas that equal chances per pixel may be taken as equal chances per hectare for."""


def check_independence(n_dependent: int | None, n_samples: int, buffer_m: float) -> Check:
    """Say whether reference rows trained the model; `n_dependent` is None where no training rows were given."""
    if n_dependent is None:
        message = ("Whether the reference rows are independent of the training rows was not checked, because no training rows "
                   "were given.")  # fmt: skip
        return Check(name="independent", passed=False, message=message)
    near = f" or lie within {buffer_m:g} m of a row that did" if buffer_m else ""
    if n_dependent:
        message = (f"{n_dependent} of {n_samples} reference rows trained the model{near}; they were asked for by name "
                   "(allow_training_rows) and flatter the map.")  # fmt: skip
        return Check(name="independent", passed=False, message=message)
    return Check(name="independent", passed=True, message=f"None of the {n_samples} reference rows trained the model{near}.")


def check_sample(evidence: Evidence, left_out: Sequence[LeftOut]) -> list[Check]:
    """Look at rows left out, thin classes, and classes that stand on one side only."""
    counts = evidence.count()[0]
    on_map = counts.sum(axis=1) > 0 if evidence.mapped_ha is None else evidence.mapped_ha > 0
    checks = _check_complete(evidence, left_out)
    names = np.array(evidence.classes.names)
    thin = on_map & (counts.sum(axis=1) < _FEW)
    said = ", ".join(f"{n} ({c:g})" for n, c in zip(names[thin], counts.sum(axis=1)[thin], strict=True))
    message = f"Fewer than {_FEW} samples are mapped as {said}: figures of such classes are rough."
    enough = f"Every mapped class has {_FEW} samples or more."
    checks.append(Check(name="sample size", passed=not thin.any(), message=message if thin.any() else enough))
    missed = names[(counts.sum(axis=0) > 0) & ~on_map]
    if len(missed):
        message = (f"In the reference but nowhere on the map: {', '.join(missed)}. Missed wholly (producer's accuracy 0), and "
                   "without a user's accuracy.")  # fmt: skip
        checks.append(Check(name="classes", passed=False, message=message))
    return checks


def _check_complete(evidence: Evidence, left_out: Sequence[LeftOut]) -> list[Check]:
    n, said = sum(entry.n for entry in left_out), "; ".join(f"{entry.n} {entry.reason}" for entry in left_out)
    designed = evidence.design.kind != "none"
    if n:
        missing = " Estimates take those without a label or rejected as missing at random." if designed else ""
        return [Check(name="complete", passed=False, message=f"Rows that could not be used: {said}.{missing}")]
    drawn, given = sum(s.n_drawn for s in evidence.design.strata), len(evidence.map_index)
    if designed and drawn and drawn != given:
        message = f"The design drew {drawn} units, but the reference has {given} rows; the rest count as missing at random."
        return [Check(name="complete", passed=False, message=message)]
    return [Check(name="complete", passed=True, message=f"All {given} rows could be used.")]


def check_map(product: MapProduct, evidence: Evidence) -> list[Check]:
    """Look at what an area estimate takes for granted: pixels of one size, and strata that cover this map."""
    if evidence.design.kind == "none" or evidence.mapped_ha is None:
        return []
    checks = []
    sizes = _pixel_areas(product.geobox)
    spread = float(sizes.max() / sizes.min()) - 1
    if spread > _PIXEL_SPREAD:
        message = (f"Pixels differ by {spread:.0%} in area across the map, but the design gives each the same chance; shares "
                   "within a class may be off by as much.")  # fmt: skip
        checks.append(Check(name="pixel area", passed=False, message=message))
    stated = sum(s.area_ha for s in evidence.design.strata)
    classed = float(evidence.mapped_ha.sum())
    # a design may have been drawn over the pixels that are nodata or unsure too
    whole = classed + sum(float(product.area_ha.get(code, 0.0)) for code in (product.legend.unsure, product.legend.nodata))
    if evidence.design.strata and not 0.99 * classed <= stated <= 1.01 * whole:
        message = (f"The design covers {stated:,.0f} ha, the map's classes {classed:,.0f} ha: estimates hold only where both "
                   "do.")  # fmt: skip
        checks.append(Check(name="extent", passed=False, message=message))
    return checks


def _pixel_areas(geobox: GeoBox) -> NDArray[np.float64]:
    """Areas of the corner pixels and the middle one, square metres."""
    rows, cols = geobox.shape
    at = [(0, 0), (rows // 2, cols // 2), (rows - 1, 0), (0, cols - 1), (rows - 1, cols - 1)]
    return np.array([pixel_area_m2(geobox, Window(row, col, 1, 1))[0, 0] for row, col in at])
