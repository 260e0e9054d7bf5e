from __future__ import annotations

import numpy as np
import pytest

from landweave.simulate.noise import compiled, fractal_field, hash_normal, hash_uniform, make_key, make_rng, smoothstep


@compiled
def _normals(key: int, n: int) -> np.ndarray:
    out = np.empty((n, n))
    for r in range(n):
        for c in range(n):
            out[r, c] = hash_normal(key, r, c)
    return out


def test_hash_noise_is_normal_and_uncorrelated_between_neighbours() -> None:
    a = _normals(make_key(1, "a"), 200)
    assert a.mean() == pytest.approx(0, abs=0.02)  # four standard errors of 40000 draws
    assert a.std() == pytest.approx(1, abs=0.02)
    for b in (a[1:, :] * a[:-1, :], a[:, 1:] * a[:, :-1]):
        assert abs(b.mean()) < 0.02


def test_neighbouring_keys_share_no_noise() -> None:
    key = make_key(1, "bands")
    a, b = _normals(key, 200), _normals(key + 1, 200)
    shifts = [(a * b), (a[1:] * b[:-1]), (a[:-1] * b[1:]), (a[:, 1:] * b[:, :-1])]
    assert max(abs(s.mean()) for s in shifts) < 0.02


def test_uniform_noise_stays_in_its_range() -> None:
    values = [hash_uniform(9, i, -i) for i in range(500)]
    assert 0 <= min(values) < 0.02 < 0.98 < max(values) < 1


def test_generators_depend_on_seed_and_purpose() -> None:
    draws = {float(make_rng(seed, *names).random()) for seed in (1, 2) for names in (("a",), ("a", 1), ("b",))}
    assert len(draws) == 6
    assert make_rng(1, "a").random() == make_rng(1, "a").random()


def test_a_fractal_field_is_standardised_and_smoother_for_higher_beta(rng: np.random.Generator) -> None:
    rough, smooth = (fractal_field((120, 90), rng, beta=beta, longest_px=40) for beta in (1.0, 3.5))
    assert rough.shape == (120, 90)
    assert rough.std() == pytest.approx(1, abs=1e-3)
    assert np.abs(np.diff(smooth, axis=0)).mean() < 0.5 * np.abs(np.diff(rough, axis=0)).mean()


def test_smoothstep_rises_from_zero_to_one() -> None:
    assert smoothstep(np.array([-1.0, 0.0, 0.5, 1.0, 3.0]), 0, 1).tolist() == [0, 0, 0.5, 1, 1]
