"""What a model looks at: planted signals are found, noise is not."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest

from landweave.assess.explain import find_changes, find_groups, measure_dependence, measure_importance
from landweave.errors import AssessmentError
from landweave.legend import Legend
from landweave.models import ModelOptions, train_model
from landweave.types import Fold, ModelInput, SampleTable

SPEC = ModelInput(bands=("noise", "signal"), kinds=("index",) * 2, n_steps=2, dates=("2020-01-15", "2020-07-15"))
OPTIONS = ModelOptions(name="random-forest", params={"n_estimators": 10})


@pytest.fixture(scope="module")
def samples() -> SampleTable:
    """Two classes that differ in `signal` on the second date alone."""
    rng, n = np.random.default_rng(3), 120
    wet = np.arange(n) % 2
    frame = {name: rng.normal(0, 1, n).astype(np.float32) for name in SPEC.feature_names}
    frame["signal_t01"] = (wet * 4 + rng.normal(0, 0.3, n)).astype(np.float32)
    plain = {"sample_id": np.arange(n), "class": np.where(wet, "wet", "dry"), "purpose": "train", "weight": 1.0}
    points = gpd.points_from_xy(np.linspace(10, 11, n), np.full(n, 45.0))
    table = gpd.GeoDataFrame({**plain, **frame}, geometry=points, crs=4326)
    return SampleTable(table, Legend.from_names(["dry", "wet"]), (SPEC,))


@pytest.fixture(scope="module")
def folds(samples: SampleTable) -> list[Fold]:
    rows = np.arange(len(samples))
    return [Fold(rows[rows // 40 != k], rows[rows // 40 == k]) for k in range(3)]


@pytest.fixture(scope="module")
def model(samples: SampleTable):
    return train_model(samples, options=OPTIONS)


def test_importance_finds_the_planted_band_and_date(samples, folds):
    found = measure_importance(samples, folds, options=OPTIONS, rng=np.random.default_rng(0))
    drop = {(g.kind, g.name): g for g in found.importance}
    assert found.overall_accuracy > 0.95
    assert found.n_tested == len(samples)
    assert drop["band", "signal"].drop > 0.3 > 10 * abs(drop["band", "noise"].drop)
    assert drop["date", "2020-07-15"].drop > 0.3 > 10 * abs(drop["date", "2020-01-15"].drop)
    assert 0 < drop["band", "signal"].se < 0.15


def test_one_fold_has_no_standard_error(samples, folds):
    found = measure_importance(samples, folds[:1], options=OPTIONS, n_repeats=1, rng=np.random.default_rng(0))
    assert [g.se for g in found.importance] == [None] * 4


def test_same_seed_gives_the_same_importance(samples, folds):
    first, second = (
        measure_importance(samples, folds[:2], options=OPTIONS, n_repeats=1, rng=np.random.default_rng(5)) for _ in range(2)
    )
    assert first == second


def test_groups_of_several_inputs_cover_every_column_once_per_kind():
    static = ModelInput(name="dem", bands=("elevation",), kinds=("elevation",))
    groups = find_groups((SPEC, static))
    for kind, n in (("band", 5), ("date", 4), ("input", 5)):
        columns = np.concatenate([c for (k, _), c in groups.items() if k == kind])
        assert sorted(columns) == list(range(n))
    assert ("band", "dem.elevation") in groups


def test_dependence_rises_with_the_planted_feature(model, samples):
    found = measure_dependence(model, samples, "signal_t01", rng=np.random.default_rng(0))
    proba = np.array(found.proba)
    assert proba.sum(axis=1) == pytest.approx(1.0, abs=1e-6)  # probabilities are float32
    assert proba[0, 1] < 0.2 < 0.8 < proba[-1, 1]


def test_dependence_on_an_unknown_feature_names_some(model, samples):
    with pytest.raises(AssessmentError, match=r"feature 'red' is not one of the samples' 4 \(noise_t00, signal_t00"):
        measure_dependence(model, samples, "red", rng=np.random.default_rng(0))


def test_the_planted_signal_is_what_would_change_a_pixel(model, samples):
    changes = find_changes(model, samples, np.arange(6))
    assert {(c.kind, c.group) for c in changes} <= {("band", "signal"), ("date", "2020-07-15")}
    assert [(c.predicted, c.becomes) for c in changes[:2]] == [("dry", "wet"), ("wet", "dry")]
    assert all(c.moved_sd is not None and c.moved_sd > 0.5 for c in changes)


def test_test_rows_that_cannot_be_predicted_are_refused(samples):
    empty = Fold(np.arange(60), np.empty(0, dtype=np.int64))
    with pytest.raises(AssessmentError, match="none of the test rows of 1 folds can be predicted"):
        measure_importance(samples, [empty], options=OPTIONS, rng=np.random.default_rng(0))
