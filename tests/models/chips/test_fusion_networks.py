"""Networks that join a fine image and a series, tokens, place, revisits."""

from __future__ import annotations

import pytest
import torch

from landweave.errors import ModelError
from landweave.models import get_model
from landweave.models.deep.export_chips import check_chip_parity, example_inputs, export_chips
from landweave.models.deep.train_chips import _own_params
from landweave.models.registry import ChipContext
from landweave.types import ModelInput

AERIAL = ModelInput(name="aerial", bands=("red", "nir"), kinds=("reflectance",) * 2)
S2 = ModelInput(name="s2", bands=("red", "nir", "swir16"), kinds=("reflectance",) * 3, n_steps=3)
DEM = ModelInput(name="dem", bands=("height",), kinds=("elevation",))
PLACE = ModelInput(name="place", bands=("a", "b"), kinds=("other",) * 2)
CASES = {
    "vhr-series": ((AERIAL, S2), (1, 4), {"width": 8, "depth": 2, "stem_width": 8, "series_width": 8}),
    "token-fusion": ((S2, DEM), (1, 2), {"width": 8, "n_heads": 2, "stem_width": 8, "depth": 1}),
    "metadata-unet": ((S2, PLACE), (1, 1), {"width": 8, "depth": 1, "stem_width": 8}),
    "revisits": ((S2, DEM), (1, 2), {"width": 8, "depth": 1}),
}


def build(name, inputs=None, ratios=None, **params):
    own, scales, small = CASES[name]
    family = get_model(name)
    torch.manual_seed(0)
    context = ChipContext({**_own_params(family), **small, **params}, inputs or own, ratios or scales, 4)
    return family.build(context).eval()


@pytest.fixture(scope="module", params=sorted(CASES))
def network(request):
    """Give each network in turn."""
    return build(request.param)


def test_exported_network_gives_the_same_for_other_batches_and_sizes(network):
    content = export_chips(network, 32)
    sizes = [(3, 32), (1, 64)]
    assert max(check_chip_parity(network, content, example_inputs(network, n, side, seed=n)) for n, side in sizes) < 1e-4


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


def test_every_weight_learns(network):
    network.train()
    network(example_inputs(network, 2, 32)).square().mean().backward()
    still = [name for name, p in network.named_parameters() if p.grad is None]
    network.eval()
    # the last block tells tokens that nobody reads any more
    assert [name for name in still if "tell" not in name] == []


@pytest.mark.parametrize("fuse", ["mean", "max", "attention"])
def test_revisits_take_dates_that_saw_nothing_as_not_there(fuse):
    net = build("revisits", fuse=fuse)
    inputs = example_inputs(net, 1, 32)
    inputs["s2_valid"][:, 1:] = 0
    alone = {**inputs, "s2": inputs["s2"].clone()}
    alone["s2"][:, 1:] = 5.0
    with torch.no_grad():
        torch.testing.assert_close(net(inputs), net(alone))


@pytest.mark.parametrize("merge", ["film", "concat"])
def test_place_reaches_every_pixel(merge):
    net = build("metadata-unet", merge=merge)
    for steer in net.steer:
        torch.nn.init.normal_(next(steer.parameters()))
    inputs = example_inputs(net, 1, 32)
    elsewhere = {**inputs, "place": inputs["place"] + 1}
    with torch.no_grad():
        assert bool((net(inputs) != net(elsewhere)).all())


def test_gates_of_a_missing_cube_are_zero():
    net = build("token-fusion")
    inputs = example_inputs(net, 1, 32)
    with torch.no_grad():
        both = net.gates(inputs)
        alone = net.gates({**inputs, "dem_valid": torch.zeros_like(inputs["dem_valid"])})
    assert sum(both.values()) == pytest.approx(1, abs=1e-5)
    assert alone == {"s2": pytest.approx(1), "dem": pytest.approx(0)}


def test_series_is_the_coarser_one_or_the_named_one():
    fine = ModelInput(name="fine", bands=("red",), kinds=("reflectance",), n_steps=2)
    assert build("vhr-series", (fine, S2), (1, 2)).series.followed.name == "s2"
    assert build("vhr-series", (fine, S2), (1, 2), series="fine").series.followed.name == "fine"


@pytest.mark.parametrize(("name", "changes", "message"), [
    ("vhr-series", {"inputs": (AERIAL, DEM), "ratios": (1, 1)}, r"there are aerial \(no dates\), dem \(no dates\); add"),
    ("token-fusion", {"inputs": (S2,), "ratios": (1,)}, r"joins cubes and there is one \(s2\); add another source"),
    ("token-fusion", {"n_heads": 3}, "width 8 is no multiple of n_heads 3"),
    ("metadata-unet", {"metadata_inputs": ["location"]}, "metadata_inputs are location and the cubes are s2, place; name some"),
    ("metadata-unet", {"merge": "sum"}, "merge is 'sum'; choose among film, concat"),
    ("revisits", {"fuse": "sum"}, "fuse is 'sum'; choose among mean, max, attention"),
])  # fmt: skip
def test_what_does_not_fit_is_named(name, changes, message):
    with pytest.raises(ModelError, match=message):
        build(name, **changes)
