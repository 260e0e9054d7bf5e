from __future__ import annotations

import geopandas as gpd
import pandas as pd
import pytest

from landweave.io.tables import read_samples

pytestmark = pytest.mark.usefixtures("done")


def test_labels_lists_the_suspects_and_writes_cleaned_samples(cli, done, tmp_path):
    table = done.folder / "out" / "samples.parquet"
    before = read_samples(table)
    report, cleaned = tmp_path / "suspects.csv", tmp_path / "clean.parquet"
    code, told = cli("labels", table, "--check", "som", "--check", "neighbours", "--out", report,
                     "--clean", "drop", "--cleaned", cleaned)  # fmt: skip
    assert code == 0, told
    assert "rows are suspected by at least one check" in told
    listed = pd.read_csv(report)
    assert {"sample_id", "class", "votes", "som_score", "neighbours_like"} <= set(listed.columns)
    assert len(read_samples(cleaned)) == len(before) - int((listed["votes"] > 1).sum())


def test_cleaning_needs_a_place_to_go(cli, done):
    code, told = cli("labels", done.folder / "out" / "samples.parquet", "--clean", "drop")
    assert code == 2
    assert "give both, or neither" in told


def test_places_are_proposed_labelled_and_learnt(cli, done, tmp_path):
    places = tmp_path / "places.gpkg"
    model, cube, samples = (done.folder / "out" / name for name in ("model", "cube.zarr", "samples.parquet"))
    code, told = cli("propose", model, cube, "--n", 6, "--candidates", 200, "--samples", samples, "--out", places)
    assert code == 0, told
    assert "do not estimate areas" in told
    form = gpd.read_file(places)
    names = read_samples(samples).legend.names
    form["class"] = [names[i % 2] for i in range(len(form))]
    form.to_file(places)
    code, told = cli("refit", model, cube, places, "--samples", samples, "--out", tmp_path / "round2")
    assert code == 0, told
    assert len(read_samples(tmp_path / "round2" / "samples.parquet")) == len(read_samples(samples)) + 6
    assert (tmp_path / "round2" / "model" / "card.json").exists()
