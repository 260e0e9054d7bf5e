"""How much a model's scores drop when its input is worse than what it was trained on.

Receives a per-pixel model, the cubes and samples that did not train it; hands on a table of scores under corruptions, missing
dates, bands and inputs, and on samples from elsewhere or another year.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from landweave.assess.text import TextTable
from landweave.cube import read_blocks, select_season
from landweave.errors import AssessmentError
from landweave.features.corruptions import BandRanges, corrupt, is_applicable, list_corruptions
from landweave.grid import Window, geobox_of
from landweave.metrics import count_confusion, score_matrix
from landweave.samples.extract import season_starts
from landweave.samples.reference import pixel_of
from landweave.types import CubeSet, Document, ModelCard, ModelInput, Progress, SampleTable, track

__all__ = ["Robustness", "RobustnessRow", "assess_robustness"]

CHIP_PX = 128
"""Side of the pieces of the output grid that are corrupted at a time."""
HALO_PX = 16
"""Margin around them, in pixels of the coarsest cube: what blur and shifts bring in."""
_DATE_SHARES = (0.1, 0.25, 0.5)


class PixelPredictor(Protocol):
    """A model that looks at one pixel at a time."""

    @property
    def card(self) -> ModelCard:
        """The model's card."""
        ...

    def predict_features(self, flat: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give probabilities (row, class) of feature rows (row, feature), NaN where not usable."""
        ...


class RobustnessRow(Document):
    """Scores in one case. Samples that the model cannot answer count as wrong."""

    case: str = Field(description="corruption, or what is missing, or where the samples are from")
    severity: int | None = Field(description="1, 2 or 3; None where there are no degrees")
    n: int = Field(description="samples scored")
    overall_accuracy: float
    macro_f1: float
    accuracy_drop: float = Field(description="overall accuracy of the clean input minus this")
    f1_drop: float = Field(description="macro F1 of the clean input minus this")
    no_answer: float = Field(description="share of samples without enough valid observations for an answer")


class Robustness(Document):
    """Table of score drops; the first row is the clean input."""

    schema_version: int = 1
    rows: tuple[RobustnessRow, ...]
    note: str = ""

    def to_table(self) -> TextTable:
        """Format as a table of strings."""
        columns = ("case", "severity", "samples", "accuracy", "drop", "macro F1", "drop", "no answer")
        rows = tuple(
            (r.case, "-" if r.severity is None else str(r.severity), str(r.n), f"{r.overall_accuracy:.3f}",
             f"{r.accuracy_drop:+.3f}", f"{r.macro_f1:.3f}", f"{r.f1_drop:+.3f}", f"{r.no_answer:.1%}")
            for r in self.rows
        )  # fmt: skip
        return TextTable("How scores drop when the input is worse", columns, rows, self.note)


@dataclass(frozen=True)
class _Case:
    """One row of the table: a corruption, or steps (input -> mask) or bands that are taken away."""

    name: str
    severity: int | None = None
    corruption: str | None = None
    lost_dates: float = 0.0
    lost_band: tuple[str, str] | None = None
    lost_input: str | None = None


@dataclass(frozen=True)
class _Setting:
    """What all chips share."""

    inputs: tuple[ModelInput, ...]
    ranges: Mapping[str, BandRanges]
    instead: Mapping[str, NDArray[np.float32]]
    cases: tuple[_Case, ...]
    lost: Mapping[tuple[int, str], NDArray[np.int64]]
    seed: int


def assess_robustness(
    model: PixelPredictor, cubes: CubeSet, samples: SampleTable, *, corruptions: Sequence[str] | None = None,
    severities: Sequence[int] = (1, 2, 3), rng: np.random.Generator, others: Mapping[str, SampleTable] | None = None,
    others_model: PixelPredictor | None = None, progress: Progress | None = None,
) -> Robustness:  # fmt: skip
    """Score a model on corrupted input.

    Pieces of the cubes around the samples are read once, corrupted in every way, and the samples' features taken from them
    anew. Besides the corruptions, shares of the dates (10, 25, 50 % by severity), every band, and every input of several are
    taken away. A model that fills gaps in time has no answer without a band, so that it is given the band's median over the
    samples instead; the others get nodata. The same seed gives the same table.

    Args:
        model: A per-pixel model.
        cubes: The cubes that the samples' features come from.
        samples: Samples with features that the model has not seen.
        corruptions: Names of `features.corruptions.LEVELS`; all by default. Those that touch no band are left out.
        severities: Of 1, 2, 3.
        rng: Where chance comes from.
        others: Name -> samples with features of another region or year, scored as they are.
        others_model: The model that is asked for `others`; `model` by default (`HeldOutModels` answers its own rows only).
        progress: Told about pieces.

    Returns:
        The table; the clean input first.

    Raises:
        AssessmentError: If the model sees more than a pixel, the samples have no features or are none, or features differ.
        CubeError: If a corruption or severity is unknown.
        SourceError: If a file cannot be read; names it.
    """
    _check(model, samples)
    setting = _set_up(model, samples, list_corruptions() if corruptions is None else corruptions, severities, rng)
    features = _corrupt_features(setting, cubes, samples, progress)
    truth = samples.to_class_index()
    clean = _score(model, samples.to_features(), truth, _Case("clean"), None)
    rows = [clean, *(_score(model, f, truth, case, clean) for case, f in zip(setting.cases, features, strict=True))]
    for name, table in (others or {}).items():
        _check(others_model or model, table)
        there = np.array([samples.legend.index_of(n) for n in table.frame["class"]], dtype=np.int64)
        rows.append(_score(others_model or model, table.to_features(), there, _Case(f"other: {name}"), clean))
    return Robustness(rows=tuple(rows), note="Samples that the model cannot answer count as wrong.")


def _check(model: PixelPredictor, samples: SampleTable) -> None:
    if model.card.context_px > 0:
        raise AssessmentError(f"model {model.card.model!r} sees {model.card.context_px} pixels around each; the robustness "
                              "table takes per-pixel models")  # fmt: skip
    if len(samples) == 0 or not samples.inputs:
        raise AssessmentError(f"{len(samples)} samples with {len(samples.feature_names)} features; give samples that "
                              "extract_samples has read from a cube")  # fmt: skip
    if samples.feature_names != model.card.features:
        raise AssessmentError(f"samples have {len(samples.feature_names)} features {samples.feature_names[:3]}..., the model "
                              f"{len(model.card.features)} {model.card.features[:3]}...; extract the samples from a cube with "
                              "the same bands and dates")  # fmt: skip


def _set_up(
    model: PixelPredictor, samples: SampleTable, corruptions: Sequence[str], severities: Sequence[int], rng: np.random.Generator
) -> _Setting:
    inputs, ranges, instead, flat, at = samples.inputs, {}, {}, samples.to_features(), 0
    filled = model.card.missing == "fill"
    for spec in inputs:
        width = len(spec.feature_names)
        by_band = flat[:, at : at + width].reshape(-1, len(spec.bands))
        low, high = np.nanpercentile(by_band, [1, 99], axis=0).astype(np.float32)
        ranges[spec.name] = BandRanges(low, high, spec.kinds)
        instead[spec.name] = (
            np.nanmedian(by_band, axis=0).astype(np.float32) if filled else np.full(len(low), np.nan, np.float32)
        )
        at += width
    cases = tuple(_list_cases(inputs, corruptions, severities, " (median instead)" if filled else ""))
    lost = {}
    for i, case in enumerate(cases):
        for spec in inputs:
            steps = spec.n_steps or 0
            n = max(1, round(case.lost_dates * steps)) if case.lost_dates and steps else 0
            lost[i, spec.name] = rng.permutation(steps)[:n]
    return _Setting(inputs, ranges, instead, cases, lost, int(rng.integers(2**62)))


def _list_cases(
    inputs: Sequence[ModelInput], corruptions: Sequence[str], severities: Sequence[int], said: str
) -> Iterator[_Case]:
    for name in corruptions:
        if any(is_applicable(name, spec.kinds) for spec in inputs):
            yield from (_Case(name, s, corruption=name) for s in severities)
    if any((spec.n_steps or 0) > 1 for spec in inputs):
        for s in severities:
            yield _Case(f"missing dates ({_DATE_SHARES[s - 1]:.0%})", s, lost_dates=_DATE_SHARES[s - 1])
    several = len(inputs) > 1
    for spec in inputs:
        prefix = f"{spec.name}." if several else ""
        yield from (_Case(f"missing band {prefix}{band}{said}", lost_band=(spec.name, band)) for band in spec.bands)
        if several:
            yield _Case(f"missing input {spec.name}{said}", lost_input=spec.name)


# --- features ----------------------------------------------------------------------------------------------------------------


def _corrupt_features(
    setting: _Setting, cubes: CubeSet, samples: SampleTable, progress: Progress | None
) -> NDArray[np.float32]:
    """Take the features of all samples in all cases: (case, sample, feature)."""
    row, col = pixel_of(samples.frame, cubes.geobox)
    out = np.full((len(setting.cases), len(samples), len(samples.feature_names)), np.nan, dtype=np.float32)
    chips = _list_chips(setting, cubes, samples, row, col)
    ratio = max(round(geobox_of(cube).affine.a / cubes.geobox.affine.a) for cube in cubes.cubes.values())
    for served, window, rows in track(chips, "robustness", len(chips), progress, unit="pieces"):
        blocks = read_blocks(served, window, halo_px=HALO_PX * ratio, names=[i.name for i in setting.inputs])
        at = 0
        for k, spec in enumerate(setting.inputs):
            block, width = blocks[spec.name], len(spec.feature_names)
            r, c = (_to_block(v[rows], block, served, low) for v, low in ((row, block.window.row), (col, block.window.col)))
            values = block.values if spec.n_steps is not None else block.values[None]
            for i in range(len(setting.cases)):
                rng = np.random.default_rng([setting.seed, i, k, window.row, window.col])
                worse = _apply(setting, i, spec, values, rng)
                out[i, rows, at : at + width] = worse[:, :, r, c].reshape(width, len(rows)).T
            at += width
    return out


def _to_block(pixel: NDArray[np.int64], block: Any, cubes: CubeSet, first: int) -> NDArray[np.int64]:
    ratio = round(block.geobox.affine.a / cubes.geobox.affine.a)
    inside: NDArray[np.int64] = pixel // ratio - first + block.halo_px
    return inside


def _list_chips(
    setting: _Setting, cubes: CubeSet, samples: SampleTable, row: NDArray[np.int64], col: NDArray[np.int64]
) -> list[tuple[CubeSet, Window, NDArray[np.int64]]]:
    """Group the samples by season and by piece of the grid."""
    season = next((i.season for i in setting.inputs if i.season is not None), None)
    starts = [None] * len(samples) if season is None else season_starts(samples.frame, season)
    groups: dict[Any, list[int]] = defaultdict(list)
    for n in range(len(samples)):
        groups[starts[n], int(row[n]) // CHIP_PX, int(col[n]) // CHIP_PX].append(n)
    served = {s: cubes if season is None or s is None else select_season(cubes, season, s) for s in set(starts)}
    return [
        (served[start], Window(y * CHIP_PX, x * CHIP_PX, CHIP_PX, CHIP_PX), np.array(rows, dtype=np.int64))
        for (start, y, x), rows in sorted(groups.items(), key=lambda kv: str(kv[0]))
    ]


def _apply(
    setting: _Setting, i: int, spec: ModelInput, values: NDArray[np.float32], rng: np.random.Generator
) -> NDArray[np.float32]:
    case = setting.cases[i]
    if case.corruption is not None:
        return corrupt(values, case.corruption, severity=case.severity or 1, ranges=setting.ranges[spec.name], rng=rng)
    worse = values.copy()
    worse[setting.lost[i, spec.name]] = np.nan
    if case.lost_band is not None and case.lost_band[0] == spec.name:
        band = spec.bands.index(case.lost_band[1])
        worse[:, band] = setting.instead[spec.name][band]
    if case.lost_input == spec.name:
        worse[:] = setting.instead[spec.name][:, None, None]
    return worse


# --- scores ------------------------------------------------------------------------------------------------------------------


def _score(
    model: PixelPredictor, features: NDArray[np.float32], truth: NDArray[np.int64], case: _Case, clean: RobustnessRow | None
) -> RobustnessRow:
    proba = model.predict_features(features)
    known = ~np.isnan(proba[:, 0])
    k = proba.shape[1]
    answer = np.where(known, np.where(known[:, None], proba, 0).argmax(axis=1), k)  # the row of no answer, wrong for all
    matrix = count_confusion(answer, truth, k + 1)
    accuracy, f1 = float(score_matrix(matrix, "overall_accuracy")), float(score_matrix(matrix, "macro_f1"))
    row = RobustnessRow(case=case.name, severity=case.severity, n=len(truth), overall_accuracy=accuracy, macro_f1=f1,
                        accuracy_drop=0.0, f1_drop=0.0, no_answer=float(np.mean(~known)))  # fmt: skip
    if clean is None:
        return row
    drops = {"accuracy_drop": clean.overall_accuracy - accuracy, "f1_drop": clean.macro_f1 - f1}
    return row.model_copy(update=drops)
