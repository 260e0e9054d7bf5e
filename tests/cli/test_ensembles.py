from __future__ import annotations

from landweave.models import load_model


def test_saved_models_become_one_that_maps(cli, done, tmp_path):
    model, cube = done.folder / "out" / "model", done.folder / "out" / "cube.zarr"
    code, told = cli("ensemble", model, model, "--out", tmp_path / "both")
    assert code == 0, told
    assert "Mean of 2 models" in told
    assert load_model(tmp_path / "both").card.model == "ensemble"
    code, told = cli("predict", tmp_path / "both", cube, "--out", tmp_path / "map")
    assert code == 0, told
    assert (tmp_path / "map" / "map.tif").exists()


def test_a_single_model_is_no_ensemble(cli, done, tmp_path):
    code, told = cli("ensemble", done.folder / "out" / "model", "--out", tmp_path / "both")
    assert code == 2
    assert "give at least two" in told
