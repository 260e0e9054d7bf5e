from __future__ import annotations

import numpy as np
import pytest

from landweave.simulate.parcels import BlockLattice, label_regions, mean_by, split_parcels


def _split(target_px: float) -> np.ndarray:
    lattice = BlockLattice((120, 150), 60.0, 77)
    n = lattice.counts[0] * lattice.counts[1]
    angle, ones = np.linspace(0, 3, n, dtype=np.float32), np.ones(n, dtype=np.float32)
    code, _ = split_parcels(lattice, angle=angle, target_px=target_px * ones, elongation=1.5 * ones)
    return label_regions(code)


def test_parcels_have_about_the_size_asked_for() -> None:
    for target in (60.0, 240.0):
        sizes = np.bincount(_split(target).ravel())
        assert 0.3 * target < np.median(sizes) < 1.6 * target


def test_tracks_run_between_blocks() -> None:
    lattice = BlockLattice((120, 150), 60.0, 77)
    ones = np.ones(lattice.counts[0] * lattice.counts[1], dtype=np.float32)
    _, edge = split_parcels(lattice, angle=0 * ones, target_px=1e9 * ones, elongation=ones)
    assert 0 <= edge.min() < 1
    assert edge.max() > 10


def test_regions_are_four_connected_and_numbered_in_reading_order() -> None:
    code = np.array([[5, 5, 2], [2, 5, -1], [2, 2, 5]])
    assert label_regions(code).tolist() == [[0, 0, 1], [2, 0, -1], [2, 2, 3]]


def test_regions_that_meet_late_are_one() -> None:
    code = np.array([[1, 0, 1], [1, 0, 1], [1, 1, 1]])
    label = label_regions(code)
    assert label[0, 0] == label[0, 2]
    assert label.max() == 1


def test_means_leave_out_what_is_in_no_region() -> None:
    label = np.array([[0, 0], [1, -1]], dtype=np.int32)
    assert mean_by(label, np.array([[1, 3], [7, 100]], dtype=np.float32)) == pytest.approx([2, 7])
