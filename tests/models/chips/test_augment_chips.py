"""Augmentation of chips: values, masks and labels change together."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from landweave.models.deep.augment_chips import augment_chips, turn
from landweave.models.deep.chip_options import ChipAugmentation
from landweave.types import ModelInput

SPECS = (
    ModelInput(name="s2", bands=("red", "nir"), kinds=("reflectance",) * 2, n_steps=5),
    ModelInput(name="dem", bands=("height",), kinds=("elevation",)),
)


@pytest.fixture
def batch():
    """Chips whose values tell their label: red of each date and the coarse height are the class number plus one."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 3, (4, 8, 8))
    target = torch.from_numpy(coarse.repeat(2, axis=1).repeat(2, axis=2))
    s2 = (target + 1).float()[:, None, None].expand(-1, 5, 2, -1, -1).clone()
    inputs = {"s2": s2, "s2_valid": torch.ones(4, 5, 16, 16), "dem": torch.from_numpy(coarse + 1.0).float()[:, None],
              "dem_valid": torch.ones(4, 8, 8)}  # fmt: skip
    return inputs, target


def change(batch, seed=1, **options):
    made = ChipAugmentation(**{"dihedral": False, **options})
    return augment_chips(*batch, SPECS, made, np.random.default_rng(seed))


@pytest.mark.parametrize("options", [{"dihedral": True}, {"scale": 0.5}, {"mix": "cutmix", "mix_share": 1.0},
                                     {"mix": "classmix", "mix_share": 1.0}])  # fmt: skip
def test_labels_move_with_the_values(batch, options):
    inputs, target = change(batch, **options)
    seen = (target >= 0) & (inputs["s2_valid"][:, 0] > 0)
    assert not torch.equal(target, batch[1])
    assert torch.equal(inputs["s2"][:, 0, 0][seen], (target + 1).float()[seen])


def test_coarse_inputs_turn_with_the_fine_ones(batch):
    inputs, target = change(batch, dihedral=True)
    assert torch.equal(inputs["dem"][:, 0].repeat_interleave(2, 1).repeat_interleave(2, 2), (target + 1).float())


def test_what_is_outside_after_shrinking_is_invalid_and_unlabelled(batch):
    inputs, target = change(batch, scale=0.7, seed=3)
    outside = inputs["s2_valid"][:, 0] == 0
    assert outside.any()
    assert (target[outside] == -1).all()


@pytest.mark.parametrize("options", [{"date_dropout": 0.9}, {"clouds": 0.8}, {"shift_steps": 2}, {"sensor_dropout": 0.9}])
def test_hidden_values_are_zero_and_invalid(batch, options):
    inputs, _ = change(batch, **options)
    hidden = inputs["s2_valid"] == 0
    assert hidden.any() or options == {"sensor_dropout": 0.9}
    assert (inputs["s2"].movedim(2, -1)[hidden] == 0).all()


def test_one_date_and_one_sensor_are_always_left(batch):
    inputs, _ = change(batch, date_dropout=0.99)
    assert (inputs["s2_valid"].amax(dim=(1, 2, 3)) == 1).all()
    inputs, _ = change(batch, sensor_dropout=0.99)
    left = inputs["s2_valid"].amax(dim=(1, 2, 3)) + inputs["dem_valid"].amax(dim=(1, 2))
    assert (left >= 1).all()


def test_clouds_leave_other_kinds_alone(batch):
    inputs, _ = change(batch, clouds=0.9)
    assert (inputs["dem_valid"] == 1).all()


def test_jitter_changes_valid_values_only(batch):
    batch[0]["s2_valid"][:, 0], batch[0]["s2"][:, 0] = 0, 0
    inputs, _ = change(batch, jitter=0.2, brightness=0.2)
    assert (inputs["s2"][:, 0] == 0).all()
    assert not torch.equal(inputs["s2"][:, 1], batch[0]["s2"][:, 1])


def test_the_same_generator_gives_the_same_batch(batch):
    every = {"dihedral": True, "scale": 0.3, "jitter": 0.1, "date_dropout": 0.3, "clouds": 0.3, "mix": "cutmix"}
    a, b = change(batch, **every), change(batch, **every)
    assert torch.equal(a[1], b[1])
    assert all(torch.equal(a[0][k], b[0][k]) for k in a[0])


def test_eight_turns_are_different():
    x = torch.arange(16.0).reshape(4, 4)
    assert len({tuple(turn(x, k).flatten().tolist()) for k in range(8)}) == 8
