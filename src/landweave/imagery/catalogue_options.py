"""Options of a search in a STAC catalogue, as they stand in a recipe under `imagery: NAME: catalogue:`."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from landweave.types import Options

__all__ = ["PRESETS", "CatalogueOptions", "Preset"]


@dataclass(frozen=True)
class Preset:
    """A public catalogue: its address, what signs its assets, and what a user needs for them."""

    url: str
    sign: str | None
    note: str


PRESETS = {
    "earth-search": Preset(
        "https://earth-search.aws.element84.com/v1", None,
        "open; Landsat and Sentinel-1 lie in buckets that ask for AWS credentials (requester pays). Of Sentinel-2 prefer "
        "sentinel-2-c1-l2a: some items of sentinel-2-l2a state wrongly that an offset is still to be applied",
    ),
    "planetary-computer": Preset(
        "https://planetarycomputer.microsoft.com/api/stac/v1", "https://planetarycomputer.microsoft.com/api/sas/v1/sign?href=",
        "open; assets are signed on opening, without an account",
    ),
    "cdse": Preset(
        "https://stac.dataspace.copernicus.eu/v1", None,
        "search is open; assets lie in the bucket eodata and need S3 keys of a CDSE account "
        "(AWS_S3_ENDPOINT=eodata.dataspace.copernicus.eu, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_VIRTUAL_HOSTING=FALSE)",
    ),
}  # fmt: skip
"""Public catalogues by name. Addresses: README of Element84/earth-search; QGIS's authentication method for Planetary Computer
(signing) and its STAC root in rstac's manual; CDSE as linked in issue 71 of Element84/earth-search. None was tried live."""


def _as_list(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


class CatalogueOptions(Options):
    """Which items of which catalogue: every condition given must hold."""

    preset: Literal["earth-search", "planetary-computer", "cdse"] | None = Field(
        None, description="a public catalogue by name; instead of url"
    )
    url: str | None = Field(
        None, description="a STAC API, a folder or file of STAC JSON (catalog.json, items, item collection), or a "
        "stac-geoparquet file; instead of preset",
    )  # fmt: skip
    collections: Annotated[tuple[str, ...], BeforeValidator(_as_list)] = Field(
        (), description="collections to search, e.g. sentinel-2-l2a; needed for an API"
    )
    bbox: tuple[float, float, float, float] | None = Field(None, description="west, south, east, north in degrees")
    aoi: Path | None = Field(None, description="vector file whose area is searched; instead of bbox")
    start: dt.date | None = Field(None, description="first day")
    end: dt.date | None = Field(None, description="last day, inclusive")
    max_cloud_cover_pct: float | None = Field(
        None, ge=0, le=100, description="highest cloud cover that an item states; items that state none stay"
    )
    query: dict[str, Any] = Field(
        default_factory=dict, description="further conditions on properties: a value, or operators (eq, neq, lt, lte, gt, gte, "
        "in, startsWith), e.g. 'sat:orbit_state': descending",
    )  # fmt: skip
    max_items: int | None = Field(None, ge=1, description="stop after this many items, in the catalogue's order")
    page_size: int = Field(100, ge=1, le=10_000, description="items per page that an API is asked for")
    sign: str | None = Field(
        None, description="endpoint that signs assets: the quoted address is appended, JSON with href and msft:expiry returns"
    )
    cache: Path | None = Field(None, description="folder that assets are downloaded into; by default they are read in place")
    timeout_s: float = Field(30.0, gt=0, description="how long an answer, or a transfer that has stalled, is waited for")
    retries: int = Field(4, ge=0, le=20, description="how often a temporary failure is tried again, waiting longer each time")

    @field_validator("bbox")
    @classmethod
    def _check_bbox(cls, value: tuple[float, float, float, float] | None) -> tuple[float, float, float, float] | None:
        if value is not None and not (-180 <= value[0] < value[2] <= 180 and -90 <= value[1] < value[3] <= 90):
            raise ValueError(f"bbox {value} is no box of degrees; give west, south, east, north (is the axis order swapped?)")
        return value

    @field_validator("query")
    @classmethod
    def _check_query(cls, value: dict[str, Any]) -> dict[str, Any]:
        known = ("eq", "neq", "lt", "lte", "gt", "gte", "in", "startsWith")
        for name, test in value.items():
            wrong = [op for op in test if op not in known] if isinstance(test, dict) else []
            if wrong:
                raise ValueError(f"query of {name!r} has the operator {wrong[0]!r}; known: {', '.join(known)}")
        return value

    @model_validator(mode="after")
    def _check_together(self) -> CatalogueOptions:
        if (self.preset is None) == (self.url is None):
            raise ValueError(f"preset is {self.preset!r} and url is {self.url!r}; give one of them ({', '.join(PRESETS)}, or "
                             "an address, a folder, a file)")  # fmt: skip
        if self.bbox and self.aoi:
            raise ValueError("bbox and aoi both given; keep one")
        if self.start and self.end and self.start > self.end:
            raise ValueError(f"start {self.start} is after end {self.end}; swap them")
        if self.is_api and not self.collections:
            raise ValueError(f"collections is empty; name at least one collection of {self.address}, e.g. sentinel-2-l2a")
        return self

    @property
    def address(self) -> str:
        """The catalogue's address or path."""
        return self.url or PRESETS[str(self.preset)].url

    @property
    def is_api(self) -> bool:
        """Whether the catalogue is asked over http(s)."""
        return self.address.startswith(("http://", "https://"))

    @property
    def signer(self) -> str | None:
        """Endpoint that signs assets, or None."""
        return self.sign or (PRESETS[self.preset].sign if self.preset else None)
