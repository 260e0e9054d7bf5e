from __future__ import annotations

from landweave.imagery import SourceOptions
from landweave.legend import Legend
from landweave.samples import SampleOptions, SplitOptions
from landweave.simulate import SimulateOptions
from landweave.simulate.covers import LEGEND
from landweave.simulate.recipe import make_recipe


def test_the_parts_are_valid_options_of_their_stages() -> None:
    recipe = make_recipe(SimulateOptions(), None)
    assert set(recipe["imagery"]) == {"s2", "s1", "dem"}
    for source in recipe["imagery"].values():
        SourceOptions.model_validate(source)
    assert SampleOptions.model_validate(recipe["samples"]).purpose == "train"
    assert SampleOptions.model_validate(recipe["reference"]).design.kind == "simple"
    SplitOptions.model_validate(recipe["split"])
    assert Legend.from_dicts(recipe["legend"]).names == LEGEND.names


def test_only_simulated_sensors_are_named() -> None:
    recipe = make_recipe(SimulateOptions(sensors=("sentinel-2-l2a",)), None)
    assert set(recipe["imagery"]) == {"s2"}


def test_a_stratified_design_states_its_strata() -> None:
    strata = [{"name": "water", "size_px": 10, "area_ha": 0.1, "n_drawn": 3, "code": 1}]
    recipe = make_recipe(SimulateOptions(design="stratified"), {"strata_checksum": "abc", "strata": strata})
    design = SampleOptions.model_validate(recipe["reference"]).design
    assert design.map_checksum == "abc"
    assert design.strata[0].size_px == 10
