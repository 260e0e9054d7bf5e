from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from landweave.errors import SampleError
from landweave.samples import SplitOptions, check_samples
from landweave.samples._rows import list_rejected


@pytest.fixture
def good(make_samples, rng):
    """Two well separated classes, 60 rows each, all over the place."""
    classes = ["a", "b"] * 60
    features = rng.normal(0, 1, (120, 3)) + 10 * (np.array(classes) == "b")[:, None]
    return make_samples(rng.random((120, 2)), classes, features)


def level(samples, name, **options):
    found = check_samples(samples, options=SplitOptions(**options)).get_check(name)
    return found.level, found.message


def test_a_good_sample_passes(good):
    report = check_samples(good)
    assert report.level == "ok", report.to_rows()
    assert all(c.passed for c in report.checks)
    assert report.n == 120


def test_an_unknown_check_is_an_error_that_lists(good):
    with pytest.raises(SampleError, match=r"no check named 'spred'; there are counts, balance, spread"):
        check_samples(good).get_check("spred")


def test_few_rows_are_told_with_the_reason(good):
    few = good.select(np.flatnonzero((good.frame["class"] == "a") | (good.frame.index < 20)))
    assert level(few, "counts")[0] == "warn"
    assert "fewer than 30 rows of b (10)" in level(few, "counts")[1]


def test_what_the_import_settled_is_repeated(good):
    told = replace(good, design=good.design.model_copy(update={"note": "2 rows contradict themselves, the name wins: row 6"}))
    assert level(told, "source") == ("warn", "2 rows contradict themselves, the name wins: row 6")


def test_a_single_row_fails(good):
    one = good.select(np.flatnonzero((good.frame["class"] == "a") | (good.frame.index == 1)))
    assert level(one, "counts")[0] == "fail"
    assert check_samples(one).level == "fail"


def test_a_class_of_the_legend_without_rows_is_told(good):
    only = good.select(np.flatnonzero(good.frame["class"] == "a"))
    assert "no row of b" in level(only, "counts")[1]


def test_imbalance_is_told(make_samples, rng):
    samples = make_samples(rng.random((210, 2)), ["a"] * 200 + ["b"] * 9 + ["b"])
    assert level(samples, "balance")[0] == "ok"
    assert "a has 20.0 times the rows of b" in level(samples, "balance")[1]
    assert level(samples.select(np.arange(209)), "balance")[0] == "warn"


def test_classes_in_one_block_are_named(make_samples, rng):
    lonlat = rng.random((100, 2))
    lonlat[:40] = 0.01 * lonlat[:40]
    samples = make_samples(lonlat, ["lonely"] * 40 + ["wide"] * 60)
    assert level(samples, "classes in one block", block_size_deg=0.25)[0] == "warn"
    assert "lonely (40 rows)" in level(samples, "classes in one block", block_size_deg=0.25)[1]
    assert "lonely (1)" in level(samples, "spread", block_size_deg=0.25)[1]


def test_disagreeing_labels_of_one_place_fail(make_samples, rng):
    lonlat = rng.random((60, 2))
    lonlat[1::2] = lonlat[::2]
    same = make_samples(lonlat, ["a", "a", "b", "b"] * 15)
    assert level(same, "duplicates") == ("warn", "30 rows repeat a place and time that another row has, with the same label; "
                                         "they share a group, so that no split is fooled")  # fmt: skip
    found = check_samples(make_samples(lonlat, ["a", "b"] * 30)).get_check("duplicates")
    assert found.level == "fail"
    assert len(found.table) == 60


def test_one_place_in_two_years_is_no_duplicate(make_samples, rng):
    lonlat = np.repeat(rng.random((30, 2)), 2, axis=0)
    times = np.array(["2019-01-01", "2020-01-01"] * 30, dtype="datetime64[ms]")
    assert level(make_samples(lonlat, ["a", "b"] * 30, time_start=times), "duplicates")[0] == "ok"


def test_mislabelled_rows_are_listed(good):
    frame = good.frame.copy()
    frame.loc[:4, "class"] = ["b", "a", "b", "a", "b"]
    found = check_samples(replace(good, frame=frame)).get_check("similar values")
    assert sorted(found.table["sample_id"]) == [0, 1, 2, 3, 4]
    assert set(found.table["looks_like"]) == {"a", "b"}


def test_clustered_samples_are_told(make_samples, rng):
    lonlat = rng.random((120, 2)) * 0.2
    lonlat[60:] += 2
    assert level(make_samples(lonlat, ["a"] * 60 + ["b"] * 60), "neighbours in space")[0] == "warn"


def test_gaps_that_tell_the_class_are_told(good):
    frame = good.frame.copy()
    frame.loc[frame["class"] == "b", ["b0", "b1"]] = np.nan
    assert level(replace(good, frame=frame), "gaps")[0] == "warn"
    assert "67% in b but 0% in a" in level(replace(good, frame=frame), "gaps")[1]


def test_small_polygons_are_told(good):
    frame = good.frame.assign(sub_pixel=good.frame["class"] == "a")
    assert "most rows of a (100%) do" in level(replace(good, frame=frame), "small polygons")[1]


def test_rejected_rows_are_counted_by_reason(good):
    rejected = list_rejected(good.frame.iloc[:30], "lies outside the grid")
    found = level(replace(good, rejected=rejected), "rejected")
    assert found == ("warn", "30 of 150 rows were rejected: 30 x lies outside the grid")


def test_samples_on_one_place_fail_without_raising(make_samples):
    assert level(make_samples(np.zeros((4, 2)), list("abab")), "spread")[0] == "fail"
