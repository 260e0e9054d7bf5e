"""Augmentation: what it may change and what not."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from landweave.models.deep.augment_series import SeriesAugmentation, augment, mix
from landweave.models.deep.series_views import SeriesView

A = SeriesView("a", 8, 2, tuple(range(8)), False, 0, True)
B = SeriesView("b", 1, 3, (0.0,), True, 32, True)


def make(n: int = 40, seed: int = 0) -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    valid = (torch.rand((n, 8), generator=rng) < 0.8).float()
    valid[:, 0] = 1
    return {"a": torch.randn((n, 8, 2), generator=rng) * valid[:, :, None], "a_valid": valid,
            "b": torch.randn((n, 1, 3), generator=rng), "b_valid": torch.ones(n, 1)}  # fmt: skip


def run(seed: int = 1, **options: float) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    inputs = make()
    return inputs, augment(inputs, (A, B), SeriesAugmentation(**options), torch.Generator().manual_seed(seed))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.floats(0, 0.9), st.integers(0, 7), st.floats(0, 0.9))
def test_what_is_hidden_is_zero_and_a_row_keeps_something(seed, dates, shift, sensors):
    _, found = run(seed, date_dropout=dates, shift_steps=shift, jitter=0.1, brightness=0.1, sensor_dropout=sensors)
    for name in ("a", "b"):
        assert set(found[f"{name}_valid"].unique().tolist()) <= {0.0, 1.0}
        assert (found[name][found[f"{name}_valid"] == 0] == 0).all()
    assert (found["a_valid"].amax(dim=1) + found["b_valid"].amax(dim=1) > 0).all()


def test_nothing_asked_changes_nothing():
    inputs, found = run()
    assert all(torch.equal(inputs[k], found[k]) for k in inputs)


def test_dates_are_dropped_but_never_added():
    inputs, found = run(date_dropout=0.6)
    assert (found["a_valid"] <= inputs["a_valid"]).all()
    assert 0.4 < found["a_valid"].sum() / inputs["a_valid"].sum() < 0.9


def test_shift_moves_the_series_as_a_whole():
    inputs, found = run(shift_steps=1)
    moved = {-1: inputs["a"][:, 1:], 1: inputs["a"][:, :-1]}
    rows = [torch.equal(found["a"][i, :-1], moved[-1][i]) or torch.equal(found["a"][i, 1:], moved[1][i])
            or torch.equal(found["a"][i], inputs["a"][i]) for i in range(40)]  # fmt: skip
    assert all(rows)


def test_brightness_is_one_offset_per_row_and_band():
    inputs, found = run(brightness=0.5)
    offset = (found["b"] - inputs["b"])[:, 0]
    assert 0.3 < offset.std() < 0.7


def test_same_draws_give_the_same_batch():
    first, second = run(3, jitter=1.0, sensor_dropout=0.5)[1], run(3, jitter=1.0, sensor_dropout=0.5)[1]
    assert all(torch.equal(first[k], second[k]) for k in first)


@pytest.mark.parametrize("options", [{"mixup": 0.4}, {"cutmix": 1.0}])
def test_mixed_rows_keep_shares_that_sum_to_one_and_mostly_their_class(options):
    shares = torch.eye(4)[torch.arange(40) % 4]
    rng = torch.Generator().manual_seed(0)
    found, mixed = mix(make(), shares, (A, B), SeriesAugmentation(**options), rng)
    torch.testing.assert_close(mixed.sum(dim=1), torch.ones(40))
    assert (mixed.gather(1, (torch.arange(40) % 4)[:, None]) >= 0.4999).all()
    assert not torch.equal(found["a"], make()["a"])
