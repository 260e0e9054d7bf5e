"""Seams are found where there are some, and not where there are none."""

from __future__ import annotations

import numpy as np
import pytest

from landweave.cube import make_inputs
from landweave.errors import MapError
from landweave.maps import MapOptions, measure_map_seams, measure_seams, predict_map
from landweave.models import make_chip_model
from landweave.types import ModelCard


@pytest.fixture(scope="module")
def field():
    y, x = np.mgrid[:256, :256]
    base = np.sin(x / 9 + np.cos(y / 13)) + np.random.default_rng(2).normal(0, 0.1, (256, 256))
    first = 1 / (1 + np.exp(-2 * base))
    return np.stack([first, 1 - first]).astype(np.float32)


def steps_of(report):
    return next(s for s in report.scores if s.kind == "steps")


def test_a_smooth_field_has_no_seams(field):
    report = measure_seams(field, stride_px=32, block_px=128, margin_px=8)
    assert [s.kind for s in report.scores] == ["steps", "chip edges", "blocks"]
    for score in report.scores:
        assert score.lower < 1 < score.upper
        assert not score.is_seam


@pytest.mark.parametrize("axis", [1, 2])
def test_steps_of_a_twentieth_are_found(field, axis):
    places = np.arange(256) // 32 % 2 * 0.05
    shifted = field + np.expand_dims(places, [0, 3 - axis]).astype(np.float32)
    score = steps_of(measure_seams(shifted, stride_px=32))
    assert score.is_seam
    assert score.ratio > 1.15
    assert not steps_of(measure_seams(shifted, stride_px=29)).is_seam


def test_blocks_are_told_from_steps(field):
    shifted = field + (np.arange(256) // 128 * 0.2).astype(np.float32)
    scores = {s.kind: s for s in measure_seams(shifted, stride_px=32, block_px=128).scores}
    assert scores["blocks"].is_seam
    assert not scores["steps"].is_seam


def test_classes_count_as_differing_pairs_and_nodata_is_left_out(field):
    codes = (field[0] > 0.5).astype(np.uint8)
    codes[:100, :100] = 255
    score = steps_of(measure_seams(codes, stride_px=32, nodata=255))
    assert score.near < 0.5
    assert not score.is_seam
    assert score.n < steps_of(measure_seams(field, stride_px=32)).n


def test_a_flat_map_has_no_seams():
    assert steps_of(measure_seams(np.ones((64, 64)), stride_px=16)).ratio == 1


def test_what_has_no_lines_is_told(field):
    with pytest.raises(MapError, match="has no line at steps of 512 px; give fewer px"):
        measure_seams(field, stride_px=512)
    with pytest.raises(MapError, match="stride_px is 2; give at least 4"):
        measure_seams(field, stride_px=2)


@pytest.fixture
def map_with(mapping, cubes, chip_network, tmp_path):
    """Map with a network that knows only its chip: padding with zeros makes its rim differ from its middle."""

    def make(blend):
        card = ModelCard(model="toy-net", inputs=make_inputs(cubes), classes=mapping.LEGEND.to_dicts(), chip_size_px=32,
                         stride_px=16 if blend != "none" else 32)  # fmt: skip
        model = make_chip_model(card, chip_network(card.inputs, 32, kernel=15), (0, 1, 2), blend=blend)
        predict_map(model, cubes, tmp_path / blend, options=MapOptions(block_px=512))
        return tmp_path / blend

    return make


def test_blending_takes_the_seams_of_a_network_away(map_with):
    blended, bare = (steps_of(measure_map_seams(map_with(b), stride_px=16 if b == "hann" else 32)) for b in ("hann", "none"))
    assert bare.is_seam
    assert bare.ratio > 1.3
    assert blended.ratio < 1.1
    assert abs(blended.ratio - 1) < abs(bare.ratio - 1) / 4


def test_the_map_of_another_model_needs_a_step(model, cubes, tmp_path):
    predict_map(model, cubes, tmp_path / "out", options=MapOptions(block_px=64))
    with pytest.raises(MapError, match=r"is not the map of a network on chips .* give stride_px"):
        measure_map_seams(tmp_path / "out")
    assert {s.kind for s in measure_map_seams(tmp_path / "out", stride_px=16).scores} == {"steps", "blocks"}
