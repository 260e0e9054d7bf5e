"""Fixtures that every room shares."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

REAL_DATA = Path(os.environ.get("LANDWEAVE_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real observations; the test skips where it is absent."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"real data folder {REAL_DATA} is absent (set LANDWEAVE_REAL_DATA)")
    return REAL_DATA


@pytest.fixture(autouse=True, scope="session")
def _held_memory() -> Any:
    """Plans count what a process of its own would hold, not what all tests before have loaded (torch, transformers, ...)."""
    from landweave.maps import memory

    real = memory.resident_bytes
    memory.resident_bytes = lambda: min(real(), 400 * 2**20)
    yield
    memory.resident_bytes = real


@pytest.fixture
def rng() -> np.random.Generator:
    """A seeded generator."""
    return np.random.default_rng(20140201)


@pytest.fixture(scope="session")
def jobs() -> ModuleType:
    """The module `tests/flow/jobs.py`."""
    spec = importlib.util.spec_from_file_location("landweave_test_jobs", Path(__file__).parent / "flow" / "jobs.py")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def job(jobs: ModuleType, tmp_path: Path) -> Any:
    """A small job that works, to be spoilt."""
    return jobs.make_small_job(tmp_path / "job")


@pytest.fixture(scope="session")
def done(jobs: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A small job that has run; not to be changed."""
    return jobs.finish_small_job(tmp_path_factory.getbasetemp())


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Run a command line in process; gives the exit code and what was printed, on one line."""

    from landweave.cli.app import run

    def call(*args: object) -> tuple[int, str]:
        code = run([str(a) for a in args])
        captured = capsys.readouterr()
        return code, " ".join((captured.out + captured.err).split())

    return call


@pytest.fixture(scope="session")
def row_network() -> Callable[..., bytes]:
    """Make softmax(tanh(features) W + b) as an ONNX file."""

    def make(n_features: int, n_columns: int, *, name: str = "features", seed: int = 3) -> bytes:
        onnx = pytest.importorskip("onnx", reason="networks of the tests are made with the package onnx")
        rng = np.random.default_rng(seed)
        weights = [rng.normal(size=(n_features, n_columns)).astype(np.float32), rng.normal(size=n_columns).astype(np.float32)]
        steps = [(("Tanh"), [name], "t"), ("MatMul", ["t", "w"], "m"), ("Add", ["m", "b"], "a"), ("Softmax", ["a"], "proba")]
        graph = onnx.helper.make_graph(
            [onnx.helper.make_node(op, inputs, [out]) for op, inputs, out in steps], "rows",
            [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", n_features])],
            [onnx.helper.make_tensor_value_info("proba", onnx.TensorProto.FLOAT, ["n", n_columns])],
            [onnx.numpy_helper.from_array(w, key) for w, key in zip(weights, "wb", strict=True)],
        )  # fmt: skip
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
        return bytes(model.SerializeToString())

    return make


def _chip_graph(
    shapes: dict, n_columns: int, *, kernel: int, seed: int, broken_above: float | None, is_unet: bool
) -> bytes:  # fmt: skip
    """A convolution over all bands, steps and masks, on the finest pixels; NaN where a value is above `broken_above`."""
    onnx = pytest.importorskip("onnx", reason="networks of the tests are made with the package onnx")
    rng, make, steps, parts, bands = np.random.default_rng(seed), onnx.helper.make_node, [], [], 0
    weights: dict = {"axis": np.array([1])}
    side = max(s[-1] for s in shapes.values())
    for name, shape in shapes.items():
        flat = int(np.prod(shape[:-2]))
        weights[f"{name}_to"] = np.array([0, flat, shape[-2], shape[-1]] if len(shape) > 2 else [0, 1, *shape])
        steps.append(make("Reshape", [name, f"{name}_to"], [f"{name}_flat"]))
        ratio = side // shape[-1]
        weights[f"{name}_up"] = np.array([1, 1, ratio, ratio], dtype=np.float32)
        steps.append(make("Resize", [f"{name}_flat", "", f"{name}_up"], [f"{name}_fine"], mode="nearest",
                          coordinate_transformation_mode="asymmetric", nearest_mode="floor"))  # fmt: skip
        parts.append(f"{name}_fine")
        bands += flat
    if is_unet:  # half as fine, twice convolved, back, beside what it came from
        weights["w1"] = rng.normal(size=(8, bands, 3, 3)).astype(np.float32)
        weights["w2"] = rng.normal(size=(6, 8, 3, 3)).astype(np.float32) / 5
        weights["up"] = np.array([1, 1, 2, 2], dtype=np.float32)
        steps += [make("Concat", parts, ["fine"], axis=1), make("Conv", ["fine", "w1"], ["half"], pads=[1] * 4, strides=[2, 2]),
                  make("Relu", ["half"], ["active"]), make("Conv", ["active", "w2"], ["deep"], pads=[1] * 4),
                  make("Resize", ["deep", "", "up"], ["back"], mode="nearest")]  # fmt: skip
        parts, bands = ["fine", "back"], bands + 6
    weights["w"] = rng.normal(size=(n_columns, bands, kernel, kernel)).astype(np.float32) / kernel
    pad = kernel // 2
    steps += [make("Concat", parts, ["all"], axis=1), make("Conv", ["all", "w"], ["scores"], pads=[pad] * 4)]
    last = "scores"
    if broken_above is not None:
        weights |= {"limit": np.float32(broken_above), "one": np.float32(1), "zero": np.float32(0)}
        steps += [make("ReduceMax", ["all"], ["top"], axes=[1, 2, 3]), make("Greater", ["top", "limit"], ["is_wrong"]),
                  make("Where", ["is_wrong", "zero", "one"], ["divisor"]), make("Div", ["one", "divisor"], ["factor"]),
                  make("Mul", ["scores", "factor"], ["broken"])]  # fmt: skip
        last = "broken"
    steps.append(make("Softmax", [last], ["proba"], axis=1))
    info, floats = onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        steps, "chips", [info(n, floats, ["n", *s]) for n, s in shapes.items()],
        [info("proba", floats, ["n", n_columns, side, side])],
        [onnx.numpy_helper.from_array(w, key) for key, w in weights.items()],
    )  # fmt: skip
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


@pytest.fixture(scope="session")
def chip_network() -> Callable[..., bytes]:
    """Make softmax(conv(all inputs)) for chips as an ONNX file, of the shapes that `chip_shapes` gives."""

    def make(inputs: tuple, chip_px: int, n_columns: int = 3, *, kernel: int = 5, seed: int = 3,
             broken_above: float | None = None, is_unet: bool = False) -> bytes:  # fmt: skip
        from landweave.models.chip_contract import chip_shapes

        return _chip_graph(chip_shapes(inputs, chip_px), n_columns, kernel=kernel, seed=seed, broken_above=broken_above,
                           is_unet=is_unet)  # fmt: skip

    return make
