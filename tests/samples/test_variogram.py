from __future__ import annotations

import numpy as np
import pytest

from landweave.errors import SplitError
from landweave.samples import SplitOptions, block_size_of, fit_variogram, suggest_block_size


def _field(lonlat: np.ndarray, reach_deg: float, rng: np.random.Generator) -> np.ndarray:
    """Values of a Gaussian field with a spherical covariance of unit sill."""
    h = np.minimum(np.linalg.norm(lonlat[:, None] - lonlat[None], axis=2) / reach_deg, 1)
    return np.linalg.cholesky(1 - 1.5 * h + 0.5 * h**3 + 1e-9 * np.eye(len(lonlat))) @ rng.standard_normal(len(lonlat))


def test_range_of_a_known_field_is_found(rng):
    lonlat = rng.uniform(0, 1, (900, 2))  # at the equator a degree is 111 km in both directions
    values = np.column_stack([_field(lonlat, 0.25, rng) for _ in range(6)])
    found = fit_variogram(lonlat, values)
    assert found.is_bounded
    assert found.range_m == pytest.approx(0.25 * 111_000, rel=0.2)
    assert found.structured > 0.85


def test_white_noise_has_no_structure(rng):
    found = fit_variogram(rng.uniform(0, 1, (400, 2)), rng.standard_normal((400, 3)))
    assert found.structured < 0.2


def test_pair_counts_and_semivariances_are_those_of_all_pairs(rng):
    lonlat, values = rng.uniform(0, 1, (80, 2)), rng.standard_normal(80)
    found = fit_variogram(lonlat, values)
    assert found.semivariance.mean() == pytest.approx(1, abs=0.25)
    assert (np.diff(found.lag_m) > 0).all()
    assert found.n_pairs.min() >= 30


def test_auto_blocks_have_the_side_of_the_range(make_samples, rng):
    lonlat = rng.uniform(10, 11, (300, 2))
    features = np.column_stack([_field(lonlat, 0.2, rng) for _ in range(3)])
    samples = make_samples(lonlat, list(rng.choice(list("ab"), 300)), features)
    suggestion = suggest_block_size(samples)
    assert "features of the samples are alike up to" in suggestion.why
    assert block_size_of(samples, SplitOptions(block_size_m="auto")) == suggestion.size_m


def test_residuals_take_the_place_of_features(make_samples, rng):
    lonlat = rng.uniform(10, 11, (200, 2))
    samples = make_samples(lonlat, list(rng.choice(list("ab"), 200)))
    assert "residuals" in suggest_block_size(samples, values=rng.standard_normal(200)).why
    assert "classes" in suggest_block_size(samples).why


def test_equal_values_and_few_places_are_refused(rng):
    with pytest.raises(SplitError, match="equal, so they have no variogram; state block_size_m"):
        fit_variogram(rng.uniform(0, 1, (50, 2)), np.ones(50))
    with pytest.raises(SplitError, match="too few for a variogram"):
        fit_variogram(rng.uniform(0, 1, (8, 2)), rng.standard_normal(8))
