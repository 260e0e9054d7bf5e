"""Areas of classes added and subtracted: net change, all forest together, gain minus loss, with the covariances in the errors.

Receives a map, its reference sample and what to add up; hands on estimates with their intervals.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from landweave.assess.designs import make_units
from landweave.assess.gather import column_texts, gather_evidence, mapped_areas
from landweave.assess.options import AssessOptions
from landweave.errors import AssessmentError
from landweave.metrics.units import combine_areas
from landweave.types import Document, MapProduct, SampleTable

__all__ = ["CombinedArea", "assess_combinations", "net_changes"]


class CombinedArea(Document):
    """A sum of class areas.

    Attributes:
        name: What it is.
        terms: Class -> factor.
        mapped_ha: The same sum of mapped areas.
        area_ha: Estimated; negative for a net loss.
        se_ha: Standard error.
        lower_ha: Lower end of the 95 % interval.
        upper_ha: Upper end.
    """

    name: str
    terms: dict[str, float]
    mapped_ha: float
    area_ha: float
    se_ha: float
    lower_ha: float
    upper_ha: float


def assess_combinations(
    product: MapProduct, reference: SampleTable, combinations: Mapping[str, Mapping[str, float]], *,
    options: AssessOptions | None = None,
) -> list[CombinedArea]:  # fmt: skip
    """Estimate sums and differences of class areas, such as gain minus loss.

    The interval of a difference cannot be had from those of its parts, whose errors go together: what one class gains by a
    sample unit another loses. The variance here is that of the difference of each unit's shares (Sarndal, Swensson and Wretman
    1992, section 5.5).

    Args:
        product: The map, of change or of classes.
        reference: Labelled samples with a probability design.
        combinations: Name -> class -> factor (1 to add, -1 to subtract).
        options: Options.

    Raises:
        AssessmentError: If the sample has no design, or a combination names no class of map or reference.
    """
    options = options or AssessOptions()
    labelled = reference.select(column_texts(reference, "class") != "")
    evidence, _ = gather_evidence(labelled, product=product, labels=options.labels)
    if evidence.design.kind == "none":
        raise AssessmentError("the reference sample has no probability design, so that no area can be estimated; draw a sample "
                              "with draw_design")  # fmt: skip
    names = evidence.classes.names
    for name, terms in combinations.items():
        unknown = [c for c in terms if c not in names]
        if unknown or not terms:
            raise AssessmentError(f"{name!r} adds up {', '.join(map(repr, unknown)) or 'nothing'}; the classes are "
                                  f"{', '.join(names)}")  # fmt: skip
    factors = np.array([[terms.get(c, 0.0) for c in names] for terms in combinations.values()])
    made = combine_areas(make_units(evidence, options), factors)
    mapped = mapped_areas(product, evidence.classes)[0]
    total = float(mapped.sum())
    found = []
    for i, (name, terms) in enumerate(combinations.items()):
        area, se = float(made.value[i]) * total, float(made.se[i]) * total
        found.append(CombinedArea(name=name, terms=dict(terms), mapped_ha=float(factors[i] @ mapped), area_ha=area, se_ha=se,
                                  lower_ha=area - 1.96 * se, upper_ha=area + 1.96 * se))  # fmt: skip
    return found


def net_changes(classes: tuple[str, ...], *, sign: str = " -> ") -> dict[str, dict[str, float]]:
    """Give the net change of every class of a change map whose classes are named "A -> B".

    `landweave design --transitions` names them so.

    Args:
        classes: Names of the change map's classes; those without the sign are no change.
        sign: What stands between before and after.

    Raises:
        AssessmentError: If no class is a change.
    """
    pairs = [(c, *(p.strip() for p in c.split(sign, 1))) for c in classes if sign in c]
    if not pairs:
        raise AssessmentError(f"no class of {', '.join(classes)} is named like 'forest{sign}crop'; name the sums yourself")
    sides = dict.fromkeys(side for _, before, after in pairs for side in (before, after))
    return {
        f"net {side}": {c: float((after == side) - (before == side)) for c, before, after in pairs if side in (before, after)}
        for side in sides
    }
