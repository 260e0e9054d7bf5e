"""A choice that is explained."""

from __future__ import annotations

import numpy as np
import pytest

from landweave.errors import ModelError
from landweave.models import ModelOptions, choose_model
from landweave.models.selection import _jackknife


@pytest.fixture(scope="module")
def choice(make_samples, deal_folds):
    options = ModelOptions(name="auto", candidates=("nearest-centroid", "logistic-regression", "extra-trees"), seed=3)
    return choose_model(make_samples(noise=0.15), deal_folds(120, repeats=2), options=options)


def test_table_has_a_row_per_candidate_best_first(choice):
    assert set(choice.table["name"]) == {"nearest-centroid", "logistic-regression", "extra-trees"}
    assert choice.table["macro_f1"].is_monotonic_decreasing
    assert choice.table["chosen"].sum() == 1
    assert (choice.table[["fit_s", "predict_us", "macro_f1_se"]] > 0).all(axis=None)


def test_options_are_ready_for_training(choice):
    assert choice.options.name == choice.table.loc[choice.table["chosen"], "name"].item()
    assert choice.options.seed == 3


def test_the_fastest_of_the_equals_is_chosen(choice):
    near = choice.table[choice.table["behind"] <= choice.table["behind_se"]]
    assert choice.options.name == near.loc[near["predict_us"].idxmin(), "name"]
    assert choice.table["title"][0] in choice.why


def test_scores_stand_beside_the_cross_validation(choice):
    result = choice.results[choice.table["name"][0]]
    agreement = np.mean([(p == result.truth).mean() for p in result.predicted])
    assert choice.table["overall_accuracy"][0] == pytest.approx(agreement)


def test_jackknife_of_a_mean_is_its_standard_error(rng):
    values = rng.normal(size=12)
    left = np.array([np.delete(values, i).mean() for i in range(12)])
    assert _jackknife(left[None]) == pytest.approx(values.std(ddof=1) / np.sqrt(12))


def test_parameters_belong_to_one_family(make_samples, deal_folds):
    with pytest.raises(ModelError, match="drop params, or name the model"):
        choose_model(make_samples(), deal_folds(120), options=ModelOptions(name="auto", params={"C": 1.0}))
