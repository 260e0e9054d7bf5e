"""Fixtures of whole chains."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def landscape(jobs: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated landscape in `land` and its run in `out`; not to be changed."""
    return jobs.finish_landscape(tmp_path_factory.getbasetemp())
