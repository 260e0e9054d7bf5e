"""Options of a source of imagery, as they stand in a recipe under `imagery:`."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from landweave.errors import GridError, LandweaveError
from landweave.grid import resolve_crs
from landweave.imagery.catalogue_options import CatalogueOptions
from landweave.imagery.masks import LEARNED, MaskOptions, resolve_mask
from landweave.imagery.pattern import Pattern
from landweave.sensors import get_sensor
from landweave.types import BandKind, Options

__all__ = ["SourceOptions"]


def _as_list(value: Any) -> Any:
    return (value,) if isinstance(value, str | Path) else value


def _as_text(value: Any) -> Any:
    return tuple(str(v) if isinstance(v, Path) else v for v in value) if isinstance(value, tuple | list) else value


_TEXTS = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}, {"type": "null"}]}
PerBand = float | dict[str, float] | None


class SourceOptions(Options):
    """Where one source's files are, and what they are where the files do not say it themselves.

    Every layer is matched to a band by name: `layers`, the recipe's `table`, the `{band}` of a pattern, the file's
    descriptions, or a band's name within the file's name; never by position.
    """

    paths: Annotated[tuple[str, ...], BeforeValidator(_as_text), BeforeValidator(_as_list), WithJsonSchema(_TEXTS)] = Field(
        (), description="files, globs, folders, or archives (.SAFE, Sentinel-2 .zip, Landsat .tar); one or a list"
    )
    catalogue: CatalogueOptions | None = Field(
        None, description="a search in a STAC catalogue, instead of paths; the sensor follows from the collection"
    )
    sensor: str = Field("generic", description="sensor, see `landweave sensors`; `generic` takes any band name")
    pattern: str | None = Field(
        None, description="how the files are named, e.g. '{tile}_{start:%Y-%m-%d}_{end:%Y-%m-%d}_{band}.tif'; the fields "
        "start, end, date and band are read, others kept, * stands for anything; files that do not fit are left out",
    )  # fmt: skip
    table: Path | None = Field(
        None, description="CSV with columns path, and as needed band, layer, time_start, time_end, scene, scale, offset, nodata"
    )
    layers: tuple[str | None, ...] | dict[str, str] | None = Field(
        None, description="names of a multi-band file's layers in order (null skips one), or a mapping of the file's "
        "descriptions to names",
    )  # fmt: skip
    bands: Annotated[tuple[str, ...] | None, BeforeValidator(_as_list), WithJsonSchema(_TEXTS)] = Field(
        None, description="bands to keep; by default all"
    )
    layer_dates: tuple[dt.date, ...] | Path | None = Field(
        None, description="the layers of each file are dates: their list, or a text file with one ISO date per line"
    )
    date: dt.datetime | dt.date | None = Field(None, description="date of files whose names carry none")
    static: bool = Field(False, description="the files have no date (elevation; a single image without one)")
    scale: PerBand = Field(None, description="physical value = stored * scale + offset; one number or one per band")
    offset: PerBand = Field(None, description="see scale; 0 where a scale is given alone")
    nodata: PerBand = Field(None, description="stored value that means no observation; one number or one per band")
    crs: str | None = Field(None, description="crs of files that have none, or a wrong one, e.g. EPSG:32633")
    valid_range: dict[str, tuple[float, float]] | None = Field(
        None, description="lowest and highest physical value per band; what lies outside is no observation"
    )
    mask_band: str | None = Field(None, description="name of the layer that says where a scene is clear")
    mask_clear: tuple[int, ...] | None = Field(None, min_length=1, description="values of mask_band that mean clear")
    mask: MaskOptions | None = Field(
        None, description="where a scene is clear, by a layer known by name (scl, qa_pixel, fmask); instead of mask_band"
    )
    kind: BandKind | dict[str, BandKind] | None = Field(
        None, description="kind of the bands where the sensor leaves it open (reflectance, index, elevation, ...)"
    )

    @field_validator("sensor")
    @classmethod
    def _sensor_exists(cls, value: str) -> str:
        try:
            get_sensor(value)
        except LandweaveError as err:
            raise ValueError(str(err)) from err
        return value

    @field_validator("crs")
    @classmethod
    def _crs_is_readable(cls, value: str | None) -> str | None:
        try:
            return value if value is None or resolve_crs(value) else None
        except GridError as err:
            raise ValueError(str(err)) from err

    @field_validator("pattern")
    @classmethod
    def _pattern_is_readable(cls, value: str | None) -> str | None:
        if value is not None:
            Pattern(value)
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> SourceOptions:
        if not self.paths and self.table is None and self.catalogue is None:
            raise ValueError("neither `paths` nor `table` nor `catalogue` is given; say where the files are")
        if self.catalogue is not None:
            others = ("paths", "table", "pattern", "layers", "layer_dates", "date")
            given = [n for n in others if getattr(self, n) not in (None, ())]
            if given:
                raise ValueError(f"`catalogue` says itself where files are and what they hold; leave out {', '.join(given)}")
        if self.static and (self.date is not None or self.layer_dates is not None):
            raise ValueError("`static: true` means that the files have no date; drop it, or `date` and `layer_dates`")
        if (self.mask_band is None) != (self.mask_clear is None):
            raise ValueError(
                f"mask_band is {self.mask_band!r} and mask_clear is {self.mask_clear!r}; give both, e.g. mask_band: mask, "
                "mask_clear: [0]"
            )
        if self.mask is not None and self.mask_band is not None:
            raise ValueError("`mask` and `mask_band` both given; keep one")
        if self.mask is not None and self.mask.kind != LEARNED:
            resolve_mask(self.mask, get_sensor(self.sensor), self.mask.source)  # names in `clear` are known
        if self.layer_dates is not None and self.layers is not None:
            raise ValueError("`layers` names the layers as bands and `layer_dates` says that they are dates; give one of them")
        for band, (low, high) in (self.valid_range or {}).items():
            if not low < high:
                raise ValueError(f"valid_range of {band} is [{low}, {high}]; give the lower value first")
        return self

    @property
    def mask_layers(self) -> tuple[str, ...]:
        """Names of the layers that say where a scene is clear."""
        if self.mask is not None:
            return self.mask.layers
        return () if self.mask_band is None else (self.mask_band,)

    def find_mask_layer(self, name: str) -> str | None:
        """Give the mask layer of a name, in whatever case it is written, or None."""
        return next((m for m in self.mask_layers if m.casefold() == name.casefold()), None)
