"""The estimator that a design calls for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from landweave.assess.estimation import Evidence, estimate_from
from landweave.assess.options import AssessOptions
from landweave.errors import AssessmentError
from landweave.legend import Legend
from landweave.types import Design, StratumInfo

OPTIONS = AssessOptions(bootstrap_draws=200)


@pytest.fixture
def evidence(rng) -> Evidence:
    """100 samples of two classes in 20 clusters; the map is right in 80 %."""
    reference = rng.integers(0, 2, 100)
    blank = np.full(100, "", dtype=np.str_)
    return Evidence(
        classes=Legend.from_names(["a", "b"]), map_index=np.where(rng.random(100) < 0.8, reference, 1 - reference),
        reference_index=reference, mapped_ha=np.array([60.0, 40.0]), mapped_px=np.array([6000.0, 4000.0]), design=Design(),
        map_checksum="m", stratum=blank, psu=(np.arange(100) // 5).astype(str), probability=np.full(100, np.nan),
        group=np.arange(100),
    )  # fmt: skip


def _with(evidence, kind, **changes):
    return replace(evidence, design=Design(kind=kind, **changes.pop("design", {})), **changes)


def test_plain_shares_of_independent_samples_have_binomial_errors(evidence):
    overall = estimate_from(evidence, OPTIONS).estimates.overall
    p = (evidence.map_index == evidence.reference_index).mean()
    assert overall.value == pytest.approx(p)
    # 200 draws leave 5 % of noise in a standard deviation; four times that
    assert overall.se == pytest.approx(np.sqrt(p * (1 - p) / 100), rel=0.2)


def test_a_single_group_has_no_standard_error(evidence):
    made = estimate_from(replace(evidence, group=np.zeros(100)), OPTIONS)
    assert np.isnan(made.estimates.overall.se)
    assert made.se_method is None


def test_strata_that_come_from_no_map_are_said(evidence):
    strata = tuple(StratumInfo(name=n, size_px=5000, area_ha=50, n_drawn=50) for n in ("north", "south"))
    stratum = np.where(np.arange(100) < 50, "north", "south")
    made = estimate_from(_with(evidence, "stratified", design={"strata": strata}, stratum=stratum), OPTIONS)
    assert (made.estimator, made.map_is_strata) == ("strata-other-than-map", None)
    assert made.note.startswith("The strata do not come from a map")


def test_weights_of_clusters_follow_their_inclusion_probability(evidence):
    half = np.where(np.arange(100) < 50, 0.1, 0.2)
    made = estimate_from(_with(evidence, "cluster", probability=half), OPTIONS)
    right = evidence.map_index == evidence.reference_index
    assert made.estimates.overall.value == pytest.approx(np.average(right, weights=1 / half))


def test_probabilities_may_vary_within_a_cluster(evidence):
    chance = np.where(np.arange(100) % 5 == 3, 0.5, 0.1)
    made = estimate_from(_with(evidence, "cluster", probability=chance), OPTIONS)
    right = evidence.map_index == evidence.reference_index
    assert made.estimates.overall.value == pytest.approx(np.average(right, weights=1 / chance))


def test_probabilities_for_some_rows_only_are_refused(evidence):
    with pytest.raises(AssessmentError, match="50 of 100 rows have no inclusion_probability"):
        estimate_from(_with(evidence, "cluster", probability=np.where(np.arange(100) < 50, 0.1, np.nan)), OPTIONS)


def test_one_cluster_gives_no_area_and_says_why(evidence):
    made = estimate_from(_with(evidence, "cluster", psu=np.full(100, "p")), OPTIONS)
    assert made.estimator == "plain"
    assert "single primary sampling unit ('p')" in made.areas_why


def test_a_design_without_a_map_gives_no_area(evidence):
    made = estimate_from(_with(evidence, "simple", mapped_ha=None, mapped_px=None), OPTIONS)
    assert "There is no map here" in made.areas_why


def test_samples_that_all_miss_the_map_are_refused(evidence):
    with pytest.raises(AssessmentError, match="none of the 100 reference samples has a class on the map"):
        estimate_from(replace(evidence, map_index=np.full(100, -1)), OPTIONS)
