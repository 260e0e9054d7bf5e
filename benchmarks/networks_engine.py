"""A U-Net with a ResNet-18 encoder on ten bands: our map, end to end, against the bare runtime on the same chips.

    python benchmarks/networks_engine.py --side 2048 --repeats 3
    python benchmarks/networks_engine.py --memory --side 6144

The first prints, for each runtime, seconds of the bare runtime (all chips in memory; the better of its own threading and one
thread for each chip, chosen by a trial) and of ours (reading the image, blending, finished products with overviews), in turns,
and their ratio. The second makes one map in a process of its own and prints its peak memory; five sixths of its columns are
not observed, which saves computing but no memory, as every row is read. Weights are random.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import rasterio

from landweave.cube import CubeOptions, load_cube, make_inputs
from landweave.grid import Window, make_geobox
from landweave.imagery import SourceOptions, find_scenes
from landweave.legend import Legend
from landweave.maps import MapOptions, predict_map
from landweave.models import QuantiseOptions, make_chip_model, quantise_model, save_model
from landweave.models.chip_model import ChipModel
from landweave.types import CubeSet, ModelCard

BANDS = ("blue", "green", "red", "rededge1", "rededge2", "rededge3", "nir", "nir08", "swir16", "swir22")
CHIP, STRIDE, CLASSES = 256, 192, 8
WIDTHS = (64, 64, 128, 256, 512)


def make_network() -> bytes:
    """Export the U-Net: ResNet-18's stem and four stages of two basic blocks, and five steps up with two convolutions each."""
    import torch
    from torch import nn

    def normed(n_in: int, n_out: int, kernel: int = 3, stride: int = 1) -> list[nn.Module]:
        return [nn.Conv2d(n_in, n_out, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(n_out)]

    class Basic(nn.Module):
        def __init__(self, n_in: int, n_out: int, stride: int) -> None:
            super().__init__()
            self.body = nn.Sequential(*normed(n_in, n_out, 3, stride), nn.ReLU(), *normed(n_out, n_out))
            same = n_in == n_out and stride == 1
            self.skip = nn.Identity() if same else nn.Sequential(*normed(n_in, n_out, 1, stride))

        def forward(self, x: Any) -> Any:
            return torch.relu(self.body(x) + self.skip(x))

    class UNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.pool = nn.Sequential(*normed(len(BANDS) + 1, 64, 7, 2), nn.ReLU()), nn.MaxPool2d(3, 2, 1)
            self.stages = nn.ModuleList(
                nn.Sequential(Basic(WIDTHS[i], WIDTHS[i + 1], 1 if i == 0 else 2), Basic(WIDTHS[i + 1], WIDTHS[i + 1], 1))
                for i in range(4)
            )
            sizes = ((512 + 256, 256), (256 + 128, 128), (128 + 64, 64), (64 + 64, 32), (32, 16))
            self.ups = nn.ModuleList(nn.Sequential(*normed(a, b), nn.ReLU(), *normed(b, b), nn.ReLU()) for a, b in sizes)
            self.head = nn.Conv2d(16, CLASSES, 3, 1, 1)

        def forward(self, main: Any, main_valid: Any) -> Any:
            found = [self.stem(torch.cat([main, main_valid[:, None]], 1))]
            x = self.pool(found[0])
            for stage in self.stages:
                x = stage(x)
                found.append(x)
            for up, skip in zip(self.ups, (found[3], found[2], found[1], found[0], None), strict=True):
                x = nn.functional.interpolate(x, scale_factor=2, mode="nearest")
                x = up(x if skip is None else torch.cat([x, skip], 1))
            return torch.softmax(self.head(x), 1)

    torch.manual_seed(0)
    network = UNet().eval()
    names = (("main", 4), ("main_valid", 3), ("proba", 4))
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        path = Path(folder, "unet.onnx")
        torch.onnx.export(
            network, (torch.rand(2, len(BANDS), CHIP, CHIP), torch.ones(2, CHIP, CHIP)), str(path), dynamo=False,
            opset_version=17, input_names=["main", "main_valid"], output_names=["proba"],
            dynamic_axes={name: {0: "n", rank - 2: "y", rank - 1: "x"} for name, rank in names},
        )  # fmt: skip
        return path.read_bytes()


def make_cubes(folder: Path, side: int, *, is_sparse: bool = False) -> CubeSet:
    """Write a tiled file of smooth fields with noise, and load it; sparse: observed in every sixth strip of 512 columns."""
    path = folder / "image.tif"
    geobox = make_geobox((500000, 5000000, 500000 + 10 * side, 5000000 + 10 * side), "EPSG:32633", 10)
    rng = np.random.default_rng(1)
    with rasterio.open(path, "w", driver="GTiff", width=side, height=side, count=len(BANDS), dtype="uint16", nodata=0,
                       tiled=True, blockxsize=512, blockysize=512, compress="deflate", interleave="band",
                       crs=geobox.crs.to_wkt(), transform=geobox.affine) as dst:  # fmt: skip
        x = np.arange(side)
        for i in range(len(BANDS)):
            field = np.sin(x / (40 + 7 * i))[:, None] + np.cos(x / (60 - 4 * i))[None]
            values = (2500 + 800 * field + rng.normal(0, 100, (side, side))).astype(np.uint16)
            values[:, (x // 512 % 6 > 0) & is_sparse] = 0
            dst.write(values, i + 1)
        dst.descriptions = BANDS
    return open_cubes(folder)


def open_cubes(folder: Path) -> CubeSet:
    source = SourceOptions(paths=(str(folder / "image.tif"),), layers=BANDS, scale=1e-4, kind="reflectance", static=True)
    return load_cube({"main": find_scenes(source)}, options=CubeOptions(fill="none"))


def make_model(cubes: CubeSet) -> ChipModel:
    classes = Legend.from_names([f"class {i}" for i in range(CLASSES)]).to_dicts()
    card = ModelCard(model="unet-resnet18", inputs=make_inputs(cubes), classes=classes, chip_size_px=CHIP, stride_px=STRIDE)
    return make_chip_model(card, make_network(), tuple(range(CLASSES)))


def list_chips(model: ChipModel, cubes: CubeSet) -> list[dict[str, Any]]:
    """Give what our engine hands to the runtime, batch by batch, for a raster of one block."""
    from landweave.cube import read_blocks

    window = Window(0, 0, *cubes.geobox.shape)
    usable = np.zeros(cubes.geobox.shape, dtype=bool)
    return [feeds for _, feeds in model._cut(lambda w: read_blocks(cubes, w), window, usable)]


def open_bare(model: ChipModel, runtime: str, precision: str) -> list[Callable[[list[dict[str, Any]]], None]]:
    """Give the ways to run all chips with the runtime alone on two cores."""
    if runtime == "onnxruntime":
        import onnxruntime

        def start(threads: int) -> Any:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = threads
            return onnxruntime.InferenceSession(model.content, options, providers=["CPUExecutionProvider"])

        single, double = start(1), start(2)

        def side_by_side(chips: list[dict[str, Any]]) -> None:
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(lambda c: single.run(["proba"], c)[0].shape, chips))

        return [side_by_side, lambda chips: [double.run(["proba"], c)[0].shape for c in chips] and None]
    import openvino

    core = openvino.Core()
    config = {"INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[precision], "INFERENCE_NUM_THREADS": 2}
    ways = []
    for streams in (1, 2):
        compiled = core.compile_model(core.read_model(model.content), "CPU", {**config, "NUM_STREAMS": streams})
        queue = openvino.AsyncInferQueue(compiled, streams)

        def run(chips: list[dict[str, Any]], queue: Any = queue) -> None:
            for chip in chips:
                queue.start_async(chip)
            queue.wait_all()

        ways.append(run)
    return ways


def compare(
    model: ChipModel, cubes: CubeSet, runtime: str, precision: str, repeats: int, only_class: bool
) -> dict[str, Any]:  # fmt: skip
    """Time ours and the bare runtime in turns; medians of seconds, and of the ratios of neighbours in time."""
    chips = list_chips(model, cubes)
    ways, times = open_bare(model, runtime, precision), list[tuple[float, float]]()
    options = MapOptions(runtime=runtime, precision=precision, block_px=16 * STRIDE, proba=not only_class,
                         uncertainty=not only_class)  # fmt: skip
    trials = [min(_time(way, chips[:4])[1] for _ in range(2)) for way in ways]
    way = ways[int(np.argmin(trials))]
    for _ in range(repeats):
        bare = _time(way, chips)
        with tempfile.TemporaryDirectory() as folder:
            ours = _time(partial(predict_map, model, cubes, options=options, workers=2, memory="8GiB"), Path(folder, "out"))
        times.append((*bare, *ours))
    bare_s, bare_cpu, ours_s, ours_cpu = (round(float(t), 2) for t in np.median(times, axis=0))
    clock, cpu = (np.array([t[i] / t[i + 2] for t in times]) for i in (0, 1))
    return {"chips": len(chips), "bare_s": bare_s, "ours_s": ours_s, "bare_cpu_s": bare_cpu, "ours_cpu_s": ours_cpu,
            "ratio": round(float(np.median(clock)), 3), "cpu_ratio": round(float(np.median(cpu)), 3),
            "ratios": clock.round(3).tolist(), "way": int(np.argmin(trials))}  # fmt: skip


def _time(way: Callable[[Any], Any], given: Any) -> tuple[float, float]:
    """Seconds by the clock, and processor seconds of all threads."""
    start, cpu = time.perf_counter(), time.process_time()
    way(given)
    return time.perf_counter() - start, time.process_time() - cpu


def measure_memory(side: int, runtime: str, precision: str) -> None:
    """Map in a process of its own and print what it took."""
    with tempfile.TemporaryDirectory() as folder:
        save_model(make_model(make_cubes(Path(folder), side, is_sparse=True)), Path(folder, "model"))
        code = (
            "import sys, json, time; from landweave.models import load_model; from pathlib import Path\n"
            "sys.path.insert(0, sys.argv[1]); import networks_engine as n\n"
            "folder, side = Path(sys.argv[2]), int(sys.argv[3])\n"
            "cubes, model = n.open_cubes(folder), load_model(folder / 'model')\n"
            "o = n.MapOptions(runtime=sys.argv[4], precision=sys.argv[5]); t = time.perf_counter()\n"
            "n.predict_map(model, cubes, folder / 'out', options=o, workers=2)\n"
            "r = json.loads((folder / 'out' / 'lineage.json').read_text())['stages'][-1]\n"
            "print(side, 'px:', round(r['peak_rss_bytes'] / 2**20), 'MiB, blocks of', r['results']['block_px'], 'px,',"
            " round(time.perf_counter() - t, 1), 's')"
        )
        args = [sys.executable, "-c", code, str(Path(__file__).parent), folder, str(side), runtime, precision]
        subprocess.run(args, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--only-class", action="store_true")
    parser.add_argument("--runtime", default="onnxruntime")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--only", nargs="*", default=["onnxruntime fp32", "openvino fp32", "openvino bf16", "int8"])
    args = parser.parse_args()
    if args.memory:
        measure_memory(args.side, args.runtime, args.precision)
        return
    with tempfile.TemporaryDirectory() as folder:
        cubes = make_cubes(Path(folder), args.side)
        model = make_model(cubes)
        for name in args.only:
            if name == "int8":
                rounded = quantise_model(model, cubes, options=QuantiseOptions(n_chips=4, n_held_out=5))
                print("int8 agreement", json.dumps(rounded.card.metrics["quantisation"]), flush=True)
                for runtime in ("onnxruntime", "openvino"):
                    done = compare(rounded, cubes, runtime, "fp32", args.repeats, args.only_class)
                    print(f"{runtime} int8", done, flush=True)
            else:
                print(name, compare(model, cubes, *name.split(), args.repeats, args.only_class), flush=True)


if __name__ == "__main__":
    main()
