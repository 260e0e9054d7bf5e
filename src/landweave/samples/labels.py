"""Labels of a reference file into classes of a legend: columns found, codes checked against names, misspellings suggested.

Receives the attributes of a file; hands on one class name per row (None where a row has no label) and the legend.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from landweave.errors import SampleError
from landweave.legend import LandClass, Legend

if TYPE_CHECKING:
    import pandas as pd

    from landweave.samples.options import SampleOptions

__all__ = ["Labels", "read_labels", "to_label"]

logger = logging.getLogger(__name__)

_CLASS_COLUMNS = (
    "class", "class_name", "classname", "class_label", "label", "labels", "landcover", "land_cover", "lulc", "lc", "lu",
    "landuse", "land_use", "category", "class_code", "class_id", "classvalue", "code",
)  # fmt: skip
_SURE = 0.8
"""Share of rows on which an integer column must follow the class names to be taken for their code."""


@dataclass(frozen=True)
class Labels:
    """What the labels of a file came to.

    Attributes:
        names: Class name per row (object array); None where the row is rejected.
        reasons: Why, per row; None where the row stays.
        raw: Label per row as in the file.
        legend: The classes.
        note: What was settled on the way (contradictions of code and name), in a sentence.
    """

    names: NDArray[Any]
    reasons: NDArray[Any]
    raw: NDArray[Any]
    legend: Legend
    note: str = ""


def to_label(value: Any) -> str | None:
    """Write a label as text: whole numbers without decimals, blanks trimmed, None where there is none."""
    if value is None or (isinstance(value, float | np.floating) and np.isnan(value)):
        return None
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    text = str(value).strip()
    return text if text and text not in ("<NA>", "NaT") else None


def read_labels(table: pd.DataFrame, options: SampleOptions, *, legend: Legend | None = None) -> Labels:
    """Find the label of every row and match it to the legend.

    Without a legend, the labels make one in sorted order; whole numbers that can be codes stay the codes.

    Raises:
        SampleError: If there is no label column, codes contradict names and no `prefer` is given, a label is not in the
            legend (with the nearest class), or no row has a label.
    """
    column = _class_column(table, options)
    raw = np.array([to_label(v) for v in table[column]], dtype=object)
    code_column = options.code_column or _guess_code_column(table, column, raw)
    codes: dict[str, int] = {}
    note = ""
    if code_column is not None and code_column != column:
        raw, codes, note = _settle_codes(table, raw, code_column, column, options, legend)
    unlabelled = {to_label(v) for v in options.unlabelled} | {None}
    reasons = np.array(["has no label" if r in unlabelled else None for r in raw], dtype=object)
    mapped = np.array([options.classes.get(r, r) if r is not None else None for r in raw], dtype=object)
    excluded = set(options.exclude)
    for i in np.flatnonzero([r is None for r in reasons]):
        if raw[i] in excluded or mapped[i] in excluded:
            reasons[i] = "class is excluded by the recipe"
    used = sorted({m for m, r in zip(mapped, reasons, strict=True) if r is None}, key=_sort_key)
    if not used:
        counts = ", ".join(f"{k or 'empty'} ({np.sum(raw == k)})" for k in dict.fromkeys(raw))
        raise SampleError(f"no row of column {column!r} has a label that is wanted (labels: {counts}); see unlabelled, exclude")
    if legend is not None and options.purpose == "reference":
        legend = _with_new_classes(legend, used)
    legend, matched = _match(used, codes, legend, mapped, reasons, column)
    names = np.array([matched[m] if r is None else None for m, r in zip(mapped, reasons, strict=True)], dtype=object)
    return Labels(names, reasons, raw, legend, note)


def _class_column(table: pd.DataFrame, options: SampleOptions) -> str:
    wanted = options.class_column or options.name_column or options.code_column
    if wanted is not None:
        if wanted not in table.columns:
            raise SampleError(f"there is no column {wanted!r}; columns are {', '.join(map(str, table.columns))}")
        return wanted
    plain = {str(c).strip().casefold(): str(c) for c in table.columns}
    found = next((plain[n] for n in _CLASS_COLUMNS if n in plain), None)
    if found is None:
        raise SampleError(f"no column looks like the class label (columns: {', '.join(map(str, table.columns))}); name it with "
                          "class_column")  # fmt: skip
    return found


def _sort_key(label: str) -> tuple[int, float, str]:
    try:
        return (0, float(label), label)
    except ValueError:
        return (1, 0.0, label)


# --- codes beside names ---------------------------------------------------------------------------------------------------


def _contingency(codes: Sequence[str], names: Sequence[str]) -> tuple[list[str], list[str], NDArray[np.int64]]:
    rows, cols = sorted(set(codes), key=_sort_key), sorted(set(names))
    counts = np.zeros((len(rows), len(cols)), dtype=np.int64)
    at_row, at_col = {c: i for i, c in enumerate(rows)}, {n: i for i, n in enumerate(cols)}
    for c, n in zip(codes, names, strict=True):
        counts[at_row[c], at_col[n]] += 1
    return rows, cols, counts


def _pair(codes: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """Pair codes with names one to one so that as many rows as possible agree."""
    from scipy.optimize import linear_sum_assignment

    rows, cols, counts = _contingency(codes, names)
    return {rows[i]: cols[j] for i, j in zip(*linear_sum_assignment(-counts), strict=True)}


def _guess_code_column(table: pd.DataFrame, column: str, raw: NDArray[Any]) -> str | None:
    """Find a column of whole numbers that numbers the classes, all but a few rows: it must not contradict them unnoticed."""
    names = [r for r in raw if r is not None]
    n_names = len(set(names))
    if len(names) != len(raw) or n_names < 2 or all(n.isdigit() for n in names) or len(names) < 3 * n_names:
        return None
    for other in table.columns:
        if other == column or table[other].dtype.kind not in "iuf":
            continue
        codes = [to_label(v) for v in table[other]]
        if any(c is None or not c.lstrip("-").isdigit() for c in codes) or len(set(codes)) != n_names:
            continue
        pairs = _pair([str(c) for c in codes], names)
        if np.mean([pairs.get(str(c)) == n for c, n in zip(codes, names, strict=True)]) >= _SURE:
            return str(other)
    return None


def _settle_codes(
    table: pd.DataFrame, raw: NDArray[Any], code_column: str, name_column: str, options: SampleOptions, legend: Legend | None
) -> tuple[NDArray[Any], dict[str, int], str]:
    """Check codes against names; give the labels that win, the code of each name, and a note."""
    if code_column not in table.columns:
        raise SampleError(f"there is no column {code_column!r}; columns are {', '.join(map(str, table.columns))}")
    codes = [to_label(v) for v in table[code_column]]
    both = [i for i in range(len(raw)) if raw[i] is not None and codes[i] is not None]
    pairs = _pair([str(codes[i]) for i in both], [raw[i] for i in both])
    if legend is not None:
        of_legend = {str(c.code): c.name for c in legend}
        if set(pairs) <= set(of_legend) and options.code_column is not None:
            matched, _ = legend.match_names([str(r) for r in raw if r is not None])
            to_raw = {name: label for label, name in matched.items()}
            pairs = {code: to_raw.get(of_legend[code], of_legend[code]) for code in pairs}
    wrong = [i for i in both if pairs.get(str(codes[i])) != raw[i]]
    shown = "; ".join(f"row {i}: {code_column} {codes[i]} (elsewhere {pairs.get(str(codes[i]), 'no class')}) but "
                      f"{name_column} {raw[i]!r}" for i in wrong[:20])  # fmt: skip
    note = ""
    if wrong and options.prefer is None:
        raise SampleError(f"{len(wrong)} of {len(raw)} rows contradict themselves: {shown}. Correct the file, or say which "
                          "column wins with prefer: name or prefer: code")  # fmt: skip
    if wrong:
        note = f"{len(wrong)} rows contradict themselves, the {options.prefer} wins: {shown}"
        logger.warning("%s", note)
    if options.prefer == "code":
        raw = raw.copy()
        for i in wrong:
            raw[i] = pairs.get(str(codes[i]), raw[i])
    return raw, {name: int(code) for code, name in pairs.items() if code.lstrip("-").isdigit()}, note


# --- legend ---------------------------------------------------------------------------------------------------------------


def _match(
    used: list[str], codes: dict[str, int], legend: Legend | None, mapped: NDArray[Any], reasons: NDArray[Any], column: str
) -> tuple[Legend, dict[str, str]]:
    if legend is None:
        return _make_legend(used, codes), {u: u for u in used}
    matched, unmatched = legend.match_names(used)
    by_code = {str(c.code): c.name for c in legend}
    for label in list(unmatched):
        if label in by_code:
            matched[label] = by_code[label]
            del unmatched[label]
    if unmatched:
        def tell(label: str, near: str | None) -> str:
            n = int(np.sum((mapped == label) & [r is None for r in reasons]))
            return f"{label!r} ({n} rows{f', did you mean {near!r}?' if near else ''})"

        shown = ", ".join(tell(label, near) for label, near in list(unmatched.items())[:10])
        first = next(iter(unmatched))
        raise SampleError(f"column {column!r} has labels that are not in the legend: {shown}; classes are "
                          f"{', '.join(legend.names)}. Map them with classes: {{{first}: CLASS}}, or leave them out with "
                          f"exclude: [{first}]")  # fmt: skip
    return legend, matched


def _with_new_classes(legend: Legend, used: list[str]) -> Legend:
    """Append the labels that no class resembles: a reference may hold classes that the map lacks, an error of it."""
    codes = {str(c.code) for c in legend}
    new = [u for u, near in legend.match_names(used)[1].items() if near is None and u not in codes and not u.isdigit()]
    if not new:
        return legend
    free = (code for code in range(1, 65534) if str(code) not in codes and code not in (254, 255))
    return Legend((*legend, *(LandClass(next(free), c.name, c.color) for c in Legend.from_names(new))))


def _make_legend(used: list[str], codes: dict[str, int]) -> Legend:
    """Make the legend of the labels: stated codes first, else labels that are codes themselves, else numbered from 1."""
    made = Legend.from_names(used)
    if all(u in codes and 0 <= codes[u] <= 253 for u in used) and len({codes[u] for u in used}) == len(used):
        numbers = [codes[u] for u in used]
    elif all(u.isdigit() and int(u) <= 253 for u in used):
        numbers = [int(u) for u in used]
    else:
        return made
    return Legend(tuple(LandClass(n, c.name, c.color) for n, c in zip(numbers, made, strict=True)))
