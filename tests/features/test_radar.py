from __future__ import annotations

import numpy as np
import pytest

from landweave.errors import BandError, CubeError
from landweave.features.radar import (
    compute_radar_index,
    find_radar_index,
    gamma0_from_sigma0,
    list_radar_indices,
    normalise_incidence,
    to_db,
    to_linear,
)


def test_decibels_and_power_are_each_others_inverse() -> None:
    db = np.array([[-30.0, -10.0], [0.0, np.nan]], dtype=np.float32)
    np.testing.assert_allclose(to_linear(db), [[1e-3, 0.1], [1.0, np.nan]], rtol=1e-6)
    np.testing.assert_allclose(to_db(to_linear(db)), db, rtol=1e-5)


def test_power_of_zero_and_below_has_no_decibels() -> None:
    assert np.isnan(to_db([0.0, -1.0, np.nan])).all()


def test_gamma_naught_is_sigma_naught_over_the_cosine() -> None:
    np.testing.assert_allclose(gamma0_from_sigma0([0.1, 0.1], [0.0, 60.0]), [0.1, 0.2], rtol=1e-6)


def test_normalised_backscatter_stays_at_the_reference_angle_and_falls_towards_nadir() -> None:
    made = normalise_incidence([0.1, 0.1, 0.1], [38.0, 30.0, np.nan], reference_deg=38.0)
    np.testing.assert_allclose(made[:2], [0.1, 0.1 * np.cos(np.radians(38)) ** 2 / 0.75], rtol=1e-6)
    assert np.isnan(made[2])


def test_an_angle_in_radians_beyond_the_horizon_is_refused() -> None:
    with pytest.raises(CubeError, match=r"incidence angle 95 is outside 0\.\.90; give degrees"):
        gamma0_from_sigma0([0.1], 95.0)


@pytest.mark.parametrize(("name", "value"), [
    ("vh_vv", 0.25), ("rvi", 0.8), ("ndpi", 0.6), ("dprvic", 0.25 * 3.25 / 1.25**2),
])  # fmt: skip
def test_indices_of_vv_and_vh_follow_their_formulas(name: str, value: float) -> None:
    made = compute_radar_index(name, {"vv": [0.2, np.nan], "vh": [0.05, 0.05]})
    np.testing.assert_allclose(made, [value, np.nan], rtol=1e-6)


def test_indices_of_l_band_follow_their_formulas() -> None:
    bands = {"hh": [0.2], "hv": [0.05], "vv": [0.1]}
    made = [float(compute_radar_index(n, bands)[0]) for n in ("rfdi", "rvi_hh", "rvi_quad", "hv_hh")]
    np.testing.assert_allclose(made, [0.6, 0.8, 1.0, 0.25], rtol=1e-6)


def test_no_index_is_infinite() -> None:
    zeros = {b: np.zeros(3) for b in ("vv", "vh", "hh", "hv")}
    assert all(np.isnan(compute_radar_index(i.name, zeros)).all() for i in list_radar_indices())


def test_an_unknown_index_lists_what_there_is() -> None:
    with pytest.raises(BandError, match=r"no radar index named 'rvii'; did you mean 'rvi'\? known: vh_vv"):
        find_radar_index("rvii")


def test_a_missing_polarisation_is_named() -> None:
    with pytest.raises(BandError, match=r"needs hh, hv; hh, hv missing among vv"):
        compute_radar_index("rfdi", {"vv": [1.0]})
