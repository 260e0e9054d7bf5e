"""Samples by units give what counts give, for every design."""

from __future__ import annotations

import numpy as np
import pytest

from landweave.assess import AssessOptions, assess_map
from landweave.assess.designs import make_units
from landweave.assess.estimation import estimate_from
from landweave.assess.gather import gather_evidence
from landweave.errors import AssessmentError
from landweave.metrics import estimate_units


@pytest.mark.parametrize("finite", [False, True])
@pytest.mark.parametrize("kind", ["simple", "systematic", "stratified"])
def test_units_and_counts_agree(product, draw_simple, draw_stratified, kind, finite):
    samples = draw_stratified(product) if kind == "stratified" else draw_simple(kind=kind)
    evidence, _ = gather_evidence(samples, product=product)
    options = AssessOptions(finite_population=finite)
    by_count, by_unit = estimate_from(evidence, options).estimates, estimate_units(make_units(evidence, options))
    for name in ("overall", "users", "producers", "f1", "iou", "area"):
        np.testing.assert_allclose(getattr(by_unit, name).value, getattr(by_count, name).value, atol=1e-9)
        sure = ~getattr(by_count, name).is_bound  # bounds know less of what a stratum can hold unit by unit
        np.testing.assert_allclose(getattr(by_unit, name).se[sure], getattr(by_count, name).se[sure], atol=1e-9)


def test_successive_differences_are_used_and_said(product, draw_simple):
    samples = draw_simple(kind="systematic")
    made = assess_map(product, samples, options=AssessOptions(systematic_variance="successive"))
    assert made.intervals.se_method == "design-based, from successive differences along the lattice"
    assert any("wrong where the landscape repeats itself" in w for w in made.warnings)
    assert not any("conservative" in w for w in made.warnings)
    assert made.overall_accuracy.value == pytest.approx(assess_map(product, samples).overall_accuracy.value)


def test_a_design_of_no_kind_has_no_units(product, make_samples):
    evidence, _ = gather_evidence(make_samples([1, 2], [1, 2], [0, 0]), product=product)
    with pytest.raises(AssessmentError, match="the design is 'none': without a probability design"):
        make_units(evidence, AssessOptions())


def test_more_clusters_than_there_are_is_an_error(product, draw_simple):
    samples = draw_simple(kind="cluster", psu=(np.arange(200) // 5).astype(str))
    samples.design.psu_count = 10
    with pytest.raises(AssessmentError, match="has 40 clusters, but the design says that there are only 10"):
        assess_map(product, samples, options=AssessOptions(finite_population=True))


def test_knowing_how_many_clusters_there_are_narrows_the_error(product, draw_simple):
    samples = draw_simple(kind="cluster", psu=(np.arange(200) // 5).astype(str))
    wide = assess_map(product, samples)
    samples.design.psu_count = 50
    narrow = assess_map(product, samples, options=AssessOptions(finite_population=True))
    assert narrow.overall_accuracy.se == pytest.approx(wide.overall_accuracy.se * np.sqrt(1 - 40 / 50))
