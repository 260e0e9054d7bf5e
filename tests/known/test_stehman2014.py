"""The numerical example of Stehman 2014 (doi:10.1080/01431161.2014.930207): 40 pixels in strata that are not the map.

Each stratum's ten sample pixels are written as map class and reference class.
"""

from __future__ import annotations

import numpy as np
import pytest

from landweave.metrics.area import estimate_strata

SAMPLE = {
    "A": "AA AA AA AA AA AC AB BA BB BC",
    "B": "AA BB BB BB BB BB BA BA BB BB",
    "C": "BC BC CC CC CC CD CD CB BB BA",
    "D": "DD DD DD DD DD DD DD DC DC DB",
}
PIXELS = np.array([40_000, 30_000, 20_000, 10_000])


@pytest.fixture(params=["without", "with finite correction"])
def estimates(request):
    counts = np.zeros((4, 4, 4))
    for h, pixels in enumerate(SAMPLE.values()):
        for m, r in pixels.split():
            counts[h, "ABCD".index(m), "ABCD".index(r)] += 1
    return estimate_strata(counts, PIXELS, n_units=PIXELS if request.param.startswith("with ") else None)


def test_areas_of_classes_a_and_c(estimates):
    assert estimates.area.value[[0, 2]].round(2).tolist() == [0.35, 0.20]
    assert estimates.area.se[[0, 2]].round(3).tolist() == [0.082, 0.064]


def test_overall_accuracy(estimates):
    assert round(float(estimates.overall.value), 2) == 0.63
    assert round(float(estimates.overall.se), 3) == 0.085


def test_users_and_producers_accuracy_of_class_b(estimates):
    assert round(float(estimates.users.value[1]), 3) == 0.574
    assert round(float(estimates.users.se[1]), 3) == 0.125
    assert round(float(estimates.producers.value[1]), 3) == 0.794
    # equation 28 gives 0.11657 (0.11655 with the finite correction), which the paper prints cut, not rounded
    assert int(float(estimates.producers.se[1]) * 1000) == 116


@pytest.mark.parametrize("estimates", ["without"], indirect=True)
def test_an_independent_implementation_agrees(estimates):
    # aa_stratified() of the R package mapac on the same example, classes A to C, as its reference page prints it
    np.testing.assert_allclose(estimates.users.se[:3], [0.1645627, 0.1248023, 0.2151657], atol=5e-8)
    np.testing.assert_allclose(estimates.producers.se[:3], [0.1477318, 0.1165671, 0.1504438], atol=5e-8)
    # its errors of F1 leave out the covariance of user's and producer's accuracy and are too small; only F1 is compared
    np.testing.assert_allclose(estimates.f1.value[:3], [0.6969697, 0.6666667, 0.3750000], atol=5e-8)


def test_a_cell_of_the_error_matrix(estimates):
    assert round(float(estimates.proportions[1, 2]), 2) == 0.08
