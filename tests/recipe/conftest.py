"""Fixtures of recipes: small jobs, and a call that gives exit code and output."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from landweave.cli.app import run


@pytest.fixture(scope="session")
def jobs() -> ModuleType:
    """The module `tests/flow/jobs.py`."""
    spec = importlib.util.spec_from_file_location("landweave_test_jobs", Path(__file__).parents[1] / "flow" / "jobs.py")
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

    def call(*args: object) -> tuple[int, str]:
        code = run([str(a) for a in args])
        captured = capsys.readouterr()
        return code, " ".join((captured.out + captured.err).split())

    return call
