"""Options of the splits: what is kept apart, how large blocks are, what is left out between training and test."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from landweave.types import Options

__all__ = ["SplitOptions"]


class SplitOptions(Options):
    """Folds of the cross-validation; random and spatial ones are always made side by side."""

    n_folds: int = Field(5, ge=2, description="folds; every sample is tested once per repeat")
    n_repeats: int = Field(1, ge=1, description="how often the folds are drawn anew")
    by: str = Field(
        "block",
        description="spatial folds by `block`, `group`, `polygon`, `year`, `tile` (100 km squares of UTM, as Sentinel-2's), "
        "`region` (a column, or the polygons of `regions`), `environment` (clusters of features), `knndm` (as far from the "
        "training as the map is from the samples), or by a column",
    )
    random_by: Literal["group", "sample"] = Field(
        "group", description="random folds keep groups together, or (`sample`) deal single rows, as most papers do"
    )
    block_size_m: float | Literal["auto"] | None = Field(
        None, description="side of a block in metres on the ellipsoid; `auto` takes the range of the samples' variogram"
    )
    block_size_deg: float | None = Field(None, gt=0, description="side of a block in degrees of longitude and latitude")
    buffer_m: float = Field(0, ge=0, description="training rows nearer than this to a test row are left out")
    holdout: float | None = Field(None, gt=0, lt=1, description="share held out by blocks for the final assessment")
    seed: int = Field(0, ge=0, description="seed of the folds")
    leave_one_out: bool = Field(False, description="one fold for every value of `by` (each region, each year), not `n_folds`")
    cut_groups: bool = Field(
        False, description="let the values of a column cut groups: `by: year` then tests other years at the same places"
    )
    regions: str | None = Field(None, description="polygons whose `region_column` names the regions of `by: region`")
    region_column: str | None = Field(None, description="column of `regions` with the name; one polygon, one region by default")
    environment_columns: tuple[str, ...] = Field(
        (), description="columns that `by: environment` clusters; the features without their class means by default"
    )
    n_environments: int | None = Field(None, ge=2, description="clusters of `by: environment`; as many as folds by default")
    predict_bbox: tuple[float, float, float, float] | None = Field(
        None, description="west, south, east, north in degrees of the area that kNNDM matches; a recipe's map by default, "
                          "else the hull of the samples"
    )  # fmt: skip
    compare: tuple[Literal["knndm"], ...] = Field((), description="folds to report beside the random and the spatial ones")

    @field_validator("block_size_m")
    @classmethod
    def _positive(cls, value: Any) -> Any:
        if isinstance(value, float | int) and not value > 0:
            raise ValueError(f"block_size_m is {value}; give a positive number of metres, or auto")
        return value

    @field_validator("predict_bbox")
    @classmethod
    def _bbox_order(cls, value: tuple[float, float, float, float] | None) -> tuple[float, float, float, float] | None:
        if value is not None and not (-180 <= value[0] < value[2] <= 180 and -90 <= value[1] < value[3] <= 90):
            raise ValueError(f"predict_bbox is {list(value)}; give west, south, east, north in degrees, west before east and "
                             "south before north")  # fmt: skip
        return value

    @model_validator(mode="after")
    def _one_size(self) -> SplitOptions:
        if self.block_size_m is not None and self.block_size_deg is not None:
            size = self.block_size_m if isinstance(self.block_size_m, str) else f"{self.block_size_m:g}"
            raise ValueError(f"block_size_m {size} and block_size_deg {self.block_size_deg:g} are both given; give one")
        if self.by in ("block", "group", "polygon", "environment", "knndm") and (self.leave_one_out or self.cut_groups):
            name = "leave_one_out" if self.leave_one_out else "cut_groups"
            raise ValueError(f"{name} needs a split by the values of something: by: year, tile, region or a column, "
                             f"not by: {self.by}")  # fmt: skip
        return self
