"""The result of an assessment as a document: what stands in `assessment.json`, and its JSON schema.

Receives nothing but numbers from the other modules of this room; the report, the web page and other programs read it. Every
share is 0..1, every area geodesic hectares. Where a number does not exist it is null, and a `why` beside it says the reason.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from landweave.errors import AssessmentError, SourceError
from landweave.io.files import read_json, write_json
from landweave.types import Document, StratumInfo

__all__ = [
    "ApplicabilitySummary",
    "Assessment",
    "Baseline",
    "Check",
    "ClassAccuracy",
    "ClassArea",
    "ClassScore",
    "CrossValidationScores",
    "CrossValidationSummary",
    "DesignSummary",
    "Estimate",
    "Intervals",
    "LeftOut",
    "MatrixTable",
    "ReliabilitySummary",
    "assessment_schema",
    "read_assessment",
    "write_assessment",
]

SCHEMA_VERSION = 1

Basis = Literal["reference-sample", "held-out", "counts", "cross-validation"]
"""What the accuracies rest on; `cross-validation` means that no map was judged and only that section is filled."""

Estimator = Literal["stratified", "post-stratified", "strata-other-than-map", "simple", "cluster", "plain", "none"]
"""How counts became estimates; `plain` is unweighted shares of a sample without a design, `none` that there are none."""


class Estimate(Document):
    """A share (0..1) with its uncertainty.

    Attributes:
        value: The estimate; null where it is undefined (a class without samples has no user's accuracy).
        se: Standard error; null where there is none.
        lower: Lower end of the 95 % interval, >= 0; null where the design allows no interval.
        upper: Upper end, <= 1; null likewise.
        n: Sample units that the figure rests on (its denominator: the map class, the reference class, or all).
        why: Reason for what is null, or for a standard error that is a bound; null where nothing needs to be said.
    """

    value: float | None = None
    se: float | None = None
    lower: float | None = None
    upper: float | None = None
    n: int = 0
    why: str | None = None


class MatrixTable(Document):
    """The error matrix: rows are map classes, columns reference classes, both in the order of `classes`.

    Attributes:
        counts: Sample units (map, reference); a sample on nodata stands in no cell.
        proportions: Estimated shares of the mapped area (map, reference), which sum to 1; plain shares of the sample where
            there is no design; null where there are no samples.
        row_codes: Map codes of the rows.
        row_names: Class names of the rows.
        column_codes: Codes of the reference classes.
        column_names: Names of the reference classes.
    """

    counts: list[list[float]]
    proportions: list[list[float]] | None = None
    row_codes: list[int]
    row_names: list[str]
    column_codes: list[int]
    column_names: list[str]


class ClassAccuracy(Document):
    """How well one class is mapped; user's = 1 - commission error, producer's = 1 - omission error."""

    code: int
    name: str
    color: str | None = None
    users: Estimate
    producers: Estimate
    f1: Estimate
    iou: Estimate


class ClassArea(Document):
    """The area of one class: as mapped, and as estimated from the reference sample.

    Attributes:
        code: Map code.
        name: Class name.
        color: "#rrggbb", where the legend is known.
        mapped_px: Mapped pixels; null where only areas are known.
        mapped_ha: Mapped geodesic area.
        mapped_share: Share of the mapped area of all classes.
        area_ha: Estimated area, corrected for the map's errors; null without a probability design, with `why`.
        area_share: `area_ha` as a share of the total.
        se_ha: Standard error.
        ci95_ha: Half-width of the 95 % interval.
        lower_ha: Lower end, >= 0.
        upper_ha: Upper end, <= the total.
        why: Reason for what is null, or for a standard error that is a bound.
    """

    code: int
    name: str
    color: str | None = None
    mapped_px: int | None = None
    mapped_ha: float | None = None
    mapped_share: float | None = None
    area_ha: float | None = None
    area_share: float | None = None
    se_ha: float | None = None
    ci95_ha: float | None = None
    lower_ha: float | None = None
    upper_ha: float | None = None
    why: str | None = None


class ClassScore(Document):
    """Scores of one class in cross-validation; `n_blocks` is the number of spatial blocks that it stands in."""

    name: str
    n: int
    n_blocks: int | None = None
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None
    is_learnable: bool = True


class CrossValidationScores(Document):
    """Out-of-fold scores under one kind of fold, means over the repeats.

    Attributes:
        overall_accuracy: Share of tested samples that were right.
        overall_accuracy_se: Its standard error from a bootstrap of whole blocks (`block_size_m`); null where there is one
            block only.
        macro_f1: Mean F1 over all classes that have samples.
        macro_f1_se: Likewise.
        overall_accuracy_learnable: The same without the samples of `classes_in_one_block`.
        overall_accuracy_learnable_se: Its standard error.
        macro_f1_learnable: Mean F1 over the other classes.
        macro_f1_learnable_se: Its standard error.
        n_folds: Folds in a repeat.
        n_repeats: Repeats.
        n_samples: Samples in the table.
        n_tested: Samples that were tested at least once.
        n_blocks: Spatial blocks that hold samples; null where no blocks are known.
        block_size_m: Side of the blocks, which make the spatial folds and the bootstrap of both kinds; null where they are not
            square. For blocks in degrees it is their height.
        buffer_m: Distance from tested samples within which training samples were left out; null for random folds.
        classes_in_one_block: Names of the classes that stand in fewer than two blocks: a spatial fold that tests them has
            never seen them.
        classes: Scores by class.
        counts: Error matrix of the predictions (rows predicted, columns truth), mean over the repeats.
        answers: The question that this number answers, in a sentence.
    """

    overall_accuracy: float
    overall_accuracy_se: float | None = None
    macro_f1: float
    macro_f1_se: float | None = None
    overall_accuracy_learnable: float | None = None
    overall_accuracy_learnable_se: float | None = None
    macro_f1_learnable: float | None = None
    macro_f1_learnable_se: float | None = None
    n_folds: int
    n_repeats: int
    n_samples: int
    n_tested: int
    n_blocks: int | None = None
    block_size_m: float | None = None
    buffer_m: float | None = None
    classes_in_one_block: list[str] = Field(default_factory=list)
    classes: list[ClassScore] = Field(default_factory=list)
    counts: list[list[float]] = Field(default_factory=list)
    answers: str = ""


class CrossValidationSummary(Document):
    """Random folds (places between the samples), spatial (new places) and, where asked for, kNNDM (places of the map)."""

    random: CrossValidationScores | None = None
    spatial: CrossValidationScores | None = None
    knndm: CrossValidationScores | None = None


class ApplicabilitySummary(Document):
    """How much of the map looks unlike anything that the model was trained and tested on.

    Attributes:
        outside_px: Pixels whose dissimilarity exceeds the threshold.
        total_px: Pixels with a class or unsure.
        outside_ha: Geodesic area of the former.
        outside_share: Its share of the mapped area; null for an empty map.
        threshold: Dissimilarity index beyond which a pixel is outside; null where the model's card is not known.
    """

    outside_px: int
    total_px: int
    outside_ha: float
    outside_share: float | None = None
    threshold: float | None = None


class ReliabilitySummary(Document):
    """Whether stated probabilities come true, on rows that spatial folds held out; bins of equal numbers of rows.

    Attributes:
        confidence: Mean probability of the most probable class in each bin.
        accuracy: Share of the bin's rows whose most probable class was right.
        n: Rows of each bin.
        ece_before: Expected calibration error of the model's own probabilities; null where it is not calibrated.
        ece: The same of the calibrated ones, measured on folds that the calibration was not fitted to.
        ece_lower: Lower end of its 95 % interval (bootstrap of blocks).
        ece_upper: Upper end.
    """

    confidence: list[float]
    accuracy: list[float]
    n: list[int]
    ece_before: float | None = None
    ece: float | None = None
    ece_lower: float | None = None
    ece_upper: float | None = None


class Baseline(Document):
    """A score to hold the model against: classifiers that look at no pixel, or a published result under its own protocol."""

    overall_accuracy: float | None = None
    macro_f1: float
    note: str = ""


class DesignSummary(Document):
    """How the reference sample was drawn and which estimator follows from it.

    Attributes:
        kind: Kind of design; `none` means opportunistic.
        note: In a sentence.
        unit: What one sample unit is ("pixel 10 m").
        strata: The strata, as drawn.
        strata_checksum: sha256 of the map whose classes were the strata.
        map_is_strata: Whether that map is the assessed one; null where the strata come from no map.
        estimator: Estimator used.
        estimator_note: Why this one, with its source.
    """

    kind: Literal["none", "simple", "systematic", "stratified", "cluster"] = "none"
    note: str = ""
    unit: str = "pixel"
    strata: list[StratumInfo] = Field(default_factory=list)
    strata_checksum: str | None = None
    map_is_strata: bool | None = None
    estimator: Estimator = "plain"
    estimator_note: str = ""


class Intervals(Document):
    """How intervals and standard errors were made; the methods are null where there are no intervals, with `why`."""

    method: Literal["midp", "normal", "wilson", "logit", "bootstrap", "jeffreys"] | None = None
    area_method: Literal["midp", "normal", "wilson", "logit", "bootstrap", "jeffreys"] | None = None
    level: float = 0.95
    se_method: str | None = None
    why: str | None = None


class LeftOut(Document):
    """Reference samples that are in no cell of the matrix, and the reason; none is dropped silently."""

    n: int
    reason: str


class Check(Document):
    """One thing that was looked at before the numbers were made; `passed` False asks for a reader's attention."""

    name: str
    passed: bool
    message: str


class Assessment(Document):
    """How good a map is and how much of what there is: `assessment.json`.

    Attributes:
        schema_version: Version of this document.
        title: For people.
        basis: What the accuracies rest on.
        basis_note: The same in a sentence for the report: provenance of the reference and what it can answer.
        map_checksum: sha256 of the assessed `map.tif`.
        design: Sampling design and estimator.
        intervals: How intervals were made.
        n_samples: Reference samples given.
        n_used: Those that stand in the matrix.
        left_out: The others, by reason.
        overall_accuracy: Share of the area (or of the sample, where there is no design) mapped right.
        macro_f1: Mean F1 over the classes that occur in the reference.
        kappa: Cohen's kappa, only where asked for.
        error_matrix: Counts and proportions; null for cross-validation alone.
        classes: Accuracy by class, in legend order.
        areas: Areas by class, in legend order.
        total_area_ha: Mapped area of all classes together; nodata and unsure are not in it.
        nodata_ha: Area of the map's grid without a class for want of data.
        unsure_ha: Area that the model declined to classify.
        areas_why: Why there are no area estimates; null where there are.
        cross_validation: Scores of the model on its training samples, if known.
        applicability: How much of the map the model was never tested for; null where that was not asked for.
        reliability: Whether the model's probabilities come true; null where it keeps no held-out scores.
        baselines: "majority" and "prior" (a model that does not beat them has learnt nothing), and published results.
        checks: What was looked at.
        warnings: What a reader has to know before using a number.
    """

    schema_version: Literal[1] = 1
    title: str = ""
    basis: Basis
    basis_note: str = ""
    map_checksum: str | None = None
    design: DesignSummary = Field(default_factory=DesignSummary)
    intervals: Intervals = Field(default_factory=Intervals)
    n_samples: int = 0
    n_used: int = 0
    left_out: list[LeftOut] = Field(default_factory=list)
    overall_accuracy: Estimate = Field(default_factory=Estimate)
    macro_f1: Estimate = Field(default_factory=Estimate)
    kappa: float | None = None
    error_matrix: MatrixTable | None = None
    classes: list[ClassAccuracy] = Field(default_factory=list)
    areas: list[ClassArea] = Field(default_factory=list)
    total_area_ha: float | None = None
    nodata_ha: float | None = None
    unsure_ha: float | None = None
    areas_why: str | None = None
    cross_validation: CrossValidationSummary = Field(default_factory=CrossValidationSummary)
    applicability: ApplicabilitySummary | None = None
    reliability: ReliabilitySummary | None = None
    baselines: dict[str, Baseline] = Field(default_factory=dict)
    checks: list[Check] = Field(default_factory=list)
    warnings: list[str] = Field(default_factory=list)


def assessment_schema() -> dict[str, Any]:
    """Give the JSON schema of `assessment.json`."""
    return Assessment.model_json_schema()


def write_assessment(assessment: Assessment, path: Path | str) -> Path:
    """Write `assessment.json` atomically; the same assessment gives the same bytes."""
    write_json(path, assessment.model_dump(mode="json"))
    return Path(path)


def read_assessment(path: Path | str) -> Assessment:
    """Read an `assessment.json`.

    Raises:
        SourceError: If the file is missing or not JSON.
        AssessmentError: If it is JSON but not an assessment of this version; names the first wrong key.
    """
    data = read_json(path)
    if not isinstance(data, dict):
        raise SourceError(f"{path} holds a JSON {type(data).__name__}, not an assessment; give an assessment.json")
    version = data.get("schema_version")
    if version != SCHEMA_VERSION:
        raise AssessmentError(f"{path} has schema_version {version!r}, this version of landweave reads {SCHEMA_VERSION}; "
                              "make it anew with landweave assess")  # fmt: skip
    try:
        return Assessment.model_validate(data)
    except ValidationError as err:
        first = err.errors()[0]
        where = ".".join(str(p) for p in first["loc"])
        raise AssessmentError(
            f"{path} is not an assessment: {where}: {first['msg']}; make it anew with landweave assess"
        ) from err
