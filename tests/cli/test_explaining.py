"""`landweave explain` on a small run."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from landweave.assess.explain import ClassChange, Explanation, GroupImportance
from landweave.cli.explaining import _change_row, _telling
from landweave.types import ModelInput

INPUT = ModelInput(bands=("red", "nir"), kinds=("reflectance",) * 2, n_steps=2, dates=("2020-01-15", "2020-07-15"))


def test_help_says_what_is_written(cli):
    code, text = cli("explain", "--help")
    assert code == 0
    assert "explain.json" in text


def test_a_run_without_a_model_says_so(cli, tmp_path):
    (tmp_path / "a.csv").write_text("lon,lat,class\n10,45,a\n")
    (tmp_path / "r.yaml").write_text("name: r\nsamples: {series: a.csv}\n")
    code, text = cli("explain", str(tmp_path / "r.yaml"), "--out", str(tmp_path / "out"))
    assert code == 2
    assert "model" in text


def test_curves_are_of_the_best_bands_at_the_best_date():
    named = [("band", "nir"), ("band", "red"), ("date", "2020-07-15"), ("date", "2020-01-15")]
    found = Explanation(
        model="svm", classes=["a"], overall_accuracy=1.0, n_tested=1, n_folds=1, n_repeats=1,
        importance=[GroupImportance(kind=k, name=n, drop=0.1, n_features=2) for k, n in named],
    )  # fmt: skip
    table = SimpleNamespace(inputs=(INPUT,), feature_names=INPUT.feature_names)
    assert _telling(found, table) == ["nir_t01", "red_t01"]


@pytest.mark.parametrize(("groups", "told"), [
    (["nir", "nir", None, None], ("a", 4, "50%", "band nir", "b")), ([None], ("a", 1, "0%", "-", "-")),
])  # fmt: skip
def test_changes_are_summed_up_by_class(groups, told):
    changes = [
        ClassChange(row=int(i), predicted="a", nearest="b", kind="band" if g else None, group=g, becomes="b" if g else None)
        for i, g in zip(np.arange(len(groups)), groups, strict=True)
    ]
    assert _change_row("a", changes) == told
