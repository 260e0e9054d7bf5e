"""Batches of rows and what is held out of them."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from landweave.models.deep.series_rows import RowBatches, hold_out
from landweave.models.deep.series_views import SeriesView

VIEW = SeriesView("a", 1, 1, (0.0,), False, 0, False)


def make(n: int, **changes) -> RowBatches:
    inputs = {"a": torch.arange(float(n)).reshape(n, 1, 1), "a_valid": torch.ones(n, 1)}
    target = torch.arange(n) % 2 if "target" not in changes else changes.pop("target")
    return RowBatches(inputs, target, None, (VIEW,), changes.pop("batch_size", 4), 0, n_classes=2, **changes)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 60), st.integers(2, 20), st.integers(1, 9))
def test_every_row_comes_once_per_pass_and_no_batch_has_one_row(n, size, least):
    batches = make(n, batch_size=size, min_batches=least)
    parts = [b.inputs["a"].flatten() for b in batches.epoch(3)]
    assert len(parts) == len(batches) >= least / 1.5
    assert min(len(p) for p in parts) >= min(2, n)
    counts = np.bincount(torch.cat(parts).numpy().astype(int), minlength=n)
    assert counts.min() == counts.max()


def test_epoch_is_drawn_from_its_number_alone():
    batches = make(20)
    first = [b.name for b in batches.epoch(5)]
    list(batches.epoch(1))
    assert [b.name for b in batches.epoch(5)] == first
    assert [b.name for b in batches.epoch(6)] != first
    assert first[0].startswith("training rows ")


def test_balance_draws_rare_classes_as_often():
    batches = make(400, target=(torch.arange(400) >= 380).long(), balance=1.0)
    drawn = torch.cat([b.target for b in batches.epoch(0)])
    assert 0.4 < drawn.float().mean() < 0.6


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 100), st.integers(2, 30))
def test_groups_are_held_out_whole_and_no_class_is_lost(seed, n_groups):
    rng = np.random.default_rng(seed)
    groups, target = rng.integers(0, n_groups, 120), rng.integers(0, 4, 120)
    target[:4] = np.arange(4)
    held = hold_out(target, groups, 0.2, seed=seed)
    assert held.sum() <= 0.31 * 120
    for k in range(4):
        assert 2 * (~held[target == k]).sum() >= (target == k).sum()
    if len(set(groups[held]) & set(groups[~held])):
        assert n_groups <= 8  # each of few groups holds too much, so rows were held out


def test_rows_are_held_out_where_each_group_is_a_class(caplog):
    target = np.arange(60) % 3
    held = hold_out(target, target, 0.2, seed=0)
    assert 0.1 < held.mean() < 0.31
    assert "no group can be spared" in caplog.text


def test_members_hold_out_other_groups():
    target, groups = np.zeros(100, dtype=int), np.arange(100) // 2
    held = [hold_out(target, groups, 0.2, seed=0, member=m, n_members=5) for m in range(5)]
    assert (np.sum(held, axis=0) == 1).all()


def test_share_zero_holds_out_nothing():
    assert not hold_out(np.arange(4), None, 0, seed=0).any()
