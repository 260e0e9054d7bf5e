"""Assess from the counts of a published error matrix, without map or samples.

Receives a CSV file (rows map classes, columns reference classes, last column `mapped_area_px`); hands on an `Assessment`.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from landweave.assess.checks import check_sample
from landweave.assess.document import Assessment, Check
from landweave.assess.ends import RECOVERED, Ends, replicate_ends, with_ends
from landweave.assess.estimation import DESIGN_SE, Estimation, Evidence
from landweave.assess.options import AssessOptions
from landweave.assess.tables import (
    count_baselines,
    make_areas,
    make_classes,
    make_design,
    make_estimate,
    make_intervals,
    make_kappa,
    make_matrix,
)
from landweave.errors import AssessmentError, SourceError
from landweave.legend import Legend
from landweave.metrics.area import estimate_stratified
from landweave.metrics.recovered import recover_intervals
from landweave.metrics.resample import bootstrap_matrices
from landweave.metrics.units import UnitSample, make_shares
from landweave.types import Design, StratumInfo

__all__ = ["CountTable", "assess_counts", "read_counts"]

_AREA_COLUMN = "mapped_area_px"
_M2_PER_HA = 10_000.0


@dataclass(frozen=True)
class CountTable:
    """A published error matrix.

    Attributes:
        counts: Sample units (K map, K reference); columns in the order of the rows.
        names: Class names, as the rows have them.
        mapped_px: Mapped pixels of each class (K,).
    """

    counts: NDArray[np.float64]
    names: tuple[str, ...]
    mapped_px: NDArray[np.float64]


def read_counts(path: Path | str) -> CountTable:
    """Read a matrix of counts: a header, then a line per map class: its name, counts by reference class, mapped pixels.

    The last column is `mapped_area_px`. A `ref_` before the name of a reference column is left off; where the names then are
    those of the rows, columns go by name, else by order, for which there have to be as many as rows.

    Raises:
        SourceError: If the file is missing or is no text.
        AssessmentError: If the table is not of this shape or holds something else than counts; names line and column.
    """
    header, lines = _read_lines(path)
    if header[-1] != _AREA_COLUMN:
        raise AssessmentError(f"the last column of {path} is {header[-1]!r}; expected {_AREA_COLUMN!r} with the mapped pixels "
                              "of each row's class")  # fmt: skip
    columns = [name.removeprefix("ref_") for name in header[1:-1]]
    names = [line[0] for line in lines]
    if len(columns) != len(names):
        raise AssessmentError(f"{path} has {len(names)} rows (map classes) and {len(columns)} reference columns "
                              f"({', '.join(columns)}); expected the same classes on both sides, with a row of zeros for a "
                              "class that is not on the map")  # fmt: skip
    for what, given in (("row", names), ("column", columns)):
        doubled = sorted({n for n in given if given.count(n) > 1})
        if doubled:
            raise AssessmentError(f"class {doubled[0]!r} has two {what}s in {path}; give each class one")
    values = np.array([[_number(path, i, header[j], line[j]) for j in range(1, len(header))] for i, line in enumerate(lines)])
    by_name = set(names) == set(columns)
    if not by_name and set(names) & set(columns):
        odd = sorted(set(names) ^ set(columns))
        raise AssessmentError(f"rows and columns of {path} share some class names but not {', '.join(odd)}; spell them alike")
    order = [columns.index(n) for n in names] if by_name else list(range(len(names)))
    return CountTable(values[:, :-1][:, order], tuple(names), values[:, -1])


def _read_lines(path: Path | str) -> tuple[list[str], list[list[str]]]:
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError as err:
        raise SourceError(f"file {path} does not exist") from err
    except (UnicodeDecodeError, IsADirectoryError) as err:
        raise SourceError(f"{path} is not a text file; give a CSV of counts") from err
    rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines()) if any(cell.strip() for cell in row)]
    if len(rows) < 2 or len(rows[0]) < 3:
        raise AssessmentError(f"{path} has {len(rows)} lines; expected a header (map class, reference classes, {_AREA_COLUMN}) "
                              "and a line per map class, separated by commas")  # fmt: skip
    for i, row in enumerate(rows[1:], start=2):
        if len(row) != len(rows[0]):
            raise AssessmentError(f"line {i} of {path} has {len(row)} cells, the header {len(rows[0])}; give one per column")
    return rows[0], rows[1:]


def _number(path: Path | str, row: int, column: str, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise AssessmentError(f"{path} has {cell!r} in line {row + 2}, column {column}; expected a number of 0 or more")
    return value


def assess_counts(
    path: Path | str, *, pixel_area_m2: float, options: AssessOptions | None = None, title: str = ""
) -> Assessment:
    """Assess from published counts as of a stratified random sample whose strata are the map's classes.

    Olofsson et al. 2014, doi:10.1016/j.rse.2014.02.015, eq. 1-11. A simple random or systematic sample gives the same
    figures, post-stratified.

    Args:
        path: The CSV; see `read_counts`.
        pixel_area_m2: Area of a pixel in square metres (900 for Landsat).
        options: Options; `finite_population`, `interval`, `area_interval` and `scores` count here.
        title: For people.

    Raises:
        SourceError: If the file cannot be read.
        AssessmentError: If it is not such a table, the pixel area is not positive, a mapped class has no sample or a sampled
            one no mapped pixels.
    """
    options = options or AssessOptions()
    if not (math.isfinite(pixel_area_m2) and pixel_area_m2 > 0):
        raise AssessmentError(f"pixel area is {pixel_area_m2!r} m2; give a positive number such as 900 for 30 m pixels")
    table = read_counts(path)
    _check_rows(table, path)
    mapped_ha = table.mapped_px * (pixel_area_m2 / _M2_PER_HA)
    estimates = estimate_stratified(table.counts, mapped_ha, n_units=table.mapped_px if options.finite_population else None)
    estimates = with_ends(estimates, _make_ends(table, mapped_ha, options), options)
    note = "Map classes taken as strata of a random sample (Olofsson et al. 2014, doi:10.1016/j.rse.2014.02.015)."
    estimation = Estimation(estimates, "stratified", note, True, DESIGN_SE)
    return _write_up(table, mapped_ha, estimation, options, title, f"pixel of {pixel_area_m2:g} m2")


def _make_ends(table: CountTable, mapped_ha: NDArray[np.float64], options: AssessOptions) -> dict[str, Ends]:
    """Make the intervals that standard errors do not give, for the bootstrap by writing each count out as that many samples."""
    asked, made = {options.interval, options.area_interval}, dict[str, Ends]()
    for limits in RECOVERED:
        if limits in asked:
            made[limits] = recover_intervals(table.counts, mapped_ha, limits=limits)
    if "bootstrap" in asked:
        row, column = np.nonzero(table.counts)
        times = table.counts[row, column].round().astype(np.int64)
        stratum, reference = np.repeat(row, times), make_shares(np.repeat(column, times), len(table.names))
        sample = UnitSample(stratum, reference, (mapped_ha / np.maximum(table.counts.sum(axis=1), 1))[stratum], stratum)
        rng = np.random.default_rng(options.seed)
        made["bootstrap"] = replicate_ends(bootstrap_matrices(sample, draws=options.bootstrap_draws, rng=rng))
    return made


def _check_rows(table: CountTable, path: Path | str) -> None:
    drawn = table.counts.sum(axis=1)
    for name, n, px in zip(table.names, drawn, table.mapped_px, strict=True):
        if n > 0 and px == 0:
            raise AssessmentError(f"map class {name!r} in {path} has {n:g} samples but 0 pixels; correct {_AREA_COLUMN}")
        if n == 0 and px > 0:
            raise AssessmentError(f"map class {name!r} in {path} has {px:g} mapped pixels and no sample, so that the areas of "
                                  "the whole cannot be estimated; sample it or merge it with another class")  # fmt: skip


def _write_up(
    table: CountTable, mapped_ha: NDArray[np.float64], estimation: Estimation, options: AssessOptions, title: str, unit: str
) -> Assessment:
    classes, counts, e = Legend.from_names(table.names), table.counts, estimation.estimates
    design = _design_of(table, mapped_ha, unit)
    assessment = Assessment(
        title=title, basis="counts", basis_note="Computed from the counts of an error matrix as given; the samples themselves "
        "were not seen.", design=make_design(design, estimation),
        intervals=make_intervals(estimation, options.interval, options.area_interval),
        n_samples=round(counts.sum()), n_used=round(counts.sum()),
        overall_accuracy=make_estimate(e.overall, method=options.interval),
        macro_f1=make_estimate(e.macro_f1, method=options.interval), error_matrix=make_matrix(estimation, classes, counts),
        classes=make_classes(estimation, classes, counts, options.interval),
        areas=make_areas(classes, mapped_ha, table.mapped_px, e.area, None, options.area_interval),
        total_area_ha=float(mapped_ha.sum()),
        baselines=count_baselines(counts.sum(axis=0), of="the reference sample"), kappa=make_kappa(estimation, options.scores),
        checks=_check(table, classes, design, mapped_ha),
    )  # fmt: skip
    assessment.warnings = [check.message for check in assessment.checks if not check.passed]
    return assessment


def _design_of(table: CountTable, mapped_ha: NDArray[np.float64], unit: str) -> Design:
    strata = tuple(
        StratumInfo(name=name, size_px=round(px), area_ha=float(ha), n_drawn=round(n))
        for name, px, ha, n in zip(table.names, table.mapped_px, mapped_ha, table.counts.sum(axis=1), strict=True)
    )
    note = "Taken as a random sample with the map classes as strata; the counts do not say how it was drawn."
    return Design(kind="stratified", strata=strata, unit=unit, note=note)


def _check(table: CountTable, classes: Legend, design: Design, mapped_ha: NDArray[np.float64]) -> list[Check]:
    """Run the checks of a sample on counts, by writing each count out as that many samples."""
    row, column = np.nonzero(table.counts)
    times = table.counts[row, column].round().astype(np.int64)
    n = int(times.sum())
    blank = np.full(n, "", dtype=np.str_)
    evidence = Evidence(
        classes=classes, map_index=np.repeat(row, times), reference_index=np.repeat(column, times), mapped_ha=mapped_ha,
        mapped_px=table.mapped_px, design=design, map_checksum=None, stratum=blank, psu=blank,
        probability=np.full(n, np.nan), group=blank,
    )  # fmt: skip
    return check_sample(evidence, [])
