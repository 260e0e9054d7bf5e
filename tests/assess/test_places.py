"""The map at the reference places."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from landweave.assess import places
from landweave.assess.places import check_independent, find_dependent, pixel_of, read_map_codes
from landweave.errors import AssessmentError


def test_every_place_reads_its_own_pixel(product, make_samples, land, rng, monkeypatch):
    rows, cols = rng.integers(0, 60, 300), rng.integers(0, 80, 300)
    samples = make_samples(rows, cols, np.zeros(300, int))
    expected = np.choose(land.mapped[rows, cols], [1, 2, 7])
    assert (read_map_codes(product, samples).codes == expected).all()
    monkeypatch.setattr(places, "_BLOCK_PX", 16)
    assert (read_map_codes(product, samples).codes == expected).all()


def test_places_anywhere_in_a_pixel_belong_to_it(product, make_samples):
    samples = make_samples([3], [4], ["crop"])
    for dx, dy in ((-4.99, 4.99), (4.99, -4.99), (-5.0, 5.0)):  # an edge belongs to the pixel right of it and below it
        moved = replace(samples, frame=samples.frame.set_geometry(samples.frame.geometry.translate(dx, dy)))
        assert [a.tolist() for a in pixel_of(moved, product.geobox)] == [[3], [4]]


def test_places_outside_have_no_code_and_a_reason(product, make_samples):
    reading = read_map_codes(product, make_samples([0, -1, 60, 0, 0], [0, 0, 0, -1, 80], np.zeros(5, int)))
    assert (reading.codes[1:] == -1).all()
    assert reading.reasons.tolist() == ["", *["outside the map"] * 4]


def test_a_product_without_a_map_is_refused(product, make_samples):
    with pytest.raises(AssessmentError, match=r"holds no map\.tif \(it has nothing\)"):
        read_map_codes(replace(product, files={}), make_samples([0], [0], ["crop"]))


def test_rows_in_a_pixel_of_a_training_row_are_dependent(product, make_samples):
    reference, training = make_samples([1, 2, 3], [1, 2, 3], [0, 0, 0]), make_samples([2], [2], [1])
    moved = replace(training, frame=training.frame.set_geometry(training.frame.geometry.translate(4, 4)))
    assert find_dependent(reference, moved, buffer_m=0, geobox=product.geobox).tolist() == [False, True, False]


@pytest.mark.parametrize(("buffer_m", "near"), [(0, 1), (9.9, 1), (10.1, 2), (25, 3)])
def test_the_buffer_is_in_metres_on_the_ground_in_any_crs(product, make_samples, buffer_m, near):
    reference, training = make_samples([5, 5, 5, 5], [5, 6, 7, 9], np.zeros(4, int)), make_samples([5], [5], [0])
    training = replace(training, frame=training.frame.to_crs("EPSG:4326"))
    for geobox in (product.geobox, None):
        assert find_dependent(reference, training, buffer_m=buffer_m, geobox=geobox).sum() == near


def test_no_training_rows_make_nothing_dependent(product, make_samples):
    reference = make_samples([5], [5], [0])
    none = reference.select(np.zeros(1, dtype=bool))
    assert not check_independent(reference, none, buffer_m=10, geobox=product.geobox, allow=False).any()
