"""`landweave robustness`."""

from __future__ import annotations

import json

import pytest


def test_table_is_printed_and_written(cli, done):
    out = done.folder / "out"
    code, text = cli("robustness", done.folder / "recipe.yaml", "--out", out, "--corruption", "noise", "--severity", 2)
    found = json.loads((out / "robustness.json").read_text())
    (out / "robustness.json").unlink()
    assert code == 0
    assert "spatial folds that had not seen it" in text
    assert [r["case"] for r in found["rows"]][:2] == ["clean", "noise"]


def test_samples_of_another_job_are_scored_by_the_whole_model(cli, done):
    out = done.folder / "out"
    code, text = cli("robustness", done.folder / "recipe.yaml", "--out", out, "--corruption", "haze", "--other", out)
    (out / "robustness.json").unlink()
    assert code == 0
    assert "other: out" in text


def test_fewer_samples_are_drawn_where_asked(cli, done):
    out = done.folder / "out"
    _, text = cli("robustness", done.folder / "recipe.yaml", "--out", out, "--corruption", "noise", "--max-samples", 20)
    (out / "robustness.json").unlink()
    assert "20 samples, each by a model" in text


@pytest.mark.parametrize(
    ("option", "value", "remedy"), [("--corruption", "rain", "known: noise"), ("--severity", 4, "less than or equal to 3")]
)
def test_unknown_corruption_or_severity_is_refused(cli, done, option, value, remedy):
    code, text = cli("robustness", done.folder / "recipe.yaml", "--out", done.folder / "out", option, value)
    assert code == 2
    assert remedy in text


def test_job_that_has_not_run_is_refused(cli, job):
    code, text = cli("robustness", job.write_recipe(), "--out", job.folder / "none")
    assert code == 2
    assert "run the job first" in text
