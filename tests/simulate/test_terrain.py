from __future__ import annotations

import numpy as np

from landweave.simulate.domain import Domain
from landweave.simulate.terrain import Terrain, make_terrain, route_flow, trace_river


def _terrain() -> Terrain:
    return make_terrain(Domain.around((100, 100), 10.0, cells=80), 5)


def test_water_reaches_the_outlet_from_everywhere(rng: np.random.Generator) -> None:
    fixed = np.zeros((30, 40), dtype=bool)
    fixed[:, 0] = True
    receiver, order, drained = route_flow(rng.random((30, 40)), fixed)
    assert sorted(order) == list(range(1200))
    assert drained[fixed.ravel()].sum() == 1200
    at = np.arange(1200)
    for _ in range(1200):
        at = receiver[at]
    assert fixed.ravel()[at].all()


def test_a_slope_drains_straight_down() -> None:
    height = np.repeat(np.arange(20.0)[None, :], 10, axis=0)
    receiver, _, _ = route_flow(height, height == 0)
    inner = receiver.reshape(10, 20)[3:7, 5]
    assert np.array_equal(inner % 20, np.full(4, 4))


def test_streams_run_in_valleys() -> None:
    terrain = _terrain()
    large = terrain.drained > np.quantile(terrain.drained, 0.97)
    assert terrain.above_stream[large].mean() < 0.5 * terrain.above_stream.mean()
    assert terrain.above_stream.min() >= 0


def test_hills_stand_away_from_the_river() -> None:
    terrain = _terrain()
    near = terrain.from_river_m < 150
    far = terrain.from_river_m > 600
    assert terrain.height[far].mean() > terrain.height[near].mean() + 5


def test_the_river_crosses_the_whole_domain(rng: np.random.Generator) -> None:
    path = trace_river(Domain.around((100, 100), 10.0), 3.0, rng)
    inside = ((path >= 0) & (path < 100)).all(axis=1)
    assert inside.any()
    assert not inside[0]
    assert not inside[-1]
    assert np.hypot(*np.diff(path, axis=0).T).max() < 1.5


def test_terrain_is_the_same_for_the_same_seed() -> None:
    assert np.array_equal(_terrain().height, _terrain().height)
