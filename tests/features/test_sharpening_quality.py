from __future__ import annotations

import numpy as np
import pytest

from landweave.features.sharpening import fit_whole, interpolate, pansharpen
from landweave.features.sharpening_quality import compute_ergas, compute_sam_deg, compute_uiqi, judge_full, judge_reduced


@pytest.fixture
def pair(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Fine bands (3, 128, 128), their mean as pan."""
    kinds = np.kron(rng.integers(0, 5, (32, 32)), np.ones((4, 4), dtype=int))
    fine = (rng.uniform(0.05, 0.5, (3, 5))[:, kinds] + rng.normal(0, 0.005, (3, 128, 128))).astype(np.float32)
    return fine, fine.mean(axis=0)


def test_ergas_of_a_constant_relative_error_is_that_over_the_ratio(pair: tuple[np.ndarray, np.ndarray]) -> None:
    flat = np.full((2, 8, 8), 0.4)
    assert compute_ergas(1.1 * flat, flat, ratio=4) == pytest.approx(100 / 4 * 0.1)
    assert compute_ergas(pair[0], pair[0], ratio=2) == 0


def test_the_angle_between_spectra_leaves_brightness_out() -> None:
    a = np.array([1.0, 0.0])[:, None, None] * np.ones((2, 3, 3))
    b = np.array([1.0, 1.0])[:, None, None] * np.ones((2, 3, 3))
    assert compute_sam_deg(3 * b, b) == pytest.approx(0, abs=1e-5)
    assert compute_sam_deg(a, b) == pytest.approx(45)


def test_the_quality_index_is_one_for_the_same_and_follows_its_formula(rng: np.random.Generator) -> None:
    a = rng.random((32, 32))
    assert compute_uiqi(a, a) == pytest.approx(1)
    b = 2 * a + 1
    wanted = 4 * 2 * a.var() * a.mean() * b.mean() / (5 * a.var() * (a.mean() ** 2 + b.mean() ** 2))
    assert compute_uiqi(a, b) == pytest.approx(wanted)


def test_methods_beat_interpolation_one_resolution_down(pair: tuple[np.ndarray, np.ndarray]) -> None:
    fine, pan = pair
    big = np.kron(pan, np.ones((2, 2))).astype(np.float32)
    plain = judge_reduced(fine, big, method=None, ratio=2)
    for method in ("gsa", "mtf-glp", "brovey"):
        made = judge_reduced(fine, big, method=method, ratio=2)
        assert made.ergas < plain.ergas
        assert made.uiqi > plain.uiqi


def test_nodata_is_left_out(pair: tuple[np.ndarray, np.ndarray]) -> None:
    fine, _ = pair
    holed = fine.copy()
    holed[:, :10] = np.nan
    assert compute_ergas(holed, fine, ratio=2) == 0
    assert compute_uiqi(holed[0], fine[0]) == pytest.approx(1)


def test_without_a_reference_invented_contrast_costs_points(pair: tuple[np.ndarray, np.ndarray]) -> None:
    fine, pan = pair
    ms = fine[:, ::2, ::2].copy()
    good = pansharpen(ms, pan, fit_whole(ms, pan, method="gsa", ratio=2))
    spoilt = good.copy()
    spoilt[0] = 0.5 - spoilt[0]
    fair, poor = (judge_full(m, ms, pan, ratio=2) for m in (good, spoilt))
    assert fair.qnr > poor.qnr
    assert fair.d_lambda_k < poor.d_lambda_k


def test_mere_interpolation_keeps_the_spectra_and_lacks_the_detail(pair: tuple[np.ndarray, np.ndarray]) -> None:
    fine, pan = pair
    ms = fine[:, ::2, ::2].copy()
    plain = judge_full(interpolate(ms, 2), ms, pan, ratio=2)
    assert plain.d_lambda < plain.d_s
    assert plain.hqnr == pytest.approx((1 - plain.d_lambda_k) * (1 - plain.d_s))
