from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from landweave.label import CheckOptions, check_labels, held_out_proba, make_vectors
from landweave.label.checking import number_places
from landweave.models import ModelOptions
from landweave.samples import SplitOptions

FOREST = ModelOptions(params={"n_estimators": 20})
SPLIT = SplitOptions(n_folds=3, block_size_deg=0.5)


def test_all_checks_find_planted_errors(doubtful, noisy, truth):
    report = check_labels(doubtful, options=CheckOptions(model=FOREST, split=SPLIT))
    assert [f.method for f in report.findings] == ["confident", "som", "neighbours", "outliers", "conflicts"]
    found = report.combine(min_votes=2)
    hit = found.suspect & noisy[1]
    assert hit.sum() >= 0.9 * noisy[1].sum()
    assert hit.sum() >= 0.9 * found.suspect.sum()
    assert (found.suggested[hit] == truth[hit]).mean() > 0.9


def test_probabilities_at_hand_are_used(doubtful, truth, noisy):
    report = check_labels(doubtful, options=CheckOptions(methods=("confident",)), proba=np.eye(3)[truth])
    assert np.array_equal(report.findings[0].suspect, noisy[1])
    assert "as given" in report.findings[0].note


def test_a_class_in_one_block_is_not_called_wrong(table, features, truth, rng):
    lonlat = rng.uniform(0, 2, (len(truth), 2))
    lonlat[truth == 2] = rng.uniform(1.9, 1.95, (60, 2))
    samples = table(features, truth, lonlat, group=[str(i) for i in range(len(truth))])
    proba, note = held_out_proba(samples, model=FOREST, split=SPLIT)
    assert proba[truth == 2, 2].mean() > 0.9
    assert "random ones for" in note


def test_scales_of_bands_do_not_matter(clean, table):
    scaled = clean.to_features() * np.tile([1, 1000], 6).astype(np.float32)
    other = table(scaled, clean.to_class_index(), clean.to_xy("EPSG:4326"))
    assert make_vectors(other) == pytest.approx(make_vectors(clean), abs=1e-4)


def test_rows_without_observations_have_no_vector(clean, table):
    values = clean.to_features().copy()
    values[3], values[4, 0] = np.nan, np.nan
    vectors = make_vectors(table(values, clean.to_class_index(), clean.to_xy("EPSG:4326")))
    assert np.isnan(vectors[3]).all()
    assert not np.isnan(vectors[4]).any()


def test_places_are_told_apart_by_time(clean, table):
    lonlat = np.array([[1.0, 2.0], [1.0, 2.0 + 1e-8], [1.0, 2.0]])
    times = np.array(["2020-01-01", "2020-01-01", "2021-01-01"], dtype="datetime64[ms]")
    rows = table(None, np.array([0, 1, 2]), lonlat, time_start=times)
    assert number_places(rows).tolist() == [0, 0, 1]


def test_each_check_is_named_once():
    with pytest.raises(ValidationError, match="name at least one check, each once"):
        CheckOptions(methods=("som", "som"))
