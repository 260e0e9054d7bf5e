from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from landweave.errors import ModelError, SampleError
from landweave.models import ModelOptions
from landweave.models.deep.losses import make_loss
from landweave.models.deep.scene_networks import DropBlock, JoinedAttention
from landweave.models.deep.train_scenes import SceneSetting, score_scenes, split_scenes, train_scenes
from landweave.models.scene_model import load_scenes, save_scenes
from landweave.models.scene_options import SCENE_NETWORKS

SMALL = {"width": 4, "epochs": 1, "batch_size": 12}


def train(scenes, name="scene-cnn", **params):
    return train_scenes(scenes, options=ModelOptions(name=name, params={**SMALL, **params}))


@pytest.fixture(scope="module")
def trained(make_scenes):
    return train(make_scenes(), epochs=20, width=8, learning_rate=0.01, ema=0.5)


def test_a_network_learns_what_chips_show_and_says_it_without_torch_alike(make_scenes, trained):
    assert trained.parity < 1e-4
    assert score_scenes(trained.model, make_scenes())["overall_accuracy"] > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENE_NETWORKS)
def test_every_network_trains_and_is_exported_with_parity(name, make_scenes):
    side = {"depth": [1, 1, 1, 1]} if name == "scene-attention" else {}
    made = train(make_scenes(12, 32), name, **side)
    assert made.parity < 1e-4
    assert made.model.card.model == name


@pytest.mark.parametrize("loss", ["auto", "asymmetric"])
def test_several_labels_have_probabilities_of_their_own(loss, make_scenes):
    scenes = make_scenes(several=True)
    made = train(scenes, loss=loss)
    proba = made.model.predict_chips(scenes)
    assert made.model.several
    assert np.abs(proba.sum(axis=1) - 1).max() > 0.01
    assert set(score_scenes(made.model, scenes)) == {"map_macro", "map_micro", "f1_macro", "f1_micro"}


def test_the_folder_gives_the_same_probabilities_and_the_card_keeps_the_history(make_scenes, trained, tmp_path):
    scenes = make_scenes()
    loaded = load_scenes(save_scenes(trained.model, tmp_path / "model"))
    np.testing.assert_array_equal(loaded.predict_chips(scenes), trained.model.predict_chips(scenes))
    assert len(loaded.card.lineage["training"]["curve"]["loss"]) == len(trained.fit.history)


def test_the_same_seed_gives_the_same_network(make_scenes):
    first, second = (train(make_scenes(12)).model.content for _ in range(2))
    assert first == second


def test_a_chip_does_not_depend_on_its_neighbours_in_a_batch(make_scenes, trained):
    scenes = make_scenes()
    alone = trained.model.predict_chips(scenes.select(np.array([7])))
    np.testing.assert_array_equal(alone[0], trained.model.predict_chips(scenes)[7])


def test_a_class_without_chips_gets_probability_zero(make_scenes):
    scenes = make_scenes()
    kept = scenes.select(np.flatnonzero(scenes.labels[:, 2] == 0))
    assert (train(kept).model.predict_chips(scenes)[:, 2] == 0).all()


def test_whole_groups_are_held_out(make_scenes):
    scenes = make_scenes()
    kept, held = split_scenes(scenes, 0.25)
    assert len(held) == 12
    assert not set(scenes.groups[kept]) & set(scenes.groups[held])


def test_chips_without_a_label_are_named(make_scenes):
    scenes, one = make_scenes(), SceneSetting(several=False)
    scenes = replace(scenes, labels=np.where(np.arange(48)[:, None] == 3, 0, scenes.labels).astype(np.int8))
    with pytest.raises(SampleError, match="1 of 48 chips have no label or several, the first is chip 3 with 0"):
        train_scenes(scenes, options=ModelOptions(name="scene-cnn"), setting=one)


def test_a_loss_of_several_labels_needs_them(make_scenes):
    with pytest.raises(ModelError, match="loss is bce, and chips carry one label"):
        train(make_scenes(), loss="bce")


def test_chips_smaller_than_the_networks_stride_are_refused(make_scenes):
    with pytest.raises(ModelError, match="halves them down to one 32th; give chips of 32 px"):
        train(make_scenes(12, 16), "scene-convnext")


@pytest.mark.parametrize(("name", "params", "message"), [
    ("scene-cn", {}, "did you mean 'scene-cnn'"),
    ("scene-cnn", {"epoch": 1}, "has no parameter 'epoch'; did you mean 'epochs'"),
    ("scene-cnn", {"epochs": 0}, "parameter epochs is 0"),
])  # fmt: skip
def test_unknown_names_are_listed(name, params, message, make_scenes):
    with pytest.raises(ModelError, match=message):
        train_scenes(make_scenes(12), options=ModelOptions(name=name, params=params))


@pytest.mark.slow
def test_weights_of_a_folder_are_taken_up_with_other_bands(make_scenes, tmp_path):
    import transformers

    config = transformers.ConvNextConfig(num_channels=3, hidden_sizes=[4, 8, 16, 32], depths=[1, 1, 1, 1])
    transformers.ConvNextModel(config).save_pretrained(tmp_path)
    made = train(make_scenes(12, 32), "scene-convnext", weights=str(tmp_path), stem_width=8)
    assert made.parity < 1e-4


def test_weights_of_another_network_are_refused(make_scenes, tmp_path):
    import transformers

    transformers.ResNetConfig().save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="describes a resnet, the network is convnext"):
        train(make_scenes(12, 32), "scene-convnext", weights=str(tmp_path))


def test_joined_attention_begins_with_equal_shares():
    x = torch.rand(2, 8, 4, 4)
    joined = JoinedAttention(8).eval()
    torch.testing.assert_close(joined(x), 0.5 * joined.by_place(x) + 0.5 * joined.by_channel(x))


def test_dropped_squares_keep_the_mean():
    torch.manual_seed(0)
    drop = DropBlock(0.2, 3).train()
    made = drop(torch.ones(64, 2, 16, 16))
    assert (made == 0).float().mean() == pytest.approx(0.2, abs=0.05)
    assert float(made.mean()) == pytest.approx(1.0, abs=1e-4)
    torch.testing.assert_close(made[:, 0], made[:, 1])


def test_asymmetric_loss_without_asymmetry_is_binary_cross_entropy():
    logits, target = torch.randn(4, 3), (torch.rand(4, 3) > 0.5).float()
    plain = make_loss("asymmetric", {"positive": 0.0, "negative": 0.0, "margin": 0.0})
    torch.testing.assert_close(plain(logits, target), make_loss("bce", {})(logits, target))


def test_unknown_labels_cost_nothing():
    logits, target = torch.randn(1, 2), torch.tensor([[1.0, float("nan")]])
    loss = make_loss("bce", {})
    torch.testing.assert_close(loss(logits, target), loss(logits[:, :1], target[:, :1]))
