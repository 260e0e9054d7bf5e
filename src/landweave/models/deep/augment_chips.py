"""Augmentation of batches of chips: values, masks and labels change together; what is hidden becomes value 0 and valid 0.

Receives the tensors of a batch as networks take them (see `image_parts`) and its target (batch, y, x), -1 ignored; all inputs
move alike, each on its own grid. Every draw comes from the generator that is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from landweave.models.deep.chip_options import ChipAugmentation
from landweave.types import ModelInput

__all__ = ["augment_chips", "turn"]

Inputs = dict[str, Tensor]


def augment_chips(
    inputs: Mapping[str, Tensor], target: Tensor, specs: Sequence[ModelInput], options: ChipAugmentation,
    rng: np.random.Generator,
) -> tuple[Inputs, Tensor]:  # fmt: skip
    """Change every chip of a batch by itself, then mix chips.

    Args:
        inputs: `<input>` and `<input>_valid`.
        target: class_index (batch, y, x), -1 ignored.
        specs: What the inputs are.
        options: How much.
        rng: Where the draws come from.
    """
    made = dict(inputs)
    if options.dihedral:
        made, target = _turn_all(made, target, rng)
    if options.scale:
        made, target = _rescale(made, target, options.scale, rng)
    for spec in specs:
        values, valid = made[spec.name], made[f"{spec.name}_valid"]
        if options.jitter or options.brightness:
            values = _shift_values(values, valid, spec, options, rng)
        if spec.n_steps is not None:
            values, valid = _change_dates(values, valid, spec, options, rng)
        made[spec.name], made[f"{spec.name}_valid"] = values, valid
    if options.sensor_dropout and len(specs) > 1:
        made = _drop_sensors(made, specs, options.sensor_dropout, rng)
    if options.mix != "none" and len(target) > 1:
        made, target = _mix(made, target, options, rng)
    return made, target


def turn(x: Tensor, number: int) -> Tensor:
    """Apply one of the eight turns and mirrorings (0 leaves it) to the last two axes."""
    mirrored = x.flip(-1) if number >= 4 else x
    return torch.rot90(mirrored, number % 4, dims=(-2, -1))


def _turn_all(inputs: Inputs, target: Tensor, rng: np.random.Generator) -> tuple[Inputs, Tensor]:
    numbers = rng.integers(8, size=len(target))

    def each(x: Tensor) -> Tensor:
        return torch.stack([turn(one, int(n)) for one, n in zip(x, numbers, strict=True)])

    return {name: each(x) for name, x in inputs.items()}, each(target)


def _rescale(inputs: Inputs, target: Tensor, most: float, rng: np.random.Generator) -> tuple[Inputs, Tensor]:
    """Enlarge (and crop at random) or shrink (and pad with invalid pixels) by nearest pixels, so that masks stay exact."""
    n = len(target)
    factor = np.exp(rng.uniform(-np.log1p(most), np.log1p(most), n))
    room = np.maximum(0.0, 1 - 1 / factor)
    theta = np.zeros((n, 2, 3), dtype=np.float32)
    theta[:, 0, 0] = theta[:, 1, 1] = 1 / factor
    theta[:, :, 2] = rng.uniform(-1, 1, (n, 2)) * room[:, None]
    where = torch.from_numpy(theta)

    def sample(x: Tensor) -> Tensor:
        flat = x.reshape(n, -1, *x.shape[-2:])
        grid = functional.affine_grid(where, [n, 1, *x.shape[-2:]], align_corners=False)
        return functional.grid_sample(flat, grid, mode="nearest", align_corners=False).reshape(x.shape)

    labels = sample((target + 1).float().unsqueeze(1)).squeeze(1).round().long() - 1  # outside of the chip: 0 - 1
    return {name: sample(x) for name, x in inputs.items()}, labels


def _shift_values(
    values: Tensor, valid: Tensor, spec: ModelInput, options: ChipAugmentation, rng: np.random.Generator
) -> Tensor:
    """Add noise per value and an offset per chip and band, both in standard deviations of the band within the chip."""
    mask = valid.unsqueeze(-3)
    axes = (-2, -1) if spec.n_steps is None else (-4, -2, -1)
    n = mask.sum(dim=axes, keepdim=True).clamp_min(1)
    mean = (values * mask).sum(dim=axes, keepdim=True) / n
    spread = (((values - mean) * mask) ** 2).sum(dim=axes, keepdim=True).div(n).sqrt()
    noise = torch.zeros_like(values)
    if options.jitter:
        noise = noise + options.jitter * _normal(values.shape, rng)
    if options.brightness:
        noise = noise + options.brightness * _normal(spread.shape, rng)
    return values + noise * spread * mask


def _normal(shape: Sequence[int], rng: np.random.Generator) -> Tensor:
    return torch.from_numpy(rng.standard_normal(tuple(shape), dtype=np.float32))


def _change_dates(
    values: Tensor, valid: Tensor, spec: ModelInput, options: ChipAugmentation, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    n, steps = valid.shape[:2]
    if options.shift_steps:
        moved = [_shift(v, m, int(s)) for v, m, s in zip(
            values, valid, rng.integers(-options.shift_steps, options.shift_steps + 1, n), strict=True)]  # fmt: skip
        values, valid = torch.stack([v for v, _ in moved]), torch.stack([m for _, m in moved])
    if options.date_dropout:
        hidden = rng.random((n, steps)) < rng.random((n, 1)) * options.date_dropout
        hidden[np.arange(n), rng.integers(steps, size=n)] = False  # one date is always left
        valid = valid * torch.from_numpy(~hidden).float()[..., None, None]
    if options.clouds and "reflectance" in spec.kinds:
        valid = valid * _clear_sky((n, steps, *valid.shape[-2:]), options.clouds, rng)
    return values * valid.unsqueeze(2), valid


def _shift(values: Tensor, valid: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    out, mask = torch.zeros_like(values), torch.zeros_like(valid)
    if abs(steps) >= len(values):
        return values, valid
    to, of = (slice(steps, None), slice(None, len(values) - steps)) if steps >= 0 else (slice(None, steps), slice(-steps, None))
    out[to], mask[to] = values[of], valid[of]
    return out, mask


def _clear_sky(shape: tuple[int, int, int, int], most: float, rng: np.random.Generator) -> Tensor:
    """Give 0 in blobs and 1 elsewhere: smooth noise below a quantile that is drawn for every date."""
    coarse = _normal((shape[0] * shape[1], 1, 5, 5), rng)
    field = functional.interpolate(coarse, size=shape[2:], mode="bicubic", align_corners=False).reshape(*shape[:2], -1)
    share = torch.from_numpy(rng.random(shape[:2]).astype(np.float32)) * most
    limit = field.sort(dim=-1).values.gather(-1, (share * (field.shape[-1] - 1)).long().unsqueeze(-1))
    return (field >= limit).float().reshape(shape)


def _drop_sensors(inputs: Inputs, specs: Sequence[ModelInput], share: float, rng: np.random.Generator) -> Inputs:
    n = len(inputs[specs[0].name])
    hidden = rng.random((n, len(specs))) < share
    hidden[np.arange(n), rng.integers(len(specs), size=n)] = False
    made = dict(inputs)
    for k, spec in enumerate(specs):
        kept = torch.from_numpy(~hidden[:, k]).float()
        for name in (spec.name, f"{spec.name}_valid"):
            made[name] = made[name] * kept.reshape(-1, *([1] * (made[name].ndim - 1)))
    return made


def _mix(
    inputs: Inputs, target: Tensor, options: ChipAugmentation, rng: np.random.Generator
) -> tuple[Inputs, Tensor]:  # fmt: skip
    """Paste a part of the next chip of the batch: a rectangle, or the pixels of half of its classes."""
    n, height, width = target.shape
    other = torch.roll(torch.arange(n), -1)
    chosen = torch.from_numpy(rng.random(n) < options.mix_share)
    is_cut = options.mix == "cutmix"
    masks = [_rectangle(height, width, rng) if is_cut else _half_of_classes(target[int(o)], rng) for o in other]
    mask = torch.stack(masks) & chosen[:, None, None]

    def paste(x: Tensor) -> Tensor:
        ratio = height // x.shape[-2]
        own = mask[:, ratio // 2 :: ratio, ratio // 2 :: ratio]
        own = own.reshape(n, *([1] * (x.ndim - 3)), *own.shape[-2:])
        return torch.where(own, x[other], x)

    return {name: paste(x) for name, x in inputs.items()}, paste(target)


def _rectangle(height: int, width: int, rng: np.random.Generator) -> Tensor:
    """Draw a rectangle of a uniformly drawn share of the area (Yun et al. 2019, arXiv:1905.04899, eq. 2)."""
    side = np.sqrt(1 - rng.random())
    rows, cols = max(1, round(height * side)), max(1, round(width * side))
    top, left = int(rng.integers(height - rows + 1)), int(rng.integers(width - cols + 1))
    mask = torch.zeros(height, width, dtype=torch.bool)
    mask[top : top + rows, left : left + cols] = True
    return mask


def _half_of_classes(target: Tensor, rng: np.random.Generator) -> Tensor:
    """Choose the pixels of half of the classes of a chip (Olsson et al. 2021, arXiv:2007.07936, section 3.1)."""
    classes = torch.unique(target[target >= 0]).numpy()
    chosen = rng.permutation(classes)[: (len(classes) + 1) // 2]
    return torch.isin(target, torch.from_numpy(chosen))
