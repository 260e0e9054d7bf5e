"""How feature rows are read as series: views with steps, days and masks, and the normalisation fitted on training rows.

A view is one input of the model. The front of every series network is the same: rows in, one tensor per view out, gaps 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from landweave.models.inputs import step_days
from landweave.types import MissingPolicy, ModelInput

__all__ = ["Front", "Normaliser", "SeriesView", "Views", "fit_normaliser", "lay_out"]

Views = dict[str, Tensor]
"""Per view `<name>`: float32 (row, step, band), gaps 0; `<name>_valid`: float32 (row, step), 1 where any band is observed."""


@dataclass(frozen=True)
class SeriesView:
    """One input as a network sees it.

    Attributes:
        name: Name of the input.
        n_steps: Time steps; 1 when static.
        n_bands: Bands.
        days: Middle of each step in days since the first one of all inputs.
        is_static: Whether it has no time.
        start: Its first column in a feature row.
        has_mask: Whether the values of each step are followed by as many columns of 0 and 1.
    """

    name: str
    n_steps: int
    n_bands: int
    days: tuple[float, ...]
    is_static: bool
    start: int
    has_mask: bool

    @property
    def width(self) -> int:
        """Columns in a feature row."""
        return self.n_steps * self.n_bands * (2 if self.has_mask else 1)

    def take(self, features: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Give its values (row, step, band) and which are observed."""
        block = features[:, self.start : self.start + self.width].reshape(len(features), self.n_steps, -1)
        values = block[:, :, : self.n_bands]
        return values, block[:, :, self.n_bands :] > 0 if self.has_mask else np.ones(values.shape, dtype=bool)


def lay_out(inputs: Sequence[ModelInput], missing: MissingPolicy) -> tuple[SeriesView, ...]:
    """Say where each input stands in the rows of `prepare_features`."""
    first = min((float(step_days(i)[0]) for i in inputs if i.dates is not None), default=0.0)
    views, at = [], 0
    for spec in inputs:
        days = tuple(float(d - first) if spec.dates is not None else float(d) for d in step_days(spec))
        view = SeriesView(spec.name, spec.n_steps or 1, len(spec.bands), days, spec.n_steps is None, at, missing == "mask")
        views.append(view)
        at += view.width
    return tuple(views)


@dataclass(frozen=True)
class Normaliser:
    """Mean and standard deviation per band of a view, over the observed values of training rows."""

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]


def fit_normaliser(features: NDArray[np.float32], view: SeriesView) -> Normaliser:
    """Fit mean and standard deviation of each band; a band that never varies is left at scale 1."""
    block, valid = view.take(features)
    count = np.maximum(valid.sum(axis=(0, 1)), 1)
    values = block.astype(np.float64)
    mean = np.where(valid, values, 0).sum(axis=(0, 1)) / count
    spread = np.sqrt((np.where(valid, values - mean, 0) ** 2).sum(axis=(0, 1)) / count)
    return Normaliser(mean.astype(np.float32), np.where(spread > 1e-9, spread, 1.0).astype(np.float32))


class Front(nn.Module):
    """From feature rows (row, column) to normalised views with their masks."""

    def __init__(self, views: Sequence[SeriesView], normalisers: Sequence[Normaliser]) -> None:
        super().__init__()
        self.views = tuple(views)
        for v, normaliser in enumerate(normalisers):
            self.register_buffer(f"mean_{v}", torch.from_numpy(normaliser.mean))
            self.register_buffer(f"scale_{v}", torch.from_numpy(normaliser.scale))

    def forward(self, features: Tensor) -> Views:
        """Give the tensors of every view."""
        result: Views = {}
        for v, view in enumerate(self.views):
            block = features[:, view.start : view.start + view.width].reshape(-1, view.n_steps, view.width // view.n_steps)
            values = (block[:, :, : view.n_bands] - self.get_buffer(f"mean_{v}")) / self.get_buffer(f"scale_{v}")
            if view.has_mask:
                mask = block[:, :, view.n_bands :]
                result[view.name] = values * mask
                result[f"{view.name}_valid"] = mask.amax(dim=2)
            else:
                result[view.name] = values
                result[f"{view.name}_valid"] = torch.ones_like(values[:, :, 0])
        return result

    def draw_rows(self, n: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Draw feature rows (n, column) with the bands' means and spreads, half the values missing where there are masks."""
        parts: list[NDArray[np.float64]] = []
        for v, view in enumerate(self.views):
            mean, scale = self.get_buffer(f"mean_{v}").numpy(), self.get_buffer(f"scale_{v}").numpy()
            values = rng.normal(mean, scale, (n, view.n_steps, view.n_bands))
            mask = (rng.random(values.shape) < 0.5).astype(np.float64)
            block = np.concatenate([values * mask, mask], axis=2) if view.has_mask else values
            parts.append(block.reshape(n, -1))
        return np.concatenate(parts, axis=1).astype(np.float32)
