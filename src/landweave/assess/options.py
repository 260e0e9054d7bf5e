"""Options of an assessment."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from landweave.assess.area_units import AreaUnit
from landweave.assess.wording import Language
from landweave.types import Options

__all__ = ["AssessInterval", "AssessOptions", "Labels"]

AssessInterval = Literal["midp", "normal", "wilson", "logit", "bootstrap", "jeffreys"]
Labels = Literal["class", "shares", "either"]


class AssessOptions(Options):
    """How a map is judged; the 95 % level is fixed by the document."""

    interval: AssessInterval = Field(
        default="midp",
        description="Interval of accuracies: midp (mid-P limits of each stratum put together, which hold the truth for rare "
        "classes too; logit where the design has no such strata), normal (value +- 1.96 se, as Olofsson et al. 2014 print it; "
        "too narrow for rare classes), wilson or logit (better than normal near 0 or 1), bootstrap (percentiles of replicates "
        "drawn by the design), jeffreys (like midp, a little narrower).",
    )
    area_interval: AssessInterval = Field(
        default="midp", description="Interval of areas, likewise; with normal it is the area +- 1.96 standard errors."
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
    area_unit: AreaUnit = Field(
        default="ha", description="Unit of areas in tables and report: ha, km2, m2 or acre; assessment.json holds hectares."
    )
    language: Language = Field(default="en", description="Language of report.html: en, es, fr or pt.")
    no_locations: bool = Field(
        default=False,
        description="Keep training places secret: the report shows no sample places, and the training area in report and model "
        "card is rounded outward to whole degrees.",
    )
