"""All image networks: shapes, gaps, export, sizes."""

from __future__ import annotations

import pytest
import torch

from landweave.errors import ModelError, SourceError
from landweave.models import get_model
from landweave.models.deep.export_chips import check_chip_parity, describe_sizes, example_inputs, export_chips
from landweave.models.deep.image_weights import load_backbone
from landweave.models.deep.train_chips import _own_params
from landweave.models.registry import ChipContext
from landweave.types import ModelInput

INPUTS = (
    ModelInput(name="s2", bands=("red", "nir", "swir16"), kinds=("reflectance",) * 3, n_steps=3),
    ModelInput(name="dem", bands=("height",), kinds=("elevation",)),
)
SMALL = {
    "unet": {"width": 8, "depth": 2, "stem_width": 8, "attention": "se"}, "convlstm": {"width": 8},
    "deeplab": {"width": 8, "stem_width": 8}, "dual-unet": {"width": 8, "stem_width": 8, "attention": "coordinate"},
    "fpn": {"width": 8, "stem_width": 8}, "segformer": {"width": 8, "depth": 1, "stem_width": 8},
    "unet-3d": {"width": 8, "depth": 1}, "upernet": {"width": 8, "depth": 1, "stem_width": 8},
    "utae": {"width": 8, "depth": 2, "n_heads": 4},
}  # fmt: skip


def build(name: str, inputs=INPUTS, ratios=(1, 2), **params):
    family = get_model(name)
    torch.manual_seed(0)
    return family.build(ChipContext({**_own_params(family), **SMALL[name], **params}, inputs, ratios, 4)).eval()


@pytest.fixture(scope="module", params=sorted(SMALL))
def network(request):
    """Give each network in turn."""
    return build(request.param)


def test_logits_stand_on_the_finest_pixels(network):
    with torch.no_grad():
        assert network(example_inputs(network, 2, 32)).shape == (2, 4, 32, 32)


def test_values_of_invalid_pixels_change_nothing(network):
    inputs = example_inputs(network, 1, 32)
    other = dict(inputs)
    other["s2"] = torch.where(inputs["s2_valid"].unsqueeze(2) > 0, inputs["s2"], torch.tensor(99.0))
    with torch.no_grad():
        torch.testing.assert_close(network(inputs), network(other))


def test_chip_without_any_observation_gives_finite_logits(network):
    nothing = {name: torch.zeros_like(x) for name, x in example_inputs(network, 1, 32).items()}
    with torch.no_grad():
        assert bool(torch.isfinite(network(nothing)).all())


def test_exported_network_gives_the_same_for_other_batches_and_sizes(network):
    content = export_chips(network, 32)
    sizes = [(3, 32), (1, 64)] if network.dynamic_size else [(3, 32)]
    assert max(check_chip_parity(network, content, example_inputs(network, n, side, seed=n)) for n, side in sizes) < 1e-4
    assert describe_sizes(network, 32) == (f"dynamic, multiple of {network.stride}" if network.dynamic_size else "32")


def test_one_chip_can_be_trained_on(network):
    network.train()
    try:
        network(example_inputs(network, 1, 32)).mean().backward()
    finally:
        network.eval()
    assert all(bool(torch.isfinite(p.grad).all()) for p in network.parameters() if p.grad is not None)


@pytest.mark.parametrize("backbone", ["swin", "dinov2"])
def test_upernet_takes_other_backbones(backbone):
    net = build("upernet", backbone=backbone)
    with torch.no_grad():
        assert net(example_inputs(net, 1, 32)).shape == (1, 4, 32, 32)


def test_utae_follows_the_dates_that_are_there():
    net = build("utae")
    inputs = example_inputs(net, 1, 32)
    inputs["s2_valid"][:, 1:] = 0
    with torch.no_grad():
        x, valid = net.dates(inputs)
        small = torch.nn.functional.max_pool2d(x.flatten(0, 1), 4).unflatten(0, (1, 3))
        weights = net.attend(small.repeat(1, 1, 4, 1, 1), torch.nn.functional.max_pool2d(valid.flatten(0, 1), 4)[None])
    torch.testing.assert_close(weights[:, :, 0], torch.ones_like(weights[:, :, 0]))


def test_series_networks_need_several_dates():
    with pytest.raises(ModelError, match=r"several dates on the finest grid; there are dem \(no dates, ratio 1\)"):
        build("utae", inputs=INPUTS[1:], ratios=(1,))


def test_two_encoders_need_two_cubes():
    with pytest.raises(ModelError, match=r"joins two sensors and there is one cube \(s2\); add another source"):
        build("dual-unet", inputs=INPUTS[:1], ratios=(1,))


@pytest.mark.parametrize(("name", "wrong", "message"), [
    ("unet", {"attention": "all"}, "attention is 'all'; choose among none, se, coordinate"),
    ("upernet", {"backbone": "vgg"}, "no backbone named 'vgg'; choose among convnext, swin, dinov2"),
    ("utae", {"n_heads": 3}, "width 8 is no multiple of n_heads 3"),
])  # fmt: skip
def test_unknown_parts_are_listed(name, wrong, message):
    with pytest.raises(ModelError, match=message):
        build(name, **wrong)


def test_backbone_weights_are_taken_and_the_first_layer_adapted(tmp_path):
    other = build("segformer", stem_width=3)
    other.backbone.save_pretrained(tmp_path)
    net = build("segformer")
    adapted = load_backbone(net, tmp_path)
    mine, its = net.backbone.state_dict(), other.backbone.state_dict()
    assert len(adapted) == 1
    torch.testing.assert_close(mine[adapted[0]].sum(dim=1), its[adapted[0]].sum(dim=1))
    assert all(torch.equal(mine[k], its[k]) for k in mine if k not in adapted)


def test_checkpoint_that_does_not_fit_lists_the_differences(tmp_path):
    build("segformer", width=16).backbone.save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"does not fit SegFormer: .* is \(16,.*expected \(8,.*width, depth"):
        load_backbone(build("segformer"), tmp_path)


def test_folder_without_weights_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"holds no model\.safetensors; save a model of transformers there"):
        load_backbone(build("segformer"), tmp_path)
    with pytest.raises(SourceError, match=r"holds no model\.safetensors"):
        load_backbone(build("unet"), tmp_path)
