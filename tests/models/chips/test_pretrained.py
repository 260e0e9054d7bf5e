"""Pre-trained backbones: what their card says, their first layer by wavelength, frozen, adapted, tuned, exported."""

from __future__ import annotations

import json

import pytest
import torch

from landweave.errors import ModelError, SourceError
from landweave.models import ModelOptions, get_model
from landweave.models.deep.export_chips import check_chip_parity, example_inputs, export_chips
from landweave.models.deep.first_layer import adapt_kernel, match_bands
from landweave.models.deep.train_chips import _own_params, train_chips
from landweave.models.deep.weights_card import find_weights, read_weights_card
from landweave.models.registry import ChipContext
from landweave.types import ModelInput

INPUTS = (
    ModelInput(name="s2", bands=("nir", "red", "green", "blue"), kinds=("reflectance",) * 4, n_steps=2),
    ModelInput(name="dem", bands=("height",), kinds=("elevation",)),
)
CARD = {"do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": [0.5, 0.4, 0.3],
        "image_std": [0.2, 0.1, 0.3], "size": {"height": 32, "width": 32}, "do_center_crop": False}  # fmt: skip


@pytest.fixture(scope="session")
def save(tmp_path_factory):
    """Save a tiny checkpoint with its card; `card` None leaves it out."""
    import transformers

    kinds = {
        "convnext": lambda n: transformers.ConvNextModel(transformers.ConvNextConfig(
            num_channels=n, hidden_sizes=[8, 16], depths=[1, 1], num_stages=2, image_size=32)),
        "dinov2": lambda n: transformers.Dinov2Model(transformers.Dinov2Config(
            num_channels=n, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=32, patch_size=8)),
    }  # fmt: skip

    def make(kind="dinov2", card=CARD, n=3, **config):
        folder = tmp_path_factory.mktemp(kind)
        torch.manual_seed(1)
        model = kinds[kind](n)
        model.config.update(config)
        model.save_pretrained(folder)
        if card is not None:
            (folder / "preprocessor_config.json").write_text(json.dumps(card))
        return folder

    return make


@pytest.fixture(scope="session")
def dinov2(save):
    """Give the folder of a tiny DINOv2."""
    return save()


def build(folder, inputs=INPUTS, ratios=(1, 2), **params):
    family = get_model("pretrained")
    torch.manual_seed(0)
    own = {**_own_params(family), "backbone": str(folder), "width": 8, "stem_width": 8, "memory": 40, "k": 3, **params}
    return family.build(ChipContext(own, inputs, ratios, 3)).eval()


def test_bands_take_the_channel_of_the_nearest_wavelength():
    assert match_bands(("nir", "red", "rededge071", "swir16"), ("red", "green", "blue")) == [None, 0, 0, None]
    assert match_bands(("nir08", "vv"), ("red", "nir")) == [1, None]


def test_first_layer_of_the_same_bands_in_another_order_is_the_same():
    kernel = torch.rand(4, 3, 2, 2)
    torch.testing.assert_close(adapt_kernel(kernel, [2, 1, 0]), kernel[:, [2, 1, 0]])


@pytest.mark.parametrize("channel_of", [[None, 0, 1, 2], [0], [0, 0, None], [None, None]])
def test_sum_over_the_channels_stays(channel_of):
    kernel = torch.rand(4, 3, 2, 2)
    made = adapt_kernel(kernel, channel_of)
    assert made.shape[1] == len(channel_of)
    torch.testing.assert_close(made.sum(dim=1), kernel.sum(dim=1))


def test_normalisation_and_size_are_those_of_the_card(dinov2):
    net = build(dinov2)
    one = torch.ones(1)
    net.set_statistics({"s2": torch.full((4,), 9.0), "dem": one}, {"s2": torch.full((4,), 7.0), "dem": one})
    torch.testing.assert_close(net.normalise.mean, torch.tensor([9.0, 0.5, 0.4, 0.3]))  # no checkpoint knows the infrared
    torch.testing.assert_close(net.normalise.std, torch.tensor([7.0, 0.2, 0.1, 0.3]))
    assert net.size_px == 32


def test_gain_brings_values_to_those_of_the_card(save):
    net = build(save(card={**CARD, "do_rescale": False}), gain=10.0)
    net.set_statistics({"s2": torch.zeros(4), "dem": torch.zeros(1)}, {"s2": torch.ones(4), "dem": torch.ones(1)})
    torch.testing.assert_close(net.normalise.mean[1:], torch.tensor([0.05, 0.04, 0.03]))


@pytest.mark.parametrize(("kind", "tune"), [("dinov2", "full"), ("dinov2", "probe"), ("dinov2", "knn"), ("convnext", "lora")])
def test_exported_network_gives_the_same(save, dinov2, kind, tune):
    net = build(dinov2 if kind == "dinov2" else save(kind), tune=tune)
    if tune == "knn":
        net.head.add(torch.rand(1, 32, 16, 16), torch.randint(0, 3, (1, 16, 16)))
    net.finish_training()
    assert check_chip_parity(net, export_chips(net, 16), example_inputs(net, 3, 16)) < 1e-4


def test_frozen_backbone_has_no_gradient_and_no_dropout(dinov2):
    net = build(dinov2, tune="probe").train()
    assert not any(p.requires_grad for p in net.backbone.parameters())
    assert all(p.requires_grad for p in net.head.parameters())
    assert not net.backbone.training


def test_low_rank_updates_are_merged(dinov2):
    net = build(dinov2, tune="lora", rank=2)
    trained = [n for n, p in net.backbone.named_parameters() if p.requires_grad and "lora" in n]
    for name, p in net.backbone.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(p, std=0.1)
    inputs = example_inputs(net, 1, 16)
    with torch.no_grad():
        before = net(inputs)
        net.finish_training()
        torch.testing.assert_close(net(inputs), before, rtol=1e-4, atol=1e-4)
    assert trained
    assert not any("lora" in n for n, _ in net.named_parameters())


def test_dates_that_saw_nothing_do_not_count(dinov2):
    net = build(dinov2, tune="probe")
    inputs = example_inputs(net, 1, 16)
    inputs["s2_valid"][:] = 1
    inputs["s2_valid"][:, 1] = 0
    other = {**inputs, "s2": inputs["s2"].clone()}
    other["s2"][:, 1] = 50.0
    with torch.no_grad():
        torch.testing.assert_close(net(inputs), net(other))


@pytest.mark.parametrize("tune", ["knn", "probe", "lora"])
def test_training_maps_stripes(land, save, tune):
    folder = save("convnext", bands=["red", "nir"], n=2, card=None)
    params = {"backbone": str(folder), "tune": tune, "normalise": "data", "resize": False, "chip_size_px": 16, "epochs": 2,
              "chips_per_epoch": 8, "batch_size": 4, "width": 8, "stem_width": 8, "rank": 2}  # fmt: skip
    made = train_chips(*land, options=ModelOptions(name="pretrained", params=params))
    assert made.parity < 1e-4
    assert 0 <= made.fit.best_score <= 1


@pytest.mark.parametrize(("changes", "params", "message"), [
    ({"card": None}, {}, r"channels and names none; say which bands they are, in order: `backbone_bands: \[red, ...\]` with 3"),
    ({"card": None}, {"backbone_bands": ["red", "green", "blue"]}, "states no mean and standard deviation .* are not guessed"),
    ({"card": {**CARD, "do_rescale": False}}, {}, "unit of its mean is not stated; give `gain`"),
    ({"card": {**CARD, "image_mean": [0.5]}}, {}, "gives 1 numbers as image_mean for 3 channels"),
    ({"kind": "convnext"}, {"tune": "all"}, "tune is 'all'; choose among full, lora, probe, knn"),
    ({"kind": "convnext"}, {"normalise": "guess"}, "normalise is 'guess'; choose among card, data"),
    ({"kind": "convnext"}, {"input": "s3"}, "input is 's3', and the cubes on the finest grid are s2; name one"),
])  # fmt: skip
def test_what_a_checkpoint_does_not_say_is_asked_for(save, changes, params, message):
    with pytest.raises(ModelError, match=message):
        build(save(**changes), **params)


def test_bands_that_the_checkpoint_states_are_taken(save):
    assert read_weights_card(save(card=None, bands=["nir", "red", "green"])).bands == ("nir", "red", "green")


def test_folder_without_safetensors_is_named(tmp_path, dinov2):
    for name in ("config.json", "preprocessor_config.json"):
        (tmp_path / name).write_bytes((dinov2 / name).read_bytes())
    with pytest.raises(SourceError, match="holds no weights as safetensors; save the model there with save_pretrained"):
        build(tmp_path)
    with pytest.raises(ModelError, match="pretrained needs `backbone`: a folder"):
        build("")


def test_weights_of_another_config_list_what_is_lacking(save, tmp_path, dinov2):
    (tmp_path / "model.safetensors").write_bytes((dinov2 / "model.safetensors").read_bytes())
    other = save("convnext")
    for name in ("config.json", "preprocessor_config.json"):
        (tmp_path / name).write_bytes((other / name).read_bytes())
    with pytest.raises(ModelError, match=r"do not fit its config.json: .* is lacking; .*copy both from one"):
        build(tmp_path)


def test_hub_that_cannot_be_reached_is_said(monkeypatch):
    def refuse(*_, **__):
        raise OSError("offline")

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    with pytest.raises(SourceError, match="'some/model' is no folder here and cannot be fetched from the Hugging Face hub"):
        find_weights("some/model")
    with pytest.raises(SourceError, match=r"'\./nothing' is no folder; give one that transformers wrote"):
        find_weights("./nothing")
