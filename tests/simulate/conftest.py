"""Small landscapes shared by the tests of the simulator."""

from __future__ import annotations

import pytest

from landweave.simulate import Landscape, SimulateOptions, simulate_landscape
from landweave.simulate.imagery import View, make_view
from landweave.simulate.landcover import Land, Setting, make_land, make_setting
from landweave.simulate.landscape import make_grid

SEED = 3


@pytest.fixture(scope="session")
def options() -> SimulateOptions:
    """A landscape of 2 x 2 km with few dates."""
    return SimulateOptions(rows=200, cols=190, n_dates=6, n_training_polygons=120, n_reference=300, seed=SEED, block_px=128)


@pytest.fixture(scope="session")
def setting(options: SimulateOptions) -> Setting:
    """The lasting part of that landscape."""
    return make_setting((options.rows, options.cols), options.resolution_m, options.seed)


@pytest.fixture(scope="session")
def land(setting: Setting) -> Land:
    """Its first year."""
    return make_land(setting, SEED)


@pytest.fixture(scope="session")
def view(setting: Setting, land: Land, options: SimulateOptions) -> View:
    """All that rendering its first year needs."""
    return make_view(make_grid(options), setting, land, options, options.year)


@pytest.fixture(scope="session")
def landscape(tmp_path_factory: pytest.TempPathFactory, options: SimulateOptions) -> Landscape:
    """The whole of it on disk."""
    return simulate_landscape(tmp_path_factory.mktemp("landscape"), options=options, workers=2)
