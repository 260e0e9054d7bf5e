"""The model folder is whole, checked, and holds no code."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

from landweave.errors import ModelError, OutputExistsError, SourceError
from landweave.io.files import sha256_file
from landweave.io.model_folder import StoredModel, read_model_folder, write_model_folder
from landweave.legend import Legend
from landweave.types import ModelCard, ModelInput

CARD = ModelCard(
    model="test", inputs=(ModelInput(bands=("red",), kinds=("reflectance",)),),
    classes=Legend.from_names(["forest", "water"]).to_dicts(),
)  # fmt: skip


@pytest.fixture
def stored():
    arrays = {"a": np.arange(3, dtype=np.float32), "b": np.array([[1, 2]], dtype=np.int16)}
    return StoredModel(CARD, "forest", (0, 1), arrays, {"model.bin": b"abc"})


def edit_card(folder, **changes):
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps({**card, **changes}))


def test_what_is_written_is_read_back(stored, tmp_path):
    back = read_model_folder(write_model_folder(stored, tmp_path / "m"))
    assert (back.engine, back.columns, back.blobs) == ("forest", (0, 1), {"model.bin": b"abc"})
    for name, array in stored.arrays.items():
        np.testing.assert_array_equal(back.arrays[name], array)
        assert back.arrays[name].dtype == array.dtype


def test_same_model_gives_same_bytes(stored, tmp_path):
    a, b = (write_model_folder(stored, tmp_path / name) for name in "ab")
    assert all(p.read_bytes() == (b / p.name).read_bytes() for p in a.iterdir())


def test_failure_leaves_the_old_model(stored, tmp_path):
    write_model_folder(stored, tmp_path / "m")
    broken = StoredModel(CARD, "forest", (0, 1), {"a": np.array([object()])})
    with pytest.raises(ModelError, match="'a' of the model has dtype object, which only a pickle could hold"):
        write_model_folder(broken, tmp_path / "m")
    assert [p.name for p in tmp_path.iterdir()] == ["m"]
    assert read_model_folder(tmp_path / "m").blobs


def test_a_folder_of_something_else_is_kept(stored, tmp_path):
    (tmp_path / "map.tif").write_text("precious")
    with pytest.raises(OutputExistsError, match=r"holds no model \(no card.json\)"):
        write_model_folder(stored, tmp_path)


def test_changed_weights_are_refused(stored, tmp_path):
    folder = write_model_folder(stored, tmp_path / "m")
    (folder / "model.bin").write_bytes(b"abd")
    with pytest.raises(ModelError, match=r"model.bin has checksum .* the file was changed or damaged"):
        read_model_folder(folder)


def test_a_pickle_is_not_opened(stored, tmp_path):
    folder = write_model_folder(stored, tmp_path / "m")
    np.savez(folder / "weights.npz", a=np.array([{"x": 1}], dtype=object))
    edit_card(folder, lineage={"weights": {"engine": "forest", "columns": [0], "sha256": {
        "weights.npz": sha256_file(folder / "weights.npz")}}})  # fmt: skip
    with pytest.raises(ModelError, match="holds more than plain arrays"):
        read_model_folder(folder)


def test_a_bare_pickle_is_not_opened(stored, tmp_path):
    folder = write_model_folder(stored, tmp_path / "m")
    (folder / "weights.npz").write_bytes(pickle.dumps([1]))
    edit_card(folder, lineage={"weights": {"engine": "forest", "columns": [0], "sha256": {
        "weights.npz": sha256_file(folder / "weights.npz")}}})  # fmt: skip
    with pytest.raises(ModelError, match="holds more than plain arrays"):
        read_model_folder(folder)


@pytest.mark.parametrize(("changes", "message"), [
    ({"schema_version": 9}, "schema_version 9; this version of landweave reads 1"),
    ({"context_px": "wide"}, "does not fit the schema of a model card: context_px"),
    ({"lineage": {}}, "does not state its weights"),
    ({"lineage": {"weights": {"engine": "x", "columns": [5], "sha256": {}}}}, r"columns \[5\] for 2 classes"),
    ({"lineage": {"weights": {"engine": "x", "columns": [0], "sha256": {"../a": "0"}}}}, "outside the model folder"),
])  # fmt: skip
def test_a_wrong_card_is_refused(stored, tmp_path, changes, message):
    folder = write_model_folder(stored, tmp_path / "m")
    edit_card(folder, **changes)
    with pytest.raises(ModelError, match=message):
        read_model_folder(folder)


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(SourceError, match="nowhere is not a model folder: it has no card"):
        read_model_folder(tmp_path / "nowhere")


def test_missing_weights_are_named(stored, tmp_path):
    folder = write_model_folder(stored, tmp_path / "m")
    (folder / "weights.npz").unlink()
    with pytest.raises(SourceError, match=r"weights.npz does not exist"):
        read_model_folder(folder)
