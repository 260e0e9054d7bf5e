"""What crosses rooms: the nouns that one stage hands to the next, with their shapes, units and nodata.

Kernels work on plain arrays; rooms exchange these. Options of a stage are pydantic models that inherit `Options` and live in
the room of the stage; documents on disk (model card, design) are pydantic models here when more than one room reads them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from landweave.errors import BandError, SampleError
from landweave.grid import GeoBox, Window
from landweave.legend import Legend

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd
    import xarray as xr

BandKind = Literal["reflectance", "index", "backscatter", "elevation", "temperature", "weather", "mask", "other"]
"""Kinds of band; a kind shares a dtype, scale and resampling, and is one array on disk."""

MissingPolicy = Literal["fill", "native", "mask"]
"""What a model does with gaps in a series: `fill` (linear, edges take the nearest), `native` (NaN passed on),
`mask` (value 0 plus a mask)."""

ExecutorName = Literal["threads", "processes", "dask"]
"""Where the blocks of a map are computed; never changes a pixel."""

RuntimeName = Literal["onnxruntime", "openvino"]
"""What computes a network; decides the last digits of its probabilities."""

Precision = Literal["fp32", "bf16"]
"""Numbers inside a network; bf16 has 8 bits of mantissa."""

Device = Literal["cpu", "cuda"]
"""Where a network is computed."""

Augment = Literal["dihedral"]
"""Test-time augmentation: the mean over the eight turns and mirrorings of a square."""


class Options(BaseModel):
    """Base of every stage's options: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=False)


class Document(BaseModel):
    """Base of every JSON document that Landweave writes and reads back."""

    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="null")


# --- imagery -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Band:
    """One layer of a sensor.

    Attributes:
        name: Common name (`red`, `nir`, `swir16`, `vv`, `ndvi`).
        kind: Decides dtype, resampling and the array on disk.
        scale: Physical value = stored * scale + offset, for integer files that state none themselves; None if unknown.
        offset: See `scale`, in physical units.
        nodata: Stored marker of the sensor's products; None if there is none.
        valid_range: Physical values outside are not observations (reflectance in 0..1 units, dB, metres, degrees C).
        center_nm: Band centre in nanometres; None where it makes no sense.
        width_nm: Full width at half maximum in nanometres.
        resolution_m: Ground size of a native pixel in metres.
        aliases: Names the band goes by in files ("B04", "SR_B4", "BAND15"); matched without regard to case.
        unit: Unit of the physical value; "1" for reflectance and indices.
    """

    name: str
    kind: BandKind
    scale: float | None = None
    offset: float | None = None
    nodata: float | None = None
    valid_range: tuple[float, float] = (-np.inf, np.inf)
    center_nm: float | None = None
    width_nm: float | None = None
    resolution_m: float | None = None
    aliases: tuple[str, ...] = ()
    unit: str = "1"


@dataclass(frozen=True)
class Sensor:
    """A sensor and product level: its bands, with the source of the table.

    Attributes:
        name: Registry name, e.g. `sentinel-2-l2a`.
        title: For people.
        bands: In the order of a full multi-band file, where such a file is common.
        source: Where the figures come from (document, section).
        pattern: How the sensor's files are commonly named (a pattern for `find_scenes`), if they follow one.
        is_open: True for `generic`, which accepts any band name.
    """

    name: str
    title: str
    bands: tuple[Band, ...]
    source: str
    pattern: str | None = None
    is_open: bool = False

    def find_band(self, name: str) -> Band | None:
        """Give the band of a common name or alias, or None."""
        wanted = name.casefold()
        for band in self.bands:
            if wanted == band.name.casefold() or wanted in (a.casefold() for a in band.aliases):
                return band
        return Band(name, "other") if self.is_open else None

    def get_band(self, name: str) -> Band:
        """Give the band of a common name or alias.

        Raises:
            BandError: If the sensor has no such band; the message lists what it has.
        """
        band = self.find_band(name)
        if band is None:
            raise BandError(f"{self.name} has no band {name!r}; it has {', '.join(b.name for b in self.bands)}")
        return band


@dataclass(frozen=True, slots=True)
class Asset:
    """One layer of one file: where a band's pixels are.

    `scale`, `offset` and `nodata` are set where the recipe or an item states them; they win over the file's tags, which win
    over the sensor's. `path` is anything rasterio opens, `/vsizip/` and `/vsitar/` paths included.
    """

    band: str
    path: str
    layer: int = 1
    scale: float | None = None
    offset: float | None = None
    nodata: float | None = None


@dataclass(frozen=True, slots=True)
class SceneMask:
    """Which pixels of a scene are clear; the others become NaN.

    Attributes:
        asset: The layer that says so. A value equal to the asset's stated nodata is no observation.
        clear: Values that mean clear; empty where `bits` decides.
        bits: Positions of the bits of which a clear value has none set; empty where `clear` decides.
        dilate_px: What is not clear grows by this many pixels of the mask's own grid, diagonals included; nodata does not.
        also: Further masks; a pixel is clear where all say so.
    """

    asset: Asset
    clear: tuple[int, ...] = ()
    bits: tuple[int, ...] = ()
    dilate_px: int = 0
    also: tuple[SceneMask, ...] = ()

    @property
    def assets(self) -> tuple[Asset, ...]:
        """Every layer that the mask is made of."""
        return (self.asset, *(a for m in self.also for a in m.assets))


@dataclass(frozen=True)
class Scene:
    """One acquisition as delivered: its assets by band name, sensor and time.

    Attributes:
        id: Unique among the scenes of a run.
        sensor: The sensor (its table travels with the scene).
        time_start: First moment the values stand for, UTC, naive.
        time_end: End of it (exclusive); equal to `time_start` for an instant. None of both for a static layer.
        assets: One per band; band names are common names.
        mask: Where the scene's pixels are clear, if it says.
        crs: Overrides the files' crs (for files without one), as WKT or EPSG code.
        properties: Anything else worth keeping in the lineage.
    """

    id: str
    sensor: Sensor
    time_start: datetime | None
    time_end: datetime | None
    assets: tuple[Asset, ...]
    mask: SceneMask | None = None
    crs: str | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)

    @property
    def bands(self) -> tuple[str, ...]:
        """Band names in the order of the assets."""
        return tuple(a.band for a in self.assets)


# --- time ----------------------------------------------------------------------------------------------------------------


class SeasonStep(Options):
    """A step of a season: days since the season's start, [from_day, to_day); may be written as the pair of them."""

    from_day: int = Field(description="first day of the step, counted from the season's start")
    to_day: int = Field(description="day after its last one")

    @model_validator(mode="before")
    @classmethod
    def _from_pair(cls, value: Any) -> Any:
        is_pair = isinstance(value, list | tuple) and len(value) == 2
        return {"from_day": value[0], "to_day": value[1]} if is_pair else value

    @model_validator(mode="after")
    def _check_order(self) -> SeasonStep:
        if self.from_day >= self.to_day:
            raise ValueError(f"step [{self.from_day}, {self.to_day}) is empty; the first day comes first, the end is exclusive")
        return self


class Season(Options):
    """The window a model that sees time is trained on.

    Attributes:
        start: Month and day, "MM-DD".
        length_days: Length of the window.
        steps: Table of steps; an observation belongs to the step that its offset from the window's start falls in.
    """

    start: str = Field(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$", description="month and day, MM-DD")
    length_days: int = Field(gt=0, le=1100, description="length of the window in days")
    steps: tuple[SeasonStep, ...] = Field(min_length=1, description="steps as pairs of days [from, to) since the start")


# --- cubes ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CubeSet:
    """Named cubes on nested grids in one crs; one sensor is a set of one.

    Each cube is a plain xarray DataArray, float32, dims ("time", "band", "y", "x") or ("band", "y", "x") when static, NaN
    where there is no valid observation. Coordinates: `band` (common names), `kind` on band, `time` (middle of the step,
    strictly increasing), `time_start`, `time_end` on time (end exclusive), `y`, `x`, `spatial_ref` (see `grid.to_coords`).
    The data are read lazily, by windows, when indexed.

    Attributes:
        cubes: Name -> cube. A single unnamed input is called "main".
        geobox: The output grid; every cube's grid nests on it (shared origin, integer ratio).
        notes: What was done on the way (reprojections, mosaics, invalid values), one sentence each, for the report.
    """

    cubes: Mapping[str, xr.DataArray]
    geobox: GeoBox
    notes: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> xr.DataArray:
        return self.cubes[name]


@dataclass(frozen=True)
class Block:
    """What a model is given of one cube for one block of the output grid.

    Attributes:
        values: float32 (time, band, y, x), or (band, y, x) when static; NaN where not valid. Rows and columns cover the
            block's interior plus `halo_px` on every side; what lies outside the grid is NaN.
        window: The interior, on the cube's own grid.
        halo_px: Margin on the cube's own grid.
        geobox: Grid of `values`, halo included.
    """

    values: NDArray[np.float32]
    window: Window
    halo_px: int
    geobox: GeoBox

    @property
    def valid(self) -> NDArray[np.bool_]:
        """True where `values` holds an observation; same shape."""
        return ~np.isnan(self.values)

    @property
    def interior(self) -> NDArray[np.float32]:
        """View of `values` without the halo."""
        h = self.halo_px
        return self.values[..., h : self.values.shape[-2] - h, h : self.values.shape[-1] - h]


# --- samples -------------------------------------------------------------------------------------------------------------


class ModelInput(Document):
    """One cube as a model sees it; also says how the feature columns of a sample table are to be read.

    Attributes:
        name: Name of the cube in its `CubeSet`.
        bands: Common names, in order.
        kinds: Kind of each band.
        resolution: Pixel size (x, y) in crs units of the training cube; None for tables that came without rasters.
        metres: Ground pixel size (x, y) in metres; None likewise.
        n_steps: Number of time steps; None for a static input.
        dates: Middle of each step of the training cube (ISO dates), when the model is bound to calendar dates.
        season: The season, when the model is bound to day offsets instead.
        required: Whether the model works without it.
    """

    name: str = "main"
    bands: tuple[str, ...]
    kinds: tuple[BandKind, ...]
    resolution: tuple[float, float] | None = None
    metres: tuple[float, float] | None = None
    n_steps: int | None = None
    dates: tuple[str, ...] | None = None
    season: Season | None = None
    required: bool = True

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Feature names in C order of (time, band): `ndvi_t00`, `evi_t00`, `ndvi_t01`, ...; plain band names when static."""
        if self.n_steps is None:
            return tuple(self.bands)
        return tuple(f"{band}_t{step:02d}" for step in range(self.n_steps) for band in self.bands)


def feature_names(inputs: Sequence[ModelInput]) -> tuple[str, ...]:
    """Give the feature names of several inputs in order; with more than one input each is prefixed by `<input>.`."""
    if len(inputs) == 1:
        return inputs[0].feature_names
    return tuple(f"{i.name}.{name}" for i in inputs for name in i.feature_names)


class StratumInfo(Document):
    """A stratum of a design: its size, how many units were drawn from it, and of how many clusters where these were drawn."""

    name: str
    size_px: int
    area_ha: float
    n_drawn: int
    code: int | None = None
    psu_count: int | None = None


class Design(Document):
    """How a sample was drawn; without a probability design there is no area estimate and no interval.

    Attributes:
        kind: `none` means opportunistic: polygons digitised at will, points from elsewhere.
        strata: Name, size and drawn count of each stratum (one for the whole area in a simple design).
        strata_checksum: sha256 of the map whose classes are the strata; None when the strata are not a map.
        unit: What one sample unit is ("pixel 10 m").
        seed: Seed of the draw.
        note: In a sentence.
        psu_count: Primary sampling units that a cluster sample was drawn from; None where unknown or not a cluster sample.
    """

    kind: Literal["none", "simple", "systematic", "stratified", "cluster"] = "none"
    strata: tuple[StratumInfo, ...] = ()
    strata_checksum: str | None = None
    unit: str = "pixel"
    seed: int | None = None
    note: str = ""
    psu_count: int | None = None


SAMPLE_COLUMNS: Mapping[str, str] = {
    "sample_id": "int64, unique within the table",
    "class": "class name as in the legend",
    "time_start": "datetime64[ms], start of the season the label stands for; NaT when static",
    "time_end": "end of it, exclusive",
    "group": "string: samples of one group never stand on both sides of a split (a polygon, a pixel over the years)",
    "stratum": "string or null: stratum the sample was drawn in",
    "psu": "string or null: primary sampling unit of a cluster design",
    "inclusion_probability": "float64 or NaN",
    "purpose": "'train' or 'reference'",
    "weight": "float64, 1 by default",
    "labeller": "string or null: who gave the label",
    "sub_pixel": "bool: the polygon was smaller than a pixel",
    "polygon_id": "int64, -1 for points",
}
"""Columns of every sample table besides `geometry` (points, any crs) and the feature columns."""


@dataclass(frozen=True)
class SampleTable:
    """Labelled places with their features: training or reference data, told apart by the column `purpose`.

    Attributes:
        frame: GeoDataFrame with the columns of `SAMPLE_COLUMNS`, `geometry` (points with a crs) and one float32 column per
            feature, NaN where there is no observation.
        legend: The classes; `class` holds its names.
        inputs: How the feature columns are laid out; empty for a table without features.
        design: How the sample was drawn.
        rejected: Rows that could not be used: columns sample_id, class, reason, lon, lat. Never dropped silently.
    """

    frame: gpd.GeoDataFrame
    legend: Legend
    inputs: tuple[ModelInput, ...] = ()
    design: Design = field(default_factory=Design)
    rejected: pd.DataFrame | None = None

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the feature columns in the order of the inputs."""
        return feature_names(self.inputs) if self.inputs else ()

    def to_features(self) -> NDArray[np.float32]:
        """Give the features as an array (sample, feature); NaN where there is no observation.

        Raises:
            SampleError: If the table has no features.
        """
        if not self.inputs:
            raise SampleError("sample table has no features; run extract_samples with a cube first")
        return np.asarray(self.frame[list(self.feature_names)].to_numpy(dtype=np.float32))

    def to_class_index(self) -> NDArray[np.int64]:
        """Give the class_index of every row."""
        return np.array([self.legend.index_of(n) for n in self.frame["class"]], dtype=np.int64)

    def to_xy(self, crs: Any) -> NDArray[np.float64]:
        """Give the coordinates (sample, 2) in `crs`."""
        points = self.frame.geometry.to_crs(crs)
        return np.column_stack([points.x.to_numpy(), points.y.to_numpy()])

    def select(self, rows: NDArray[Any]) -> SampleTable:
        """Keep the rows of a boolean mask or of positions; the rejected ones stay listed."""
        positions = np.flatnonzero(rows) if rows.dtype == bool else rows
        return replace(self, frame=self.frame.iloc[positions].reset_index(drop=True))


@dataclass(frozen=True)
class Fold:
    """One fold of a split: positions of the rows to train on and to test on (rows in the buffer are in neither)."""

    train: NDArray[np.int64]
    test: NDArray[np.int64]


# --- models --------------------------------------------------------------------------------------------------------------


class BandStatistics(Document):
    """How the bands of one input vary together in the training rows; finds bands that were exchanged.

    Attributes:
        mean: Mean of each band, physical units.
        covariance: Covariance (band, band), divisor n - 1.
        median_distance2: Median over the rows of the squared Mahalanobis distance to the mean.
    """

    mean: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    median_distance2: float


class ModelCard(Document):
    """What a model needs to be used safely; `card.json` in the model folder.

    Attributes:
        model: Registry name of the family ("random-forest").
        title: For people.
        params: Hyper-parameters as given and completed.
        inputs: The cubes it reads.
        classes: The legend as dictionaries, in order.
        features: Feature order of a per-pixel model.
        missing: What it does with gaps.
        min_valid_steps: A pixel with fewer valid dates is nodata.
        context_px: Margin a network needs to see around a pixel; 0 for per-pixel models.
        chip_size_px: Side of a chip for networks, else None.
        stride_px: Step between chips for networks, else None.
        batch_shape: Fixed shape that kernels are called with, to keep results identical for any block size.
        p01: First percentile of each feature's training values, keyed by "<input>.<band>".
        p99: Last percentile likewise.
        band_statistics: How the bands of each input vary together; inputs of one band or very many have none.
        n_samples: Training rows per class name.
        footprint: Training area as (west, south, east, north) degrees; None when it must not be told.
        dates: First and last training date (ISO).
        metrics: Cross-validation scores: "random" and "spatial" -> score name -> value.
        licence: Licence of the model.
        lineage: Versions, input checksums, seed, options.
    """

    schema_version: int = 1
    model: str
    title: str = ""
    params: dict[str, Any] = Field(default_factory=dict)
    inputs: tuple[ModelInput, ...]
    classes: list[dict[str, Any]]
    features: tuple[str, ...] = ()
    missing: MissingPolicy = "fill"
    min_valid_steps: int = 1
    context_px: int = 0
    chip_size_px: int | None = None
    stride_px: int | None = None
    batch_shape: tuple[int, ...] | None = None
    p01: dict[str, float] = Field(default_factory=dict)
    p99: dict[str, float] = Field(default_factory=dict)
    band_statistics: dict[str, BandStatistics] = Field(default_factory=dict)
    n_samples: dict[str, int] = Field(default_factory=dict)
    footprint: tuple[float, float, float, float] | None = None
    dates: tuple[str, str] | None = None
    metrics: dict[str, dict[str, float]] = Field(default_factory=dict)
    licence: str = "unspecified"
    lineage: dict[str, Any] = Field(default_factory=dict)

    @property
    def legend(self) -> Legend:
        """The classes as a `Legend`."""
        return Legend.from_dicts(self.classes)


def coarsen_footprint(footprint: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """Round (west, south, east, north) degrees outward to whole degrees, so that no training place can be read from them."""
    west, south, east, north = footprint
    return (float(math.floor(west)), float(math.floor(south)), float(math.ceil(east)), float(math.ceil(north)))


@runtime_checkable
class Predictor(Protocol):
    """Any model, per pixel or network, as the mapping engine sees it."""

    @property
    def card(self) -> ModelCard:
        """The model's card."""
        ...

    def predict_proba(self, blocks: Mapping[str, Block]) -> NDArray[np.float32]:
        """Give class probabilities (class, y, x) for the interior of a block, in legend order.

        NaN in every class where the pixel has too few valid observations; elsewhere the classes sum to 1. Same input, same
        bytes, for any block size and any number of threads.
        """
        ...


# --- maps and their assessment -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MapProduct:
    """A finished map on disk.

    Attributes:
        folder: Where the products are.
        files: Product name ("map", "proba", "uncertainty", "style", "item", "lineage") -> path; only those that exist.
        legend: Its classes.
        geobox: Its grid.
        checksum: sha256 of `map.tif`.
        count_px: Class code -> mapped pixels; the nodata and unsure codes are counted too.
        area_ha: Class code -> mapped geodesic area in hectares, likewise.
    """

    folder: Path
    files: Mapping[str, Path]
    legend: Legend
    geobox: GeoBox
    checksum: str
    count_px: Mapping[int, int]
    area_ha: Mapping[int, float]


@dataclass(frozen=True)
class ErrorMatrix:
    """Sample counts of map class (rows) against reference class (columns).

    Attributes:
        counts: float64 (map classes, reference classes); whole numbers unless reference labels are shared between classes.
        map_names: Names of the rows.
        reference_names: Names of the columns; the same as the rows in the same order, unless a class lacks on one side.
        row_codes: Map codes of the rows.
        mapped_area_ha: Mapped area of each row class in hectares; None when unknown.
    """

    counts: NDArray[np.float64]
    map_names: tuple[str, ...]
    reference_names: tuple[str, ...]
    row_codes: tuple[int, ...]
    mapped_area_ha: NDArray[np.float64] | None = None


# --- progress ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ProgressEvent:
    """A step of long work: `done` of `total` `unit`s of `stage`."""

    stage: str
    done: float
    total: float
    unit: str = "blocks"


Progress = Callable[[ProgressEvent], None]
"""Called by long stages from the calling thread; the command line draws bars from it. None means silent."""


def track(items: Iterable[Any], stage: str, total: int, progress: Progress | None, unit: str = "blocks") -> Iterable[Any]:
    """Pass items on and report each one when it has been dealt with."""
    for i, item in enumerate(items):
        yield item
        if progress is not None:
            progress(ProgressEvent(stage, i + 1, total, unit))
