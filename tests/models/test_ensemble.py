from __future__ import annotations

import numpy as np
import pytest

from landweave.errors import ModelError
from landweave.models import ModelOptions, load_ensemble, load_model, make_ensemble, save_model, train_model
from landweave.types import Predictor

NAMES = ("nearest-centroid", "logistic-regression")


def test_the_mean_of_saved_models_is_a_predictor(make_samples, make_block, tmp_path, rng):
    samples = make_samples(gaps=0.1)
    members = [train_model(samples, options=ModelOptions(name=n)) for n in NAMES]
    ensemble = load_ensemble([save_model(m, tmp_path / n) for m, n in zip(members, NAMES, strict=True)])
    block = {"main": make_block(rng.uniform(0, 0.6, (4, 2, 6, 5)))}
    block["main"].values[..., 2, 2] = np.nan
    assert isinstance(ensemble, Predictor)
    proba = ensemble.predict_proba(block)
    np.testing.assert_allclose(proba, np.mean([m.predict_proba(block) for m in members], axis=0), atol=1e-6)
    assert np.isnan(proba[:, 2, 2]).all()


def test_its_card_tells_of_its_members_and_its_checksum_of_their_weights(make_samples):
    samples = make_samples()
    forest = {"name": "random-forest", "params": {"n_estimators": 3}}
    one, two, three = (train_model(samples, options=ModelOptions(**forest, seed=s)) for s in (1, 2, 3))
    ensemble = make_ensemble([one, two])
    assert ensemble.card.title.startswith("Mean of 2 models")
    assert len(ensemble.card.lineage["members"]) == 2
    assert ensemble.checksum == make_ensemble([one, two]).checksum != make_ensemble([one, three]).checksum


def test_models_that_do_not_fit_together_are_refused(make_samples):
    one = train_model(make_samples(), options=ModelOptions(name=NAMES[0]))
    other = train_model(make_samples(bands=("green", "nir")), options=ModelOptions(name=NAMES[0]))
    with pytest.raises(ModelError, match=r"model 2 of the ensemble \(nearest-centroid\) has other inputs"):
        make_ensemble([one, other])
    with pytest.raises(ModelError, match="give at least two"):
        make_ensemble([one])


def test_a_saved_ensemble_is_one_model_that_predicts_the_same(make_samples, make_block, tmp_path, rng):
    samples = make_samples()
    members = [train_model(samples, options=ModelOptions(name=n)) for n in NAMES]
    ensemble = make_ensemble(members)
    loaded = load_model(save_model(ensemble, tmp_path / "mean"))
    block = {"main": make_block(rng.uniform(0, 0.6, (4, 2, 6, 5)))}
    np.testing.assert_allclose(loaded.predict_proba(block), ensemble.predict_proba(block), atol=1e-6)
    assert loaded.card.model == "ensemble"


def test_an_ensemble_with_members_that_treat_gaps_differently_is_not_saved(make_samples, tmp_path):
    one, two = (train_model(make_samples(), options=ModelOptions(name=NAMES[0], min_valid_steps=n)) for n in (1, 2))
    with pytest.raises(ModelError, match="they deal with gaps differently: fill with 1 dates, fill with 2 dates"):
        save_model(make_ensemble([one, two]), tmp_path / "mean")
