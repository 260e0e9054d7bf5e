"""Who computes the blocks: threads, processes of this machine, or the workers of a dask scheduler.

Receives a `BlockJob`; hands on a `Crew` for `engine.run_blocks`. Processes and dask workers read the job once, from a file in
the block store whose checksum comes with every block, and write their blocks into the store themselves; only windows and
reports travel. Nothing here schedules anything: that is `concurrent.futures`' and dask's work.
"""

from __future__ import annotations

import hashlib
import logging
import multiprocessing
import os
import pickle
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numba
from rasterio._env import set_gdal_config

from landweave.errors import MapError, MissingExtraError
from landweave.grid import Window
from landweave.maps.block_files import BlockFiles, LocalFiles
from landweave.maps.engine import BlockJob, BlockReport, Crew, run_block
from landweave.maps.memory import PeakMeter
from landweave.maps.pipeline import PipelineCrew
from landweave.maps.tasks import reads_itself
from landweave.types import ExecutorName

__all__ = ["count_processes", "open_crew"]

_log = logging.getLogger(__name__)
_CONNECT_S = 5
"""How long to wait for a scheduler to answer."""
_MAX_LOSSES = 3
"""Worker processes may be lost so many times in a row without a block being finished in between."""


@contextmanager
def open_crew(
    job: BlockJob, *, executor: ExecutorName | Executor = "threads", workers: int = 1, scheduler: str | None = None,
    gdal_cache: int = 2**26, ahead: int = 0,
) -> Iterator[Crew]:  # fmt: skip
    """Open who computes the blocks of a job, and close them afterwards.

    Args:
        job: What to compute.
        executor: "threads", "processes", "dask"; or an executor of the caller's, which stays open.
        workers: Blocks computed at the same time; with a scheduler's address that is for its workers to say.
        scheduler: Address of a dask scheduler such as "tcp://10.0.0.1:8786"; without one, dask starts workers here.
        gdal_cache: Bytes of GDAL's cache in each process.
        ahead: Blocks that threads of this process may hold besides, read ahead or waiting to be written.

    Raises:
        MapError: If the executor is unknown, or the scheduler cannot be reached.
        MissingExtraError: If dask's scheduler is not installed.
    """
    if isinstance(executor, Executor):
        yield _ThreadCrew(job, executor, workers)
        return
    if scheduler is not None and executor != "dask":
        raise MapError(f"scheduler {scheduler} is given for the executor {executor!r}; use the executor dask, or no scheduler")
    if executor == "threads" and ahead > 0 and not reads_itself(job.model, tuple(job.store.layouts)):
        threads = PipelineCrew(job, workers, ahead)
        try:
            yield threads
        finally:
            threads.close()
    elif executor == "threads":
        with ThreadPoolExecutor(workers, thread_name_prefix="block") as pool:
            yield _ThreadCrew(job, pool, workers)
    elif executor == "processes":
        crew = _ProcessCrew(_write_order(job, gdal_cache), workers)
        try:
            yield crew
        finally:
            crew.close()
    elif executor == "dask":
        with _connect(scheduler, workers) as client:
            yield _DaskCrew(_write_order(job, gdal_cache), client)
    else:
        raise MapError(f"executor is {executor!r}; use threads, processes or dask")


def count_processes(executor: ExecutorName | Executor, workers: int, scheduler: str | None = None) -> int:
    """Give the processes beside this one that share its memory budget: those that `open_crew` would start on this machine."""
    return workers if executor in ("processes", "dask") and scheduler is None else 0


# --- in this process -----------------------------------------------------------------------------------------------------


class _ThreadCrew:
    """Threads of this process, or whatever executor the caller gave."""

    lost: tuple[type[BaseException], ...] = ()
    ahead = 1

    def __init__(self, job: BlockJob, pool: Executor, size: int) -> None:
        self.size = size
        self._job, self._pool = job, pool

    def submit(self, window: Window) -> Future[BlockReport]:
        return self._pool.submit(run_block, self._job, window)

    def renew(self, err: BaseException) -> None:
        raise err


class _ProcessCrew:
    """Spawned processes; where one dies, all are started anew, since `ProcessPoolExecutor` gives up with the first."""

    lost: tuple[type[BaseException], ...] = (BrokenExecutor,)
    ahead = 1

    def __init__(self, order: _Order, size: int) -> None:
        self.size = size
        self._order, self._losses, self._pool = order, 0, _start_processes(size)

    def submit(self, window: Window) -> Future[BlockReport]:
        try:
            future = self._pool.submit(_run_order, self._order, window)
        except BrokenExecutor as err:  # a worker died between two blocks
            future = Future()
            future.set_exception(err)
            return future
        future.add_done_callback(self._note)
        return future

    def _note(self, future: Future[BlockReport]) -> None:
        if not future.cancelled() and future.exception() is None:
            self._losses = 0

    def renew(self, err: BaseException) -> None:
        self._losses += 1
        if self._losses > _MAX_LOSSES:
            raise MapError(f"worker processes died {self._losses} times in a row; perhaps the system ends them for lack of "
                           "memory (lower --memory or --workers), or the calling script lacks `if __name__ == \"__main__\":`. "
                           "Finished blocks are kept, run again to go on") from err  # fmt: skip
        _log.warning("a worker process died; its block is computed again (%s)", err)
        self.close()
        self._pool = _start_processes(self.size)

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


def _start_processes(size: int) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")  # forking a process with threads and open rasters is not safe
    return ProcessPoolExecutor(size, mp_context=context, initializer=_ignore_ctrl_c)


def _ignore_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process stops the workers


# --- dask ----------------------------------------------------------------------------------------------------------------


class _DaskCrew:
    """Workers of a dask scheduler, which computes the blocks of lost workers elsewhere by itself."""

    ahead = 1

    def __init__(self, order: _Order, client: Any) -> None:
        from distributed.scheduler import KilledWorker

        self.lost: tuple[type[BaseException], ...] = (KilledWorker, CancelledError)
        self.size = sum(client.nthreads().values()) or 1
        self._order, self._pool = order, client.get_executor()

    def submit(self, window: Window) -> Future[BlockReport]:
        future: Future[BlockReport] = self._pool.submit(_run_order, self._order, window)
        return future

    def renew(self, err: BaseException) -> None:
        raise MapError(f"dask gave up on a block: {err}; look at the workers' logs (memory?). Finished blocks are kept, run "
                       "again to go on") from err  # fmt: skip


@contextmanager
def _connect(scheduler: str | None, workers: int) -> Iterator[Any]:
    try:
        import distributed
    except ImportError as err:
        raise MissingExtraError("the executor dask needs the 'dask' extra: pip install \"landweave[dask]\"") from err
    dask: Any = distributed  # without types
    if scheduler is None:
        with (
            dask.LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None, memory_limit=0) as cluster,
            dask.Client(cluster) as client,
        ):
            client.wait_for_workers(workers, timeout=60)
            yield client
        return
    try:
        client = dask.Client(scheduler, timeout=_CONNECT_S)
    except (OSError, ValueError, TimeoutError) as err:
        raise MapError(f"no dask scheduler answers at {scheduler} within {_CONNECT_S} s ({type(err).__name__}); check the "
                       "address (tcp://HOST:8786) and that `dask scheduler` runs there") from err  # fmt: skip
    with client:
        if not client.nthreads():
            raise MapError(f"the dask scheduler at {scheduler} has no workers; start some with `dask worker {scheduler}`")
        yield client


# --- in a worker ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Order:
    """What travels with every block: where the job lies, what it must hash to, and what the process may take."""

    files: BlockFiles
    name: str
    sha256: str
    gdal_cache: int


@dataclass
class _Worker:
    """What a worker process keeps between blocks."""

    sha256: str
    job: BlockJob
    meter: PeakMeter


_worker: _Worker | None = None
_lock = threading.Lock()


def _write_order(job: BlockJob, gdal_cache: int) -> _Order:
    data = pickle.dumps(job)
    sha256 = hashlib.sha256(data).hexdigest()
    store = replace(job.store, root=job.store.root.resolve())
    order = _Order(store.files, f"job-{sha256[:16]}", sha256, gdal_cache)
    order.files.write(order.name, data)
    return order


def _run_order(order: _Order, window: Window) -> BlockReport:
    worker = _be_ready(order)
    report = run_block(worker.job, window)
    return BlockReport(report.reason, f"{socket.gethostname()}:{os.getpid()}", worker.meter.peak_bytes)


def _be_ready(order: _Order) -> _Worker:
    """Read the job, unless this process has it already."""
    global _worker
    with _lock:
        if _worker is None or _worker.sha256 != order.sha256:
            if _worker is not None:
                _worker.meter.stop()
            set_gdal_config("GDAL_CACHEMAX", order.gdal_cache)
            numba.set_num_threads(1)
            meter = PeakMeter()
            meter.start()
            _worker = _Worker(order.sha256, _read_job(order), meter)
        return _worker


def _read_job(order: _Order) -> BlockJob:
    try:
        data = order.files.read(order.name)
    except OSError as err:
        raise MapError(f"worker on {socket.gethostname()} cannot read {order.files.describe(order.name)} "
                       f"({err.strerror or err}); workers need the images under the same path as here, and the output folder "
                       "too unless blocks go to an object store (map.block_store)") from err  # fmt: skip
    if hashlib.sha256(data).hexdigest() != order.sha256:  # what is unpickled must be what this run wrote
        raise MapError(f"{order.files.describe(order.name)} is not what the run wrote; run again")
    job: BlockJob = pickle.loads(data)
    return replace(job, store=replace(job.store, root=order.files.root)) if isinstance(order.files, LocalFiles) else job
