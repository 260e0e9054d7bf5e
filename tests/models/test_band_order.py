"""Exchanged bands are found from how bands vary together, and only then."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from landweave.models.band_order import MOST_BANDS, describe_bands, find_order

BANDS = ("blue", "green", "red", "nir", "swir16")


def make_pixels(n, seed=0, shares=(0.4, 0.3, 0.2, 0.1)):
    """Reflectance of vegetation, soil, water and snow, each with a brightness of its own per pixel."""
    rng = np.random.default_rng(seed)
    spectra = np.array([[0.03, 0.06, 0.04, 0.40, 0.20], [0.08, 0.12, 0.18, 0.26, 0.34],
                        [0.05, 0.05, 0.03, 0.02, 0.01], [0.80, 0.82, 0.80, 0.70, 0.10]])  # fmt: skip
    chosen = spectra[rng.choice(4, n, p=shares)]
    return chosen * rng.normal(1, 0.12, (n, 1)) + rng.normal(0, 0.006, (n, len(BANDS)))


@pytest.mark.parametrize("pair", list(itertools.combinations(range(len(BANDS)), 2)))
def test_every_exchange_of_two_bands_is_found_and_undone(pair):
    order = list(range(len(BANDS)))
    order[pair[0]], order[pair[1]] = pair[1], pair[0]
    found = find_order(describe_bands(make_pixels(800)), make_pixels(2000, seed=1)[:, order])
    assert found is not None
    assert [order[i] for i in found] == list(range(len(BANDS)))


def test_a_reversed_order_is_found():
    order = list(range(len(BANDS)))[::-1]
    found = find_order(describe_bands(make_pixels(800)), make_pixels(2000, seed=1)[:, order])
    assert found is not None
    assert [order[i] for i in found] == list(range(len(BANDS)))


@pytest.mark.parametrize("shares", [(1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1), (0.25,) * 4])
@pytest.mark.parametrize("gain", [0.9, 1.0, 1.15])
def test_the_right_order_is_left_alone_where_the_map_shows_one_class_only(shares, gain):
    assert find_order(describe_bands(make_pixels(800)), gain * make_pixels(2000, seed=1, shares=shares)) is None


def test_gaps_and_tables_that_tell_nothing():
    rows = make_pixels(800)
    rows[::3, 2] = np.nan
    trained = describe_bands(rows)
    assert trained is not None
    assert np.isfinite(trained.covariance).all()
    assert find_order(trained, np.full((50, len(BANDS)), np.nan)) is None
    assert describe_bands(rows[:, :1]) is None  # one band
    assert describe_bands(make_pixels(8)) is None  # too few rows
    assert describe_bands(np.ones((100, 3))) is None  # no spread
    assert describe_bands(np.random.default_rng(0).normal(size=(500, MOST_BANDS + 1))) is None
