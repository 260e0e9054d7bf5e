"""Strata of change."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio

from landweave.errors import SampleError
from landweave.legend import Legend
from landweave.maps import open_map
from landweave.samples import make_change_strata

LEGEND = Legend.from_names(["forest", "crop", "water"])


@pytest.fixture
def pair(write_raster):
    """Forest with a strip of water; six pixels of forest become crop."""
    before = np.ones((40, 50), dtype=np.uint8)
    before[:, 45:] = 3
    after = before.copy()
    after[20:22, 10:13] = 2
    return write_raster(before, name="before.tif"), write_raster(after, name="after.tif")


def codes(strata):
    with rasterio.open(strata.path) as src:
        return src.read(1)


def sizes(strata):
    values = codes(strata)
    return {c.name: int((values == c.code).sum()) for c in strata.legend}


def test_change_has_a_buffer_and_the_rest_is_stable(pair, tmp_path):
    made = make_change_strata(*pair, tmp_path / "strata.tif", legend=LEGEND, buffer_px=1)
    assert sizes(made) == {"change": 6, "buffer": 10, "stable": 1984}


def test_strata_can_be_split_by_transition_and_class(pair, tmp_path):
    made = make_change_strata(*pair, tmp_path / "s.tif", legend=LEGEND, buffer_px=2, split_change="class", split_stable="class")
    assert sizes(made) == {"forest -> crop": 6, "buffer of forest": 24, "forest": 1770, "water": 200}


def test_blocks_do_not_cut_the_buffer(pair, tmp_path, monkeypatch):
    whole = codes(make_change_strata(*pair, tmp_path / "a.tif", legend=LEGEND, buffer_px=5))
    monkeypatch.setattr("landweave.samples.design_change._BLOCK_PX", 16)
    np.testing.assert_array_equal(codes(make_change_strata(*pair, tmp_path / "b.tif", legend=LEGEND, buffer_px=5)), whole)


def test_strata_open_as_a_map_with_their_names(pair, tmp_path):
    made = make_change_strata(*pair, tmp_path / "change.tif", legend=LEGEND, buffer_px=0)
    assert open_map(made.path).legend.names == made.legend.names == ("change", "stable")


def test_what_cannot_be_compared_is_refused(pair, tmp_path, write_raster):
    with pytest.raises(SampleError, match="do not differ in any pixel; there is no change to make strata of"):
        make_change_strata(pair[0], pair[0], tmp_path / "s.tif", legend=LEGEND)
    with pytest.raises(SampleError, match="buffer_px is -1; give the width of the buffer in pixels"):
        make_change_strata(*pair, tmp_path / "s.tif", legend=LEGEND, buffer_px=-1)
