"""Labels with shares or alternates, from the sample's columns to the estimates."""

from __future__ import annotations

import numpy as np
import pytest

from landweave.assess import AssessOptions, assess_map
from landweave.assess.gather import gather_evidence
from landweave.errors import AssessmentError

SHARES = AssessOptions(labels="shares")
EITHER = AssessOptions(labels="either")


def share_columns(legend, index, certainty):
    shares = np.full((len(index), len(legend)), (1 - certainty) / (len(legend) - 1))
    shares[np.arange(len(index)), index] = certainty
    return {f"share:{n}": shares[:, i] for i, n in enumerate(legend.names)}


@pytest.fixture
def shared(draw_stratified, product, legend):
    """A stratified sample whose labels are 80 % sure."""
    samples = draw_stratified(product)
    index = np.array([legend.index_of(c) for c in samples.frame["class"]])
    for name, values in share_columns(legend, index, 0.8).items():
        samples.frame[name] = values
    return samples


def test_sure_shares_give_what_classes_give(draw_stratified, product, legend):
    samples = draw_stratified(product)
    index = np.array([legend.index_of(c) for c in samples.frame["class"]])
    plain = assess_map(product, samples)
    for name, values in share_columns(legend, index, 1.0).items():
        samples.frame[name] = values
    soft = assess_map(product, samples, options=SHARES)
    assert [a.area_ha for a in soft.areas] == pytest.approx([a.area_ha for a in plain.areas])
    assert [a.se_ha for a in soft.areas] == pytest.approx([a.se_ha for a in plain.areas])


def test_unsure_shares_spread_counts_and_areas_still_add_up(product, shared):
    made = assess_map(product, shared, options=SHARES)
    assert np.sum(made.error_matrix.counts) == pytest.approx(120)
    assert sum(a.area_ha for a in made.areas) == pytest.approx(made.total_area_ha)
    assert made.overall_accuracy.value < assess_map(product, shared).overall_accuracy.value


def test_shares_count_for_nothing_without_a_design_and_it_is_said(product, shared):
    from dataclasses import replace

    from landweave.types import Design

    made = assess_map(product, replace(shared, design=Design()), options=SHARES)
    assert any("Shares of labels count only with a probability design" in w for w in made.warnings)


def test_agreement_with_the_alternate_raises_accuracy_and_leaves_areas(product, draw_stratified, legend, land):
    samples = draw_stratified(product)
    plain = assess_map(product, samples)
    evidence, _ = gather_evidence(samples, product=product)
    wrong = evidence.map_index != evidence.reference_index
    samples.frame["alternate"] = np.where(wrong, np.array(legend.names)[evidence.map_index], None)
    made = assess_map(product, samples, options=EITHER)
    assert made.overall_accuracy.value == pytest.approx(1)
    assert made.overall_accuracy.se > 0
    assert [a.area_ha for a in made.areas] == [a.area_ha for a in plain.areas]
    assert f"{int(wrong.sum())} of 120 samples agree with the alternate alone" in made.design.estimator_note


@pytest.mark.parametrize(
    ("options", "match"),
    [(SHARES, "asks for columns 'share:CLASS'"), (EITHER, "asks for a second label in the column 'alternate'")],
)
def test_labels_that_are_not_there_are_refused(product, draw_simple, options, match):
    with pytest.raises(AssessmentError, match=match):
        assess_map(product, draw_simple(), options=options)


def test_shares_above_one_are_refused(product, shared):
    shared.frame["share:" + product.legend.names[0]] = 1.5
    with pytest.raises(AssessmentError, match=r"the shares of a label add up to .*; give shares between 0 and 1 that make 1"):
        assess_map(product, shared, options=SHARES)
