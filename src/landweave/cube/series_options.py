"""Options of composites and series: periods, rules, the windows of growing seasons, filling, and harmonised sensors.

Receives what a recipe says under `cube:`; hands on checked options.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from landweave.types import Options

__all__ = [
    "CompositeOptions", "CompositeRule", "FillOptions", "FillRule", "HarmoniseOptions", "Layer", "PeriodName",
    "PhenologyOptions",
]  # fmt: skip

CompositeRule = Literal[
    "first", "last", "mean", "median", "percentile", "medoid", "geomedian", "best-pixel", "max-ndvi", "weighted-mean"
]  # fmt: skip
"""How the days of one period become one value per band."""

FillRule = Literal["none", "linear", "whittaker", "savitzky-golay", "harmonic"]
"""How gaps over time are filled."""

PeriodName = Literal["dekad", "month", "season", "year"]
"""Periods with a name: days 1-10, 11-20 and 21 to the end of a month; months; December-February, March-May, June-August and
September-November; calendar years."""

Layer = Literal["filled", "observations", "day", "season_start", "season_end"]
"""Bands about the series that a cube may carry besides."""


class CompositeOptions(Options):
    """Parameters of the composites."""

    percentiles: tuple[float, ...] = Field(
        (25.0, 50.0, 75.0), min_length=1, description="percentile: bands red_p25, red_p50, ... of each band."
    )
    tolerance: float = Field(1e-6, gt=0, description="geomedian: the iteration ends where its step is shorter, in reflectance.")
    max_iterations: int = Field(200, ge=1, description="geomedian: at most so many steps.")
    target_day: int | None = Field(
        None, ge=1, le=366, description="best-pixel, weighted-mean: day of the year scored highest; by default the middle of "
        "the period.",
    )  # fmt: skip
    sigma_days: float | None = Field(
        None, gt=0, description="best-pixel, weighted-mean: spread of the date score in days; default: a quarter of the period."
    )
    cloud_distance_px: int = Field(
        50, ge=1, le=500, description="best-pixel, weighted-mean: distance to cloud, in pixels, from which it matters no more."
    )
    date_weight: float = Field(1.0, ge=0, description="best-pixel, weighted-mean: weight of the date score.")
    cloud_weight: float = Field(1.0, ge=0, description="best-pixel, weighted-mean: weight of the cloud distance score.")
    opacity_weight: float = Field(1.0, ge=0, description="best-pixel, weighted-mean: weight of the haze score.")
    opacity_band: str | None = Field(None, description="best-pixel, weighted-mean: band that measures haze; none by default.")
    opacity_range: tuple[float, float] = Field(
        (0.2, 0.3), description="best-pixel, weighted-mean: haze up to which a pixel is clear, and from which it scores 0."
    )

    @field_validator("percentiles")
    @classmethod
    def _check_percentiles(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0 <= p <= 100 for p in value) or len(set(value)) < len(value):
            raise ValueError(f"percentiles are {list(value)}; give different numbers from 0 to 100")
        return value

    @model_validator(mode="after")
    def _check_scores(self) -> Self:
        if self.opacity_range[0] >= self.opacity_range[1]:
            raise ValueError(f"opacity_range is {self.opacity_range}; give the clear value first, then the hazy one")
        if self.date_weight == self.cloud_weight == 0 and (self.opacity_band is None or self.opacity_weight == 0):
            raise ValueError("date_weight and cloud_weight are 0 and no opacity counts; give one score a weight")
        return self


class FillOptions(Options):
    """Parameters of filling over time."""

    is_smoothed: bool = Field(
        False, description="Replace the observations, too, by the fitted series; by default they stay and only gaps are filled."
    )
    is_clipped: bool = Field(
        True, description="Hold filled values within the lowest and highest observation of their series and band."
    )
    smoothness: float | Literal["v-curve"] = Field(
        "v-curve", description="whittaker: weight of the roughness, above 0; or v-curve, which chooses one per series."
    )
    weighted: bool = Field(False, description="whittaker: weigh each step by the number of its observations.")
    window: int = Field(7, ge=3, description="savitzky-golay: steps per window, odd.")
    degree: int = Field(2, ge=0, le=6, description="savitzky-golay: degree of the polynomial, below the window.")
    envelope: int = Field(0, ge=0, le=20, description="savitzky-golay: rounds towards the upper envelope; 0 for none.")
    harmonics: int = Field(2, ge=1, le=6, description="harmonic: waves of the year.")
    has_trend: bool = Field(False, description="harmonic: add a straight trend.")

    @field_validator("smoothness")
    @classmethod
    def _check_smoothness(cls, value: float | str) -> float | str:
        if not isinstance(value, str) and not value > 0:
            raise ValueError(f"smoothness is {value}; give a number above 0, or v-curve")
        return value

    @model_validator(mode="after")
    def _check_window(self) -> Self:
        if self.window % 2 == 0 or self.degree >= self.window:
            raise ValueError(f"window is {self.window} and degree {self.degree}; give an odd window above the degree")
        return self


class PhenologyOptions(Options):
    """The growing season of each pixel within each period, from an index of greenness.

    Start and end are where the smoothed index crosses a share of its amplitude before and after its highest value (White et
    al. 1997, doi:10.1029/97GB00330, with 0.5).
    """

    band: str = Field("ndvi", description="Index that shows the season; computed where the cube does not hold it.")
    amplitude_share: float = Field(0.5, gt=0, lt=1, description="Share of the amplitude at which the season starts and ends.")
    min_amplitude: float = Field(
        0.1, ge=0, description="Below this amplitude a pixel has no season, and all its observations count."
    )
    smoothness: float = Field(10.0, gt=0, description="Whittaker smoothness of the index before its season is looked for.")


class HarmoniseOptions(Options):
    """How the scenes of several sensors in one source are brought to one sensor's reflectance."""

    to: Literal["oli", "msi", "etm"] = Field("oli", description="The sensor: Landsat OLI, Sentinel-2 MSI, or Landsat ETM+.")
    method: Literal["published", "overlap"] = Field(
        "published", description="published: coefficients of the literature; overlap: a robust line per band, fitted to days "
        "that both sensors saw.",
    )  # fmt: skip
    max_days: float = Field(1.0, ge=0, le=16, description="overlap: most days between two observations that are compared.")
    min_pairs: int = Field(200, ge=10, description="overlap: least number of pixels compared, per band.")
