"""Losses against their formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from landweave.errors import ModelError
from landweave.models.deep.losses import list_losses, make_loss, ordinal_proba

LOGITS = torch.tensor([[2.0, 0.0, -1.0], [0.1, 0.2, 0.3], [0.0, 3.0, 1.0], [9.0, 0.0, 0.0]])
TARGET = torch.tensor([0, 2, 1, -1])
P = LOGITS.softmax(1)[torch.arange(3), TARGET[:3]]
CLASSIFYING = {"cross-entropy": {}, "focal": {}, "symmetric": {}, "generalised": {}, "class-balanced": {"counts": [5, 5, 1]},
               "hierarchical": {"parents": [0, 0, 1]}}  # fmt: skip


def test_cross_entropy_is_torchs():
    wanted = functional.cross_entropy(LOGITS, TARGET, ignore_index=-1, label_smoothing=0.1)
    assert make_loss("cross-entropy", {"smoothing": 0.1})(LOGITS, TARGET) == pytest.approx(float(wanted), rel=1e-6)


@pytest.mark.parametrize(
    ("name", "params", "wanted"),
    [
        ("focal", {"gamma": 2}, (-((1 - P) ** 2) * P.log()).mean()),
        ("generalised", {"q": 0.7}, ((1 - P**0.7) / 0.7).mean()),
        ("symmetric", {"beta": 0.5}, (-P.log() + 0.5 * 4 * (1 - P)).mean()),
    ],
)
def test_loss_is_its_formula(name, params, wanted):
    assert make_loss(name, params)(LOGITS, TARGET) == pytest.approx(float(wanted), rel=1e-5)


@pytest.mark.parametrize("name", CLASSIFYING)
def test_ignored_rows_do_not_count(name):
    loss = make_loss(name, CLASSIFYING[name])
    assert loss(LOGITS, TARGET) == pytest.approx(float(loss(LOGITS[:3], TARGET[:3])))
    assert loss(LOGITS[3:], TARGET[3:]) == 0


@pytest.mark.parametrize("name", CLASSIFYING)
def test_shares_of_one_class_are_that_class_also_on_images(name):
    loss = make_loss(name, CLASSIFYING[name])
    shares = functional.one_hot(TARGET[:3], 3).float()
    image, target = LOGITS[:3].T.reshape(1, 3, 1, 3), TARGET[:3].reshape(1, 1, 3)
    assert loss(LOGITS[:3], shares) == pytest.approx(float(loss(LOGITS[:3], TARGET[:3])), rel=1e-5)
    assert loss(image, target) == pytest.approx(float(loss(LOGITS[:3], TARGET[:3])), rel=1e-5)


def test_weight_zero_is_as_good_as_absent():
    loss = make_loss("cross-entropy", {})
    weighted = loss(LOGITS, TARGET, torch.tensor([1.0, 0.0, 1.0, 1.0]))
    assert weighted == pytest.approx(float(loss(LOGITS[[0, 2]], TARGET[[0, 2]])))


def test_rare_classes_weigh_more_when_balanced():
    loss = make_loss("class-balanced", {"counts": [1000, 10, 0]})
    weight = loss.get_buffer("class_weight")
    assert weight[1] > 10 * weight[0]
    assert (weight[2], float(weight[:2].mean())) == (0, pytest.approx(1))


def test_parents_count_the_sum_of_their_children():
    loss = make_loss("hierarchical", {"parents": [0, 0, 1], "parent_weight": 1.0})
    p = LOGITS.softmax(1)
    wanted = -p[0, 0].log() - (p[0, 0] + p[0, 1]).log()
    assert loss(LOGITS[:1], TARGET[:1]) == pytest.approx(float(wanted), rel=1e-5)


def test_co_teaching_leaves_out_what_the_other_network_finds_hard():
    loss = make_loss("co-teaching", {"noise": 0.5})
    both = torch.stack([LOGITS[:2], LOGITS[[1, 0]]], dim=2)
    target = torch.tensor([0, 0])
    loss.set_epoch(10, 10)
    # network 0 finds row 0 easy, network 1 row 1, so each is trained on the row that is hard for itself
    hard = -LOGITS[1].log_softmax(0)[0]
    assert loss(both, target) == pytest.approx(float(2 * hard), rel=1e-5)
    with pytest.raises(ModelError, match=r"takes logits \(batch, class, 2\), got \(4, 3\)"):
        loss(LOGITS, TARGET)


@pytest.mark.parametrize("name", ["coral", "corn"])
def test_ordinal_losses_are_least_at_the_truth(name):
    loss = make_loss(name, {"n_classes": 4})
    sure = torch.tensor([[9.0, 9.0, -9.0]])
    values = [float(loss(sure, torch.tensor([k]))) for k in range(4)]
    assert (int(np.argmin(values)), loss.n_outputs) == (2, 3)
    proba = ordinal_proba(sure, conditional=name == "corn")
    assert proba.argmax() == 2
    assert proba.sum() == pytest.approx(1, abs=1e-6)


def test_regression_losses():
    y, out = torch.tensor([0.0, float("nan"), 3.0]), torch.tensor([[0.5], [1.0], [1.0]])
    assert make_loss("huber", {})(out, y) == pytest.approx((0.125 + 1.5) / 2)
    two = torch.tensor([[0.5, 0.0], [1.0, 0.0], [1.0, 0.0]])
    assert make_loss("gaussian-nll", {})(two, y) == pytest.approx(0.5 * (0.25 + 4) / 2)


def test_unknown_names_list_what_exists():
    with pytest.raises(ModelError, match="no loss named 'focl'; did you mean 'focal'"):
        make_loss("focl", {})
    with pytest.raises(ModelError, match="loss focal has no parameter 'gama'; it takes gamma"):
        make_loss("focal", {"gama": 1})
    with pytest.raises(ModelError, match="q is 2; generalised"):
        make_loss("generalised", {"q": 2})
    assert {"cross-entropy", "corn", "huber"} <= set(list_losses())
