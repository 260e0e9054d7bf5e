from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod
from shapely import box

from landweave.errors import SplitError
from landweave.legend import Legend
from landweave.samples import SplitOptions, hold_out, resolve_split, split_random, split_spatial
from landweave.samples._rows import lonlat_of, make_frame
from landweave.samples.dealing import deal_units
from landweave.samples.ground import tile_names
from landweave.types import SampleTable


def _scatter(seed: int, n: int = 120):
    rng = np.random.default_rng(seed)
    group = rng.integers(0, n // 2, n)
    lonlat = rng.uniform((10, 40), (12, 42), (n // 2, 2))[group] + rng.normal(0, 0.01, (n, 2))
    classes = rng.choice(list("abc"), n, p=[0.5, 0.3, 0.2])
    frame = make_frame({"class": classes, "group": group.astype(str)}, gpd.points_from_xy(*lonlat.T), "EPSG:4326")
    return SampleTable(frame, Legend.from_names("abc"))


def check_invariants(repeats, samples, options, keeps_groups=True):
    group = samples.frame["group"].to_numpy()
    assert len(repeats) == options.n_repeats
    for folds in repeats:
        assert sorted(np.concatenate([f.test for f in folds])) == list(range(len(samples)))
        for fold in folds:
            assert len(fold.train)
            assert not set(fold.train) & set(fold.test)
            assert not (keeps_groups and set(group[fold.train]) & set(group[fold.test]))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_random_folds_keep_groups_together_and_test_every_row_once(seed):
    options = SplitOptions(seed=seed, n_repeats=2)
    samples = _scatter(seed)
    check_invariants(split_random(samples, options), samples, options)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), buffer_m=st.sampled_from([0, 3000, 15_000]), size=st.sampled_from([None, 20_000]))
def test_spatial_folds_keep_groups_together_and_test_every_row_once(seed, buffer_m, size):
    options = SplitOptions(seed=seed, buffer_m=buffer_m, block_size_m=size)
    samples = _scatter(seed)
    repeats = split_spatial(samples, options)
    check_invariants(repeats, samples, options)
    at, geod = lonlat_of(samples.frame), Geod(ellps="WGS84")
    for fold in repeats[0]:
        i, j = np.repeat(fold.train, len(fold.test)), np.tile(fold.test, len(fold.train))
        assert geod.inv(*at[i].T, *at[j].T)[2].min() >= buffer_m


def test_single_rows_are_dealt_evenly_per_class():
    samples = _scatter(1, 200)
    folds = split_random(samples, SplitOptions(random_by="sample"))[0]
    check_invariants([folds], samples, SplitOptions(), keeps_groups=False)
    y = samples.to_class_index()
    counts = np.array([np.bincount(y[f.test], minlength=3) for f in folds])
    assert (np.ptp(counts, axis=0) <= 1).all()


def test_repeats_differ_and_seeds_repeat():
    samples = _scatter(2)
    first, second = split_spatial(samples, SplitOptions(n_repeats=2))
    again = split_spatial(samples, SplitOptions(n_repeats=2))[0]
    assert any(len(a.test) != len(b.test) or (a.test != b.test).any() for a, b in zip(first, second, strict=True))
    assert all((a.test == b.test).all() for a, b in zip(first, again, strict=True))


def test_a_column_with_few_values_leaves_each_out(make_samples, rng):
    regions = rng.choice(["n", "s", "w"], 60)
    samples = make_samples(rng.random((60, 2)), list(rng.choice(list("ab"), 60)), labeller=regions)
    folds = split_spatial(samples, SplitOptions(by="labeller"))[0]
    assert sorted(set(regions[f.test]).pop() for f in folds) == ["n", "s", "w"]
    assert all(len(set(regions[f.test])) == 1 for f in folds)


def test_a_column_that_cuts_groups_joins_what_shares_them(make_samples, rng):
    samples = make_samples(rng.random((4, 2)), list("abab"), group=["p", "p", "q", "q"], labeller=["x", "y", "x", "y"])
    with pytest.raises(SplitError, match=r"the 2 values of labeller share groups .* split by block"):
        split_spatial(samples, SplitOptions(by="labeller", n_folds=2))


def test_fewer_blocks_than_folds_is_an_error(make_samples):
    samples = make_samples(np.repeat([[0.1, 0.1], [5, 5]], 10, axis=0), list("ab") * 10)
    with pytest.raises(SplitError, match=r"20 samples stand in 2 blocks, fewer than 5 folds; ask for fewer folds"):
        split_spatial(samples, SplitOptions(block_size_deg=0.25))


def test_a_class_with_one_sample_is_an_error(make_samples, rng):
    samples = make_samples(rng.random((11, 2)), ["a", "b"] * 5 + ["rare"])
    for split in (split_random, split_spatial):
        with pytest.raises(SplitError, match=r"class rare has one sample.*exclude: \[rare\]"):
            split(samples, SplitOptions(n_folds=2))


def test_a_buffer_that_leaves_nothing_is_an_error():
    with pytest.raises(SplitError, match=r"a buffer of 1e\+06 m leaves nothing to train on in fold 1 of 5"):
        split_spatial(_scatter(3), SplitOptions(buffer_m=1e6))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.15, 0.5))
def test_holding_out_keeps_the_share_and_the_groups(seed, share):
    samples = _scatter(seed)
    train, held = hold_out(samples, share, options=SplitOptions(seed=seed, block_size_m=10_000))
    assert set(train.frame["purpose"]) == {"train"}
    assert set(held.frame["purpose"]) == {"reference"}
    assert len(train) + len(held) == len(samples)
    assert abs(len(held) / len(samples) - share) < 0.12
    assert not set(train.frame["group"]) & set(held.frame["group"])


def test_holding_out_says_what_it_cannot_do(make_samples):
    with pytest.raises(SplitError, match=r"share to hold out is 1.5; give a number between 0 and 1"):
        hold_out(_scatter(0), 1.5)
    samples = make_samples(np.random.default_rng(0).random((6, 2)) * 0.01, list("ababab"))
    with pytest.raises(SplitError, match=r"all samples stand in one block.*block_size_m"):
        hold_out(samples, 0.3, options=SplitOptions(block_size_m=100_000))


def test_units_are_dealt_by_share_and_class(rng):
    units, classes = np.arange(1000), rng.integers(0, 3, 1000)
    side = deal_units(units, classes, np.array([0.7, 0.2, 0.1]), rng)
    for c in range(3):
        share = np.bincount(side[classes == c], minlength=3) / (classes == c).sum()
        assert np.abs(share - [0.7, 0.2, 0.1]).max() < 0.02


def _in_years(make_samples):
    lonlat = np.random.default_rng(3).uniform(10, 11, (12, 2))
    years = np.repeat([2001, 2002, 2003], 12)
    start = np.array([f"{y}-01-01" for y in years], dtype="datetime64[ms]")
    return make_samples(np.tile(lonlat, (3, 1)), list("ab") * 18, group=np.tile(np.arange(12), 3).astype(str), time_start=start)


def test_years_at_the_same_places_are_tested_only_when_groups_may_be_cut(make_samples):
    samples = _in_years(make_samples)
    with pytest.raises(SplitError, match=r"share groups.*let groups be cut"):
        split_spatial(samples, SplitOptions(by="year"))
    folds = split_spatial(samples, SplitOptions(by="year", cut_groups=True))[0]
    year = samples.frame["time_start"].dt.year.to_numpy()
    assert [sorted(set(year[f.test])) for f in folds] == [[2001], [2002], [2003]]


def test_leave_one_out_makes_a_fold_of_every_region(make_samples, rng, tmp_path):
    regions = gpd.GeoDataFrame({"name": list("nopqrs")}, geometry=[box(x, 0, x + 1, 1) for x in range(6)], crs=4326)
    regions.to_file(tmp_path / "regions.gpkg")
    lonlat = rng.uniform((0, 0), (6, 1), (120, 2))
    samples = make_samples(lonlat, list("ab") * 60)
    options = SplitOptions(by="region", regions=str(tmp_path / "regions.gpkg"), region_column="name", leave_one_out=True)
    folds = split_spatial(samples, options)[0]
    assert len(folds) == 6
    assert all(len(np.unique(np.floor(lonlat[f.test, 0]))) == 1 for f in folds)


def test_samples_outside_all_regions_are_named(make_samples, tmp_path):
    gpd.GeoDataFrame({"name": ["n"]}, geometry=[box(0, 0, 1, 1)], crs=4326).to_file(tmp_path / "r.gpkg")
    samples = make_samples(np.array([[0.5, 0.5], [5, 5], [0.2, 0.2], [6, 6]]), list("abab"))
    with pytest.raises(SplitError, match="2 of 4 samples lie in no polygon"):
        split_spatial(samples, SplitOptions(by="region", regions=str(tmp_path / "r.gpkg")))
    with pytest.raises(SplitError, match=r"no column 'title'; set split\.region_column to one of name"):
        split_spatial(samples, SplitOptions(by="region", regions=str(tmp_path / "r.gpkg"), region_column="title"))


def test_polygons_and_tiles_are_kept_whole(make_samples, rng):
    lonlat = rng.uniform((10, 45), (15, 47), (200, 2))
    samples = make_samples(lonlat, list("ab") * 100, polygon_id=np.repeat(np.arange(50), 4))
    for fold in split_spatial(samples, SplitOptions(by="polygon"))[0]:
        assert not set(fold.train // 4) & set(fold.test // 4)
    tile = tile_names(lonlat)
    for fold in split_spatial(samples, SplitOptions(by="tile"))[0]:
        assert not set(tile[fold.train]) & set(tile[fold.test])


def test_tiles_are_the_squares_of_utm():
    # Venice stands in MGRS square 33TUL (zone 33, 200-300 km east, 5000-5100 km north: 291.6, 5035.6)
    assert tile_names(np.array([[12.335, 45.44]]))[0] == "33N 2 50"


def test_open_options_are_stated_once(make_samples, rng):
    samples = make_samples(rng.uniform(10, 11, (80, 2)), list("ab") * 40, rng.standard_normal((80, 2)))
    stated = resolve_split(samples, SplitOptions(by="knndm", block_size_m="auto"), bbox=(10, 10, 11, 11))
    assert isinstance(stated.block_size_m, float)
    assert stated.predict_bbox == (10, 10, 11, 11)
    assert resolve_split(samples, SplitOptions(), bbox=(10, 10, 11, 11)) == SplitOptions()
