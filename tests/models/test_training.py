"""The card is filled in; samples that cannot be learnt from are named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from landweave.errors import ModelError
from landweave.models import ModelOptions, train_model
from landweave.models.training import fit_model

FAST = {"n_estimators": 5}


def test_card_says_what_the_model_was_trained_on(make_samples):
    samples = make_samples((30, 20, 10))
    card = train_model(samples, options=ModelOptions(params=FAST, seed=4), licence="CC-BY-4.0", lineage={"samples": "abc"}).card
    assert card.n_samples == {"forest": 30, "water": 20, "crop": 10}
    assert card.params["n_estimators"] == 5
    assert card.params["max_features"] == "sqrt"
    assert card.dates == ("2020-01-01", "2020-12-31")
    assert card.footprint == pytest.approx((10, 50, 10.059, 50.0295))
    assert (card.licence, card.lineage["samples"], card.lineage["options"]["seed"]) == ("CC-BY-4.0", "abc", 4)
    assert "scikit-learn" in card.lineage["versions"]


def test_training_area_is_whole_degrees_where_places_must_not_be_told(make_samples):
    card = train_model(make_samples((30, 20, 10)), options=ModelOptions(params=FAST), no_locations=True).card
    assert card.footprint == (10.0, 50.0, 11.0, 51.0)


def test_card_holds_the_span_of_each_band(make_samples):
    samples = make_samples()
    card = train_model(samples, options=ModelOptions(params=FAST)).card
    nir = samples.to_features().reshape(-1, 4, 2)[:, :, 1]
    assert card.p01["main.nir"] == pytest.approx(np.percentile(nir, 1))
    assert card.p99["main.nir"] == pytest.approx(np.percentile(nir, 99))


def test_reference_rows_are_left_out(make_samples):
    samples = make_samples((20, 20))
    frame = samples.frame.assign(purpose=np.where(np.arange(40) % 4 == 0, "reference", "train"))
    assert train_model(replace(samples, frame=frame), options=ModelOptions(params=FAST)).card.n_samples["forest"] == 15


def test_one_class_is_an_error(make_samples):
    samples = make_samples((10, 10)).select(np.arange(10))
    with pytest.raises(ModelError, match=r"hold 1 class\(es\) \(forest\); training needs at least two classes"):
        train_model(samples, options=ModelOptions())


def test_table_without_features_is_an_error(make_samples):
    with pytest.raises(ModelError, match="no features; run extract_samples"):
        train_model(replace(make_samples(), inputs=()), options=ModelOptions())


def test_unknown_parameter_suggests_the_nearest():
    with pytest.raises(ModelError, match="no parameter 'n_estimator'; did you mean 'n_estimators'"):
        fit_model(None, options=ModelOptions(params={"n_estimator": 3}))


def test_value_that_the_library_refuses_is_named(make_samples):
    with pytest.raises(ModelError, match=r"random-forest cannot be trained with .*'n_estimators': -1"):
        train_model(make_samples(), options=ModelOptions(params={"n_estimators": -1}))


def test_native_gaps_need_a_family_that_takes_them():
    with pytest.raises(ModelError, match=r"svm cannot take gaps .* use fill or mask"):
        fit_model(None, options=ModelOptions(name="svm", missing="native"))


def test_auto_is_not_a_family():
    with pytest.raises(ModelError, match="choose with choose_model first"):
        fit_model(None, options=ModelOptions(name="auto"))


def test_optional_input_cannot_be_filled(make_samples):
    samples = make_samples()
    samples = replace(samples, inputs=(samples.inputs[0].model_copy(update={"required": False}),))
    with pytest.raises(ModelError, match="'main' is optional, and missing: fill"):
        train_model(samples, options=ModelOptions())


@pytest.mark.parametrize("name", ["random-forest", "logistic-regression", "mlp"])
def test_class_weight_moves_the_decision(make_samples, name):
    samples = make_samples((60, 60), noise=0.4)
    share = []
    for weight in (None, {"water": 30.0}):
        params = {"max_depth": 3} if name == "random-forest" else {"tol": 1e-2} if name == "mlp" else {}
        model = fit_model(samples, options=ModelOptions(name=name, params=params, class_weight=weight))
        share.append((model.predict_features_index(samples.to_features()) == 1).mean())
    assert share[1] > share[0] + 0.1


def test_weights_that_a_family_cannot_take_are_an_error(make_samples):
    with pytest.raises(ModelError, match="nearest-centroid takes neither class weights nor sample weights"):
        fit_model(make_samples(), options=ModelOptions(name="nearest-centroid", class_weight="balanced"))


def test_weight_of_an_unknown_class_is_an_error(make_samples):
    with pytest.raises(ValueError, match="no class named 'watr'"):
        fit_model(make_samples(), options=ModelOptions(class_weight={"watr": 2.0}))


def test_a_table_of_reference_rows_alone_trains_nothing(make_samples):
    samples = make_samples()
    samples.frame["purpose"] = "reference"
    with pytest.raises(ModelError, match="0 rows to train on"):
        train_model(samples, options=ModelOptions())
