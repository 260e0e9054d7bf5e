"""Making a run again from its lineage."""

from __future__ import annotations

import json
import shutil

import pytest

from landweave.errors import LandweaveError, RecipeError
from landweave.io.lineage import read_lineage, write_lineage
from landweave.recipe.rerun import rerun_lineage


def test_a_rerun_compares_every_recorded_product(done, tmp_path):
    rows = rerun_lineage(done.folder / "out", tmp_path / "again")
    same = {name: word for name, word, _ in rows}
    assert {"map.tif", "proba.tif", "uncertainty.tif", "samples.parquet"} <= set(same)
    assert same["map.tif"] == same["proba.tif"] == "yes"


def test_a_difference_is_said_with_the_versions_that_changed(done, tmp_path):
    old = read_lineage(done.folder / "out")
    text = old.model_dump_json().replace(old.versions["numpy"], "1.0.0")
    for stage in old.stages:
        for file in stage.outputs:
            text = text.replace(file.sha256, "0" * 64) if file.path == "map.tif" else text
    write_lineage(type(old).model_validate_json(text), tmp_path)
    rows = {name: more for name, *more in rerun_lineage(tmp_path / "lineage.json", tmp_path / "again")}
    assert rows["map.tif"][0] == "no"
    assert "numpy 1.0.0 -> " in rows["map.tif"][1]


def test_a_changed_input_file_is_named(job, done, jobs, tmp_path):
    text = json.dumps(json.loads((done.folder / "out" / "lineage.json").read_text()))
    (tmp_path / "lineage.json").write_text(text.replace(str(done.folder), str(job.folder)))
    jobs.write_tif(job.images[0], jobs.make_values(99))
    with pytest.raises(RecipeError, match=r"20200601\.tif has changed since the cube stage read it \(sha256 was "):
        rerun_lineage(tmp_path, tmp_path / "again")


def test_a_lineage_without_recipe_says_so(done, tmp_path):
    write_lineage(read_lineage(done.folder / "out").model_copy(update={"recipe": None}), tmp_path)
    with pytest.raises(RecipeError, match="holds no recipe"):
        rerun_lineage(tmp_path, tmp_path / "again")


def test_a_missing_lineage_is_named(tmp_path):
    with pytest.raises(LandweaveError, match=r"lineage\.json does not exist"):
        rerun_lineage(tmp_path, tmp_path / "again")


def test_missing_inputs_are_named(job, tmp_path, done):
    text = (done.folder / "out" / "lineage.json").read_text()
    (tmp_path / "lineage.json").write_text(text.replace(str(done.folder), str(job.folder)))
    shutil.copy(done.places, job.places)
    shutil.rmtree(job.folder / "img")
    with pytest.raises(LandweaveError, match=r"img does not exist"):
        rerun_lineage(tmp_path, tmp_path / "again")
