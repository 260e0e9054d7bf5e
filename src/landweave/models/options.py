"""Options of the model stage, as they stand under `model:` in a recipe."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from landweave.types import MissingPolicy, Options

__all__ = ["ModelOptions"]


class ModelOptions(Options):
    """Which model to train and how."""

    name: str = Field("random-forest", description="Model family (see `landweave models`); auto lets spatial folds choose.")
    params: dict[str, Any] = Field(default_factory=dict, description="Parameters of the family; the others keep its defaults.")
    class_weight: Literal["balanced"] | dict[str, float] | None = Field(
        None, description="Weight of the classes in training: balanced, or a weight per class name; none by default."
    )
    missing: MissingPolicy = Field(
        "fill", description="Gaps in a series: fill (linear over time), native (NaN passed on), mask (0 and a mask)."
    )
    min_valid_steps: int = Field(1, ge=1, description="A pixel with fewer valid dates than this is nodata.")
    seed: int = Field(0, ge=0, description="Seed of everything random in training.")
    calibration: Literal["temperature", "isotonic", "dirichlet"] | None = Field(
        None, description="Calibrate the probabilities on the spatial folds' held-out rows."
    )
    conformal: bool = Field(False, description="Keep held-out scores, for sets of classes and for `map.unsure_error`.")
    applicability: bool = Field(False, description="Learn the area of applicability, for `map.applicability`.")
    candidates: tuple[str, ...] = Field(
        ("random-forest", "extra-trees", "svm", "logistic-regression"),
        description="Families that `name: auto` tries; each with its default parameters.",
    )

    @field_validator("class_weight")
    @classmethod
    def _check_weights(cls, value: Any) -> Any:
        wrong = {k: w for k, w in value.items() if not w > 0} if isinstance(value, dict) else {}
        if wrong:
            name, weight = next(iter(wrong.items()))
            raise ValueError(f"weight of class {name!r} is {weight}; weights are positive, leave the class out for 1")
        return value

    @field_validator("candidates")
    @classmethod
    def _check_candidates(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or "auto" in value:
            raise ValueError(f"candidates are {list(value)}; name at least one family, and not auto itself")
        return value
