"""Design-based estimators: identities, awkward cases, and coverage on a known population."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from landweave.errors import AssessmentError
from landweave.metrics.accuracy import score_matrix
from landweave.metrics.area import estimate_clusters, estimate_simple, estimate_strata, estimate_stratified
from landweave.metrics.intervals import make_interval

KINDS = ("overall", "users", "producers", "f1", "iou", "macro_f1", "area")
STRATA = np.array([0.4, 0.3, 0.2, 0.1])
COUNTS = arrays(np.float64, (3, 3), elements=st.integers(0, 40).map(float))
SIZES = arrays(np.float64, 3, elements=st.floats(0.01, 1e6))


@pytest.fixture(scope="module")
def population() -> np.ndarray:
    """Shares of (map, reference) in four strata that are not the map's classes."""
    cells = np.random.default_rng(1).dirichlet(np.full(9, 0.6), size=4).reshape(4, 3, 3) + 0.8 * np.eye(3)
    return cells / cells.sum(axis=(1, 2), keepdims=True)


@pytest.fixture(scope="module")
def draw(population):
    """Draw a sample by one of the designs and estimate from it."""
    cells = np.einsum("h,hij->ij", STRATA, population)
    mapped = cells.sum(axis=1)

    def draw_one(design: str, rng: np.random.Generator):
        if design == "stratified":
            return estimate_stratified([rng.multinomial(100, row) for row in cells / mapped[:, None]], mapped)
        if design == "strata-other":
            return estimate_strata(rng.multinomial(75, population.reshape(4, 9)).reshape(4, 3, 3), STRATA)
        if design == "cluster":
            mixes = population.reshape(4, 9)[rng.choice(4, 60, p=STRATA)]
            return estimate_clusters(rng.multinomial(8, mixes).reshape(60, 3, 3), np.ones(60))
        counts = rng.multinomial(300, cells.ravel()).reshape(3, 3)
        return estimate_simple(counts) if design == "simple" else estimate_stratified(counts, mapped)

    return draw_one


@pytest.fixture(scope="module")
def truth(population):
    cells = np.einsum("h,hij->ij", STRATA, population)
    names = {"overall": "overall_accuracy"}
    return {k: score_matrix(cells, names.get(k, k)) for k in KINDS if k != "area"} | {"area": cells.sum(axis=0)}


@pytest.mark.parametrize("design", ["stratified", "post-stratified", "simple", "strata-other", "cluster"])
def test_estimates_are_unbiased_and_95_percent_intervals_cover_the_truth(design, draw, truth, rng):
    n = 250
    drawn = [draw(design, rng) for _ in range(n)]
    for kind in KINDS:
        value, se = (np.array([getattr(getattr(e, kind), part) for e in drawn]) for part in ("value", "se"))
        # bias within four standard errors of the simulation's own mean, plus the ratio estimators' bias of order 1/n
        assert (np.abs(value.mean(axis=0) - truth[kind]) < 4 * value.std(axis=0) / np.sqrt(n) + 0.003).all(), kind
        np.testing.assert_allclose(se.mean(axis=0) / value.std(axis=0), 1, atol=0.17, err_msg=kind)
        lower, upper = make_interval(value, se, method="wilson")
        # 95 % of 250 draws is 237.5 +- 3.4; four of them, and a little for intervals that are only approximate
        assert (((lower <= truth[kind]) & (truth[kind] <= upper)).mean(axis=0) > 0.885).all(), kind


@given(COUNTS, SIZES)
@settings(max_examples=60, deadline=None)
def test_shares_add_up_and_no_interval_has_zero_width(counts, sizes):
    counts[np.arange(3), np.arange(3)] += 1  # every stratum is sampled
    e = estimate_stratified(counts, sizes)
    assert e.proportions.sum() == pytest.approx(1)
    assert e.area.value.sum() == pytest.approx(1)
    np.testing.assert_allclose(e.proportions.sum(axis=1), sizes / sizes.sum())
    for kind in KINDS:
        figure = getattr(e, kind)
        assert (np.isnan(figure.value) | (figure.se > 0)).all()
        lower, upper = make_interval(figure.value, figure.se)
        assert (np.isnan(lower) | ((lower >= 0) & (upper <= 1) & (upper > lower))).all()


@given(COUNTS, SIZES)
@settings(max_examples=30, deadline=None)
def test_standard_errors_of_areas_follow_equation_10(counts, sizes):
    counts[np.arange(3), np.arange(3)] += 2
    counts[:, 0] += 1  # no stratum without variation, so that no bound is needed
    w, n = sizes / sizes.sum(), counts.sum(axis=1)
    q = counts / n[:, None]
    expected = np.sqrt(((w**2 / (n - 1))[:, None] * q * (1 - q)).sum(axis=0))
    np.testing.assert_allclose(estimate_stratified(counts, sizes).area.se, expected)


def test_producers_accuracy_has_the_variance_of_equation_7():
    counts, area = np.array([[50.0, 5], [3, 80]]), np.array([0.3, 0.7])
    e = estimate_stratified(counts, area)
    n, p, u = counts.sum(axis=1), e.producers.value[0], counts[0, 0] / counts[0].sum()
    other = counts[1, 0] / n[1]
    first = (area[0] * (1 - p)) ** 2 * u * (1 - u) / (n[0] - 1)
    second = p**2 * area[1] ** 2 * other * (1 - other) / (n[1] - 1)
    assert e.producers.se[0] == pytest.approx(np.sqrt(first + second) / e.area.value[0])


def test_simple_sample_has_binomial_errors():
    e = estimate_simple([[40, 10], [5, 45]])
    assert e.overall.value == pytest.approx(0.85)
    assert e.overall.se == pytest.approx(np.sqrt(0.85 * 0.15 / 99))


def test_post_stratification_is_more_precise_than_the_plain_sample():
    counts = np.array([[90, 10], [4, 196]])
    assert (estimate_stratified(counts, [0.33, 0.67]).area.se < estimate_simple(counts).area.se).all()


def test_strata_that_are_the_map_give_the_stratified_estimates():
    counts, sizes = np.array([[20.0, 5, 1], [2, 30, 2], [0, 4, 16]]), np.array([1.0, 2, 3])
    by_stratum = np.zeros((3, 3, 3))
    by_stratum[np.arange(3), np.arange(3)] = counts
    a, b = estimate_stratified(counts, sizes), estimate_strata(by_stratum, sizes)
    for kind in KINDS:
        np.testing.assert_allclose(getattr(a, kind).se, getattr(b, kind).se)


def test_sampling_every_unit_leaves_no_sampling_error_but_a_finite_share_shrinks_it():
    counts = np.array([[[40.0, 10], [5, 45]]])
    whole = estimate_strata(counts, [1.0])
    half = estimate_strata(counts, [1.0], n_units=np.array([200]))
    assert half.overall.se == pytest.approx(whole.overall.se * np.sqrt(0.5))


def test_samples_on_nodata_make_ratios_to_the_classified_area():
    counts = np.array([[[30.0, 0], [0, 20]], [[10, 0], [0, 10]]])
    e = estimate_strata(counts, [1.0, 1.0], outside=np.array([0.0, 30]))
    # stratum 2 is classified over 20 of 50 samples only: .6 + .2 against .4 + .2
    np.testing.assert_allclose(e.area.value, [0.8 / 1.4, 0.6 / 1.4])
    assert e.proportions.sum() == pytest.approx(1)


def test_a_map_without_an_error_in_the_sample_is_not_certain():
    e = estimate_stratified(np.diag([50, 30]), [0.5, 0.5])
    assert e.overall.is_bound
    assert e.users.is_bound.all()
    lower, upper = make_interval(e.users.value, e.users.se)
    np.testing.assert_allclose(lower, 1 - 1.96**2 / (np.array([50, 30]) + 1.96**2))  # Wilson's limit
    assert (upper == 1).all()


def test_a_class_never_seen_has_area_0_with_a_positive_upper_end():
    e = estimate_stratified([[50, 0, 0], [0, 50, 0], [0, 0, 0]], [0.5, 0.5, 0])
    assert e.area.value[2] == 0
    assert 0 < e.area.se[2] < 0.1
    assert np.isnan(e.users.value[2])
    assert np.isnan(e.producers.value[2])


def test_bounds_cover_a_rare_class_that_most_samples_miss(rng):
    share = 0.02
    covered = []
    for missed in rng.binomial(60, share, 200):
        e = estimate_simple([[60 - missed, missed], [0, 0]])
        lower, upper = make_interval(e.area.value[1], e.area.se[1], method="wilson")
        covered.append(lower <= share <= upper)
    assert np.mean(covered) > 0.9


def test_a_class_that_is_not_on_the_map_has_producers_accuracy_0_and_no_users():
    e = estimate_stratified([[40, 2, 3], [1, 50, 4], [0, 0, 0]], [0.4, 0.6, 0.0])
    assert e.producers.value[2] == 0
    assert e.f1.value[2] == 0
    assert np.isnan(e.users.value[2])
    assert e.area.value[2] > 0


def test_a_stratum_with_one_sample_gets_the_largest_variance_it_can_have():
    e = estimate_stratified([[40.0, 10], [0, 1]], [0.9, 0.1])
    first = 0.9**2 * 0.8 * 0.2 / 49
    assert e.area.se[0] == pytest.approx(np.sqrt(first + 0.1**2 / 4))
    assert e.area.is_bound.all()
    assert e.users.is_bound.tolist() == [False, True]


def test_clusters_of_one_unit_are_a_simple_sample():
    cells = np.repeat(np.eye(4).reshape(4, 2, 2), [40, 10, 5, 45], axis=0)
    a, b = estimate_clusters(cells, np.ones(100)), estimate_simple([[40, 10], [5, 45]])
    for kind in KINDS:
        np.testing.assert_allclose(getattr(a, kind).se, getattr(b, kind).se)


def test_alike_units_within_clusters_widen_the_error():
    cells = np.repeat(np.eye(4).reshape(4, 2, 2), [8, 2, 1, 9], axis=0) * 5
    assert estimate_clusters(cells, np.ones(20)).overall.se > 2 * estimate_simple([[40, 10], [5, 45]]).overall.se


@pytest.mark.parametrize(
    ("counts", "sizes", "match"),
    [
        ([[1, 0], [0, 0]], [0.5, 0.5], "stratum 1 holds 50.00% of the area and no sample"),
        ([[1, 0], [0, 1]], [1, 0], "stratum 1 holds 1 samples and no area"),
        ([[1, -1], [0, 1]], [1, 1], "counts hold -1; they must be finite"),
        ([[1, 0], [0, 1]], [1, np.nan], "sizes hold nan"),
        ([[1, 0, 0], [0, 1, 0]], [1, 1], "with the same classes in the same order"),
        ([[0, 0], [0, 0]], [1, 1], "there are 0 samples in an area of 2"),
        ([1, 2], [1, 1], r"counts have shape \(2,\); expected"),
    ],
)
def test_impossible_tables_are_refused(counts, sizes, match):
    with pytest.raises(AssessmentError, match=match):
        estimate_stratified(counts, sizes)


def test_one_cluster_is_refused():
    with pytest.raises(AssessmentError, match="1 cluster; the variance between clusters needs at least 2"):
        estimate_clusters(np.ones((1, 2, 2)), np.ones(1))
