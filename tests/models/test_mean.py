"""The family `ensemble`: trained, calibrated, saved and mapped as one model."""

from __future__ import annotations

import numpy as np
import pytest

from landweave.errors import ModelError
from landweave.models import ModelOptions, add_uncertainty, load_model, save_model, train_model
from landweave.models.mean import MeanOfModels, read_members

MEMBERS = [{"name": "random-forest", "params": {"n_estimators": 5}, "weight": 3}, "logistic-regression"]


def options(members=MEMBERS, **more):
    return ModelOptions(name="ensemble", params={"members": members}, **more)


def test_probabilities_are_the_weighted_mean_of_the_members(make_samples, rng):
    samples = make_samples()
    both = train_model(samples, options=options())
    parts = [train_model(samples, options=ModelOptions(name="random-forest", params={"n_estimators": 5})),
             train_model(samples, options=ModelOptions(name="logistic-regression", seed=1))]  # fmt: skip
    rows = rng.uniform(0, 0.6, (50, len(samples.feature_names))).astype(np.float32)
    expected = 0.75 * parts[0].predict_features(rows) + 0.25 * parts[1].predict_features(rows)
    np.testing.assert_allclose(both.predict_features(rows), expected, atol=1e-6)


def test_it_is_calibrated_as_a_whole_and_saved_with_it(make_samples, deal_folds, tmp_path, rng):
    samples = make_samples((60, 60, 60), noise=0.2)
    asked = options(calibration="temperature", conformal=True)
    model = add_uncertainty(train_model(samples, options=asked), samples, deal_folds(180), options=asked)
    loaded = load_model(save_model(model, tmp_path / "m"))
    rows = rng.uniform(0, 0.6, (50, len(samples.feature_names))).astype(np.float32)
    np.testing.assert_array_equal(loaded.predict_features(rows), model.predict_features(rows))
    assert loaded.calibration is not None
    assert loaded.conformal.cover(0.1).coverage == pytest.approx(0.9, abs=0.08)


def test_members_of_one_family_differ_by_their_seed(make_samples):
    twins = [{"name": "random-forest", "params": {"n_estimators": 3}}] * 2
    model = train_model(make_samples(noise=0.2), options=options(twins))
    rows = make_samples(noise=0.3).to_features()
    one, two = (e.predict_proba(rows) for e in model.engine.engines)
    assert not np.array_equal(one, two)


@pytest.mark.parametrize(
    ("members", "match"),
    [(["svm"], "name two models or more"), (["svm", "ensemble"], "ensemble cannot be a member"),
     (["svm", {"model": "svm"}], "is not understood; give a name"), (["svm", "forest"], "no model named 'forest'"),
     (["svm", {"name": "svm", "weight": 0}], "weights are above 0"), ("svm", "name two models or more")],
)  # fmt: skip
def test_members_that_make_no_ensemble_are_refused(members, match):
    with pytest.raises(ModelError, match=match):
        read_members(members)


def test_class_weights_reach_every_member(make_samples):
    samples = make_samples((80, 10, 10), noise=0.3)
    names = samples.legend.names
    plain, weighted = (train_model(samples, options=options(class_weight=w)) for w in (None, {names[1]: 20.0}))
    rows = samples.to_features()
    assert weighted.predict_features(rows)[:, 1].mean() > plain.predict_features(rows)[:, 1].mean()


def test_it_keeps_scikit_learns_rules():
    made = MeanOfModels(members=MEMBERS, random_state=3)
    assert made.get_params(deep=False)["random_state"] == 3
