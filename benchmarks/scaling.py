"""One and two workers, by threads, processes and dask, and what reading ahead is worth: one map, many ways.

    python benchmarks/scaling.py [--side 2048] [--model boosted] [--wait-ms 0 300] [--only NAMES] [--folder DIR]

Each way maps the same COG of `benchmarks/map.py` in a process of its own, from the loaded model to all products; starting the
workers is part of the time. Printed: clock and processor seconds, and how many times faster two workers are than one by the
clock. `alone-N` are the threads of a pool given by the caller, which read, compute and write block by block; `threads-N` read
ahead and write behind. With `--wait-ms` every read of a block waits so long besides, as a distant server makes it: what reading
ahead hides. The clock says something on a quiet machine only.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import psutil
from map import load, prepare

from landweave.maps import MapOptions, predict_map, tasks
from landweave.models import load_model

NAMES = [f"{how}-{n}" for how in ("alone", "threads", "processes", "dask") for n in (1, 2)]
MODELS = {"forest": "model", "boosted": "model-boosted"}


def slow_down(wait_ms: int) -> None:
    """Let every read of a block wait."""
    read = tasks.read_blocks

    def wait_and_read(*args: object, **more: object) -> object:
        time.sleep(wait_ms / 1000)
        return read(*args, **more)

    tasks.read_blocks = wait_and_read


def cpu_seconds() -> float:
    """Processor seconds of this process, its ended children, and those that live."""
    times = os.times()
    living = [p.cpu_times() for p in psutil.Process().children(recursive=True)]
    return sum(times[:4]) + sum(t.user + t.system for t in living)


def measure(name: str, wait_ms: int, args: argparse.Namespace, queue: multiprocessing.Queue) -> None:
    """Map in one way, in this process."""
    how, workers = name.rsplit("-", 1)[0], int(name[-1])
    if wait_ms:
        slow_down(wait_ms)
    model, cubes = load_model(args.folder / MODELS[args.model]), load(args.folder / "scene.tif")
    out = args.folder / f"out-{name}"
    shutil.rmtree(out, ignore_errors=True)
    with ThreadPoolExecutor(workers) if how == "alone" else nullcontext(how) as executor:
        before, start = cpu_seconds(), time.perf_counter()
        predict_map(model, cubes, out, options=MapOptions(block_px=args.block), workers=workers, memory="8GiB",
                    executor=executor)  # fmt: skip
        queue.put((time.perf_counter() - start, cpu_seconds() - before))
    shutil.rmtree(out)


def main() -> None:
    """Make the data once, go through the ways, print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--samples", type=int, default=4000)
    parser.add_argument("--trees", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--block", type=int, default=256)
    parser.add_argument("--model", choices=list(MODELS), default="boosted")
    parser.add_argument("--wait-ms", type=int, nargs="*", default=[0, 300])
    parser.add_argument("--folder", type=Path, default=Path("/tmp/landweave-bench-scaling"))
    parser.add_argument("--only", nargs="*", default=NAMES, choices=NAMES)
    args = parser.parse_args()
    prepare(args.folder, args)
    context = multiprocessing.get_context("spawn")
    print(f"{args.side}^2 px, {args.model}, blocks of {args.block} px, {multiprocessing.cpu_count()} cores, "
          f"load {os.getloadavg()[0]:.1f}")  # fmt: skip
    for wait_ms in args.wait_ms:
        found: dict[str, float] = {}
        # the wait is made in this process's own reads, so workers elsewhere would not feel it
        for name in [n for n in args.only if not wait_ms or n.startswith(("alone", "threads"))]:
            queue = context.Queue()
            process = context.Process(target=measure, args=(name, wait_ms, args, queue))
            process.start()
            found[name], cpu = queue.get()
            process.join()
            one = found.get(f"{name[:-1]}1")
            gain = f"{one / found[name]:5.2f} x one worker" if one and name.endswith("2") else ""
            print(f"wait {wait_ms:4d} ms  {name:12s} {found[name]:6.1f} s {cpu:6.1f} s cpu {gain}", flush=True)


if __name__ == "__main__":
    main()
