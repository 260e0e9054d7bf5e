"""Two maps on one sample."""

from __future__ import annotations

import numpy as np
import pytest

from landweave.assess import AssessOptions, assess_map, compare_maps
from landweave.errors import AssessmentError
from landweave.types import Design


@pytest.fixture
def worse(make_product, land):
    """The same map with a tenth of its pixels wrong in addition."""
    rng = np.random.default_rng(9)
    return make_product(np.where(rng.random(land.mapped.shape) < 0.1, (land.mapped + 1) % 3, land.mapped), name="worse")


def test_the_difference_is_that_of_the_maps_and_tighter_than_if_unpaired(product, worse, draw_simple):
    samples = draw_simple(400)
    made = compare_maps(product, worse, samples)
    d = made.overall_accuracy.difference
    assert d.value == pytest.approx(made.overall_accuracy.first.value - made.overall_accuracy.second.value)
    assert d.lower > 0
    assert made.overall_accuracy.p_value < 0.001
    assert d.se < np.hypot(made.overall_accuracy.first.se, made.overall_accuracy.second.se)
    assert made.only_first_right > made.only_second_right


def test_strata_of_the_first_map_weigh_both_maps(product, worse, draw_stratified):
    samples = draw_stratified(product)
    made = compare_maps(product, worse, samples)
    assert made.overall_accuracy.first.value == pytest.approx(assess_map(product, samples).overall_accuracy.value)
    assert [c.name for c in made.classes] == list(product.legend.names)


def test_a_map_equals_itself_within_a_bound(product, draw_simple):
    made = compare_maps(product, product, draw_simple())
    d = made.overall_accuracy.difference
    assert (d.value, made.only_first_right) == (0, 0)
    assert 0 < d.se < 0.05
    assert "upper bound" in d.why


def test_comparisons_without_a_design_or_an_interval_are_refused(product, worse, draw_simple, make_samples):
    with pytest.raises(AssessmentError, match="no probability design, so that the difference of the maps has no interval"):
        compare_maps(product, worse, make_samples([1], [1], [0], design=Design()))
    with pytest.raises(AssessmentError, match="compared maps have no jeffreys intervals"):
        compare_maps(product, worse, draw_simple(), options=AssessOptions(interval="jeffreys"))
