"""Series networks reached as a user reaches them: by recipe, by sample table, and without torch."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import rasterio

from landweave.errors import MissingExtraError, ModelError
from landweave.models import ModelOptions, get_model, load_model, save_model, train_model
from landweave.models.deep import load_deep

SMALL = {"epochs": 4, "min_batches": 4, "width": 8, "n_heads": 2, "hidden": 8, "learning_rate": 0.02, "ema": 0.5}
NO_TORCH = """
import sys
class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torch":
            raise ImportError(name)
sys.meta_path.insert(0, NoTorch())
from landweave.cli.app import run
from landweave.models import load_model
run(["models"])
import numpy as np
assert np.isfinite(load_model(sys.argv[1]).predict_features(np.zeros((3, 8), np.float32))).all()
"""


@pytest.fixture(scope="module")
def samples(make_samples):
    return make_samples(gaps=0.1)


@pytest.mark.slow
def test_recipe_with_a_network_gives_a_map(job, cli, tmp_path):
    params = {"n_estimators": None, **SMALL}
    recipe = job.write_recipe(model={"name": "ltae", "params": params, "missing": "mask"})
    code, said = cli("run", recipe, "--out", tmp_path / "out", "--workers", "1")
    assert code == 0, said
    with rasterio.open(next((tmp_path / "out").rglob("map.tif"))) as found:
        assert found.read(1).std() > 0
    card = load_model(tmp_path / "out" / "model").card
    assert card.lineage["network"]["parameters"] > 0


def test_listing_and_predicting_need_no_torch(samples, tmp_path):
    model = train_model(samples, options=ModelOptions(name="ltae", params=SMALL, missing="mask"))
    folder = save_model(model, tmp_path / "model")
    found = subprocess.run([sys.executable, "-c", NO_TORCH, str(folder)], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert "ltae" in found.stdout


def test_training_without_torch_names_the_extra(samples, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"training ltae needs the 'deep' extra: pip install \"landweave\[deep\]\""):
        train_model(samples, options=ModelOptions(name="ltae"))
    with pytest.raises(MissingExtraError, match="training x needs the 'deep' extra"):
        load_deep("estimator", "training x")


def test_unknown_parameter_lists_the_known_ones(samples):
    with pytest.raises(ModelError, match="ltae has no parameter 'epoch'; did you mean 'epochs'"):
        train_model(samples, options=ModelOptions(name="ltae", params={"epoch": 3}))


def test_every_parameter_has_a_default_and_none_is_named_twice():
    for name in ("ltae", "tempcnn", "fusion"):
        defaults = get_model(name).defaults
        assert {"epochs", "n_members", "date_dropout", "validation_share"} <= set(defaults)
        assert "seed" not in defaults


def test_card_tells_how_training_went(samples):
    card = train_model(samples, options=ModelOptions(name="ltae", params=SMALL)).card
    (member,) = card.lineage["network"]["members"]
    assert member["stopped"] == "epochs"
    assert np.isfinite(member["best_score"])
