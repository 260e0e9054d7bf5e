"""Options of the trainer; importable without torch, so that `landweave models` can list them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from landweave.types import Options

__all__ = ["TrainOptions"]


class TrainOptions(Options):
    """How a network is trained."""

    epochs: int = Field(60, ge=1, description="Passes over the training data at most.")
    batch_size: int = Field(64, ge=1, description="Rows or chips per batch.")
    learning_rate: float = Field(2e-3, gt=0, description="Highest learning rate, reached after the warm-up.")
    weight_decay: float = Field(1e-2, ge=0, description="Decoupled weight decay (AdamW); not on biases and norms.")
    warmup_share: float = Field(0.1, ge=0, lt=1, description="Share of the steps with a rising learning rate.")
    clip_norm: float | None = Field(1.0, gt=0, description="Gradients are scaled down to this norm; none leaves them.")
    accumulate: int = Field(1, ge=1, description="Batches whose gradients are added up before a step.")
    ema: float = Field(0.99, ge=0, lt=1, description="Decay of the moving average of weights, which is what is kept; 0: off.")
    patience: int | None = Field(20, ge=1, description="Epochs without a better score before stopping; none never stops early.")
    min_epochs: int = Field(1, ge=1, description="No early stop before this many epochs.")
    monitor: str = Field("macro_f1", description="Validation score that decides which epoch is kept.")
    maximize: bool = Field(True, description="Whether a higher monitored score is better.")
    precision: Literal["auto", "fp32", "bf16"] = Field("auto", description="auto: bf16 on a GPU that has it, else fp32.")
    loss: str = Field("cross-entropy", description="Name of the loss (see the page on networks).")
    loss_params: dict[str, Any] = Field(default_factory=dict, description="Parameters of the loss.")
    log: tuple[Literal["csv", "tensorboard", "mlflow"], ...] = Field(("csv",), description="Logs written into the folder.")
    threads: int = Field(1, ge=1, description="Threads of torch; the result may depend on it in the last digits.")
    max_minutes: float | None = Field(None, gt=0, description="Stop after the epoch in which this time ran out.")
    seed: int = Field(0, ge=0, description="Seed of weights, order and dropout.")
    device: str = Field("auto", description="auto: cuda where there is one, else cpu.")


NOT_IN_RESULT = frozenset({"log", "max_minutes", "device", "threads"})
"""Options that another run may change and still continue from a checkpoint."""
