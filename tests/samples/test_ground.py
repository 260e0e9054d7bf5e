from __future__ import annotations

import numpy as np
import pytest

from landweave.samples.ground import tile_names, utm_zones


@pytest.mark.parametrize(
    ("lon", "lat", "zone"),
    [
        (5.32, 60.39, 32), (2.99, 60.0, 31), (3.0, 56.0, 32), (5.3, 55.99, 31), (5.3, 64.0, 31), (12.0, 60.0, 33),  # Norway
        (8.99, 78.0, 31), (9.0, 78.0, 33), (15.6, 78.2, 33), (20.99, 72.0, 33), (21.0, 80.0, 35), (32.99, 84.0, 35),  # Svalbard
        (33.0, 75.0, 37), (41.99, 75.0, 37), (42.0, 75.0, 38), (10.0, 71.99, 32), (-0.1, 78.0, 30),
        (-180.0, 0.0, 1), (180.0, 0.0, 60), (-55.3, -12.1, 21),
    ],
)  # fmt: skip
def test_zones_follow_the_exceptions_of_norway_and_svalbard(lon, lat, zone):
    assert utm_zones(np.array([[lon, lat]]))[0] == zone


def test_places_beside_each_other_in_bergen_share_a_tile():
    names = tile_names(np.array([[5.99, 60.4], [6.01, 60.4]]))  # the plain zones would part them at 6 degrees
    assert names[0] == names[1] == "32N 3 66"
