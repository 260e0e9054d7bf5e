"""Running blocks: a bounded number in flight on any `concurrent.futures.Executor`, finished ones kept in the store.

Receives a `BlockJob` and the windows still to do; hands on the failures. A block whose source is corrupt fails alone; any
other error, and Ctrl-C, stops the run with the finished blocks kept.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass

from landweave.errors import SourceError
from landweave.grid import Window
from landweave.maps.smoothing import SmoothOptions
from landweave.maps.store import BlockStore
from landweave.maps.tasks import compute_block
from landweave.types import CubeSet, Predictor, Progress, ProgressEvent

__all__ = ["BlockJob", "run_block", "run_blocks"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BlockJob:
    """All that a worker needs to compute any block of a map."""

    model: Predictor
    cubes: CubeSet
    store: BlockStore
    unsure_below: float = 0.0
    smooth: SmoothOptions | None = None


def run_block(job: BlockJob, window: Window) -> str | None:
    """Compute one block and keep it, in whichever thread or process this runs.

    Returns:
        None when it is done; where a source is corrupt, what is wrong with it.
    """
    try:
        products = compute_block(
            job.model, job.cubes, window, products=tuple(job.store.layouts), unsure_below=job.unsure_below,
            smooth=job.smooth,
        )  # fmt: skip
    except SourceError as err:
        job.store.write_failure(window, str(err))
        return str(err)
    job.store.write(window, products)
    return None


def run_blocks(
    job: BlockJob, windows: Sequence[Window], *, workers: int, executor: Executor | None = None,
    progress: Progress | None = None, stage: str = "map",
) -> dict[Window, str]:  # fmt: skip
    """Compute blocks, at most `workers` + 1 submitted at a time so that memory stays bounded.

    Args:
        job: What to compute.
        windows: The blocks to do.
        workers: Blocks computed at the same time.
        executor: Where they run; threads of our own by default. One that is given is not shut down.
        progress: Told of every block, from the calling thread.
        stage: Name in the progress.

    Returns:
        Failed block -> reason.
    """
    failures: dict[Window, str] = {}
    total, done = len(job.store.windows), len(job.store.windows) - len(windows)
    _report(progress, stage, done, total)
    waiting: dict[Future[str | None], Window] = {}
    queue = iter(windows)
    with _executor(executor, workers) as pool:
        try:
            while True:
                for window in queue:
                    waiting[pool.submit(run_block, job, window)] = window
                    if len(waiting) > workers:
                        break
                if not waiting:
                    return failures
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    window = waiting.pop(future)
                    reason = future.result()
                    if reason is not None:
                        _log.warning("block at row %d, column %d failed: %s", window.row, window.col, reason)
                        failures[window] = reason
                    done += 1
                    _report(progress, stage, done, total)
        finally:
            for future in waiting:
                future.cancel()


@contextmanager
def _executor(executor: Executor | None, workers: int) -> Iterator[Executor]:
    if executor is not None:
        yield executor
        return
    with ThreadPoolExecutor(workers, thread_name_prefix="block") as pool:
        yield pool


def _report(progress: Progress | None, stage: str, done: int, total: int) -> None:
    if progress is not None:
        progress(ProgressEvent(stage, done, total))
