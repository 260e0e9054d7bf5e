"""Estimates unit by unit: the same as from counts, and right where counts do not serve."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from landweave.errors import AssessmentError
from landweave.metrics import (
    UnitSample,
    combine_areas,
    estimate_clusters,
    estimate_difference,
    estimate_ratio,
    estimate_strata,
    estimate_units,
    make_shares,
)

FIGURES = ("overall", "users", "producers", "f1", "iou", "macro_f1", "area")
SIZES = np.array([50.0, 30.0, 20.0])


@pytest.fixture
def sample(rng) -> UnitSample:
    """150 units in three strata that are not the map's classes; the map is right in about 80 %."""
    stratum, truth = np.repeat(np.arange(3), 50), rng.integers(0, 3, 150)
    mapped = np.where(rng.random(150) < 0.8, truth, rng.integers(0, 3, 150))
    return UnitSample(mapped, make_shares(truth, 3), (SIZES / 50)[stratum], stratum)


def assert_same(a, b, names=FIGURES):
    for name in names:
        np.testing.assert_allclose(getattr(a, name).value, getattr(b, name).value, atol=1e-12)
        np.testing.assert_allclose(getattr(a, name).se, getattr(b, name).se, atol=1e-12)


def counts_of(sample):
    counts = np.zeros((3, 3, 3))
    np.add.at(counts, (sample.stratum, sample.map_index, sample.reference.argmax(axis=1)), 1)
    return counts


def test_plain_labels_give_what_counts_give(sample):
    assert_same(estimate_units(sample), estimate_strata(counts_of(sample), SIZES))


def test_the_finite_correction_is_that_of_counts(sample):
    units = np.array([60, 80, 500])
    made = estimate_units(replace(sample, fraction=50 / units))
    assert_same(made, estimate_strata(counts_of(sample), SIZES, n_units=units))


def test_clusters_give_what_counts_of_clusters_give(sample):
    psu = np.arange(150) % 25
    counts = np.zeros((25, 3, 3))
    np.add.at(counts, (psu, sample.map_index, sample.reference.argmax(axis=1)), 1)
    one = replace(sample, weight=np.ones(150), stratum=np.zeros(150, dtype=int), psu=psu)
    assert_same(estimate_units(one), estimate_clusters(counts, np.ones(25)))


def test_a_share_of_half_counts_half_in_both_classes(sample):
    half = np.full((150, 3), [0.5, 0.5, 0.0])
    made = estimate_units(replace(sample, reference=half))
    assert made.area.value.tolist() == pytest.approx([0.5, 0.5, 0])
    # every unit says the same of the area: what is left is the bound, for nothing varies
    assert made.area.is_bound.all()
    assert (made.area.se > 0).all()


def test_shares_vary_less_than_the_labels_drawn_from_them(rng):
    belief = rng.dirichlet(np.ones(3), 400)
    drawn = make_shares((rng.random(400)[:, None] > belief.cumsum(axis=1)).sum(axis=1), 3)
    base = UnitSample(np.zeros(400, dtype=int), belief, np.ones(400), np.zeros(400, dtype=int))
    soft, hard = estimate_units(base), estimate_units(replace(base, reference=drawn))
    assert (soft.area.se < hard.area.se).all()


def test_domains_add_up_to_the_whole_as_weighted_totals(sample, rng):
    here = rng.random(150) < 0.4
    ones = np.ones((150, 3))
    parts = [estimate_ratio(np.where(d[:, None], sample.reference, 0), ones, sample) for d in (here, ~here)]
    np.testing.assert_allclose(parts[0].value + parts[1].value, estimate_units(sample).area.value)


def test_a_domain_has_its_own_shares_and_wider_errors(sample, rng):
    here = rng.random(150) < 0.3
    part, whole = estimate_units(sample, domain=here), estimate_units(sample)
    assert part.area.value.sum() == pytest.approx(1)
    assert (part.area.se > whole.area.se).all()


def test_gain_minus_loss_has_the_error_of_both_together(sample):
    net = combine_areas(sample, [[1, -1, 0]])
    area = estimate_units(sample).area
    assert float(net.value[0]) == pytest.approx(area.value[0] - area.value[1])
    # the two shares of one sample compete, so that their difference varies more than if they were independent
    assert float(net.se[0]) > np.hypot(area.se[0], area.se[1])


def test_a_map_does_not_differ_from_itself_but_for_a_bound(sample):
    _, _, apart = estimate_difference(sample, sample)
    assert float(apart.overall.value) == 0
    assert bool(apart.overall.is_bound)
    assert 0 < float(apart.overall.se) < 0.1


def test_the_paired_difference_is_that_of_right_and_wrong(sample, rng):
    other = replace(sample, map_index=np.where(rng.random(150) < 0.1, (sample.map_index + 1) % 3, sample.map_index),
                    stratum=np.zeros(150, dtype=int), weight=np.ones(150))  # fmt: skip
    one = replace(other, map_index=sample.map_index)
    a, b, apart = estimate_difference(one, other)
    truth = sample.reference.argmax(axis=1)
    d = (one.map_index == truth).astype(float) - (other.map_index == truth)
    assert float(apart.overall.value) == pytest.approx(d.mean())
    assert float(apart.overall.se) == pytest.approx(d.std(ddof=1) / np.sqrt(150))
    assert float(a.overall.value - b.overall.value) == pytest.approx(d.mean())


def test_successive_differences_see_a_trend_that_simple_variance_takes_for_noise(rng):
    truth = (np.arange(400) >= 200).astype(int)
    sample = UnitSample(np.zeros(400, dtype=int), make_shares(truth, 2), np.ones(400), np.zeros(400, dtype=int))
    walked = replace(sample, order=np.arange(400))
    # one step in 400: V = n / (2 (n - 1)) / n^2
    assert float(estimate_units(walked).area.se[0]) == pytest.approx(np.sqrt(400 / (2 * 399)) / 400)
    assert float(estimate_units(sample).area.se[0]) == pytest.approx(np.sqrt(0.25 / 399))


def test_a_whole_census_in_two_stages_has_no_error_but_a_sample_within_has(rng):
    psu = np.repeat(np.arange(10), 20)
    base = UnitSample(np.zeros(200, dtype=int), make_shares(rng.integers(0, 2, 200), 2), np.ones(200), np.zeros(200, dtype=int),
                      psu, fraction=np.ones(1))  # fmt: skip
    half = estimate_units(replace(base, within=np.full(200, 0.5))).area.se[0]
    inside = [base.reference[psu == c, 0].var(ddof=1) for c in range(10)]
    assert float(half) == pytest.approx(np.sqrt(0.5 * np.mean(inside) / 200))
    assert bool(estimate_units(replace(base, within=np.ones(200))).area.is_bound[0])


def test_a_stratum_with_a_single_unit_gives_a_bound(sample):
    rows = np.append(np.arange(100), 149)
    cut = UnitSample(sample.map_index[rows], sample.reference[rows], sample.weight[rows], sample.stratum[rows])
    assert estimate_units(cut).overall.is_bound
    assert float(estimate_units(cut).overall.se) > float(estimate_units(sample).overall.se)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"weight": np.zeros(150)}, "has the weight 0; weights are finite and above 0"),
        ({"weight": np.ones(3)}, "weight has 3 rows, map_index 150; give one per sample unit"),
        ({"reference": np.full((150, 3), 0.5)}, r"add up to 1\.5; they are 0 or more and add up to 1"),
    ],
)
def test_units_that_make_no_sense_are_refused(sample, change, match):
    with pytest.raises(AssessmentError, match=match):
        replace(sample, **change)


def test_what_cannot_be_estimated_is_refused(sample):
    with pytest.raises(AssessmentError, match="none of the 150 sample units lies in the domain and on the map"):
        estimate_units(sample, domain=np.zeros(150, dtype=bool))
    with pytest.raises(AssessmentError, match="judge both maps on the same rows"):
        estimate_difference(sample, replace(sample, reference=np.roll(sample.reference, 1, axis=1)))
    with pytest.raises(AssessmentError, match="coefficients have 2 columns; expected one per class, 3"):
        combine_areas(sample, [[1, -1]])
    with pytest.raises(AssessmentError, match="reference classes run from 0 to 7; expected 0 to 2"):
        make_shares(np.array([0, 7]), 3)
