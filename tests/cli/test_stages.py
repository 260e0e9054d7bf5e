"""The commands that do the work, one by one, on a small job."""

from __future__ import annotations

import pytest
import yaml


def test_simulate_writes_a_landscape_ready_to_run(cli, tmp_path):
    args = ("simulate", tmp_path / "land", "--size", "48", "--dates", "1", "--seed", "3")
    code, text = cli(*args)
    assert code == 0
    assert "class share" in text
    recipe = yaml.safe_load((tmp_path / "land" / "recipe.yaml").read_text())
    assert recipe["samples"]["reference"] == "training.gpkg"
    code, text = cli(*args)
    assert code == 2
    assert "holds a landscape already; --overwrite replaces it" in text


def test_plan_prints_what_a_run_would_do(cli, job):
    code, text = cli("plan", job.folder / "recipe.yaml", "--memory", "8GiB")
    assert code == 0
    assert "24 rows x 24 columns" in text
    assert "8,192 MiB for the whole process" in text
    assert not (job.folder / "out").exists()


def test_run_ends_with_accuracy_folds_and_paths(cli, job):
    out = job.folder / "out"
    code, text = cli("run", job.folder / "recipe.yaml", "--out", out, "--workers", "1")
    assert code == 0
    for told in ("random folds", "spatial folds", "baseline: majority", "Done in", "report.html"):
        assert told in text
    assert "Traceback" not in text


@pytest.mark.parametrize(("stage", "told"), [
    ("train", "run `landweave samples` first"), ("predict", "model"), ("assess", "run `landweave samples` first"),
    ("report", "assessment.json"),
])  # fmt: skip
def test_a_stage_without_the_one_before_is_one_clear_line(cli, job, stage, told):
    code, text = cli(stage, job.folder / "recipe.yaml", "--out", job.folder / "out")
    assert code == 2, text
    assert told in text


def test_stages_say_what_they_made(cli, job):
    at = (job.folder / "recipe.yaml", "--out", job.folder / "out")
    assert "cube main: green, red, nir" in cli("cube", *at)[1]
    assert "48 samples" in cli("samples", *at)[1]
    assert "spatial folds" in cli("train", *at)[1]
    assert "Mapped, not estimated, areas" in cli("predict", *at)[1]
    assert "random folds" in cli("assess", *at)[1]
    assert "report.html" in cli("report", *at)[1]
    assert cli("report", *at, "--language", "es", "--no-locations")[0] == 0
    text = (job.folder / "out" / "report.html").read_text(encoding="utf-8")
    assert '<html lang="es">' in text
    assert "lw-chart lw-places" not in text
    code, told = cli("report", *at, "--language", "de")
    assert (code, "choose one of en, es, fr, pt" in " ".join(told.split())) == (2, True)
    code, told = cli("explain", *at, "--repeats", "1", "--rows", "5")
    assert code == 0, told
    assert (job.folder / "out" / "explain.json").exists()


def test_a_failed_check_is_exit_code_two_only_when_asked(cli, job, jobs):
    places = jobs.make_places()
    places.loc[places["class"] == "water", "class"] = ["water"] + ["crop"] * 15
    places.to_file(job.places, driver="GPKG")
    at = (job.folder / "recipe.yaml", "--out", job.folder / "out")
    assert cli("samples", *at)[0] == 0
    code, text = cli("samples", *at, "--check")
    assert code == 2
    assert "fail" in text
    assert "water" in text


def test_a_recipe_without_imagery_has_no_cube(cli, job, done):
    series = done.folder / "out" / "samples.parquet"
    recipe = job.write_recipe(imagery=None, samples={"reference": None, "series": str(series), "class_column": None})
    code, text = cli("cube", recipe, "--out", job.folder / "out")
    assert code == 0
    assert "there is no cube" in text


def test_an_odd_memory_budget_is_named(cli, job):
    code, text = cli("plan", job.folder / "recipe.yaml", "--memory", "lots")
    assert code == 2
    assert "lots" in text
    assert "2GiB" in text
