"""What a reference sample shows about a map, brought onto one row and class order.

Receives samples and a map product or predictions; hands on `Evidence`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.assess.estimation import Evidence
from landweave.assess.options import Labels
from landweave.assess.places import pixel_of, read_map_codes
from landweave.assess.tables import merge_legends
from landweave.errors import AssessmentError
from landweave.legend import Legend
from landweave.samples.interpreting import ALTERNATE_COLUMN, SHARE_PREFIX
from landweave.types import MapProduct, SampleTable

__all__ = ["column_texts", "gather_evidence", "mapped_areas"]


def gather_evidence(
    samples: SampleTable, *, product: MapProduct | None = None, predicted: NDArray[np.int64] | None = None,
    labels: Labels = "class",
) -> tuple[Evidence, NDArray[np.str_]]:  # fmt: skip
    """Bring the map's classes, the reference's and the design onto the same rows and one class order.

    Args:
        samples: The labelled reference rows.
        product: The map, if there is one.
        predicted: Class indices (n,) in the order of the samples' legend, instead of what the map says.
        labels: Which labels count; classes that stand only among those that do not are left out.

    Returns:
        The evidence, and why rows have no class on the map (n,), "" where they have one.

    Raises:
        AssessmentError: If no row lies on the map, or the map is all nodata.
        LegendError: If map and reference share no class name.
    """
    frame = samples.frame
    names = frame["class"].astype(str).to_numpy()
    own = samples.legend
    used = set(names.tolist()) | _other_names(samples, labels)
    if predicted is not None:
        used |= {own.names[i] for i in np.unique(predicted) if i >= 0}
    classes = own if product is None else merge_legends(product.legend, own, used)
    reasons = np.full(len(frame), "", dtype="U40")
    if predicted is not None:
        table = np.array([*(classes.index_of(n) if n in classes.names else -1 for n in own.names), -1])
        map_index = table[np.where(predicted < 0, len(own), predicted)]
        reasons[map_index < 0] = "without a prediction"
    elif product is not None:
        reading = read_map_codes(product, samples)
        map_index = product.legend.to_index(np.maximum(reading.codes, 0)).astype(np.int64)
        reasons = reading.reasons.astype("U40")
        map_index[reading.codes < 0] = -1
        reasons[(map_index < 0) & (reasons == "")] = "on a code outside the legend"
    mapped_ha, mapped_px = (None, None) if product is None else mapped_areas(product, classes)
    evidence = Evidence(
        classes=classes, map_index=map_index, reference_index=np.array([classes.index_of(n) for n in names], dtype=np.int64),
        mapped_ha=mapped_ha, mapped_px=mapped_px, design=samples.design,
        map_checksum=None if product is None else product.checksum, stratum=column_texts(samples, "stratum"),
        psu=column_texts(samples, "psu"), probability=_numbers(samples, "inclusion_probability"),
        group=_groups(samples), shares=_shares(samples, classes, labels), alternate=_alternates(samples, classes, labels),
        place=None if product is None else np.column_stack(pixel_of(samples, product.geobox)),
    )  # fmt: skip
    return evidence, reasons


def column_texts(samples: SampleTable, column: str) -> NDArray[np.str_]:
    """Give a column of the samples as text (n,), "" where it is missing."""
    if column not in samples.frame:
        return np.full(len(samples), "", dtype=np.str_)
    values = samples.frame[column]
    return np.array(values.astype(object).where(values.notna(), "").astype(str).tolist(), dtype=np.str_)


def _numbers(samples: SampleTable, column: str) -> NDArray[np.float64]:
    if column not in samples.frame:
        return np.full(len(samples), np.nan)
    return np.asarray(samples.frame[column].to_numpy(dtype=np.float64))


def _groups(samples: SampleTable) -> NDArray[Any]:
    """Give the group of every row; a row without one is a group of its own."""
    groups = column_texts(samples, "group")
    alone = np.array([f"\0{i}" for i in range(len(groups))])
    return np.where(groups == "", alone, groups)


def mapped_areas(product: MapProduct, classes: Legend) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the mapped hectares and pixels (K,) of the classes.

    Raises:
        AssessmentError: If the map has none of them.
    """
    ha = [float(product.area_ha.get(c.code, 0.0)) for c in classes]
    px = [float(product.count_px.get(c.code, 0)) for c in classes]
    if sum(ha) <= 0:
        raise AssessmentError(f"{product.folder} has a mapped area of {sum(ha):g} ha in its classes; the map is all nodata")
    return np.array(ha), np.array(px)


def _share_columns(samples: SampleTable) -> dict[str, str]:
    """Class name -> its column of label shares."""
    return {str(c).removeprefix(SHARE_PREFIX): str(c) for c in samples.frame.columns if str(c).startswith(SHARE_PREFIX)}


def _other_names(samples: SampleTable, labels: Labels) -> set[str]:
    """Classes that occur only as a part of a shared label, or as an alternate one."""
    if labels == "shares":
        return {n for n, c in _share_columns(samples).items() if (_numbers(samples, c) > 0).any()}
    return set(column_texts(samples, ALTERNATE_COLUMN).tolist()) - {""} if labels == "either" else set()


def _shares(samples: SampleTable, classes: Legend, labels: Labels) -> NDArray[np.float64] | None:
    """Give the shares of the label's classes (n, K), made to add up to 1; rows without shares get their class as it is."""
    columns = _share_columns(samples)
    if labels != "shares":
        return None
    if not columns:
        raise AssessmentError("labels: shares asks for columns 'share:CLASS' beside the class, and the reference has none; "
                              "collect the interpreters' answers with collect_answers, or judge by class")  # fmt: skip
    made = np.zeros((len(samples), len(classes)))
    for name, column in columns.items():
        if name in classes.names:
            made[:, classes.index_of(name)] = np.nan_to_num(_numbers(samples, column))
    if (made < 0).any() or (made.sum(axis=1) > 1.01).any():
        worst = made[np.argmax(made.sum(axis=1))]
        raise AssessmentError(f"the shares of a label add up to {worst.sum():g}; give shares between 0 and 1 that make 1")
    total = made.sum(axis=1)
    plain = np.eye(len(classes))[[classes.index_of(n) for n in column_texts(samples, "class").tolist()]]
    return np.where(total[:, None] > 0, made / np.where(total > 0, total, 1)[:, None], plain)


def _alternates(samples: SampleTable, classes: Legend, labels: Labels) -> NDArray[np.int64] | None:
    names = column_texts(samples, ALTERNATE_COLUMN)
    if labels != "either":
        return None
    if not (names != "").any():
        raise AssessmentError(f"labels: either asks for a second label in the column {ALTERNATE_COLUMN!r}, and the reference "
                              "has none; judge by class")  # fmt: skip
    return np.array([classes.index_of(n) if n else -1 for n in names.tolist()], dtype=np.int64)
