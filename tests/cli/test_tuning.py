from __future__ import annotations

import pytest

from landweave.models import load_model
from landweave.recipe import read_recipe

pytest.importorskip("optuna")


def test_tuning_writes_a_recipe_and_a_model_whose_card_keeps_every_run(cli, done, tmp_path):
    space = tmp_path / "space.yaml"
    space.write_text("n_estimators: [5, 10]\n")
    recipe = next(done.folder.glob("*.yaml"))
    code, told = cli("tune", recipe, "--out", tmp_path / "tuned", "--max-runs", "2", "--space", space)
    assert code == 0, told
    assert "on folds drawn anew" in told
    made = tmp_path / "tuned" / "tune"
    assert read_recipe(made / "best.yaml").model.name == read_recipe(recipe).model.name
    assert len(load_model(made / "model").card.lineage["tuning"]["runs"]) == 2


def test_an_unknown_metric_is_refused(cli, done, tmp_path):
    code, told = cli("tune", next(done.folder.glob("*.yaml")), "--out", tmp_path, "--metric", "beauty")
    assert code == 2
    assert "'beauty' is not macro_f1 or overall_accuracy" in told
