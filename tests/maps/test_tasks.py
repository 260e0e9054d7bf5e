"""Probabilities to codes, quantised probabilities and uncertainty."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landweave.errors import MapError
from landweave.legend import Legend
from landweave.maps.tasks import summarise_proba

PRODUCTS = ("map", "proba", "uncertainty")


@given(n_classes=st.integers(1, 6), side=st.integers(1, 9), seed=st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_products_agree_with_plain_numpy(n_classes, side, seed):
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet(np.full(n_classes, 0.3), size=(side, side)).transpose(2, 0, 1).astype(np.float32)
    proba[:, rng.random((side, side)) < 0.2] = np.nan
    legend = Legend.from_names([f"c{i}" for i in range(n_classes)])
    made = summarise_proba(proba, legend, products=PRODUCTS)
    nodata = np.isnan(proba[0])
    np.testing.assert_array_equal(made["map"][0], np.where(nodata, 255, 1 + np.nan_to_num(proba).argmax(axis=0)))
    assert (made["proba"][:, nodata] == 255).all()
    assert (made["uncertainty"][:, nodata] == 255).all()
    assert made["uncertainty"][:, ~nodata].max(initial=0) <= 250


def test_the_first_of_equal_classes_wins():
    proba = np.full((3, 1, 1), 1 / 3, dtype=np.float32)
    made = summarise_proba(proba, Legend.from_names("abc"), products=PRODUCTS)
    assert made["map"].item() == 1
    assert made["uncertainty"].ravel().tolist() == [250, 0]


def test_certainty_has_no_entropy_and_full_margin():
    proba = np.array([0, 1, 0], dtype=np.float32).reshape(3, 1, 1)
    made = summarise_proba(proba, Legend.from_names("abc"), products=PRODUCTS)
    assert made["uncertainty"].ravel().tolist() == [0, 250]
    assert made["proba"].ravel().tolist() == [0, 250, 0]


def test_nan_in_some_classes_only_is_refused():
    proba = np.array([np.nan, 0.5, 0.5], dtype=np.float32).reshape(3, 1, 1)
    with pytest.raises(MapError, match="NaN in some classes only"):
        summarise_proba(proba, Legend.from_names("abc"), products=PRODUCTS)
