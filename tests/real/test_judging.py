"""Figures of docs/judge-real-data.md, as ranges, on splits that others made."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from landweave.metrics import ChangeCounter, count_codes
from landweave.models import ModelOptions, cross_validate
from landweave.samples import SplitOptions, split_random, split_spatial

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "real_judging.py"
pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def judging() -> ModuleType:
    spec = importlib.util.spec_from_file_location("real_judging", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def dates(judging, real_data):
    return judging.read_dates(real_data)


def test_a_continent_left_out_costs_more_than_blocks(judging, real_data):
    samples = judging.load_worldcereal(real_data)
    options = ModelOptions(missing="native", min_valid_steps=1, params={"n_estimators": 40})
    splits = (split_random(samples, SplitOptions(random_by="sample")),
              split_spatial(samples, SplitOptions(by="continent", leave_one_out=True)))  # fmt: skip
    right = [(cross_validate(samples, s, options=options).predicted[0] == samples.to_class_index()).mean() for s in splits]
    assert len(samples) == 491
    assert len(splits[1][0]) == 6
    assert right[0] == pytest.approx(0.63, abs=0.04)
    assert right[1] == pytest.approx(0.495, abs=0.06)


@pytest.mark.parametrize(("family", "share"), [("random-forest", 0.914), ("svm", 0.904)])
def test_statlog_official_split_has_the_known_accuracy(judging, real_data, family, share):
    right, n, _ = judging.score_statlog(real_data, family)
    assert n == 2000
    assert right / n == pytest.approx(share, abs=0.006)


def test_change_areas_add_up_and_agree_with_the_counts(judging, dates):
    maps, area = dates
    cells = judging.change_areas(maps[0], maps[2], area)
    counts = count_codes(*(np.where(m < 0, 255, m).astype(np.uint8) for m in (maps[0], maps[2])))[:3, :3]
    assert counts.sum() == 113_563
    # pixels are 0.99876 ha in the plane of Massachusetts' grid, and nearly as much on the ellipsoid
    np.testing.assert_allclose(cells, counts * 0.99876, rtol=1e-3)
    assert cells[0, 1] == pytest.approx(4245, abs=2)


def test_three_dates_make_one_history(judging, dates):
    maps, area = dates
    first, second, whole = (judging.change_areas(maps[i], maps[j], area) for i, j in ((0, 1), (1, 2), (0, 2)))
    np.testing.assert_allclose(first.sum(axis=0), second.sum(axis=1))
    np.testing.assert_allclose(whole.sum(axis=1), first.sum(axis=1))
    counter = ChangeCounter(3)
    counter.update((maps[0], maps[1]), (maps[0], maps[2]))
    assert counter.result().f1 == pytest.approx(0.638, abs=0.001)
