"""A cube that does not fit the model is refused with the fix."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from landweave.errors import ModelError
from landweave.grid import make_geobox, to_coords
from landweave.legend import Legend
from landweave.models import check_inputs, check_legend
from landweave.models.band_order import describe_bands
from landweave.types import CubeSet, ModelCard, ModelInput

DATES = ("2020-01-15", "2020-02-15", "2020-03-15")
SPEC = ModelInput(
    bands=("red", "nir"), kinds=("reflectance",) * 2, resolution=(10.0, 10.0), metres=(10.0, 10.0), n_steps=3, dates=DATES
)


def make_card(**changes):
    card = ModelCard(
        model="random-forest", inputs=(SPEC,), classes=Legend.from_names(["forest", "water"]).to_dicts(),
        p01={"main.red": 0.02, "main.nir": 0.1}, p99={"main.red": 0.3, "main.nir": 0.6},
    )  # fmt: skip
    return card.model_copy(update=changes)


def make_cube(*, bands=("red", "nir"), pixel=10.0, dates=DATES, scale=1.0, side=200):
    geobox = make_geobox((500000, 0, 500000 + side * pixel, side * pixel), 32633, pixel)
    values = np.broadcast_to(np.array([0.1, 0.3])[: len(bands), None, None] * scale, (len(dates), len(bands), side, side))
    coords = {"band": list(bands), "kind": ("band", ["reflectance"] * len(bands)), "time": np.array(dates, "M8[ns]")}
    cube = xr.DataArray(values.astype(np.float32), dims=("time", "band", "y", "x"), coords={**coords, **to_coords(geobox)})
    return CubeSet({"main": cube}, geobox)


def test_a_fitting_cube_passes_without_a_word():
    assert check_inputs(make_card(), make_cube()) == []


@pytest.mark.parametrize(("cube", "message"), [
    ({"bands": ("red", "nir08")}, r"lacks the band 'nir' \('nir08' looks like it\).*--bands red,nir"),
    ({"bands": ("nir", "red")}, r"set cube: bands to \[red, nir\]"),
    ({"pixel": 20.0}, r"pixels of 20\.01 m in x, the model was trained on 10; set the cube's resolution .*\(10, 10\)"),
    ({"dates": DATES[:2]}, "2 time steps, the model was trained on 3 time steps.*2020-01-15 .. 2020-02-15"),
    ({"dates": ("2021-01-15", "2021-02-15", "2021-03-15")}, r"2020-01-15 \(cube: 2021-01-15\), .*train with a season"),
    ({"scale": 10000.0}, r"median of main\.red is 1000, .* look like x 10000 of the training data; set scale: 0\.0001"),
    ({"scale": -70.0}, r"median of main\.red is -7, .*state the scale, offset and nodata"),
])  # fmt: skip
def test_a_cube_that_does_not_fit_is_refused(cube, message):
    with pytest.raises(ModelError, match=message):
        check_inputs(make_card(), make_cube(**cube))


def test_values_just_outside_the_span_are_a_warning():
    notes = check_inputs(make_card(), make_cube(scale=3.5))
    assert len(notes) == 2
    assert "Median of main.red is 0.35, the training data's 1st to 99th percentile is 0.02 to 0.3" in notes[0]


def test_exchanged_bands_are_a_warning_that_names_them():
    rng = np.random.default_rng(0)
    red = rng.uniform(0.03, 0.2, 500)
    trained = describe_bands(np.stack([red, 0.25 + red / 2 + rng.normal(0, 0.01, 500)], axis=1))
    card = make_card(band_statistics={"main": trained}, p01={}, p99={})
    cubes = make_cube()
    assert check_inputs(card, cubes) == []
    swapped = CubeSet({"main": cubes["main"].copy(data=cubes["main"].values[:, ::-1])}, cubes.geobox)
    (note,) = check_inputs(card, swapped)
    assert "look exchanged" in note
    assert "nir for red, red for nir" in note


def test_dates_may_be_off_by_half_a_step():
    assert check_inputs(make_card(), make_cube(dates=("2020-01-25", "2020-02-25", "2020-03-25"))) == []


def test_a_table_without_pixel_size_is_said():
    card = make_card(inputs=(SPEC.model_copy(update={"metres": None}),))
    assert "states no pixel size" in check_inputs(card, make_cube())[0]


def test_missing_cube_is_named_or_noted():
    card = make_card(inputs=(SPEC, SPEC.model_copy(update={"name": "radar"})))
    with pytest.raises(ModelError, match="reads the cube 'radar', there is main"):
        check_inputs(card, make_cube())
    optional = make_card(inputs=(SPEC, SPEC.model_copy(update={"name": "radar", "required": False})))
    assert check_inputs(optional, make_cube()) == ["Optional input 'radar' is absent and is treated as not observed."]


def test_another_legend_is_refused():
    check_legend(make_card(), Legend.from_names(["forest", "water"]))
    with pytest.raises(ModelError, match="it has 2 water that the legend lacks, the legend has 2 crop, 3 town"):
        check_legend(make_card(), Legend.from_names(["forest", "crop", "town"]))
