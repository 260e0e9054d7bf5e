"""The memory budget decides the block size, and is read as people write it."""

from __future__ import annotations

import time

import numpy as np
import pytest
from rasterio._env import get_gdal_config

from landweave.errors import MapError
from landweave.maps import memory
from landweave.maps.memory import gdal_cache, measure_peak, parse_bytes, plan_memory


@pytest.mark.parametrize(("text", "size"), [("2GiB", 2**31), ("800 MB", 8 * 10**8), ("1.5G", 3 * 2**29), (4096, 4096)])
def test_sizes_are_read_as_people_write_them(text, size):
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["2 gibs", "-1GiB", "0", "much"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(MapError, match=f"memory is '{text}'; give a size such as 2GiB"):
        parse_bytes(text)


def test_less_memory_and_more_workers_make_smaller_blocks(model, cubes):
    base = memory.resident_bytes()
    roomy = plan_memory("16GiB", model.card, cubes, workers=1)
    tight = plan_memory(base + 100 * 2**20, model.card, cubes, workers=8)
    assert tight.block_px <= roomy.block_px
    assert tight.block_bytes * 8 + tight.base + tight.gdal_cache <= tight.budget


def test_blocks_of_a_network_span_whole_steps(model, cubes):
    card = model.card.model_copy(update={"stride_px": 48, "chip_size_px": 64, "context_px": 8})
    side = plan_memory("16GiB", card, cubes, workers=1).block_px
    assert side % 48 == 0
    assert side >= 16 * 48
    with pytest.raises(MapError, match="block_px is 500, and the model steps by 48 px; give a multiple of 48"):
        plan_memory("16GiB", card, cubes, workers=1, block_px=500)


def test_gdals_cache_is_held_and_given_back():
    before = get_gdal_config("GDAL_CACHEMAX")
    with gdal_cache(48 * 2**20):
        assert int(get_gdal_config("GDAL_CACHEMAX")) == 48 * 2**20
    assert get_gdal_config("GDAL_CACHEMAX") == before


def test_the_peak_is_measured():
    base = memory.resident_bytes()
    with measure_peak() as meter:
        block = np.ones(200 * 2**20, dtype=np.uint8)
        time.sleep(0.15)  # the meter looks every 0.05 s
        del block
    assert meter.peak_bytes > base + 100 * 2**20  # other memory may have been given back meanwhile
