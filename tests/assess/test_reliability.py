from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from landweave.assess import draw_reliability, summarise_reliability
from landweave.models.conformal import fit_conformal


@pytest.fixture
def held_out(rng):
    confidence = rng.uniform(0.5, 1, 1000)
    return fit_conformal(np.column_stack([confidence, 1 - confidence]), (rng.random(1000) > confidence).astype(int))


def test_bins_hold_equal_numbers_and_follow_the_diagonal(held_out):
    found = summarise_reliability(held_out, {"calibration": {"ece_before": 0.1, "ece_after": 0.02}}, n_bins=5)
    assert found.n == [200] * 5
    np.testing.assert_allclose(found.confidence, found.accuracy, atol=0.08)
    assert (found.ece_before, found.ece, found.ece_lower) == (0.1, 0.02, None)


def test_a_model_without_held_out_scores_has_no_summary():
    assert summarise_reliability(None) is None


def test_the_picture_is_well_formed_and_shows_every_bin(held_out):
    found = summarise_reliability(held_out)
    root = ET.fromstring(draw_reliability(found, x_label="stated", y_label="right & true", alt="accuracy over confidence"))
    circles = [e for e in root.iter() if e.tag.endswith("circle")]
    assert len(circles) == 15
    assert root.attrib["aria-label"] == "accuracy over confidence"
