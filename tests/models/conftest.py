"""Sample tables and blocks made by hand."""

from __future__ import annotations

from collections.abc import Callable

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

from landweave.grid import Window, make_geobox
from landweave.legend import Legend
from landweave.types import Block, Fold, ModelInput, SampleTable

NAMES = ("forest", "water", "crop")


def _table(features: np.ndarray, names: list[str], spec: ModelInput, legend: Legend) -> SampleTable:
    n = len(features)
    frame = pd.DataFrame(features, columns=list(spec.feature_names))
    frame["sample_id"], frame["class"], frame["weight"], frame["purpose"] = np.arange(n), names, 1.0, "train"
    frame["time_start"], frame["time_end"] = pd.Timestamp("2020-01-01"), pd.Timestamp("2020-12-31")
    points = gpd.points_from_xy(10 + np.arange(n) / 1000, 50 + np.arange(n) / 2000)
    return SampleTable(gpd.GeoDataFrame(frame, geometry=points, crs="EPSG:4326"), legend, (spec,))


@pytest.fixture(scope="session")
def make_samples() -> Callable[..., SampleTable]:
    """Make a table of noisy class means: `counts` rows per class, `n_steps` dates (None: static), a share of NaN."""

    def make(
        counts: tuple[int, ...] = (40, 40, 40), n_steps: int | None = 4, bands: tuple[str, ...] = ("red", "nir"),
        gaps: float = 0.0, noise: float = 0.05, seed: int = 1,
    ) -> SampleTable:  # fmt: skip
        rng = np.random.default_rng(seed)
        spec = ModelInput(bands=bands, kinds=("reflectance",) * len(bands), n_steps=n_steps, metres=(10.0, 10.0))
        truth = np.repeat(np.arange(len(counts)), counts)
        means = np.random.default_rng(7).uniform(0.1, 0.5, (len(counts), len(spec.feature_names)))
        values = (means[truth] + rng.normal(0, noise, (len(truth), means.shape[1]))).astype(np.float32)
        values[rng.random(values.shape) < gaps] = np.nan
        legend = Legend.from_names(NAMES[: len(counts)] if len(counts) <= 3 else [f"class {k}" for k in range(len(counts))])
        return _table(values, [legend.names[k] for k in truth], spec, legend)

    return make


@pytest.fixture(scope="session")
def make_block() -> Callable[..., Block]:
    """Put an array (..., y, x) on a grid of 10 m pixels as a block whose interior begins at (row, col)."""

    def make(values: np.ndarray, *, row: int = 0, col: int = 0, halo_px: int = 0, pixel: float = 10.0) -> Block:
        height, width = values.shape[-2] - 2 * halo_px, values.shape[-1] - 2 * halo_px
        left, top = 600000 + (col - halo_px) * pixel, 5000000 - (row - halo_px) * pixel
        bounds = (left, top - values.shape[-2] * pixel, left + values.shape[-1] * pixel, top)
        return Block(values.astype(np.float32), Window(row, col, height, width), halo_px, make_geobox(bounds, 32633, pixel))

    return make


@pytest.fixture(scope="session")
def deal_folds() -> Callable[..., list[list[Fold]]]:
    """Deal rows out to k folds in turn, `repeats` times."""

    def deal(n: int, k: int = 4, repeats: int = 1) -> list[list[Fold]]:
        rows = np.arange(n)
        one = [Fold(rows[rows % k != f], rows[rows % k == f]) for f in range(k)]
        return [one] * repeats

    return deal


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


def _chip_graph(shapes: dict, n_columns: int, kernel: int, seed: int, broken_above: float | None) -> bytes:
    """One convolution over all bands, steps and masks, on the finest pixels; NaN where a value is above `broken_above`."""
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
             broken_above: float | None = None) -> bytes:  # fmt: skip
        from landweave.models.chip_contract import chip_shapes

        return _chip_graph(chip_shapes(inputs, chip_px), n_columns, kernel, seed, broken_above)

    return make
