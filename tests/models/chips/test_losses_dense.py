"""Losses of regions."""

from __future__ import annotations

import pytest
import torch

from landweave.models.deep.losses import make_loss

NAMES = ("boundary", "cross-entropy-dice", "cross-entropy-lovasz", "dice", "lovasz", "tversky")


def logits_of(target: torch.Tensor, sure: float = 12.0) -> torch.Tensor:
    return sure * torch.nn.functional.one_hot(target.clamp_min(0), 3).movedim(-1, 1).float()


@pytest.fixture
def target():
    rng = torch.Generator().manual_seed(0)
    return torch.randint(0, 3, (2, 8, 8), generator=rng)


@pytest.mark.parametrize("name", NAMES)
def test_right_answers_cost_nearly_nothing_and_wrong_ones_much(name, target):
    loss = make_loss(name, {})
    assert float(loss(logits_of(target), target)) < 0.01
    assert float(loss(logits_of((target + 1) % 3), target)) > 0.9


@pytest.mark.parametrize("name", NAMES)
def test_ignored_pixels_count_nowhere(name, target):
    loss, output = make_loss(name, {}), torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    hidden = target.clone()
    hidden[:, :3] = -1
    other = output.clone()
    other[:, :, :3] += torch.randn(2, 3, 3, 8, generator=torch.Generator().manual_seed(2))
    assert float(loss(output, hidden)) == pytest.approx(float(loss(other, hidden)), abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_all_ignored_is_zero_with_a_gradient(name):
    output = torch.randn(1, 3, 4, 4, requires_grad=True)
    value = make_loss(name, {})(output, torch.full((1, 4, 4), -1))
    value.backward()
    assert float(value.detach()) == 0
    assert bool((output.grad == 0).all())


def test_lovasz_of_hard_answers_is_one_minus_mean_iou(target):
    predicted = target.clone()
    predicted[:, :2] = 0
    iou = []
    for k in range(3):
        a, b = predicted == k, target == k
        iou.append(float((a & b).sum() / (a | b).sum()))
    value = make_loss("lovasz", {})(logits_of(predicted, 60.0), target)
    assert float(value) == pytest.approx(1 - sum(iou) / 3, abs=1e-4)  # float32


def test_tversky_with_halves_is_dice(target):
    output = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(3))
    assert float(make_loss("tversky", {"alpha": 0.5, "beta": 0.5})(output, target)) == pytest.approx(
        float(make_loss("dice", {})(output, target))
    )


def test_boundary_pixels_weigh_most():
    target = torch.zeros(1, 9, 9, dtype=torch.long)
    target[:, :, 5:] = 1
    weight = make_loss("boundary", {"strength": 4.0, "sigma": 1.0}).weigh(target)[0, 4]
    assert weight[4] == weight[5] == 5
    assert weight[4] > weight[3] > weight[2] > weight[1] == 1


def test_unlabelled_pixels_make_no_boundary():
    target = torch.zeros(1, 9, 9, dtype=torch.long)
    target[:, :, 5:] = -1
    assert bool((make_loss("boundary", {}).weigh(target)[target >= 0] == 1).all())
