"""Networks on chips: every pixel the same whatever block it is computed in, seams blended, bad networks told."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

from landweave.errors import ModelError
from landweave.grid import Window
from landweave.legend import Legend
from landweave.models import load_model, load_pixel_model, make_chip_model, save_model
from landweave.models.sessions import Runtime
from landweave.types import ModelCard, ModelInput

ONE = (ModelInput(bands=("red", "nir"), kinds=("reflectance",) * 2),)
TWO = (
    ModelInput(name="s2", bands=("red", "nir"), kinds=("reflectance",) * 2, n_steps=3, resolution=(10, 10)),
    ModelInput(name="s1", bands=("vv",), kinds=("backscatter",), n_steps=2, resolution=(20, 20), required=False),
    ModelInput(name="dem", bands=("elevation",), kinds=("elevation",), resolution=(40, 40)),
)


@pytest.fixture(scope="module")
def make_model(chip_network):
    def make(inputs=ONE, chip=24, stride=16, *, blend="hann", augment=None, batch=2, min_valid_steps=1, **network):
        classes = Legend.from_names(("forest", "water", "crop")).to_dicts()
        card = ModelCard(model="toy", inputs=inputs, classes=classes, chip_size_px=chip, stride_px=stride,
                         min_valid_steps=min_valid_steps, batch_shape=(batch, chip, chip))  # fmt: skip
        return make_chip_model(card, chip_network(inputs, chip, **network), (2, 0, 1), blend=blend, augment=augment)

    return make


@pytest.fixture(scope="module")
def read_block(make_block):
    """Give the blocks of a window of a landscape of 10 m pixels with gaps, as `read_blocks` would."""
    rng = np.random.default_rng(5)
    side = 160

    def fields(inputs):
        made = {}
        for spec in inputs:
            ratio = int((spec.resolution or (10, 10))[0] // 10)
            shape = (*(() if spec.n_steps is None else (spec.n_steps,)), len(spec.bands), side // ratio, side // ratio)
            made[spec.name] = np.random.default_rng(len(spec.name)).normal(0.3, 0.1, shape).astype(np.float32)
            made[spec.name][..., : 48 // ratio, : 80 // ratio] = np.nan
            made[spec.name][..., rng.random(shape[-2:]) < 0.03] = np.nan
        return made

    kept = {}

    def read(model, window, *, names=None):
        inputs = model.card.inputs
        whole = kept.setdefault(len(inputs), fields(inputs))
        found = {}
        for spec in inputs:
            if names is None or spec.name in names:
                ratio = int((spec.resolution or (10, 10))[0] // 10)
                inner, halo = window.scale(ratio), -(-model.card.context_px // ratio)
                outer = inner.pad(halo)
                field = whole[spec.name]
                padded = np.pad(field, [(0, 0)] * (field.ndim - 2) + [(100, 100)] * 2, constant_values=np.nan)
                values = padded[..., outer.row + 100 : outer.row_end + 100, outer.col + 100 : outer.col_end + 100]
                found[spec.name] = make_block(values, row=inner.row, col=inner.col, halo_px=halo, pixel=10.0 * ratio)
        return found

    return read


@pytest.mark.parametrize("blend", ["hann", "cosine", "none"])
@pytest.mark.parametrize(("inputs", "chip", "stride"), [(ONE, 24, 16), (ONE, 16, 16), (ONE, 40, 8), (TWO, 32, 16)])
def test_a_pixel_is_the_same_in_any_block(make_model, read_block, inputs, chip, stride, blend):
    model = make_model(inputs, chip, stride, blend=blend, batch=3)
    whole = model.predict_proba(read_block(model, Window(0, 0, 160, 160)))
    for window in (Window(0, 0, 48, 80), Window(48, 80, 48, 80), Window(96, 144, 64, 16)):
        part = model.predict_proba(read_block(model, window))
        np.testing.assert_array_equal(part, whole[:, *window.slices])


@pytest.mark.parametrize("threads", [2, 5])
def test_threads_change_no_bit(make_model, read_block, threads):
    from landweave.models.chip_model import _reader_of

    model = make_model()
    blocks = read_block(model, Window(0, 0, 160, 160))
    strips = model.predict_strips(_reader_of(blocks, {"main": 1}), Window(0, 0, 160, 160), threads=threads)
    np.testing.assert_array_equal(np.concatenate([p for _, p in strips], axis=1), model.predict_proba(blocks))


def test_a_convolution_gives_what_it_gives_without_chips(make_model, read_block, chip_network):
    small, large = make_model(chip=24, stride=16, blend="none"), make_model(chip=168, stride=160, blend="none")
    window = Window(0, 0, 160, 160)
    tiled, whole = (m.predict_proba(read_block(m, window)) for m in (small, large))
    np.testing.assert_allclose(tiled, whole, atol=1e-6)


def test_probabilities_sum_to_one_and_nodata_stays_nodata(make_model, read_block):
    model = make_model(min_valid_steps=1)
    blocks = read_block(model, Window(0, 0, 160, 160))
    proba = model.predict_proba(blocks)
    gone = np.isnan(blocks["main"].interior).any(axis=0)
    np.testing.assert_array_equal(np.isnan(proba), np.broadcast_to(gone, proba.shape))
    np.testing.assert_allclose(proba[:, ~gone].sum(axis=0), 1, atol=1e-6)


def test_an_optional_input_that_is_missing_counts_as_not_observed(make_model, read_block):
    model = make_model(TWO, 32, 16)
    window = Window(0, 0, 160, 160)
    blocks = read_block(model, window)
    empty = {**blocks, "s1": replace(blocks["s1"], values=np.full_like(blocks["s1"].values, np.nan))}
    without = model.predict_proba(read_block(model, window, names=("s2", "dem")))
    np.testing.assert_array_equal(without, model.predict_proba(empty))
    with pytest.raises(ModelError, match="model reads the cube 'dem', the block has s2"):
        model.predict_proba(read_block(model, window, names=("s2",)))


def test_augmentation_is_the_mean_over_the_square(make_model, read_block):
    model = make_model(chip=160, stride=160, augment="dihedral", blend="none")
    blocks = read_block(model, Window(0, 0, 160, 160))
    made = model.predict_proba(blocks)
    plain, total = replace(model, augment=None), np.zeros_like(made)
    for turn in range(4):
        for flip in (False, True):
            values = np.rot90(blocks["main"].values[..., ::-1] if flip else blocks["main"].values, turn, axes=(-2, -1))
            back = np.rot90(plain.predict_proba({"main": replace(blocks["main"], values=values)}), -turn, axes=(-2, -1))
            total += back[..., ::-1] if flip else back
    np.testing.assert_allclose(made, total / 8, atol=1e-6)


def test_a_model_is_stored_whole(make_model, read_block, tmp_path):
    model = make_model(blend="cosine", augment="dihedral")
    loaded = load_model(save_model(model, tmp_path / "model"))
    assert (loaded.blend, loaded.augment, loaded.columns, loaded.checksum) == ("cosine", "dihedral", (2, 0, 1), model.checksum)
    blocks = read_block(model, Window(0, 0, 48, 48))
    for other in (loaded, pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other.predict_proba(blocks), model.predict_proba(blocks))
    with pytest.raises(ModelError, match="holds toy, a network that maps chips, and this needs a model that works on"):
        load_pixel_model(tmp_path / "model")


def test_the_runtime_is_part_of_the_checksum(make_model):
    model = make_model()
    assert replace(model, runtime=Runtime("openvino")).checksum != model.checksum
    assert replace(model, augment="dihedral").checksum != model.checksum


def test_nan_names_chip_and_block(make_model, read_block):
    model = make_model(broken_above=2.0)
    blocks = read_block(model, Window(96, 80, 64, 80))
    values = blocks["main"].values.copy()
    values[:, 40, 40] = 3.0  # row 96 - halo + 40
    with pytest.raises(ModelError, match=r"NaN or infinite .* in the chip at row 108, column 92 of the block at row 96, col"):
        model.predict_proba({"main": replace(blocks["main"], values=values)})


def test_a_block_off_the_steps_or_with_too_small_a_halo_is_told(make_model, read_block):
    model = make_model()
    with pytest.raises(ModelError, match="block begins at row 8, column 0, and the network steps by 16 px"):
        model.predict_proba(read_block(model, Window(8, 0, 48, 48)))
    blocks = read_block(model, Window(0, 0, 48, 48))
    with pytest.raises(ModelError, match="block has a halo of 4 px, the network needs 20"):
        model.predict_proba({"main": replace(blocks["main"], halo_px=4)})


@pytest.mark.parametrize(("chip", "stride", "told"), [
    (16, 24, "chips of 16 px with a stride of 24 px leave gaps"), (24, 15, "or have an odd overlap"),
    (32, 20, r"input 'dem' has pixels 4 times as large as the finest; chip \(32 px\)"),
])  # fmt: skip
def test_chips_that_make_no_sense_are_told(make_model, chip, stride, told):
    with pytest.raises(ModelError, match=told):
        make_model(TWO, chip, stride)


def test_another_network_is_told_with_all_that_differs(make_model, chip_network):
    model = make_model()
    other = (ModelInput(bands=("red", "nir", "swir"), kinds=("reflectance",) * 3, n_steps=4, name="main"),)
    found = (r"input main is float \(any, 4, 3, 24, 24\), expected float \(any, 2, 24, 24\); input main_valid is .*; "
             r"output proba is float \(any, 5, 24, 24\), expected float \(any, 3, 24, 24\); train or export")  # fmt: skip
    with pytest.raises(ModelError, match=found):
        make_chip_model(model.card, chip_network(other, 24, 5), model.columns)
    renamed = (ModelInput(name="s2", bands=("red", "nir"), kinds=("reflectance",) * 2),)
    with pytest.raises(ModelError, match=r"input main float \(any, 2, 24, 24\) is lacking; .*input s2 .* is not one of"):
        make_chip_model(model.card, chip_network(renamed, 24), model.columns)


def test_a_size_that_the_network_does_not_take_is_told(make_model, chip_network):
    onnx = pytest.importorskip("onnx", reason="notes are written with the package onnx")
    model = make_model()
    for note, told in (("256", "chips of 256 px alone"), ("dynamic, multiple of 32", "multiples of 32 px; give 32")):
        graph = onnx.load_from_string(model.content)
        onnx.helper.set_model_props(graph, {"landweave.sizes": note})
        with pytest.raises(ModelError, match=told):
            make_chip_model(model.card, graph.SerializeToString(), model.columns)


def test_a_damaged_network_is_told_with_its_folder(make_model, tmp_path):
    folder = save_model(replace(make_model(), content=b"no network"), tmp_path / "model")
    with pytest.raises(ModelError, match=r"model: the network's file \(10 bytes\) cannot be read as ONNX"):
        load_model(folder)
