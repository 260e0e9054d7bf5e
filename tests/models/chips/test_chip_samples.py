"""Image networks on rows of samples."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

from landweave.cube import make_inputs
from landweave.errors import ModelError
from landweave.models import ModelOptions
from landweave.models.deep.chip_samples import cross_validate_chips, make_scenes, predict_rows, train_samples
from landweave.models.deep.labels import labels_from_samples
from landweave.types import Fold, SampleTable

OPTIONS = ModelOptions(name="unet", seed=1, params={
    "chip_size_px": 16, "chips_per_epoch": 24, "epochs": 12, "width": 8, "depth": 1, "stem_width": 8, "validation_block_px": 8,
    "learning_rate": 0.02, "balance": "class", "batch_size": 4, "ema": 0.0, "validation_share": 0})  # fmt: skip


@pytest.fixture(scope="module")
def rows(land):
    """Give 200 places of the landscape with their true class."""
    rng = np.random.default_rng(3)
    row, col = rng.integers(96, size=200), rng.integers(96, size=200)
    a = land[1].geobox.affine
    points = gpd.points_from_xy(a.c + a.a * (col + 0.5), a.f + a.e * (row + 0.5))
    names = [land[1].legend.names[k] for k in land[1].index[row, col]]
    frame = pd.DataFrame({"class": names, "time_start": pd.NaT, "time_end": pd.NaT, "stratum": None})
    return SampleTable(gpd.GeoDataFrame(frame, geometry=points, crs="EPSG:32633"), land[1].legend, make_inputs(land[0]))


def test_rows_become_pixels_and_nothing_else(rows, land):
    found = labels_from_samples(rows, land[1].geobox)
    labelled = found.index >= 0
    assert labelled.sum() <= 200
    np.testing.assert_array_equal(found.index[labelled], land[1].index[labelled])


def test_folds_predict_rows_that_they_were_not_trained_on(rows, land):
    middle = rows.to_xy("EPSG:32633")[:, 0] < 500_480
    folds = [Fold(np.flatnonzero(middle), np.flatnonzero(~middle))]
    found = cross_validate_chips(rows, [folds], make_scenes(rows, land[0]), options=OPTIONS)
    tested = found.predicted[0] >= 0
    assert not tested[middle].any()
    assert (found.predicted[0][tested] == found.truth[tested]).mean() > 0.55


def test_dense_labels_follow_the_nearest_row(rows, land):
    scenes = make_scenes(rows, land[0], dense=land[1])
    west = rows.to_xy("EPSG:32633")[:, 0] < 500_480
    made = train_samples(rows.select(west), scenes, options=OPTIONS, others=rows.select(~west))
    total = sum(made.model.card.n_samples.values())
    assert 200 < total < 0.6 * land[1].n_labelled
    proba = predict_rows(made.model, rows.select(~west), scenes)
    assert proba.shape == ((~west).sum(), 3)


def test_no_folds_is_an_error(rows, land):
    with pytest.raises(ModelError, match="split has no folds"):
        cross_validate_chips(rows, [], make_scenes(rows, land[0]), options=OPTIONS)
