from __future__ import annotations

import numpy as np

from landweave.simulate.domain import Domain
from landweave.simulate.terrain import make_terrain
from landweave.simulate.towns import least_cost_path, settle


def test_the_cheapest_path_goes_round_a_wall() -> None:
    cost = np.ones((20, 20))
    cost[2:, 10] = 1000
    path = least_cost_path(cost, 15, 2, 15, 18)
    assert path[0].tolist() == [15, 2]
    assert path[-1].tolist() == [15, 18]
    assert path[path[:, 1] == 10][0, 0] < 2


def test_steps_of_a_path_are_to_neighbours(rng: np.random.Generator) -> None:
    path = least_cost_path(rng.random((30, 30)) + 0.1, 0, 0, 29, 29)
    assert np.abs(np.diff(path, axis=0)).max() == 1


def test_towns_are_apart_ranked_and_connected() -> None:
    domain = Domain.around((200, 200), 10.0, cells=120)
    terrain = make_terrain(domain, 2)
    towns = settle(domain, terrain, np.zeros(domain.coarse_shape, dtype=np.float32), 2)
    gaps = np.hypot(*(towns.towns[:, None] - towns.towns[None]).transpose(2, 0, 1))
    assert gaps[~np.eye(len(gaps), dtype=bool)].min() > 10
    assert towns.radius_px[0] == towns.radius_px.max()
    assert len(towns.roads) >= len(towns.towns) - 1
    ends = np.array([road[0] for road in towns.roads])
    assert all(np.hypot(*(towns.towns - end).T).min() < 1e-6 for end in ends)
