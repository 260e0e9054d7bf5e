"""Options of the samples stage: where labels come from, how they become rows, how rows are split into folds."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from landweave.samples.split_options import SplitOptions
from landweave.types import Options

__all__ = ["DesignOptions", "DrawOptions", "SampleOptions", "SplitOptions", "StratumOptions"]

Scalar = str | int | float | bool


class StratumOptions(Options):
    """A stratum of a stated design."""

    name: str = Field(description="as it stands in the stratum column")
    size_px: int = Field(gt=0, description="units (pixels) in the stratum")
    area_ha: float | None = Field(None, gt=0, description="area in hectares; size_px times the grid's mean pixel by default")
    code: int | None = Field(None, ge=0, description="code of the class of the map that is the stratum")


class DesignOptions(Options):
    """How the sample was drawn, as its makers state it."""

    kind: Literal["none", "simple", "systematic", "stratified", "cluster"] = Field(
        "none", description="probability design; `none` (places chosen at will) gives no estimated area and no interval"
    )
    strata: tuple[StratumOptions, ...] = Field((), description="strata with their sizes; needed for a stratified design")
    map_checksum: str | None = Field(None, description="sha256 of the map whose classes are the strata")
    unit: str = Field("pixel", description="what one sample unit is")
    seed: int | None = Field(None, description="seed of the draw, if known")
    note: str = Field("", description="in a sentence")

    @model_validator(mode="after")
    def _strata_stated(self) -> DesignOptions:
        if self.kind == "stratified" and not self.strata:
            raise ValueError("a stratified design needs `strata` with name and size_px each; state them, or kind: none")
        return self


class SampleOptions(Options):
    """Labelled places: a file of points, polygons or label pixels, or a table of series already extracted."""

    reference: str | None = Field(
        None, description="GPKG, GeoJSON, GeoParquet, Shapefile, CSV (lon/lat columns or Earth Engine's `.geo`), label raster"
    )
    series: str | None = Field(None, description="npz, parquet or csv with the series already extracted")
    layer: str | int | None = Field(None, description="layer of a file with several; band of a label raster")
    crs: str | None = Field(None, description="crs of a file that states none, e.g. EPSG:4326")
    where: dict[str, Scalar | list[Scalar]] = Field(default_factory=dict, description="keep rows whose column has this value")

    class_column: str | None = Field(None, description="column of the label; found by name (class, label, ...) by default")
    name_column: str | None = Field(None, description="column of the class name, where a code column stands beside it")
    code_column: str | None = Field(None, description="column of the class code, checked against the names")
    prefer: Literal["code", "name"] | None = Field(None, description="which wins where code and name of a row contradict")
    classes: dict[str, str] = Field(default_factory=dict, description="label in the file -> class name")
    exclude: tuple[str, ...] = Field((), description="labels or classes to leave out (listed as rejected)")
    unlabelled: tuple[Scalar, ...] = Field((), description="values of the label that mean 'no label', e.g. [0]")

    lon_column: str | None = Field(None, description="longitude (or x) column of a CSV; found by name by default")
    lat_column: str | None = Field(None, description="latitude (or y) column of a CSV")
    date_column: str | None = Field(None, description="one date per row: the day the label was seen")
    start_column: str | None = Field(None, description="first day the label stands for")
    end_column: str | None = Field(None, description="end of it, exclusive")
    start: date | None = Field(None, description="first day all labels stand for, where no column says it")
    end: date | None = Field(None, description="end of it, exclusive")
    group_column: str | None = Field(None, description="rows of one group never stand on both sides of a split")
    labeller_column: str | None = Field(None, description="who gave the label")
    stratum_column: str | None = Field(None, description="stratum the row was drawn in")
    psu_column: str | None = Field(None, description="primary sampling unit of a cluster design")
    probability_column: str | None = Field(None, description="inclusion probability")
    weight_column: str | None = Field(None, description="weight of the row in training")

    max_per_polygon: int | None = Field(None, ge=1, description="at most this many pixels of one polygon, chosen at random")
    max_per_class: int | None = Field(None, ge=1, description="at most this many rows of one class, spread over its polygons")
    seed: int = Field(0, ge=0, description="seed of the choices")
    purpose: Literal["train", "reference"] = Field("train", description="to train on, or to judge maps with")
    design: DesignOptions = Field(default_factory=DesignOptions, description="how the sample was drawn")

    bands: tuple[str, ...] | None = Field(None, description="bands of the series to keep, by name or alias; all by default")
    sensor: str = Field("generic", description="sensor whose aliases name the bands of the series")
    scale: float | None = Field(None, description="factor to physical units, where the series are stored as integers")
    nodata: float | None = Field(None, description="value of the series that means 'no observation'")
    dates: tuple[date, ...] | None = Field(None, description="dates of the series' steps, where the file states none")
    dates_are: Literal["start", "middle"] = Field(
        "start", description="what the file's dates stand for: the start of each period (composites) or its middle"
    )

    @field_validator("classes", mode="before")
    @classmethod
    def _labels_as_text(cls, value: Any) -> Any:
        return {str(k): v for k, v in value.items()} if isinstance(value, dict) else value

    @field_validator("exclude", mode="before")
    @classmethod
    def _exclude_as_text(cls, value: Any) -> Any:
        return tuple(str(v) for v in value) if isinstance(value, list | tuple) else value

    @model_validator(mode="after")
    def _one_source(self) -> SampleOptions:
        if (self.reference is None) == (self.series is None):
            given = "both are given" if self.reference else "neither is given"
            raise ValueError(f"samples need either `reference` (places) or `series` (extracted series); {given}")
        if self.date_column and (self.start_column or self.end_column):
            raise ValueError(f"date_column {self.date_column!r} stands beside start_column or end_column; give one kind")
        if self.start and self.end and self.start >= self.end:
            raise ValueError(f"start {self.start} is not before end {self.end}; end is exclusive")
        return self


class DrawOptions(Options):
    """How a reference sample is drawn from strata."""

    kind: Literal["simple", "stratified", "systematic", "cluster", "stratified-cluster"] = Field(
        "stratified", description="the design; stratified-cluster draws squares within each stratum, then places in them"
    )
    n: int | None = Field(None, gt=0, description="places in all; computed where half_width or target_se is given instead")
    half_width: float | None = Field(
        None, gt=0, lt=1, description="instead of n: half the 95 % interval wanted of overall accuracy (0.03 for +- 3 points)"
    )
    allocation: Literal["proportional", "equal", "neyman", "optimal"] | dict[str, int] = Field(
        "proportional",
        description="places per stratum: by area, the same for each, by area times expected scatter (neyman), as few as reach "
        "target_se (optimal), or by hand (name: n)",
    )
    min_per_stratum: int = Field(
        0, ge=0, description="no stratum gets fewer (as long as it has the pixels), even where the total then exceeds n"
    )
    expected_accuracy: float | dict[str, float] = Field(
        0.8, description="user's accuracy expected of map classes, one for all or by name; neyman, optimal and sizes rest on it"
    )
    expected_shares: dict[str, dict[str, float]] = Field(
        default_factory=dict,
        description="stratum -> class -> share expected there, e.g. from a pilot sample; by default a stratum's errors are "
        "spread over the other classes by size",
    )
    target_se: dict[str, float] = Field(
        default_factory=dict, description="class -> standard error wanted of its area, as a share of the whole area (optimal)"
    )
    neyman_for: str | None = Field(None, description="class whose area neyman serves best; overall accuracy by default")
    psu_px: int = Field(50, ge=2, description="side in pixels of the square clusters (kinds with cluster)")
    per_psu: int = Field(10, ge=1, description="places drawn in each cluster (kinds with cluster)")
    design_effect: float = Field(
        1.0, gt=0,
        description="factor on the size that half_width asks of a simple, systematic or cluster sample; for clusters "
        "1 + (per_psu - 1) times the correlation within them",
    )  # fmt: skip
    seed: int = Field(0, ge=0, description="seed of the draw")

    @property
    def by_stratum(self) -> bool:
        """Whether each stratum has a sample of its own."""
        return self.kind in ("stratified", "stratified-cluster")

    @model_validator(mode="after")
    def _size_given(self) -> DrawOptions:
        optimal = self.allocation == "optimal"
        given = [name for name, there in (("n", self.n), ("half_width", self.half_width), ("allocation optimal", optimal),
                                          ("allocation by hand", isinstance(self.allocation, dict))) if there]  # fmt: skip
        if not given:
            raise ValueError("the size of the sample is not given; give n, half_width, or allocation: optimal with target_se")
        if self.n is not None and self.half_width is not None:
            raise ValueError(f"n {self.n} and half_width {self.half_width:g} are both given; give one")
        if optimal != bool(self.target_se):
            raise ValueError(f"allocation is {self.allocation!r} and target_se {self.target_se or 'empty'}; optimal needs a "
                             "target per class, and targets need allocation: optimal")  # fmt: skip
        if not self.by_stratum and self.allocation in ("neyman", "optimal"):
            raise ValueError(f"allocation {self.allocation!r} is for strata, but the kind is {self.kind!r}; choose stratified")
        return self
