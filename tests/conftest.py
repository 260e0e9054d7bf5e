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
