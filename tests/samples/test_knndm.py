from __future__ import annotations

import numpy as np
import pytest
from pyproj import Geod

from landweave.errors import SplitError
from landweave.samples import SampleOptions, SplitOptions, import_series, match_distances, split_knndm, split_spatial
from landweave.samples.knndm import draw_prediction_places


def _clustered(make_samples, rng, n_clusters=12, n=240):
    middle = rng.uniform(10, 12, (n_clusters, 2))
    lonlat = middle[rng.integers(0, n_clusters, n)] + rng.normal(0, 0.01, (n, 2))
    return make_samples(lonlat, list(rng.choice(list("abc"), n)))


def test_clustered_samples_are_matched_far_better_than_by_random_folds(make_samples, rng):
    found = match_distances(_clustered(make_samples, rng), SplitOptions(predict_bbox=(10, 10, 12, 12)))
    assert found.n_clusters is not None
    assert found.wasserstein_m < 0.35 * found.random_wasserstein_m
    assert np.median(found.fold_m) == pytest.approx(np.median(found.prediction_m), rel=0.4)


def test_evenly_spread_samples_get_random_folds(make_samples, rng):
    samples = make_samples(rng.uniform(10, 12, (300, 2)), list(rng.choice(list("ab"), 300)))
    found = match_distances(samples, SplitOptions(predict_bbox=(10, 10, 12, 12)))
    assert found.n_clusters is None
    assert found.wasserstein_m == found.random_wasserstein_m


def test_every_row_is_tested_once_and_no_fold_holds_more_than_half(make_samples, rng):
    samples = _clustered(make_samples, rng)
    for folds in split_knndm(samples, SplitOptions(n_repeats=2)):
        assert sorted(np.concatenate([f.test for f in folds])) == list(range(len(samples)))
        assert max(len(f.test) for f in folds) <= len(samples) / 2


def test_groups_are_not_cut(make_samples, rng):
    samples = make_samples(rng.uniform(10, 12, (90, 2)), list("abc") * 30, group=np.repeat(np.arange(30), 3).astype(str))
    for fold in split_spatial(samples, SplitOptions(by="knndm"))[0]:
        group = samples.frame["group"].to_numpy()
        assert not set(group[fold.train]) & set(group[fold.test])


def test_distances_are_metres_on_the_ellipsoid(make_samples, rng):
    samples = _clustered(make_samples, rng)
    place = np.array([[11.0, 11.0]])
    found = match_distances(samples, SplitOptions(), places=place)
    at = samples.to_xy(4326)
    true = Geod(ellps="WGS84").inv(*np.tile(place, (len(at), 1)).T, *at.T)[2].min()
    assert found.prediction_m[0] == pytest.approx(true, rel=1e-4)


def test_prediction_places_are_even_by_area(make_samples, rng):
    samples = make_samples(np.array([[0.0, 0.0], [1, 1], [2, 0]]), list("aba"))
    drawn = draw_prediction_places(samples, SplitOptions(predict_bbox=(0, 0, 90, 90)), rng=rng, n=4000)
    assert np.mean(drawn[:, 1] < 30) == pytest.approx(0.5, abs=0.03)  # half of a hemisphere lies below 30 degrees


def test_samples_on_a_line_need_a_stated_area(make_samples):
    samples = make_samples(np.array([[0.0, 0], [1, 0], [2, 0], [3, 0], [4, 0], [5, 0]]), list("ababab"))
    with pytest.raises(SplitError, match="no area to match; state predict_bbox"):
        split_knndm(samples, SplitOptions())


def test_fewer_places_than_folds_are_refused(make_samples):
    samples = make_samples(np.array([[0.0, 0], [1, 1], [2, 0], [3, 3]]), list("abab"))
    with pytest.raises(SplitError, match="4 places, fewer than 5 folds"):
        split_knndm(samples, SplitOptions())


@pytest.mark.real
def test_mato_grosso_is_clustered_and_matched(real_data):
    path = real_data / "modis-matogrosso" / "sits_matogrosso_mod13q1_1892x23x6.npz"
    samples = import_series(SampleOptions(series=str(path), sensor="modis-mod13q1"))
    found = match_distances(samples, SplitOptions())
    assert found.n_clusters is not None
    assert found.wasserstein_m < 0.3 * found.random_wasserstein_m  # 7 to 8 km against 43 km
