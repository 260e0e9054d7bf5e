"""Options of an assessment."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from landweave.assess.wording import Language
from landweave.types import Options

__all__ = ["AssessInterval", "AssessOptions", "Labels"]

AssessInterval = Literal["normal", "wilson", "logit", "bootstrap", "jeffreys"]
Labels = Literal["class", "shares", "either"]


class AssessOptions(Options):
    """How a map is judged; the 95 % level is fixed by the document."""

    interval: AssessInterval = Field(
        default="normal",
        description="Interval of accuracies: normal (value +- 1.96 se, the field's good practice), wilson or logit (better "
        "for shares near 0 or 1 from few samples), bootstrap (percentiles of replicates drawn by the design), jeffreys (limits "
        "of each stratum put together, which hold for rare classes too; logit where the design has no such strata).",
    )
    area_interval: AssessInterval = Field(
        default="normal", description="Interval of areas, likewise; jeffreys serves rare classes best."
    )
    labels: Labels = Field(
        default="class",
        description="What the reference says: its class; the shares of several classes (columns share:CLASS, such as votes); "
        "or either the class or the one in the column alternate, where agreement with one of them counts as right and areas go "
        "by the class.",
    )
    systematic_variance: Literal["simple", "successive"] = Field(
        default="simple",
        description="Variance of a systematic sample: that of a simple random one (conservative) or from successive "
        "differences along the lattice (nearer to the truth where neighbours are alike, but not safe against periods in the "
        "landscape).",
    )
    scores: tuple[Literal["kappa"], ...] = Field(
        default=(), description="Scores beyond the usual ones. kappa is for comparison with older work only."
    )
    allow_training_rows: bool = Field(
        default=False,
        description="Judge the map on reference rows even where they trained the model or lie within buffer_m of a row that "
        "did; the report then says so.",
    )
    buffer_m: float = Field(
        default=0.0, ge=0,
        description="Distance in metres from a training row within which a reference row is refused; 0 refuses rows in the "
        "same pixel only.",
    )  # fmt: skip
    finite_population: bool = Field(
        default=False,
        description="Shrink standard errors by the sampled share of each stratum (finite population correction).",
    )
    bootstrap_draws: int = Field(
        default=1000, ge=100, le=100_000, description="Draws of the block bootstrap behind standard errors without a design."
    )
    seed: int = Field(default=0, description="Seed of the bootstrap.")
    language: Language = Field(default="en", description="Language of report.html: en, es, fr or pt.")
    no_locations: bool = Field(
        default=False,
        description="Keep training places secret: the report shows no sample places, and the training area in report and model "
        "card is rounded outward to whole degrees.",
    )
