"""What a lazy cube remembers: which layers of which files make up each time step, and what is done to their values.

Plain frozen records, cheap to pickle, so that another process can read the same pixels. Made by `cube.load`, read by
`cube.reading`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from landweave.cube.options import CombineRule, Resampling
from landweave.cube.series_options import CompositeOptions, CompositeRule, FillOptions, FillRule, Layer, PhenologyOptions
from landweave.grid import GeoBox, Window

__all__ = ["CubePlan", "DayPlan", "FilePlan", "LayerPlan", "MaskPlan", "ScenePlan", "SeriesPlan", "StepPlan"]


@dataclass(frozen=True, slots=True)
class LayerPlan:
    """A layer of a file: physical value = stored * scale + offset; outside `valid_range` it is no observation."""

    band: str
    layer: int
    scale: float
    offset: float
    valid_range: tuple[float, float]


@dataclass(frozen=True, slots=True)
class FilePlan:
    """Layers of one file that are read in one call, since they share nodata marker and resampling.

    `shift` (rows, columns of the grid) says where the file's content really lies: what belongs at (y, x) is read at
    (y + rows, x + columns).
    """

    path: str
    layers: tuple[LayerPlan, ...]
    nodata: float | None
    resampling: Resampling
    crs: str | None
    shift: tuple[float, float] = (0.0, 0.0)

    @property
    def key(self) -> tuple[str, float | None, Resampling, str | None, tuple[float, float]]:
        """What a read call depends on, layers apart."""
        return self.path, self.nodata, self.resampling, self.crs, self.shift

    def place(self, geobox: GeoBox) -> GeoBox:
        """Give the grid that the file is read on, so that its shifted content lands on `geobox`."""
        rows, cols = self.shift
        if rows == cols == 0:
            return geobox
        return GeoBox(geobox.shape, geobox.affine @ Affine.translation(cols, rows), geobox.crs)


@dataclass(frozen=True, slots=True)
class MaskPlan:
    """A layer that says where a scene is clear, read with the nearest pixel; see `types.SceneMask`."""

    file: FilePlan
    clear: tuple[int, ...]
    bits: tuple[int, ...] = ()
    dilate_px: int = 0


@dataclass(frozen=True, slots=True)
class ScenePlan:
    """One scene: its files, its masks, and the window of the grid that it may touch."""

    id: str
    files: tuple[FilePlan, ...]
    masks: tuple[MaskPlan, ...]
    footprint: Window

    def touches(self, window: Window) -> bool:
        """Tell whether the scene may have pixels in `window`."""
        return self.footprint.touches(window)


@dataclass(frozen=True, slots=True)
class DayPlan:
    """Scenes of one solar day (or of one and the same period), which are mosaicked; `day` is its middle since 1970-01-01."""

    scenes: tuple[ScenePlan, ...]
    day: float = 0.0


@dataclass(frozen=True, slots=True)
class StepPlan:
    """One time step: the days that fall in it. `start` and `end` are None in a static cube."""

    start: datetime | None
    end: datetime | None
    days: tuple[DayPlan, ...]

    @property
    def middle(self) -> datetime | None:
        """Middle of the step."""
        return None if self.start is None or self.end is None else self.start + (self.end - self.start) / 2


@dataclass(frozen=True)
class SeriesPlan:
    """How periods are composited and gaps filled.

    Attributes:
        compositing: Parameters of the composite.
        filling: Parameters of the filling.
        fill_rule: How gaps are filled, where the cube fills any.
        phenology: The growing season that limits each pixel's composite.
        layers: Bands about the series that the cube carries.
        joint: Stored bands that are looked at together by medoid and geometric median: the reflectance.
    """

    compositing: CompositeOptions = field(default_factory=CompositeOptions)
    filling: FillOptions = field(default_factory=FillOptions)
    fill_rule: FillRule = "linear"
    phenology: PhenologyOptions | None = None
    layers: tuple[Layer, ...] = ()
    joint: tuple[str, ...] = ()


@dataclass(frozen=True)
class CubePlan:
    """Everything that reading a window of a cube needs.

    Attributes:
        name: Name of the cube in its set.
        geobox: Its grid.
        stored: Bands that come from files.
        bands: Bands of the cube in order; those not in `stored` are indices computed from it.
        steps: Time steps in order; a single one in a static cube.
        mosaic: Rule for scenes of one day.
        composite: Rule for days of one step.
        fill: Whether gaps are filled over time.
        decimate: For a look at a coarse grid: take nearest pixels from overviews.
        series: Parameters of composites and filling.
    """

    name: str
    geobox: GeoBox
    stored: tuple[str, ...]
    bands: tuple[str, ...]
    steps: tuple[StepPlan, ...]
    mosaic: CombineRule
    composite: CompositeRule
    fill: bool
    decimate: bool = False
    series: SeriesPlan = field(default_factory=lambda: SeriesPlan())

    @property
    def outputs(self) -> tuple[str, ...]:
        """Bands as they leave the cube: percentiles of each band, and the layers about the series."""
        return (*(c for b in self.bands for c in self.columns(b)), *self.series.layers)

    def columns(self, band: str) -> tuple[str, ...]:
        """Bands that a composite makes of one."""
        if self.composite != "percentile":
            return (band,)
        return tuple(f"{band}_p{p:g}" for p in self.series.compositing.percentiles)

    @property
    def is_static(self) -> bool:
        """Whether the cube has no time."""
        return self.steps[0].start is None

    @property
    def paths(self) -> tuple[str, ...]:
        """Every file that is read, masks included, each once."""
        scenes = [x for s in self.steps for d in s.days for x in d.scenes]
        files = [f for x in scenes for f in (*x.files, *(m.file for m in x.masks))]
        return tuple(dict.fromkeys(f.path for f in files))

    @property
    def times_days(self) -> NDArray[np.float64]:
        """Middle of each step in days since 1970-01-01."""
        middles = np.array([s.middle for s in self.steps], dtype="datetime64[ms]")
        return np.asarray(middles.astype(np.int64) / 86_400_000.0)
