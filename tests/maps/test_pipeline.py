"""Blocks are read ahead and written behind, in bounded number, and errors reach who waits."""

from __future__ import annotations

import threading

import pytest

from landweave.errors import SourceError
from landweave.grid import Window
from landweave.maps import pipeline
from landweave.maps.engine import BlockJob, BlockReport, run_blocks

WINDOWS = [Window(0, 64 * i, 64, 64) for i in range(8)]


class Store:
    """Notes what is written."""

    layouts = ("map",)

    def __init__(self):
        self.written, self.failed = [], []

    def write(self, window, products):
        self.written.append((window, products))

    def write_failure(self, window, reason):
        self.failed.append(window)


@pytest.fixture
def crew(monkeypatch):
    """A crew of one whose reading and computing are functions given by the test."""
    made = []

    def open_crew(read, compute, ahead=2):
        monkeypatch.setattr(pipeline, "read_inputs", lambda model, cubes, window, smooth: read(window))
        monkeypatch.setattr(pipeline, "make_products", lambda job, window, blocks: compute(window, blocks))
        store = Store()
        made.append(pipeline.PipelineCrew(BlockJob(None, None, store), 1, ahead))
        return made[-1], store

    yield open_crew
    for one in made:
        one.close()


def test_the_next_block_is_read_while_one_is_computed(crew):
    second_is_read = threading.Event()

    def read(window):
        if window == WINDOWS[1]:
            second_is_read.set()

    made, store = crew(read, lambda window, blocks: second_is_read.wait(timeout=30))
    run_blocks(made, WINDOWS, total=8)
    assert store.written == [(w, True) for w in WINDOWS]  # False where reading had waited for computing


@pytest.mark.parametrize("ahead", [1, 2])
def test_no_more_blocks_are_held_than_planned(crew, ahead):
    held, most = set(), []

    def read(window):
        held.add(window)
        most.append(len(held))

    made, _ = crew(read, lambda window, blocks: held.discard(window), ahead)
    run_blocks(made, WINDOWS, total=8)
    assert max(most) <= 1 + ahead


def test_a_corrupt_source_fails_its_block_alone(crew):
    def read(window):
        if window == WINDOWS[2]:
            raise SourceError("scene.tif is truncated")

    made, store = crew(read, lambda window, blocks: None)
    results = run_blocks(made, WINDOWS, total=8)
    assert results.failures == {WINDOWS[2]: "scene.tif is truncated"}
    assert store.failed == [WINDOWS[2]]
    assert len(store.written) == 7


@pytest.mark.parametrize("step", ["read", "compute"])
def test_any_other_error_stops_the_run(crew, step):
    def fail(*args):
        raise RuntimeError("by the test")

    made, _ = crew(fail if step == "read" else lambda window: None, fail)
    with pytest.raises(RuntimeError, match="by the test"):
        run_blocks(made, WINDOWS, total=8)


def test_a_block_reports_that_it_is_done(crew):
    made, _ = crew(lambda window: None, lambda window, blocks: None)
    assert made.submit(WINDOWS[0]).result(timeout=30) == BlockReport(None)
