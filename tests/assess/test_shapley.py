"""SHAP values of a model, grouped."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

from landweave.assess.shapley import measure_shap
from landweave.errors import ModelError
from landweave.legend import Legend
from landweave.models import ModelOptions, train_model
from landweave.types import ModelInput, SampleTable

SPEC = ModelInput(bands=("noise", "signal"), kinds=("index", "index"), n_steps=2, dates=("2020-01-15", "2020-07-15"))


@pytest.fixture
def samples(rng):
    features = rng.normal(size=(120, 4))
    wet = features[:, 3] > 0
    frame = pd.DataFrame(features, columns=list(SPEC.feature_names))
    frame["class"] = np.where(wet, "wet", "dry")
    places = gpd.points_from_xy(rng.uniform(14, 15, 120), rng.uniform(48, 49, 120))
    return SampleTable(gpd.GeoDataFrame(frame, geometry=places, crs="EPSG:4326"), Legend.from_names(("dry", "wet")), (SPEC,))


def train(samples, **options):
    return train_model(samples, options=ModelOptions(params={"n_estimators": 15}, **options))


def test_the_planted_band_and_date_move_the_answers_most(samples):
    found = measure_shap(train(samples), samples, np.arange(40))
    first = {g.kind: g.name for g in reversed(found.groups)}
    assert (first["band"], first["date"]) == ("signal", "2020-07-15")
    assert (found.unit, found.n_rows) == ("probability", 40)
    by_name = {g.name: g.strength for g in found.groups if g.kind == "band"}
    assert by_name["signal"] > 0.3 > 5 * by_name["noise"]


def test_masks_count_with_their_band(samples):
    frame = samples.frame.copy()
    frame.loc[frame["class"] == "wet", "noise_t00"] = np.nan
    gappy = SampleTable(frame, samples.legend, samples.inputs)
    found = measure_shap(train(gappy, missing="mask", min_valid_steps=1), gappy)
    strength = {(g.kind, g.name): g.strength for g in found.groups}
    assert strength["date", "2020-01-15"] > 0.05
    assert strength["band", "noise"] > 0.05


def test_a_model_without_trees_has_none(samples):
    model = train_model(samples, options=ModelOptions(name="logistic-regression"))
    with pytest.raises(ModelError, match="exist for random-forest, extra-trees, catboost"):
        measure_shap(model, samples)
