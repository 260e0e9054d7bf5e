from __future__ import annotations

import numpy as np
import pytest
import rasterio

from landweave.errors import GridError, SampleError, SourceError
from landweave.grid import make_geobox
from landweave.label import LabelFinding, read_segments, relabel_by_segments, relabel_samples

SEGMENTS = np.array([[0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 1]])
LABELS = np.array([[0, 0, 1, 2, 2, 0], [0, 0, 0, 2, -1, 1]])


def test_whole_segments_take_their_majority():
    made = relabel_by_segments(LABELS, SEGMENTS, n_classes=3)
    assert made.labels.tolist() == [[0, 0, 0, 2, 2, 2], [0, 0, 0, 2, -1, 2]]
    assert made.changed.sum() == 3
    assert made.share[0, 0] == pytest.approx(5 / 6)


def test_only_unsure_pixels_change_and_they_do_not_vote():
    unsure = np.zeros(LABELS.shape, dtype=bool)
    unsure[0, 2] = True
    made = relabel_by_segments(LABELS, SEGMENTS, n_classes=3, unsure=unsure)
    assert np.argwhere(made.changed).tolist() == [[0, 2]]
    assert made.share[0, 0] == 1


def test_segments_without_a_clear_winner_are_left():
    made = relabel_by_segments(LABELS, SEGMENTS, n_classes=3, min_share=0.7)
    assert np.array_equal(made.labels[:, 3:], LABELS[:, 3:])
    assert np.isnan(made.share[:, 3:]).all()
    assert made.n_segments == 1


def test_nodata_and_pixels_without_segment_stay():
    made = relabel_by_segments(LABELS, np.where(SEGMENTS == 1, -1, 0), n_classes=3)
    assert np.array_equal(made.labels[:, 3:], LABELS[:, 3:])


def test_confident_statistics_outvote_many_unsure_pixels():
    labels, segments = np.array([[0, 0, 0, 1, 1, 1, 0, 0, 0]]), np.array([[0, 0, 0, 0, 0, 0, 1, 1, 1]])
    p0 = np.array([[0.55, 0.55, 0.55, 0.02, 0.02, 0.4, 1, 1, 1]])
    made = relabel_by_segments(labels, segments, n_classes=2, proba=np.stack([p0, 1 - p0]), rule="confident", min_px=2)
    assert made.labels.tolist() == [[1, 1, 1, 1, 1, 1, 0, 0, 0]]


def test_a_noisy_map_gets_better(rng):
    segments = np.kron(np.arange(100).reshape(10, 10), np.ones((8, 8), dtype=int))
    truth = rng.integers(0, 4, 100)[segments]
    noisy = np.where(rng.random(truth.shape) < 0.3, rng.integers(0, 4, truth.shape), truth)
    assert np.mean(relabel_by_segments(noisy, segments, n_classes=4).labels == truth) > 0.99


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"segments": np.zeros((2, 2), int)}, "put both on one grid"),
        ({"rule": "confident"}, "needs probabilities"),
        ({"rule": "loudest"}, "known: majority, confident"),
        ({"proba": np.zeros((2, 2, 6))}, r"expected \(3, 2, 6\)"),
        ({"unsure": np.zeros(3, bool)}, "unsure has shape"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(more, told):
    with pytest.raises(SampleError, match=told):
        relabel_by_segments(LABELS, **({"segments": SEGMENTS, "n_classes": 3} | more))


def test_segments_are_read_onto_the_grid(tmp_path):
    geobox = make_geobox((0, 0, 60, 20), "EPSG:32633", 10)
    profile = {"driver": "GTiff", "width": 6, "height": 2, "count": 1, "crs": "EPSG:32633", "transform": geobox.affine}
    for name, dtype in (("whole.tif", "int32"), ("parts.tif", "float32")):
        with rasterio.open(tmp_path / name, "w", dtype=dtype, nodata=1, **profile) as file:
            file.write(SEGMENTS.astype(dtype), 1)
    assert np.array_equal(read_segments(tmp_path / "whole.tif", geobox), np.where(SEGMENTS == 1, -1, 0))
    with pytest.raises(SourceError, match="holds float32; segments are whole numbers"):
        read_segments(tmp_path / "parts.tif", geobox)


def test_suspect_samples_take_the_class_of_their_segment(table):
    lonlat = np.array([[0.5, 0.5], [1.5, 0.5], [2.5, 0.5], [0.5, 1.5], [4.5, 0.5]])
    samples = table(None, np.array([0, 0, 0, 1, 2]), lonlat)
    geobox = make_geobox((0, 0, 6, 2), "EPSG:4326", 1)
    doubt = LabelFinding("x", np.array([0, 0, 0, 1, 1], bool), np.zeros(5), np.full(5, -1))
    done = relabel_samples(samples, SEGMENTS, geobox, finding=doubt)
    assert done.samples.to_class_index().tolist() == [0, 0, 0, 0, 2]
    assert done.changes["new_class"].tolist() == ["crop"]
    with pytest.raises(GridError, match=r"segments have shape \(1, 6\)"):
        relabel_samples(samples, SEGMENTS[:1], geobox)
