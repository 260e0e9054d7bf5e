"""Threads that read the next blocks and write the last ones while others are computed.

Receives a `BlockJob`; hands on a `Crew` for `engine.run_blocks`. Reading waits for disks and servers and computing does not, so
that the two together take little longer than the slower one. A block's bytes do not depend on who did what.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor

from landweave.errors import SourceError
from landweave.grid import Window
from landweave.maps.engine import BlockJob, BlockReport, keep_failure, make_products
from landweave.maps.tasks import Products, read_inputs
from landweave.types import Block

__all__ = ["PipelineCrew"]

_Told = Future[BlockReport]


class PipelineCrew:
    """Three pools of threads, one behind the other: `size` that read, `size` that compute, one that writes."""

    lost: tuple[type[BaseException], ...] = ()

    def __init__(self, job: BlockJob, size: int, ahead: int) -> None:
        """Start the threads.

        Args:
            job: What to compute.
            size: Blocks computed at the same time.
            ahead: Blocks that are read or written besides; memory holds no more than both together.
        """
        self.size, self.ahead = size, ahead
        self._job = job
        self._stopped = False
        self._readers = ThreadPoolExecutor(size, thread_name_prefix="read")
        self._computers = ThreadPoolExecutor(size, thread_name_prefix="block")
        self._writers = ThreadPoolExecutor(1, thread_name_prefix="write")

    def submit(self, window: Window) -> _Told:
        """Have a block read, computed and kept."""
        told: _Told = Future()
        self._readers.submit(self._run, told, lambda: self._read(told, window))
        return told

    def renew(self, err: BaseException) -> None:
        """Give up: a thread does not die alone."""
        raise err

    def close(self) -> None:
        """Wait for the blocks that are computed, and keep them; what was only read is dropped."""
        self._stopped = True
        for pool in (self._readers, self._computers, self._writers):
            pool.shutdown(wait=True)

    def _read(self, told: _Told, window: Window) -> None:
        if self._stopped or not told.set_running_or_notify_cancel():
            return
        try:
            blocks = read_inputs(self._job.model, self._job.cubes, window, smooth=self._job.smooth)
        except SourceError as err:
            told.set_result(keep_failure(self._job, window, err))
            return
        if self._stopped:
            raise CancelledError
        self._computers.submit(self._run, told, lambda: self._compute(told, window, blocks))

    def _compute(self, told: _Told, window: Window, blocks: Mapping[str, Block]) -> None:
        try:
            products = make_products(self._job, window, blocks)
        except SourceError as err:
            told.set_result(keep_failure(self._job, window, err))
            return
        self._writers.submit(self._run, told, lambda: self._write(told, window, products))

    def _write(self, told: _Told, window: Window, products: Products | None) -> None:
        self._job.store.write(window, products)
        told.set_result(BlockReport(None))

    @staticmethod
    def _run(told: _Told, step: Callable[[], None]) -> None:
        """Take a step; whatever it raises belongs to who waits for the block."""
        try:
            step()
        except BaseException as err:
            told.set_exception(err)
