from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage

from landweave.simulate.domain import Domain
from landweave.simulate.landcover import Land, Setting
from landweave.simulate.terrain import Terrain, make_terrain
from landweave.simulate.waters import Waters, make_waters


@pytest.fixture(scope="module")
def domain() -> Domain:
    return Domain.around((300, 300), 10.0, cells=200)


@pytest.fixture(scope="module")
def terrain(domain: Domain) -> Terrain:
    return make_terrain(domain, 7)


@pytest.fixture(scope="module")
def waters(domain: Domain, terrain: Terrain) -> Waters:
    return make_waters(domain, terrain, domain.refine(terrain.height), 7)


def test_all_waters_are_fractions(waters: Waters) -> None:
    for cover in (waters.river, waters.stream, waters.lake, waters.bar):
        assert cover.min() >= 0
        assert cover.max() <= 1


def test_the_river_covers_its_course(waters: Waters, terrain: Terrain) -> None:
    at = np.rint(terrain.river).astype(int)
    at = at[((at >= 0) & (at < 300)).all(axis=1)]
    assert waters.river[at[:, 0], at[:, 1]].min() > 0.5


def test_bars_lie_on_the_inner_bank_of_bends(waters: Waters, terrain: Terrain) -> None:
    # the chord between two places half a bend apart runs on the inner side of the bend between them
    reach = round(4 * terrain.river_width_px)
    chord = 0.5 * (terrain.river[2 * reach :] + terrain.river[: -2 * reach])
    bars = np.argwhere(waters.bar > 0.5)
    assert len(bars) > 10
    nearest = np.argmin(((bars[:, None] - terrain.river[None, reach:-reach]) ** 2).sum(axis=2), axis=1)
    inward = chord[nearest] - terrain.river[reach:-reach][nearest]
    assert ((bars - terrain.river[reach:-reach][nearest]) * inward).sum(axis=1).mean() > 0


def test_a_lake_is_level(waters: Waters, domain: Domain, terrain: Terrain) -> None:
    height = domain.refine(terrain.height)
    label, count = scipy.ndimage.label(waters.lake > 0.9)
    large = max(range(1, count + 1), key=lambda i: (label == i).sum())
    shore = scipy.ndimage.binary_dilation(label == large, iterations=2) & (label != large)
    assert height[label == large].max() <= np.quantile(height[shore], 0.6) + 1.0


def test_no_stream_is_drawn_over_a_lake(land: Land, setting: Setting) -> None:
    from landweave.simulate.imagery import _line_covers

    _, track, stream = _line_covers(setting, land)
    assert stream[land.classes == 1].max() == 0
    assert track[land.classes == 1].max() == 0
