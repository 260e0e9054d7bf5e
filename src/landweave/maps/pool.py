"""Windows worked through by threads, a bounded number at a time.

Receives windows and what to do with each; reports progress from the calling thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

from landweave.grid import Window
from landweave.types import Progress, ProgressEvent

__all__ = ["run_windows"]


def run_windows(
    windows: Sequence[Window], work: Callable[[Window], Any], *, workers: int = 1, progress: Progress | None = None,
    stage: str = "blocks", total: int | None = None,
) -> None:  # fmt: skip
    """Do a piece of work for every window, in any order; an error ends it once the pieces in flight are done.

    Args:
        windows: What to do.
        work: Called from threads.
        workers: Threads.
        progress: Told of every finished window.
        stage: Name in the progress.
        total: Number of windows in all, where some were done before.
    """
    total = len(windows) if total is None else total
    done = total - len(windows)
    waiting: set[Future[Any]] = set()
    with ThreadPoolExecutor(workers, thread_name_prefix=stage) as pool:
        try:
            for i, window in enumerate(windows):
                waiting.add(pool.submit(work, window))
                while len(waiting) > workers or (waiting and i == len(windows) - 1):
                    finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    for future in finished:
                        future.result()
                        done += 1
                        if progress is not None:
                            progress(ProgressEvent(stage, done, total))
        finally:
            for future in waiting:
                future.cancel()
