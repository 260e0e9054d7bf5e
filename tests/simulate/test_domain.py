from __future__ import annotations

import numpy as np
import pytest

from landweave.simulate.domain import Domain, draw_lines, path_lines


@pytest.fixture
def domain() -> Domain:
    return Domain.around((120, 90), 10.0, cells=60)


def test_coarse_and_fine_coordinates_are_inverse(domain: Domain) -> None:
    at = np.array([-20.0, 0.0, 33.3, 119.0])
    assert domain.to_fine(domain.to_coarse(at)) == pytest.approx(at)


def test_the_coarse_lattice_reaches_past_the_grid(domain: Domain) -> None:
    rows, cols = domain.coarse_shape
    assert domain.to_fine(np.array([0.0])) < 0
    assert domain.to_fine(np.array([rows - 1.0])) > 119
    assert domain.to_fine(np.array([cols - 1.0])) > 89


@pytest.mark.parametrize("smooth", [True, False])
def test_refining_keeps_a_plane(domain: Domain, smooth: bool) -> None:
    rows, cols = np.indices(domain.coarse_shape)
    plane = domain.to_fine(rows.astype(float)) + 2 * domain.to_fine(cols.astype(float))
    r, c = np.indices(domain.shape)
    assert domain.refine(plane, smooth=smooth) == pytest.approx(r + 2.0 * c, abs=1e-2)  # float32 of values up to 500


def test_coarsening_averages_and_fills_outside(domain: Domain) -> None:
    coarse = domain.coarsen(np.ones(domain.shape, dtype=np.float32), 0.0)
    assert coarse.sum() * domain.cell_px**2 == pytest.approx(120 * 90)


def test_a_line_covers_its_width() -> None:
    cover = np.zeros((21, 40), dtype=np.float32)
    draw_lines(cover, path_lines(np.array([[10.0, -5.0], [10.0, 45.0]]), 3.0))
    assert cover[:, 20].sum() == pytest.approx(3.0)
    assert cover.max() == 1


def test_a_line_thinner_than_a_pixel_covers_a_part_of_it() -> None:
    cover = np.zeros((21, 40), dtype=np.float32)
    draw_lines(cover, path_lines(np.array([[10.0, -5.0], [10.0, 45.0]]), 0.5))
    assert 0 < cover.max() <= 0.5
