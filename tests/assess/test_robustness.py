"""Score drops of a model whose input gets worse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio

from landweave.assess import robustness
from landweave.assess.held_out_models import train_held_out
from landweave.assess.robustness import assess_robustness
from landweave.cube import CubeOptions, load_cube
from landweave.errors import AssessmentError, CubeError
from landweave.imagery import SourceOptions, find_scenes
from landweave.legend import Legend
from landweave.models import ModelOptions, train_model
from landweave.samples import extract_samples
from landweave.types import Fold, SampleTable

NAMES = ("forest", "water", "crop")
SPECTRA = np.array([[0.05, 0.4], [0.03, 0.02], [0.2, 0.3]])
OPTIONS = ModelOptions(name="extra-trees", params={"n_estimators": 10})


@pytest.fixture(scope="module")
def cubes(tmp_path_factory):
    """Four dates of red and nir (60 x 90): three stripes of classes with noise."""
    folder: Path = tmp_path_factory.mktemp("dates")
    rng = np.random.default_rng(4)
    truth = np.repeat(np.arange(3), 30)[None].repeat(60, axis=0)
    for month in (3, 5, 7, 9):
        values = np.moveaxis(SPECTRA[truth], -1, 0) + rng.normal(0, 0.08, (2, 60, 90))
        path = folder / f"2020{month:02d}01.tif"
        with rasterio.open(path, "w", driver="GTiff", height=60, width=90, count=2, dtype="float32",
                           crs="EPSG:32633", transform=rasterio.Affine(10, 0, 5e5, 0, -10, 5e6)) as file:  # fmt: skip
            file.write(values.astype(np.float32))
            file.descriptions = ("red", "nir")
    source = SourceOptions(paths=str(folder), pattern="{date:%Y%m%d}.tif", kind="reflectance")
    return load_cube({"main": find_scenes(source)}, options=CubeOptions())


@pytest.fixture(scope="module")
def samples(cubes):
    """150 places with features."""
    rng = np.random.default_rng(6)
    row, col = rng.integers(0, 60, 150), rng.integers(0, 90, 150)
    frame = pd.DataFrame(
        {"sample_id": np.arange(150), "class": [NAMES[c // 30] for c in col], "weight": 1.0, "purpose": "train"}
    )
    frame["time_start"] = frame["time_end"] = pd.NaT
    points = gpd.points_from_xy(5e5 + 10 * col + 5, 5e6 - 10 * row - 5)
    table = SampleTable(gpd.GeoDataFrame(frame, geometry=points, crs="EPSG:32633"), Legend.from_names(NAMES))
    return extract_samples(table, cubes)


@pytest.fixture(scope="module")
def parts(samples):
    """A model of the first 70 samples, and the others."""
    return train_model(samples.select(np.arange(70)), options=OPTIONS), samples.select(np.arange(70, 150))


def _assess(parts, cubes, seed=1, **options):
    return assess_robustness(*(parts[0], cubes, parts[1]), rng=np.random.default_rng(seed), **options)


def test_table_begins_with_the_clean_score_and_drops_are_against_it(parts, cubes):
    rows = _assess(parts, cubes, corruptions=["noise", "cloud"], severities=[1, 3]).rows
    expected = np.mean(parts[0].predict_features_index(parts[1].to_features()) == parts[1].to_class_index())
    assert (rows[0].case, rows[0].overall_accuracy) == ("clean", pytest.approx(expected))
    assert [(r.case, r.severity) for r in rows[1:5]] == [("noise", 1), ("noise", 3), ("cloud", 1), ("cloud", 3)]
    assert all(r.accuracy_drop == pytest.approx(expected - r.overall_accuracy) for r in rows)


def test_strong_noise_costs_more_than_weak(parts, cubes):
    rows = _assess(parts, cubes, corruptions=["noise"]).rows
    assert rows[3].overall_accuracy < rows[1].overall_accuracy <= rows[0].overall_accuracy


def test_features_are_read_where_the_samples_are(parts, cubes, monkeypatch):
    seen = []

    class Spy:
        card = parts[0].card

        def predict_features(self, flat):
            seen.append(flat)
            return parts[0].predict_features(flat)

    monkeypatch.setattr(robustness, "corrupt", lambda values, *_, **__: values)
    _assess((Spy(), parts[1]), cubes, corruptions=["noise"], severities=[1])
    np.testing.assert_array_equal(seen[0], seen[1])


def test_missing_dates_and_bands_follow_the_corruptions(parts, cubes):
    rows = {r.case: r for r in _assess(parts, cubes, corruptions=[]).rows}
    assert list(rows)[1:4] == ["missing dates (10%)", "missing dates (25%)", "missing dates (50%)"]
    assert rows["missing band nir (median instead)"].accuracy_drop > 0.1
    assert rows["missing band nir (median instead)"].no_answer == 0


def test_gaps_in_a_single_date_leave_samples_without_an_answer_which_count_as_wrong(parts, cubes):
    first = replace(cubes, cubes={"main": cubes["main"].isel(time=slice(0, 1))})
    samples = extract_samples(parts[1], first)
    model = train_model(samples, options=OPTIONS)
    row = _assess((model, samples), first, corruptions=["gaps"], severities=[3]).rows[1]
    assert 0.1 < row.no_answer < 0.9  # half of the piece, of which the grid is a part
    assert row.overall_accuracy <= 1 - row.no_answer


def test_the_same_seed_gives_the_same_table(parts, cubes):
    chance = {"corruptions": ["noise", "shift"], "severities": [2]}
    assert _assess(parts, cubes, **chance) == _assess(parts, cubes, **chance)
    assert _assess(parts, cubes, **chance) != _assess(parts, cubes, seed=2, **chance)


def test_samples_from_elsewhere_are_scored_as_they_are(parts, cubes):
    elsewhere = parts[1].select(np.arange(10))
    row = _assess(parts, cubes, corruptions=[], others={"north": elsewhere}).rows[-1]
    expected = np.mean(parts[0].predict_features_index(elsewhere.to_features()) == elsewhere.to_class_index())
    assert (row.case, row.n, row.overall_accuracy) == ("other: north", 10, pytest.approx(expected))


def test_models_of_folds_answer_each_sample_by_one_that_has_not_seen_it(samples, cubes):
    rows = np.arange(150)
    folds = [Fold(rows[rows % 2 != f], rows[(rows % 2 == f) & (rows < 100)]) for f in (0, 1)]
    models = train_held_out(samples, folds, options=OPTIONS)
    assert models.rows.tolist() == list(range(100))
    table = _assess((models, samples.select(models.rows)), cubes, corruptions=["haze"], severities=[1])
    own = train_model(samples.select(folds[0].train), options=OPTIONS)
    flat = samples.to_features()
    assert np.array_equal(models.predict_features(flat[:100])[::2], own.predict_features(flat[:100:2]))
    assert table.rows[0].n == 100
    with pytest.raises(AssessmentError, match=r"samples\.select\(models\.rows\)"):
        models.predict_features(flat)


def test_table_is_printed_with_signed_drops(parts, cubes):
    table = _assess(parts, cubes, corruptions=["noise"], severities=[3]).to_table()
    assert table.rows[0][:4] == ("clean", "-", "80", f"{float(table.rows[0][3]):.3f}")
    assert table.rows[1][4].startswith("+")


def test_wrong_input_is_refused(parts, cubes):
    model, samples = parts
    with pytest.raises(AssessmentError, match="extract_samples has read"):
        _assess((model, replace(samples, inputs=())), cubes)
    fewer = extract_samples(samples, replace(cubes, cubes={"main": cubes["main"].isel(time=slice(0, 1))}))
    with pytest.raises(AssessmentError, match="same bands and dates"):
        _assess((model, fewer), cubes)
    with pytest.raises(CubeError, match="no corruption named 'rain'"):
        _assess(parts, cubes, corruptions=["rain"])
