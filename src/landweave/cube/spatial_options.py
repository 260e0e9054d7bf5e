"""Options of what looks around a pixel: radar filters, texture, sharpening, co-registration.

Receives what a recipe says under `cube: radar`, `texture`, `sharpen` and `coregister`.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field, field_validator, model_validator

from landweave.errors import LandweaveError
from landweave.features.radar import find_radar_index
from landweave.features.speckle import check_speckle
from landweave.features.texture import check_texture
from landweave.types import Options

__all__ = ["CoregisterOptions", "RadarOptions", "SharpenOptions", "TextureOptions"]


class RadarOptions(Options):
    """What is done to bands of the kind backscatter; they keep their names."""

    speckle: Literal["lee", "refined-lee", "gamma-map", "quegan"] | None = Field(
        None, description="speckle filter: lee, refined-lee (7 px), gamma-map, or quegan (over all dates of the cube)"
    )
    window: int = Field(7, description="side of the filter's window in pixels, odd")
    enl: float | dict[str, float] | None = Field(
        None, description="equivalent number of looks (4.4 for Sentinel-1 IW GRD), one or per band; by default estimated"
    )
    unit: Literal["db", "linear"] | None = Field(None, description="unit of the cube's backscatter; by default the source's")
    source_unit: Literal["db", "linear", "amplitude"] | None = Field(
        None, description="unit of the files where the sensor does not tell (sensor: generic); filters work on linear power"
    )
    indices: tuple[str, ...] = Field(
        (), description="radar indices of the filtered power as bands: vh_vv, rvi, ndpi, dprvic (of vv and vh), hv_hh, rvi_hh, "
        "rfdi (of hh and hv), rvi_quad",
    )  # fmt: skip
    incidence: Literal["gamma0", "cosine"] | None = Field(
        None, description="gamma0: sigma naught over the cosine of the incidence; cosine: brought to reference_deg by the "
        "cosine-square rule; first of all steps",
    )  # fmt: skip
    incidence_band: str = Field("angle", description="band of the source that holds the incidence in degrees")
    reference_deg: float = Field(38.0, gt=0, lt=90, description="incidence that `cosine` brings the values to")

    @field_validator("indices")
    @classmethod
    def _indices_exist(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return tuple(find_radar_index(name).name for name in value)
        except LandweaveError as err:
            raise ValueError(str(err)) from err

    @model_validator(mode="after")
    def _filter_fits(self) -> RadarOptions:
        given = self.enl.values() if isinstance(self.enl, dict) else (1.0 if self.enl is None else self.enl,)
        try:
            for looks in given if self.speckle else ():
                check_speckle(self.speckle or "", self.window, looks)
        except LandweaveError as err:
            raise ValueError(str(err)) from err
        if not (self.speckle or self.unit or self.indices or self.incidence):
            raise ValueError("radar asks for nothing; give speckle, unit, indices or incidence, or leave it out")
        return self


class TextureOptions(Options):
    """Co-occurrence texture of bands; each measure of each band is a band more, `vv_contrast`."""

    bands: tuple[str, ...] = Field(min_length=1, description="bands whose texture is measured; backscatter in decibels")
    measures: tuple[str, ...] = Field(
        ("contrast", "homogeneity", "entropy", "correlation"), description="contrast, dissimilarity, homogeneity, asm, energy, "
        "entropy, mean, variance, std, correlation, max_probability, sum_average, sum_variance, sum_entropy, "
        "difference_variance, difference_entropy, cluster_shade, cluster_prominence, imc1, imc2",
    )  # fmt: skip
    window: int = Field(7, description="side of the window in pixels, odd")
    distance: int = Field(1, description="distance of the pixels of a pair")
    directions: tuple[int, ...] = Field((0, 45, 90, 135), description="directions of the pairs in degrees")
    combine: Literal["mean", "range"] = Field("mean", description="of the directions: their mean, or largest minus smallest")
    levels: int = Field(16, ge=2, le=256, description="grey levels")
    range: tuple[float, float] | dict[str, tuple[float, float]] | None = Field(
        None, description="values of the first and last level, one pair or one per band; by default -30..0 dB for backscatter, "
        "0..0.6 for reflectance, -1..1 for indices; the same for training and mapping",
    )  # fmt: skip
    symmetric: bool = Field(True, description="count pairs both ways")

    @model_validator(mode="after")
    def _texture_fits(self) -> TextureOptions:
        try:
            check_texture(self.measures, self.directions, window_px=self.window, distance_px=self.distance)
        except LandweaveError as err:
            raise ValueError(str(err)) from err
        for low, high in self.range.values() if isinstance(self.range, dict) else (self.range or (0, 1),):
            if not high > low:
                raise ValueError(f"range is {low:g}..{high:g}; give the lower value first")
        return self


class SharpenOptions(Options):
    """Bands with larger pixels than the cube's get the detail of finer bands."""

    bands: tuple[str, ...] = Field(min_length=1, description="coarse bands, e.g. [rededge071, swir16, swir22]")
    guides: tuple[str, ...] = Field(min_length=1, description="fine bands of the same source, e.g. [blue, green, red, nir]")
    method: Literal["regression", "guided"] = Field(
        "regression", description="regression: local regression on the guides and the rest spread smoothly, means of coarse "
        "pixels kept; guided: guided filter (He et al. 2013)",
    )  # fmt: skip
    window: int = Field(5, ge=3, description="side of the window of the regression in coarse pixels, odd")

    @model_validator(mode="after")
    def _bands_differ(self) -> SharpenOptions:
        both = set(self.bands) & set(self.guides)
        if both or self.window % 2 == 0:
            raise ValueError(f"bands and guides share {', '.join(both) or 'none'}, window is {self.window}; a band is either "
                             "coarse or a guide, and the window odd")  # fmt: skip
        return self


class CoregisterOptions(Options):
    """Shift of each date against a reference, estimated by blocks, and applied where asked for."""

    band: str | None = Field(None, description="band that is compared; by default the first one of the source")
    reference: date | None = Field(None, description="date of the scene all others are compared with; by default the first")
    apply: bool = Field(True, description="shift the scenes; false only reports")
    gradients: bool = Field(False, description="compare gradients instead of values: between optics and radar")
    max_shift_px: float = Field(5.0, gt=0, le=64, description="shifts beyond this are no finding")
    block_px: int = Field(128, ge=32, le=1024, description="side of the blocks")
    min_shift_px: float = Field(0.1, ge=0, description="smaller shifts are left as they are")
