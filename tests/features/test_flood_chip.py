"""Radar filters, the water index, sharpening and shifts on the Sen1Floods11 chip of Spain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from scipy.ndimage import binary_dilation, binary_erosion

from landweave.features.indices import compute_index
from landweave.features.radar import to_db, to_linear
from landweave.features.registration import agree, shift_by_blocks
from landweave.features.sharpening import average, interpolate, sharpen_bands
from landweave.features.speckle import estimate_enl, filter_speckle
from landweave.features.speckle_kernels import local_moments

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def chip(real_data: Path) -> dict[str, np.ndarray]:
    """Backscatter in decibels, optics as reflectance, the hand label."""
    folder = real_data / "sen1floods11"
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent")
    found = {}
    for name, pattern in (("db", "*S1Hand.tif"), ("s2", "*S2Hand.tif"), ("label", "*LabelHand.tif")):
        with rasterio.open(next(folder.rglob(pattern))) as src:
            found[name] = src.read().astype(np.float32)
    return {"db": found["db"], "s2": found["s2"] / 1e4, "label": found["label"][0]}


def looks(power: np.ndarray, inside: np.ndarray) -> float:
    mean, variance = local_moments(np.where(inside, power, np.nan).astype(np.float32), 3, 40)
    return float(np.nanmedian(mean**2 / variance))


@pytest.mark.parametrize(("method", "gain"), [("lee", 3.5), ("refined-lee", 2.2), ("gamma-map", 2.5)])
def test_filters_calm_the_water(chip: dict[str, np.ndarray], method: str, gain: float) -> None:
    power = to_linear(chip["db"][0])
    water = binary_erosion(chip["label"] == 1, iterations=6)
    assert looks(filter_speckle(power, method=method, enl=4.4), water) > gain * looks(power, water)


def test_the_refined_filter_keeps_more_of_the_shore_than_the_plain_one(chip: dict[str, np.ndarray]) -> None:
    power, label = to_linear(chip["db"][0]), chip["label"]
    wet, dry = (label == 1) & binary_dilation(label == 0), (label == 0) & binary_dilation(label == 1)

    def step(method: str) -> float:
        db = to_db(filter_speckle(power, method=method, enl=4.4))
        return float(db[dry].mean() - db[wet].mean())

    assert step("refined-lee") > step("lee") + 0.2


def test_the_looks_of_sentinel_1_are_found(chip: dict[str, np.ndarray]) -> None:
    vv, vh = (estimate_enl(p) for p in to_linear(chip["db"]))
    assert 3.5 < vh < vv < 5.5


def test_the_water_index_agrees_with_the_hand_label(chip: dict[str, np.ndarray]) -> None:
    label = chip["label"]
    water = (compute_index("mndwi", {"green": chip["s2"][2], "swir16": chip["s2"][11]}) > 0.2) & (label >= 0)
    assert (water & (label == 1)).sum() / (water | (label == 1)).sum() == pytest.approx(0.722, abs=0.002)


def test_a_band_sharpened_from_20_m_is_nearer_to_the_truth(chip: dict[str, np.ndarray]) -> None:
    red, guides = chip["s2"][3:4], chip["s2"][[1, 2, 7]]
    low = average(red, 2)
    wrong = [np.sqrt(((m - red) ** 2).mean()) for m in (sharpen_bands(low, guides, ratio=2), interpolate(low, 2))]
    assert wrong[0] < 0.5 * wrong[1]


def test_a_shift_between_optics_and_radar_is_found_on_gradients(chip: dict[str, np.ndarray]) -> None:
    nir, vv = chip["s2"][7], chip["db"][0]
    here, there = (
        agree(shift_by_blocks(nir, np.roll(vv, by, axis=(0, 1)), block_px=256, gradients=True), within_px=1.0)
        for by in ((0, 0), (2, -3))
    )
    np.testing.assert_allclose((there.rows - here.rows, there.cols - here.cols), (2, -3), atol=0.3)
