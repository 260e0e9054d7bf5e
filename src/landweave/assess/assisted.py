"""Areas with the help of the model's probabilities: the map's soft answer, corrected by the reference sample.

Receives a map product with `proba.tif` and its reference sample; hands on areas that add up, with their gain over those from
classes alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from landweave.assess.designs import make_units
from landweave.assess.document import ClassArea
from landweave.assess.estimation import Evidence, estimate_from
from landweave.assess.gather import column_texts, gather_evidence, mapped_areas
from landweave.assess.options import AssessOptions
from landweave.assess.tables import make_areas
from landweave.errors import AssessmentError
from landweave.grid import Window, pixel_area_m2, split_blocks
from landweave.io.rasters import read_window
from landweave.metrics.assisted import AssistedMethod, estimate_assisted
from landweave.types import Document, MapProduct, SampleTable

__all__ = ["AssistedAreas", "assess_assisted"]

_BLOCK_PX = 512


class AssistedAreas(Document):
    """Model-assisted areas.

    Attributes:
        method: difference or regression.
        n: Samples used.
        areas: By class; `ci95_ha` is 1.96 standard errors, and ends are not cut, so that areas add up to the total.
        relative_efficiency: By class, how many times the sample would have to be larger to be as precise without the
            probabilities (ratio of variances); null where one of them is a bound.
        note: How the areas were made.
    """

    method: AssistedMethod
    n: int
    areas: list[ClassArea]
    relative_efficiency: list[float | None] = Field(default_factory=list)
    note: str = ""


def assess_assisted(
    product: MapProduct, reference: SampleTable, *, method: AssistedMethod = "regression",
    options: AssessOptions | None = None,
) -> AssistedAreas:  # fmt: skip
    """Estimate areas by the difference or generalised regression estimator, with `proba.tif` as the model's answer.

    That the file is quantised to 1/250 biases nothing: the estimators correct whatever the map says by what the sample says of
    the same values.

    Args:
        product: A map with its probabilities.
        reference: Labelled samples with a probability design, on rows that did not train the model.
        method: Which estimator; see `metrics.estimate_assisted`.
        options: Options.

    Raises:
        AssessmentError: If the map has no probabilities, the sample no design, or a class of the reference is not on the map.
    """
    options = options or AssessOptions()
    if "proba" not in product.files:
        raise AssessmentError(f"{product.folder} holds no proba.tif; make the map with proba: true, or use assess_map")
    labelled = reference.select(column_texts(reference, "class") != "")
    evidence, _ = gather_evidence(labelled, product=product, labels=options.labels)
    if evidence.design.kind == "none":
        raise AssessmentError("the reference sample has no probability design, which model-assisted areas rest on as all "
                              "others do; draw a sample with draw_design")  # fmt: skip
    proba = _pad(_read_at(product, evidence), len(evidence.classes))
    mean = _pad(_mean(product)[None], len(evidence.classes))[0]
    sample = make_units(evidence, options)
    kept = ~evidence.outside if evidence.design.kind in ("simple", "systematic") else np.ones(len(proba), dtype=bool)
    made = estimate_assisted(sample, proba[kept], mean, method=method)
    plain = estimate_from(evidence, options).estimates.area
    total = float(mapped_areas(product, evidence.classes)[0].sum())
    areas = make_areas(evidence.classes, evidence.mapped_ha, evidence.mapped_px, made, None)
    for i, area in enumerate(areas):
        half = 1.96 * float(made.se[i]) * total
        area.lower_ha, area.upper_ha = float(made.value[i]) * total - half, float(made.value[i]) * total + half
    gain = [None if a or b or not s > 0 else float((p / s) ** 2)
            for a, b, p, s in zip(made.is_bound, plain.is_bound, plain.se, made.se, strict=True)]  # fmt: skip
    note = ("Mean probability over the map plus the sample's mean of reference minus probability" if method == "difference" else
            "Generalised regression of the reference on the model's probabilities") + (
            " (Sarndal, Swensson and Wretman 1992, chapter 6).")  # fmt: skip
    return AssistedAreas(method=method, n=int((~evidence.outside).sum()), areas=areas, relative_efficiency=gain, note=note)


def _pad(proba: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """Give classes that stand only in the reference the probability 0."""
    return np.column_stack([proba, np.zeros((len(proba), k - proba.shape[1]))])


def _read_at(product: MapProduct, evidence: Evidence) -> NDArray[np.float64]:
    """Read the probabilities (n, K map) at the samples; zeros where there are none."""
    k = len(product.legend)
    made = np.zeros((len(evidence.map_index), k))
    place = evidence.place
    if place is None:
        raise AssessmentError("model-assisted areas need the samples' places on the map; give a map product")
    block = place // _BLOCK_PX
    rows = ~evidence.outside
    for key in np.unique(block[rows], axis=0):
        here = rows & (block == key).all(axis=1)
        r, c = place[here, 0], place[here, 1]
        window = Window(int(r.min()), int(c.min()), int(np.ptp(r)) + 1, int(np.ptp(c)) + 1)
        values, valid = _read(product, window)
        made[here] = values[:, r - window.row, c - window.col].T
        if not valid[r - window.row, c - window.col].all():
            raise AssessmentError(f"{product.files['proba']} is nodata at samples where the map has a class; the two are not "
                                  "of one run: make the map anew")  # fmt: skip
    return made


def _mean(product: MapProduct) -> NDArray[np.float64]:
    """Mean probabilities (K map) over the classified area, weighted by pixel area."""
    sums, total = np.zeros(len(product.legend)), 0.0
    geobox = product.geobox
    for window in split_blocks((geobox.shape[0], geobox.shape[1]), _BLOCK_PX):
        codes, there = read_window(str(product.files["map"]), [1], geobox, window)
        index = product.legend.to_index(np.where(there[0], codes[0], product.legend.nodata).astype(np.int64))
        here = index >= 0
        values, _ = _read(product, window)
        area = pixel_area_m2(geobox, window)[here]
        sums += values[:, here] @ area
        total += float(area.sum())
    return sums / total


def _read(product: MapProduct, window: Window) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Read probabilities (K, y, x), which add up to 1 where all classes have one."""
    layers = list(range(1, len(product.legend) + 1))
    data, valid = read_window(str(product.files["proba"]), layers, product.geobox, window)
    values = np.where(valid, data, 0).astype(np.float64)
    total = values.sum(axis=0)
    return values / np.where(total > 0, total, 1), valid.all(axis=0) & (total > 0)
