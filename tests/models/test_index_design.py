"""Indices proposed from data: the planted one is found, noise is not praised, blocks decide."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest

from landweave.errors import BandError, SampleError
from landweave.legend import Legend
from landweave.models.index_design import IndexDesignOptions, discriminate, list_formulas, propose_indices
from landweave.samples import SplitOptions
from landweave.types import ModelInput, SampleTable

BANDS = ("blue", "red", "nir", "swir16")
SPLIT = SplitOptions(block_size_m=10_000, n_folds=4)


@pytest.fixture
def make_samples():
    """Make 240 samples of two classes; `wet` has a higher nir over red whatever the brightness."""

    def make(*, signal: float = 0.25, kinds=("reflectance",) * 4, gap: bool = False) -> SampleTable:
        rng = np.random.default_rng(5)
        n, steps = 240, 3
        wet = np.arange(n) % 2 == 0
        values = rng.uniform(0.1, 0.3, (n, steps, 4)) * rng.uniform(0.5, 2, (n, 1, 1))  # brightness tells nothing
        values[:, :, 2] = values[:, :, 1] * (1.3 + signal * wet[:, None] + rng.normal(0, 0.05, (n, steps)))
        if gap:
            values[7] = np.nan
            values[9, 1, 2] = np.nan
        inputs = (ModelInput(bands=BANDS, kinds=kinds, n_steps=steps),)
        at = gpd.points_from_xy(rng.uniform(15, 17, n), rng.uniform(45, 47, n))
        columns = {"class": np.where(wet, "wet", "dry"), "group": [str(i) for i in range(n)]}
        frame = gpd.GeoDataFrame(columns, geometry=at, crs=4326)
        flat = {name: values.reshape(n, -1)[:, i].astype(np.float32) for i, name in enumerate(inputs[0].feature_names)}
        legend = Legend.from_dicts([{"code": 1, "name": "dry"}, {"code": 2, "name": "wet"}])
        return SampleTable(frame.assign(**flat), legend, inputs)

    return make


def test_the_index_that_holds_the_signal_comes_first(make_samples):
    found = propose_indices(make_samples(), split=SPLIT)
    assert found.ranking[0].formulas == ("nd(red,nir)",)
    assert found.ranking[0].known_as == "ndvi"
    assert found.ranking[0].macro_f1 > 0.9 > found.ranking[1].macro_f1
    assert found.ranking[0].lower <= found.ranking[0].macro_f1 <= found.ranking[0].upper
    assert len(found.ranking) == 6


def test_known_indices_and_the_bands_stand_beside_it(make_samples):
    found = propose_indices(make_samples(), split=SPLIT)
    assert found.known[0].formulas == ("ndvi",)
    assert found.known[0].macro_f1 == pytest.approx(found.ranking[0].macro_f1)
    assert found.all_bands.formulas == BANDS
    assert found.together[0] == found.ranking[0]


def test_a_choice_among_noise_scores_no_better_than_guessing_when_it_is_made_anew(make_samples):
    found = propose_indices(make_samples(signal=0.0), split=SPLIT, options=IndexDesignOptions(n_bands=3))
    assert found.nested is not None
    assert found.nested < 0.6
    assert found.ranking[0].macro_f1 >= found.nested - 0.02


def test_gaps_are_filled_and_rows_without_observation_are_left_out(make_samples):
    assert propose_indices(make_samples(gap=True), split=SPLIT).n_rows == 239


def test_formulas_name_each_pair_once_and_each_third_band():
    assert list_formulas(("a", "b", "c"), 2) == ["nd(a,b)", "nd(a,c)", "nd(b,c)"]
    assert len(list_formulas(BANDS, 3)) == 6 + 4 * 3


def test_the_discriminant_is_that_of_scikit_learn():
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    rng = np.random.default_rng(2)
    classes = rng.integers(0, 3, 300)
    x = rng.normal(size=(300, 5)) + classes[:, None] * np.array([1, 0.5, 0, -0.5, 2])
    peer = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.1, priors=[1 / 3] * 3)
    scaled = (x - x[:200].mean(axis=0)) / x[:200].std(axis=0)
    expected = peer.fit(scaled[:200], classes[:200]).predict(scaled[200:])
    # the peer shrinks to the mean variance instead of 1: a few rows at the border may differ
    assert (discriminate(x[:200], classes[:200], x[200:]) == expected).mean() > 0.97


def test_samples_without_bands_for_an_index_are_refused(make_samples):
    with pytest.raises(BandError, match="inputs with such bands: none"):
        propose_indices(make_samples(kinds=("index",) * 4), split=SPLIT)
    with pytest.raises(BandError, match="name one"):
        propose_indices(make_samples(), split=SPLIT, options=IndexDesignOptions(bands=("red", "green")))


def test_samples_in_one_block_are_refused(make_samples):
    with pytest.raises(SampleError, match="give smaller blocks"):
        propose_indices(make_samples(), split=SplitOptions(block_size_m=10_000_000, n_folds=2))
