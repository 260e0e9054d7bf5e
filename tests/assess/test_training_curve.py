from __future__ import annotations

import pytest

from landweave.assess.training_curve import view_training
from landweave.assess.wording import get_words
from landweave.types import ModelCard, ModelInput

MEMBER = {"best_epoch": 1, "curve": {"epoch": [0, 1, 2], "loss": [1.0, 0.5, 0.4], "macro_f1": [0.2, 0.9, 0.8]}}


def card(**lineage):
    return ModelCard(model="ltae", inputs=(ModelInput(bands=("red",), kinds=("reflectance",)),), classes=[], lineage=lineage)


@pytest.mark.parametrize("lineage", [{"network": {"members": [MEMBER, MEMBER]}}, {"training": MEMBER}])
def test_loss_and_score_of_a_network_become_pictures(lineage):
    view = view_training(card(**lineage), get_words("en"))
    assert "3 epochs over the training data; the weights of epoch 2" in view["text"]
    assert [label for label, _ in view["pictures"]] == ["Loss on the training data", "Score on held-out blocks (macro-f1)"]
    assert view["pictures"][0][1].count("<polyline") == len(lineage.get("network", {}).get("members", [0]))


def test_without_held_out_blocks_there_is_only_the_loss():
    member = {"best_epoch": 2, "curve": {"loss": [1.0, 0.5]}}
    assert len(view_training(card(training=member), get_words("en"))["pictures"]) == 1


@pytest.mark.parametrize("lineage", [{}, {"training": {"best_epoch": 0}}, {"network": {"members": []}}])
def test_models_without_curves_show_nothing(lineage):
    assert view_training(card(**lineage), get_words("en")) is None


def test_without_a_card_nothing_is_shown():
    assert view_training(None, get_words("en")) is None
