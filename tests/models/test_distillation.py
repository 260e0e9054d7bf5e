"""Distilled models: agreement on blocks that were not learnt from, the same map through the engine, the card that says so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from landweave.cube import open_cube
from landweave.errors import ModelError
from landweave.grid import Window
from landweave.maps import MapOptions, open_map, predict_map
from landweave.models import DistillOptions, Runtime, bind_runtime, distil_model, load_model, save_model

pytest.importorskip("torch")
OPTIONS = DistillOptions(hidden=(16,), n_pixels=1000, block_px=8, epochs=150, held_out=0.3)


@pytest.fixture(scope="module")
def cubes(done):
    return open_cube(done.folder / "out" / "cube.zarr")


@pytest.fixture(scope="module")
def teacher(done):
    return load_model(done.folder / "out" / "model")


@pytest.fixture(scope="module")
def distilled(teacher, cubes):
    return distil_model(teacher, cubes, options=OPTIONS)


def test_student_agrees_with_its_teacher_on_blocks_it_did_not_learn_from(distilled):
    assert distilled.agreement > 0.95
    assert distilled.lower <= distilled.agreement <= distilled.upper
    assert sum(c.n_px for c in distilled.classes) == distilled.n_held_out_px
    assert distilled.n_held_out_px + distilled.n_train_px == 576


def test_stated_agreement_is_that_of_the_maps(distilled, teacher, cubes, tmp_path):
    maps = [predict_map(m, cubes, tmp_path / n, options=MapOptions(proba=False, uncertainty=False))
            for n, m in (("a", teacher), ("b", distilled.model))]  # fmt: skip
    codes = [open_map(m.folder).count_px for m in maps]
    assert set(codes[0]) == set(codes[1])
    assert all(abs(codes[0][c] - codes[1][c]) < 0.05 * 576 for c in codes[0])


def test_card_names_the_teacher_and_the_loss(distilled, teacher, tmp_path):
    loaded = load_model(save_model(distilled.model, tmp_path / "small"))
    assert loaded.card.params["teacher"] == teacher.card.model
    assert loaded.card.metrics["distilled"]["agreement"] == distilled.agreement
    assert loaded.card.inputs == teacher.card.inputs


def test_saved_student_gives_the_same_bits(distilled, teacher, tmp_path, rng):
    rows = rng.uniform(0, 0.5, (50, len(teacher.card.features))).astype(np.float32)
    loaded = load_model(save_model(distilled.model, tmp_path / "small"))
    assert np.array_equal(loaded.predict_features(rows), distilled.model.predict_features(rows))
    assert np.array_equal(loaded.predict_features(rows)[:7], loaded.predict_features(rows[:7]))


def test_its_onnx_file_is_the_same_network_and_runs_where_another_runtime_is_asked_for(distilled, cubes, rng):
    engine = distilled.model.engine
    rows = rng.normal(0.2, 0.1, (500, len(distilled.model.card.features))).astype(np.float32)
    np.testing.assert_allclose(engine.as_onnx.predict_proba(rows), engine.predict_proba(rows), atol=1e-4)
    bound = bind_runtime(distilled.model, Runtime("openvino"))
    assert bound.engine.kind == "onnx"
    assert bound.engine.runtime.name == "openvino"
    with pytest.raises(ModelError, match="differ by"):
        replace(engine, biases=engine.biases + np.float32(0.1) * np.arange(len(engine.biases), dtype=np.float32)).check(rows)


def test_same_seed_gives_the_same_student(teacher, cubes, distilled):
    again = distil_model(teacher, cubes, options=OPTIONS)
    assert again.model.engine.content == distilled.model.engine.content


def test_cube_without_blocks_to_keep_is_an_error(teacher, cubes):
    with pytest.raises(ModelError, match="come from 1 blocks with data, too few"):
        distil_model(teacher, cubes, options=DistillOptions(n_pixels=1000, block_px=64))


def test_cube_without_data_is_an_error(teacher, cubes, monkeypatch):
    from landweave.models import distillation as module

    monkeypatch.setattr(module, "split_blocks", lambda *_: [Window(-500, -500, 8, 8)])
    with pytest.raises(ModelError, match="no pixel of the cube is usable"):
        distil_model(teacher, cubes, options=OPTIONS)


def test_layers_without_units_are_refused():
    with pytest.raises(ValueError, match="hidden is"):
        DistillOptions(hidden=(0,))


def test_command_prints_agreement_and_writes_the_model(done, cli, tmp_path):
    code, text = cli("distill", done.folder / "out" / "model", done.folder / "out" / "cube.zarr", "--out", tmp_path / "small",
                     "--hidden", "8", "--epochs", "3")  # fmt: skip
    assert code == 2
    assert "too few to keep some for the comparison" in text
