"""Running blocks: a bounded number in flight with any crew of workers, finished ones kept in the store.

Receives a `BlockJob` and the windows still to do; hands on the failures. A block whose source is corrupt fails alone, one
whose worker died is computed again; any other error, and Ctrl-C, stops the run with the finished blocks kept.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from typing import Protocol

from landweave.errors import SourceError
from landweave.grid import Window
from landweave.maps.smoothing import SmoothOptions
from landweave.maps.store import BlockStore
from landweave.maps.tasks import Products, compute_block
from landweave.models.sets import SetRule
from landweave.types import Block, CubeSet, Predictor, Progress, ProgressEvent

__all__ = [
    "BlockJob",
    "BlockReport",
    "BlockResults",
    "Crew",
    "keep_failure",
    "make_products",
    "run_block",
    "run_blocks",
]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BlockJob:
    """All that a worker needs to compute any block of a map; `threads` compute the networks of all its blocks together."""

    model: Predictor
    cubes: CubeSet
    store: BlockStore
    unsure_below: float = 0.0
    smooth: SmoothOptions | None = None
    sets: SetRule | None = None
    threads: int = 1


@dataclass(frozen=True)
class BlockReport:
    """What a worker says of a block.

    Attributes:
        reason: None when it is done; where a source is corrupt, what is wrong with it.
        worker: "host:pid" of another process; empty for this one.
        peak_bytes: Highest resident memory of that process so far.
    """

    reason: str | None
    worker: str = ""
    peak_bytes: int = 0


@dataclass
class BlockResults:
    """What became of the blocks.

    Attributes:
        failures: Failed block -> reason.
        peak_bytes: Other process ("host:pid") -> its highest resident memory.
    """

    failures: dict[Window, str] = field(default_factory=dict)
    peak_bytes: dict[str, int] = field(default_factory=dict)


class Crew(Protocol):
    """Workers that compute blocks of one job; see `workers.open_crew`."""

    size: int
    """Blocks computed at the same time."""
    ahead: int
    """Blocks submitted beyond these: waiting, being read or being written."""
    lost: tuple[type[BaseException], ...]
    """Errors that say that a worker died, not that a block is wrong."""

    def submit(self, window: Window) -> Future[BlockReport]:
        """Have a block computed and kept."""
        ...

    def renew(self, err: BaseException) -> None:
        """Replace lost workers.

        Raises:
            MapError: If there is no use in going on.
        """
        ...


def run_block(job: BlockJob, window: Window) -> BlockReport:
    """Compute one block and keep it, in whichever thread or process this runs."""
    try:
        products = make_products(job, window)
    except SourceError as err:
        return keep_failure(job, window, err)
    job.store.write(window, products)
    return BlockReport(None)


def make_products(job: BlockJob, window: Window, blocks: Mapping[str, Block] | None = None) -> Products | None:
    """Compute one block; `blocks` is what was read for it already."""
    return compute_block(
        job.model, job.cubes, window, products=tuple(job.store.layouts), unsure_below=job.unsure_below,
        smooth=job.smooth, sets=job.sets, threads=job.threads, blocks=blocks,
    )  # fmt: skip


def keep_failure(job: BlockJob, window: Window, err: SourceError) -> BlockReport:
    """Note in the store that a block's source is corrupt."""
    job.store.write_failure(window, str(err))
    return BlockReport(str(err))


def run_blocks(
    crew: Crew, windows: Sequence[Window], *, total: int, progress: Progress | None = None, stage: str = "map"
) -> BlockResults:
    """Compute blocks; no more are submitted than the crew computes and holds besides, so that memory stays bounded.

    Args:
        crew: Who computes them.
        windows: The blocks to do.
        total: Blocks of the whole map.
        progress: Told of every block, from the calling thread.
        stage: Name in the progress.
    """
    results = BlockResults()
    queue, waiting = deque(windows), dict[Future[BlockReport], Window]()
    done = total - len(windows)
    _report(progress, stage, done, total)
    try:
        while queue or waiting:
            while queue and len(waiting) < crew.size + crew.ahead:
                window = queue.popleft()
                waiting[crew.submit(window)] = window
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                try:
                    report = future.result()
                except crew.lost as err:
                    queue.extendleft(waiting.values())  # what was done meanwhile is done again, to the same bytes
                    waiting.clear()
                    crew.renew(err)
                    break
                _note(results, waiting.pop(future), report)
                done += 1
                _report(progress, stage, done, total)
    finally:
        for future in waiting:
            future.cancel()
    return results


def _note(results: BlockResults, window: Window, report: BlockReport) -> None:
    if report.worker:
        results.peak_bytes[report.worker] = max(results.peak_bytes.get(report.worker, 0), report.peak_bytes)
    if report.reason is not None:
        _log.warning("block at row %d, column %d failed: %s", window.row, window.col, report.reason)
        results.failures[window] = report.reason


def _report(progress: Progress | None, stage: str, done: int, total: int) -> None:
    if progress is not None:
        progress(ProgressEvent(stage, done, total))
