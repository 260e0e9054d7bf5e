from __future__ import annotations

import json

import numpy as np
import pytest

from landweave.errors import ModelError
from landweave.models import ModelOptions
from landweave.models.registry import list_models
from landweave.models.tuning import _SPACES, ParamRange, TuneOptions, default_space, read_space, tune_model
from landweave.types import Fold

pytest.importorskip("optuna")
FOREST = ModelOptions(params={"n_estimators": 4})
SPACE = {"max_depth": [1, 3], "min_samples_leaf": {"low": 1, "high": 9, "whole": True}}


@pytest.fixture(scope="module")
def folds():
    rows = np.random.default_rng(0).permutation(90)
    return [[Fold(np.setdiff1d(np.arange(90), part), np.sort(part)) for part in np.array_split(rows, 3)]]


@pytest.fixture(scope="module")
def table(make_samples):
    return make_samples((30, 30, 30), noise=0.2)


def search(table, folds, folder, runs=4, space=SPACE, options=FOREST, seed=0):
    tuning = TuneOptions(minutes=5, max_runs=runs, seed=seed, startup=2)
    ranges = read_space(space, options.name)
    return tune_model(table, folds, folder, options=options, space=ranges, tuning=tuning)


def test_every_run_is_kept_and_the_best_is_never_worse_than_the_options_given(table, folds, tmp_path):
    found = search(table, folds, tmp_path)
    assert found.runs["run"].tolist() == [0, 1, 2, 3]
    assert found.runs["params"][0] == "{}"
    assert found.runs["score"][found.best] == found.runs["score"].max() >= found.runs["score"][0]
    assert found.options.params == {**FOREST.params, **json.loads(found.runs["params"][found.best])}
    assert len((tmp_path / "runs.csv").read_text().splitlines()) == 5


def test_a_search_that_was_stopped_goes_on_to_the_same_runs(table, folds, tmp_path):
    search(table, folds, tmp_path / "stopped", runs=2)
    again = search(table, folds, tmp_path / "stopped")
    whole = search(table, folds, tmp_path / "whole")
    assert again.runs[["score", "params"]].equals(whole.runs[["score", "params"]])


def test_the_card_can_keep_every_run(table, folds, tmp_path):
    kept = search(table, folds, tmp_path, runs=2).to_lineage()
    assert [run["run"] for run in json.loads(json.dumps(kept))["runs"]] == [0, 1]


def test_another_search_in_the_same_folder_is_refused(table, folds, tmp_path):
    search(table, folds, tmp_path, runs=1)
    with pytest.raises(ModelError, match=r"another search: seed was 0, is 5\."):
        search(table, folds, tmp_path, runs=1, seed=5)


def test_a_run_that_fails_is_kept_with_its_error(table, folds, tmp_path):
    found = search(table, folds, tmp_path, space={"max_features": ["nonsense", "worse"]}, runs=2)
    assert found.runs["state"].tolist() == ["done", "failed"]
    assert "max_features" in found.runs["error"][1]
    assert found.best == 0


def test_failing_options_stop_the_search(table, folds, tmp_path):
    with pytest.raises(ModelError, match="run 0, the options as they are, failed"):
        search(table, folds, tmp_path, options=ModelOptions(params={"max_features": "nonsense"}))


def test_families_without_feature_rows_are_refused(table, folds, tmp_path):
    with pytest.raises(ModelError, match="auto cannot be tuned: name one family"):
        tune_model(table, folds, tmp_path, options=ModelOptions(name="auto"), space={})


def test_spaces_of_families_name_their_parameters():
    for family in list_models():
        if family.name in _SPACES:
            assert set(default_space(family.name)) <= set(family.defaults)


def test_a_family_without_a_space_asks_for_one():
    with pytest.raises(ModelError, match="give one with --space"):
        default_space("nearest-centroid")


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({}, "space is empty"),
        ({"n_trees": [1, 2]}, "has no parameter 'n_trees'"),
        ({"max_depth": {"low": 5, "high": 2}}, "give choices, or low below high"),
        ({"max_depth": [3]}, "give two at least"),
        ({"ccp_alpha": {"low": 0, "high": 1, "log": True}}, "begins above 0"),
    ],
)
def test_bad_spaces_say_what_is_wrong(space, message):
    with pytest.raises(ModelError, match=message):
        read_space(space, "random-forest")


def test_ranges_are_read_as_written():
    assert read_space({"max_depth": [None, 4]}, "random-forest") == {"max_depth": ParamRange(choices=(None, 4))}
