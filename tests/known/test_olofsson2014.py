"""The worked example of Olofsson et al. 2014 (doi:10.1016/j.rse.2014.02.015), to the printed digit.

The counts are those of the paper's error matrix (rows map, columns reference) with the mapped areas in 30 m pixels.
"""

from __future__ import annotations

import numpy as np
import pytest

from landweave.assess import AssessOptions, assess_counts
from landweave.metrics.area import estimate_stratified

NAMES = ("deforestation", "forest_gain", "stable_forest", "stable_nonforest")
COUNTS = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
MAPPED_PX = np.array([200_000, 150_000, 3_200_000, 6_450_000])
HA_PER_PX = 0.09


@pytest.fixture
def estimates():
    return estimate_stratified(COUNTS, MAPPED_PX)


def test_areas_and_their_95_percent_intervals_in_hectares(estimates):
    total = MAPPED_PX.sum() * HA_PER_PX
    assert (estimates.area.value * total).round().tolist() == [21158, 11686, 285770, 581386]
    assert (1.96 * estimates.area.se * total).round().tolist() == [6158, 3756, 15510, 16282]


def test_overall_accuracy(estimates):
    assert round(float(estimates.overall.value), 3) == 0.947
    assert round(1.96 * float(estimates.overall.se), 3) == 0.018


def test_users_and_producers_accuracies(estimates):
    assert estimates.users.value.round(2).tolist() == [0.88, 0.73, 0.93, 0.96]
    assert estimates.producers.value.round(2).tolist() == [0.75, 0.85, 0.93, 0.96]


def _write(path, header, order=(0, 1, 2, 3)):
    lines = [",".join(["map_class", *header, "mapped_area_px"])]
    for name, row, px in zip(NAMES, COUNTS[:, list(order)], MAPPED_PX, strict=True):
        lines.append(",".join([name, *map(str, row), str(px)]))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("header", "order"),
    [([f"ref_{n}" for n in NAMES], (0, 1, 2, 3)), (NAMES[::-1], (3, 2, 1, 0)), (list("abcd"), (0, 1, 2, 3))],
)
def test_the_counts_alone_give_the_published_areas(tmp_path, header, order):
    assessment = assess_counts(_write(tmp_path / "counts.csv", header, order), pixel_area_m2=900)
    assert [a.name for a in assessment.areas] == list(NAMES)
    assert [round(a.area_ha) for a in assessment.areas] == [21158, 11686, 285770, 581386]
    assert [round(a.ci95_ha) for a in assessment.areas] == [6158, 3756, 15510, 16282]
    assert [round(c.users.value, 2) for c in assessment.classes] == [0.88, 0.73, 0.93, 0.96]


@pytest.mark.real
def test_the_shared_file_of_counts_gives_the_published_areas(real_data):
    assessment = assess_counts(real_data / "olofsson2014" / "error_matrix_counts.csv", pixel_area_m2=900)
    assert [round(a.area_ha) for a in assessment.areas] == [21158, 11686, 285770, 581386]


def test_the_normal_interval_has_the_published_ends_and_the_default_is_wider_for_the_rare_class(tmp_path):
    path = _write(tmp_path / "counts.csv", NAMES)
    printed = assess_counts(path, pixel_area_m2=900, options=AssessOptions(area_interval="normal")).areas
    assert [round(a.upper_ha - a.area_ha) for a in printed] == [6158, 3756, 15510, 16282]
    default = assess_counts(path, pixel_area_m2=900).areas
    assert [round(a.area_ha) for a in default] == [21158, 11686, 285770, 581386]
    assert default[1].upper_ha > printed[1].upper_ha
