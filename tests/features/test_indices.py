"""Spectral indices."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from landweave.errors import BandError, MissingExtraError
from landweave.features.indices import compute_index, find_indices, get_index, list_indices

BANDS = {"blue": 0.05, "green": 0.08, "red": 0.06, "rededge071": 0.12, "nir": 0.4, "swir16": 0.2, "swir22": 0.1}


@pytest.mark.parametrize(("name", "value"), [
    ("ndvi", 0.34 / 0.46), ("evi", 2.5 * 0.34 / (0.4 + 0.36 - 0.375 + 1)), ("evi2", 2.5 * 0.34 / (0.4 + 0.144 + 1)),
    ("savi", 1.5 * 0.34 / 0.96), ("msavi", (1.8 - np.sqrt(1.8**2 - 8 * 0.34)) / 2), ("gndvi", 0.32 / 0.48),
    ("ndre", 0.28 / 0.52), ("ndwi", -0.32 / 0.48), ("mndwi", -0.12 / 0.28), ("ndmi", 0.2 / 0.6), ("ndbi", -0.2 / 0.6),
    ("nbr", 0.3 / 0.5), ("nbr2", 0.1 / 0.3), ("bsi", (0.26 - 0.45) / 0.71),
])  # fmt: skip
def test_value_of_a_crop_by_hand(name, value):
    out = compute_index(name, {k: np.array([v]) for k, v in BANDS.items()})
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, [value], rtol=2e-6)  # float32


def test_every_own_index_is_computed_from_the_bands_it_names():
    for index in list_indices():
        assert np.isfinite(compute_index(index.name, {b: np.array([BANDS[b]]) for b in index.bands})).all()
        assert index.source


@pytest.mark.parametrize("name", ["NDVI", "EVI", "EVI2", "GNDVI", "NDWI", "MNDWI", "NDMI", "NDBI", "NBR", "NBR2", "BI"])
def test_own_formula_agrees_with_the_catalogue(name):
    spyndex = pytest.importorskip("spyndex")
    codes = {"blue": "B", "green": "G", "red": "R", "nir": "N", "swir16": "S1", "swir22": "S2"}
    params = {code: BANDS[band] for band, code in codes.items()} | {"g": 2.5, "L": 1.0, "C1": 6.0, "C2": 7.5}
    own = {"BI": "bsi"}.get(name, name)
    np.testing.assert_allclose(compute_index(own, BANDS), spyndex.computeIndex(index=name, params=params), rtol=1e-5)


def test_zero_denominator_and_gaps_are_nan():
    out = compute_index("ndvi", {"nir": np.array([0, np.nan, 0.3, 0.4]), "red": np.array([0, 0.1, -0.3, np.nan])})
    assert np.isnan(out).all()


@given(hnp.arrays(np.float32, (2, 7), elements=st.floats(-1, 2, width=32) | st.just(np.float32(np.nan))))
@settings(max_examples=30, deadline=None)
def test_nan_in_is_nan_out_and_never_infinite(pair):
    out = compute_index("evi2", {"nir": pair[0], "red": pair[1]})
    assert not np.isinf(out).any()
    assert np.isnan(out[np.isnan(pair).any(axis=0)]).all()


def test_inputs_stay_as_they_are():
    nir = np.array([0, 0.4], dtype=np.float32)
    compute_index("ndvi", {"nir": nir, "red": nir})
    np.testing.assert_array_equal(nir, np.array([0, 0.4], dtype=np.float32))


def test_missing_band_is_named():
    with pytest.raises(BandError, match=r"index evi = .* needs nir, red, blue; blue missing among nir, red"):
        compute_index("EVI", {"nir": np.ones(1), "red": np.ones(1)})


def test_unknown_index_lists_the_known():
    pytest.importorskip("spyndex")
    with pytest.raises(BandError, match=r"no index named 'nvdi', neither among ndvi, evi, .* nor among spyndex's"):
        compute_index("nvdi", {})


def test_catalogue_serves_other_names():
    pytest.importorskip("spyndex")
    out = compute_index("NGRDI", {k: np.array([v], dtype=np.float32) for k, v in BANDS.items()})
    assert out.dtype == np.float32
    assert get_index("ngrdi").bands == get_index("NGRDI").bands


def test_catalogued_index_that_needs_more_than_bands_is_refused():
    pytest.importorskip("spyndex")
    with pytest.raises(BandError, match="needs kNN, kNR, which are neither bands nor have a default"):
        compute_index("kNDVI", {})


def test_absent_catalogue_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "spyndex", None)
    with pytest.raises(MissingExtraError, match=r'pip install "landweave\[indices\]"'):
        compute_index("NGRDI", {})


@pytest.mark.parametrize(("formula", "value"), [
    ("nd(nir,red)", 0.34 / 0.46), ("ND( nir , red )", 0.34 / 0.46), ("nd(blue,red,nir)", (0.055 - 0.4) / (0.055 + 0.4)),
])  # fmt: skip
def test_a_formula_is_an_index(formula, value):
    out = compute_index(formula, {k: np.array([v]) for k, v in BANDS.items()})
    np.testing.assert_allclose(out, [value], rtol=2e-6)


@pytest.mark.parametrize("formula", ["nd(nir)", "nd(nir,nir)", "nd(a,b,c,d)", "nd(nir,1+1)"])
def test_a_formula_that_is_none_says_how_one_is_written(formula):
    with pytest.raises(BandError, match=r"nd\(a,b\) or nd\(a,b,c\) with different bands"):
        get_index(formula)


def test_every_index_that_bands_allow_is_found_and_has_values():
    pytest.importorskip("spyndex")
    found = find_indices(BANDS)
    assert {i.name for i in list_indices()} <= {i.name for i in found}
    assert len(found) > 150
    values = {b: np.full(3, v) for b, v in BANDS.items()}
    assert all(compute_index(i.name, values).shape == (3,) for i in found)
