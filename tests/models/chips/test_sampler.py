"""Chips from cubes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landweave.cube import make_inputs
from landweave.errors import CubeError, GridError, SampleError
from landweave.grid import Window
from landweave.models.deep.sampler import ChipPlace, ChipSampler, ChipSource, tile_places
from landweave.models.deep.sampler_cache import Pixels
from landweave.models.deep.sampler_options import SamplerOptions
from landweave.types import CubeSet


@pytest.fixture
def make_sampler(land):
    """Make a sampler of the landscape, or of changed labels or cubes."""

    def make(labels=None, cubes=None, inputs=None, **options) -> ChipSampler:
        cubes = cubes or land[0]
        made = SamplerOptions(**{"chip_size_px": 16, "chips_per_epoch": 40, **options})
        return ChipSampler([ChipSource(cubes, labels or land[1])], inputs or make_inputs(land[0]), options=made)

    return make


def test_epoch_depends_on_seed_and_number_alone(make_sampler):
    assert make_sampler(seed=3).plan(5) == make_sampler(seed=3).plan(5)
    assert make_sampler(seed=3).plan(5) != make_sampler(seed=3).plan(6)
    assert make_sampler(seed=3).plan(5) != make_sampler(seed=4).plan(5)


def test_chip_holds_the_pixels_of_the_cubes_on_their_own_grids(make_sampler, land):
    chip = make_sampler().read(ChipPlace(0, 20, 40))
    wanted = land[0]["s2"].values[:, :, 20:36, 40:56]
    np.testing.assert_array_equal(chip.inputs["s2"].values, np.nan_to_num(wanted))
    np.testing.assert_array_equal(chip.inputs["s2"].valid, ~np.isnan(wanted).any(axis=1))
    np.testing.assert_array_equal(chip.inputs["dem"].values, land[0]["dem"].values[:, 10:18, 20:28])
    np.testing.assert_array_equal(chip.target, land[1].index[20:36, 40:56])


def test_outside_of_the_grid_is_invalid_and_unlabelled(make_sampler):
    chip = make_sampler().read(ChipPlace(0, -4, -4))
    assert not chip.inputs["s2"].valid[:, :4].any()
    assert not chip.inputs["dem"].valid[:2].any()
    assert (chip.target[:4] == -1).all()


def test_every_chip_holds_a_label_however_sparse(make_sampler, land):
    rare = np.full((96, 96), -1, np.int16)
    rare[[3, 50, 95], [90, 10, 0]] = [0, 1, 2]
    sampler = make_sampler(labels=replace(land[1], index=rare))
    assert all((chip.target >= 0).any() for chip in sampler.epoch(0))


@pytest.mark.parametrize(("balance", "low", "high"), [("class", 0.30, 0.37), ("sqrt", 0.05, 0.12), ("none", 0.005, 0.02)])
def test_balance_decides_how_often_a_rare_class_is_drawn(make_sampler, land, balance, low, high):
    index = np.full((96, 96), 1, np.int16)
    index[:, 48:], index[:10, :10] = 2, 0
    assert low < make_sampler(labels=replace(land[1], index=index), balance=balance).class_shares[0] < high


def test_stratum_of_weight_zero_is_never_drawn(make_sampler, land):
    stratum = np.zeros((96, 96), np.int16)
    stratum[:, 48:] = 1
    index = np.where(stratum == 1, land[1].index, -1).astype(np.int16)
    everything = replace(land[1], index=np.where(index < 0, land[1].index, index), stratum=stratum)
    places = make_sampler(labels=everything, stratum_weights={0: 0.0}).plan(0)
    assert all(p.col + 16 > 48 for p in places)


def test_blocks_are_decoded_once_within_the_bound(make_sampler):
    sampler = make_sampler(block_px=32)
    for epoch in range(2):
        list(sampler.epoch(epoch))
    assert sampler.cache.n_read <= 9 + 4
    tiny = make_sampler(block_px=32, cache_mb=0)
    list(tiny.epoch(0))
    assert (tiny.cache.nbytes, tiny.cache.n_found) == (0, 0)


@settings(max_examples=15, deadline=None)
@given(row=st.integers(-20, 100), col=st.integers(-20, 100), block=st.sampled_from([16, 32, 64]))
def test_a_window_is_the_same_for_any_block_size(land, row, col, block):
    def read(block_px: int) -> Pixels:
        options = SamplerOptions(chip_size_px=16, block_px=block_px)
        sampler = ChipSampler([ChipSource(*land)], make_inputs(land[0]), options=options)
        return sampler.cache.read(0, "s2", Window(row, col, 16, 16))

    np.testing.assert_array_equal(read(block).values, read(96).values)


def test_missing_optional_input_is_invalid_throughout(make_sampler, land):
    spec = make_inputs(land[0])
    optional = (spec[0], spec[1].model_copy(update={"required": False}))
    without = CubeSet({"s2": land[0]["s2"]}, land[0].geobox)
    chip = make_sampler(cubes=without, inputs=optional).read(ChipPlace(0, 0, 0))
    assert not chip.inputs["dem"].valid.any()


def test_fewer_dates_are_padded_with_invalid_ones(make_sampler, land):
    one = CubeSet({**land[0].cubes, "s2": land[0]["s2"].isel(time=[0])}, land[0].geobox)
    chip = make_sampler(cubes=one).read(ChipPlace(0, 0, 0))
    assert chip.inputs["s2"].valid.shape == (2, 16, 16)
    assert not chip.inputs["s2"].valid[1].any()


def test_labels_without_a_pixel_are_refused(make_sampler, land):
    with pytest.raises(SampleError, match="no labelled pixel to draw chips from"):
        make_sampler(labels=replace(land[1], index=np.full((96, 96), -1, np.int16)))


def test_missing_band_is_named(make_sampler, land):
    poor = CubeSet({**land[0].cubes, "s2": land[0]["s2"].sel(band=["red"])}, land[0].geobox)
    with pytest.raises(CubeError, match="cube 's2' lacks the band 'nir', which the network reads; it has red"):
        make_sampler(cubes=poor)


def test_chip_must_be_whole_coarse_pixels(make_sampler):
    with pytest.raises(GridError, match="chip_size_px 17 and block_px 256 must be multiples of 2"):
        make_sampler(chip_size_px=17)


def test_tiles_cover_every_label_once(land):
    places = tile_places(land[1], 40)
    assert len(places) == 9
    assert len({(p.row, p.col) for p in places}) == 9
