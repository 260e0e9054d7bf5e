"""What a map can be asked for."""

from __future__ import annotations

from datetime import date

from pydantic import Field, field_validator, model_validator

from landweave.maps.filters import MAX_MMU_PX, FilterOptions, check_majority_px
from landweave.maps.smoothing import SmoothOptions
from landweave.types import Augment, Device, Options, Precision, RuntimeName

__all__ = ["MapOptions"]


class MapOptions(Options):
    """Options of `predict_map`."""

    proba: bool = Field(True, description="Write proba.tif: one band of class probability per class, in legend order.")
    uncertainty: bool = Field(
        True, description="Write uncertainty.tif: entropy (0 certain, 1 no idea) and margin between the best two classes."
    )
    applicability: bool = Field(
        False, description="Write applicability.tif: dissimilarity to the training data over its threshold; above 1 the model "
                           "was never tested. Needs model.applicability."
    )  # fmt: skip
    unsure_error: float | None = Field(
        None, gt=0, lt=1, description="Leave pixels unsure (code 254) so that, by the held-out rows, at most this share of the "
                                      "others is wrong. Needs model.conformal."
    )  # fmt: skip
    conformal_error: float | None = Field(
        None, gt=0, lt=1, description="Write sets.tif: for each pixel the classes that hold the truth but for this share of "
                                      "errors, class by class. Needs model.conformal."
    )  # fmt: skip
    conformal_shift: bool = Field(
        False, description="Weigh the held-out rows by how alike they are to the map's pixels, where the map is unlike the "
                           "samples; slower. Needs conformal_error."
    )  # fmt: skip
    smooth: SmoothOptions | None = Field(
        None, description="Smooth the model's probabilities by their neighbourhood before the class is chosen; map.tif, "
                          "proba.tif and uncertainty.tif all show the smoothed ones."
    )  # fmt: skip
    majority_px: int | None = Field(
        None, description="Side of a majority filter over the classes, in pixels; odd, 3 to 51. Changes map.tif alone."
    )
    mmu_px: int | None = Field(
        None, ge=2, le=MAX_MMU_PX, description="Minimum mapping unit in pixels: a smaller patch goes to the class that it "
                                               "shares the longest border with. Changes map.tif alone."
    )  # fmt: skip
    runtime: RuntimeName = Field(
        "onnxruntime", description="What computes a network; openvino (an extra) is faster on many processors. Each rounds in "
                                   "its own way, so that a map begun with one is not finished with the other."
    )  # fmt: skip
    precision: Precision = Field(
        "fp32", description="Numbers inside a network: bf16 has 8 bits of mantissa; with the runtime openvino alone."
    )
    device: Device = Field("cpu", description="Where a network is computed; cuda needs onnxruntime-gpu.")
    augment: Augment | None = Field(
        None, description="Test-time augmentation of a network on chips: the mean over the eight turns and mirrorings of each "
                          "chip, at eight times the work."
    )  # fmt: skip
    block_px: int | None = Field(
        None, description="Side of the blocks computed at once, in pixels; chosen from the memory budget by default. "
                          "It never changes a pixel of the map."
    )  # fmt: skip
    block_store: str | None = Field(
        None, description="Object store for the blocks of an unfinished map (s3://BUCKET/PREFIX, gs://, az://), for workers of "
                          "a scheduler that share no folder with this machine; credentials come from the environment."
    )  # fmt: skip
    seasons: tuple[date, ...] | None = Field(
        None, description="Start dates of the seasons to map, one map each; needed where the model was trained on a season."
    )
    allow_missing: bool = Field(
        False, description="Write the map although some blocks failed on corrupt sources; their pixels are nodata and counted."
    )

    @property
    def filters(self) -> FilterOptions:
        """The filters of classes, as the map is put together."""
        return FilterOptions(majority_px=self.majority_px, mmu_px=self.mmu_px)

    @model_validator(mode="after")
    def _shift_of_sets(self) -> MapOptions:
        if self.conformal_shift and self.conformal_error is None:
            raise ValueError("conformal_shift weighs the sets of conformal_error, which is not given; give a rate such as 0.1")
        return self

    @field_validator("majority_px")
    @classmethod
    def _check_majority(cls, value: int | None) -> int | None:
        return check_majority_px(value)

    @field_validator("block_store")
    @classmethod
    def _check_store(cls, value: str | None) -> str | None:
        if value is not None and "://" not in value:
            raise ValueError(f"block_store is {value!r}; give an address such as s3://bucket/prefix, or leave it out to keep "
                             "the blocks in the output folder")  # fmt: skip
        return value

    @field_validator("block_px")
    @classmethod
    def _check_block(cls, value: int | None) -> int | None:
        if value is not None and not 16 <= value <= 16384:
            raise ValueError(f"block_px is {value}; give 16 to 16384, or leave it out to have it chosen from the memory budget")
        return value

    @field_validator("seasons")
    @classmethod
    def _check_seasons(cls, value: tuple[date, ...] | None) -> tuple[date, ...] | None:
        if value is not None and (len(value) == 0 or len(set(value)) < len(value)):
            shown = ", ".join(d.isoformat() for d in value) or "empty"
            raise ValueError(f"seasons are {shown}; give each start date once, or leave seasons out")
        return value
