"""Coverage of the 95 % intervals in fewer draws than `benchmarks/interval_coverage.py` makes for the documentation."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "interval_coverage.py"
DRAWS = 150
# three standard errors of a coverage of 95 % in 150 draws are 5.3 points, and the lowest of five classes lies lower still
LOWEST = 87.0


@pytest.fixture(scope="module")
def coverage():
    spec = importlib.util.spec_from_file_location("coverage_benchmark", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize("design", ["stratified, equal", "stratified, proportional", "simple", "systematic", "clusters"])
def test_intervals_hold_the_truth_wherever_30_units_can_be_expected(coverage, design):
    _, tally, conservative = coverage.simulate(DRAWS, 600, 1, only=design)
    for label, figure, _, lowest in coverage.rows_of(tally, DRAWS):
        if label.endswith("midp") and np.isfinite(lowest):
            assert lowest >= LOWEST, (label, figure)
    assert conservative == {"systematic, simple random variance"}
