from __future__ import annotations

import numpy as np
import pytest

from landweave.grid import Window
from landweave.simulate.render import Layers, Lines, aperture_kernels, observe_radar, render_surface
from landweave.simulate.spectra import Painted


def _layers(unit: np.ndarray, **lines: np.ndarray) -> Layers:
    zero = np.zeros(unit.shape, dtype=np.float32)
    names = ("hedge", "road", "track", "stream", "vigour", "wetness", "slope_y", "slope_x")
    return Layers(unit.astype(np.int32), *(lines.get(name, zero).astype(np.float32) for name in names))


PAINTED = Painted(*(np.array(v, dtype=np.float32) for v in ([[0.1], [0.5]], [[0.0], [0.1]], [[0.0], [0.0]])))
LINES = Lines(np.array([[0.2], [0.9], [0.3], [0.0]], dtype=np.float32))
SHARP = np.array([[[0, 0, 1, 0, 0]] * 2], dtype=np.float32)


def test_pixels_take_the_value_of_their_unit_and_vigour() -> None:
    unit = np.repeat([[0, 1]], 8, axis=0).repeat(4, axis=1)
    surface = render_surface(_layers(unit, vigour=np.ones((8, 8))), PAINTED, LINES, Window(0, 0, 8, 8), SHARP)[0]
    assert surface[:, :4] == pytest.approx(0.1)
    assert surface[:, 4:] == pytest.approx(0.6)


def test_roads_cover_their_fraction_of_a_pixel() -> None:
    road = np.full((8, 8), 0.25)
    surface = render_surface(_layers(np.zeros((8, 8)), road=road), PAINTED, LINES, Window(0, 0, 8, 8), SHARP)[0]
    assert surface == pytest.approx(0.75 * 0.1 + 0.25 * 0.9)


def test_the_aperture_mixes_pixels_at_edges_and_keeps_the_sum() -> None:
    unit = np.repeat([[0, 1]], 20, axis=0).repeat(10, axis=1)
    kernels = aperture_kernels(np.array([2.0]), (0.0, 0.0))
    surface = render_surface(_layers(unit), PAINTED, LINES, Window(0, 0, 20, 20), kernels)[0]
    assert 0.1 < surface[10, 9] < surface[10, 10] < 0.5
    assert surface.mean() == pytest.approx(0.3)


def test_kernels_are_normalised_and_wider_for_coarser_bands() -> None:
    kernels = aperture_kernels(np.array([1.0, 2.0]), (0.1, -0.1))
    assert kernels.sum(axis=2) == pytest.approx(1)
    assert kernels[1, 0, 0] > kernels[0, 0, 0]


def test_windows_fit_together_without_a_seam(rng: np.random.Generator) -> None:
    layers = _layers(rng.integers(0, 2, (30, 30)), vigour=rng.random((30, 30)))
    kernels = aperture_kernels(np.array([2.0]), (0.1, 0.2))
    whole = render_surface(layers, PAINTED, LINES, Window(0, 0, 30, 30), kernels)
    part = render_surface(layers, PAINTED, LINES, Window(7, 11, 13, 9), kernels)
    assert np.array_equal(part, whole[:, 7:20, 11:20])


def test_speckle_has_the_stated_looks_and_keeps_the_mean() -> None:
    level = np.full((2, 200, 200), -10.0, dtype=np.float32)
    power = observe_radar(
        level, _layers(np.zeros((200, 200))), Window(0, 0, 200, 200), key=5, looks=6.0, incidence=(np.deg2rad(38), 0.0)
    )
    # 40000 draws: standard errors of 0.2 % of the mean and 1 % of the looks; the gamma is an approximation
    assert power.mean() == pytest.approx(0.1, rel=0.02)
    assert power.mean() ** 2 / power.var() == pytest.approx(6.0, rel=0.08)
    assert power.min() > 0
