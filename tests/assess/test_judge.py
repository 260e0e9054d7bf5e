"""Judging maps and held-out predictions by what the design allows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from landweave.assess import AssessOptions, assess_held_out, assess_map, assess_without_reference
from landweave.assess.places import pixel_of
from landweave.errors import AssessmentError, LegendError
from landweave.legend import Legend
from landweave.metrics.area import estimate_stratified
from landweave.samples.design import draw_design
from landweave.samples.options import DrawOptions
from landweave.types import Design, SampleTable


def test_a_stratified_sample_gives_areas_with_intervals_by_olofsson(product, draw_stratified):
    a = assess_map(product, draw_stratified(product))
    assert (a.design.estimator, a.design.map_is_strata, a.intervals.method) == ("stratified", True, "midp")
    mapped = [product.area_ha[c] for c in (1, 2, 7)]
    expected = estimate_stratified(np.array(a.error_matrix.counts), np.array(mapped))
    np.testing.assert_allclose([x.area_ha for x in a.areas], expected.area.value * sum(mapped))
    np.testing.assert_allclose([x.ci95_ha for x in a.areas], 1.96 * expected.area.se * sum(mapped))
    assert sum(x.area_ha for x in a.areas) == pytest.approx(a.total_area_ha)


def test_estimated_areas_hold_the_truth_that_the_map_misses(product, draw_stratified, land):
    a = assess_map(product, draw_stratified(product, n=100))
    true_ha = np.bincount(land.truth.ravel()) / land.truth.size * a.total_area_ha
    for area, true in zip(a.areas, true_ha, strict=True):
        assert area.lower_ha <= true <= area.upper_ha
    assert a.areas[1].mapped_ha > true_ha[1]  # errors elsewhere inflate a small class on the map


def test_without_a_design_there_are_mapped_areas_alone_and_the_reason(product, draw_simple):
    a = assess_map(product, draw_simple(kind="none"))
    assert a.design.estimator == "plain"
    assert "no stated probability design" in a.areas_why
    assert all(x.area_ha is None and x.ci95_ha is None and x.mapped_ha > 0 and x.why for x in a.areas)
    assert a.overall_accuracy.se > 0
    assert (a.overall_accuracy.lower, a.classes[0].users.upper, a.intervals.method) == (None, None, None)


def test_strata_of_another_map_are_said_and_estimated_by_stehman(product, draw_stratified):
    a = assess_map(product, draw_stratified(product, checksum="0123456789abcdef"))
    assert (a.design.estimator, a.design.map_is_strata) == ("strata-other-than-map", False)
    assert "another map (checksum 0123456789ab)" in a.design.estimator_note
    assert all(x.area_ha is not None for x in a.areas)


@pytest.mark.parametrize(("kind", "estimator"), [("stratified", "stratified"), ("simple", "post-stratified")])
def test_a_sample_that_we_drew_finds_its_estimator(product, land, kind, estimator):
    options = DrawOptions(kind=kind, n=150, allocation="equal", seed=3)
    samples = draw_design(product.files["map"], options=options, legend=product.legend)
    samples.frame["class"] = np.array(product.legend.names)[land.truth[pixel_of(samples, product.geobox)]]
    a = assess_map(product, samples)
    assert (a.design.estimator, a.n_used) == (estimator, 150)
    assert all(x.lower_ha <= x.area_ha <= x.upper_ha for x in a.areas)


def test_both_estimators_agree_where_the_strata_are_the_same(product, draw_stratified):
    same, other = (assess_map(product, draw_stratified(product, checksum=c)) for c in (None, "f" * 64))
    for a, b in zip(same.areas, other.areas, strict=True):
        assert a.se_ha == pytest.approx(b.se_ha)


def test_rows_whose_stratum_is_not_their_class_on_the_map_lead_to_the_other_estimator(product, draw_stratified):
    samples = draw_stratified(product)
    samples.frame.loc[0, "stratum"] = "crop"
    a = assess_map(product, samples)
    assert a.design.estimator == "strata-other-than-map"
    assert "not its classes one by one" in a.design.estimator_note


def test_a_simple_sample_is_post_stratified(product, draw_simple):
    a = assess_map(product, draw_simple())
    assert (a.design.estimator, a.n_used) == ("post-stratified", 200)
    np.testing.assert_allclose(np.sum(a.error_matrix.proportions, axis=1), [x.mapped_share for x in a.areas])


def test_a_map_class_too_thin_for_post_stratification_joins_another(product, make_samples, land):
    cols = np.r_[np.arange(0, 40), np.arange(50, 80)]
    rows = np.full(70, 30)
    keep = land.mapped[rows, cols] != 1
    samples = make_samples(rows[keep], cols[keep], land.truth[rows, cols][keep], design=Design(kind="simple"))
    a = assess_map(product, samples)
    assert a.design.estimator == "post-stratified"
    assert "'forest', 'water' form one post-stratum" in a.design.estimator_note
    assert sum(x.area_ha for x in a.areas) == pytest.approx(a.total_area_ha)
    assert a.areas[1].area_ha == 0 < a.areas[1].upper_ha


def test_a_systematic_sample_says_that_its_errors_are_too_large(product, draw_simple):
    a = assess_map(product, draw_simple(kind="systematic"))
    assert any("conservative: intervals are usually too wide" in w for w in a.warnings)


def test_clusters_give_the_between_cluster_error(product, draw_simple):
    a = assess_map(product, draw_simple(kind="cluster", psu=np.arange(200) // 10))
    assert (a.design.estimator, a.intervals.se_method) == ("cluster", "design-based, between clusters")
    assert a.areas[0].se_ha > 0


def test_an_empty_stratum_leaves_no_area_and_says_which(product, draw_stratified):
    samples = draw_stratified(product).select(np.arange(80))  # no sample in crop
    a = assess_map(product, samples)
    assert a.areas_why.startswith("No usable reference sample lies in 'crop'")
    assert a.areas[0].area_ha is None


def test_a_tiny_stratum_without_a_sample_widens_the_errors_and_is_said(make_product, land, draw_stratified):
    mapped = np.where(land.mapped == 1, 0, land.mapped)
    mapped[0, :20] = 1  # 0.4 % of the map
    product = make_product(mapped)
    samples = draw_stratified(product)
    rows, cols = (i.astype(int) for i in pixel_of(samples, product.geobox))
    samples.frame["stratum"] = np.array(["forest", "water", "crop"])[mapped[rows, cols]]
    a = assess_map(product, samples.select(mapped[rows, cols] != 1))
    assert a.design.estimator == "stratified"
    assert a.areas[0].se_ha > 20 / 4800 * a.total_area_ha
    assert any("No usable reference sample lies in 'water' (0.42% of the area)" in w for w in a.warnings)


def test_rows_without_a_class_on_the_map_are_counted_by_reason(make_product, land, make_samples):
    codes = np.choose(land.mapped, [1, 2, 7])
    codes[0, :5], codes[1, :5] = 255, 254
    product = make_product(codes, codes=True)
    samples = make_samples([0, 1, 30, 200], [1, 1, 5, 0], ["forest", "forest", "forest", "water"])
    a = assess_map(product, samples)
    assert {x.reason: x.n for x in a.left_out} == {"on nodata of the map": 1, "on 'unsure' of the map": 1, "outside the map": 1}
    assert (a.n_samples, a.n_used) == (4, 1)
    assert a.nodata_ha == pytest.approx(0.05, rel=1e-2)
    assert a.unsure_ha == pytest.approx(0.05, rel=1e-2)


def test_places_that_nobody_labelled_are_counted(product, draw_simple):
    samples = draw_simple(60)
    samples.frame.loc[:9, "class"] = ""
    a = assess_map(product, samples)
    assert (a.n_samples, a.n_used) == (60, 50)
    assert [(x.n, x.reason) for x in a.left_out] == [(10, "without a label")]


def test_rows_rejected_on_import_are_counted(product, draw_simple):
    samples = draw_simple(50)
    rejected = pd.DataFrame({"sample_id": [1, 2], "reason": ["no class", "no class"]})
    a = assess_map(product, SampleTable(samples.frame, samples.legend, design=samples.design, rejected=rejected))
    assert [(x.n, x.reason) for x in a.left_out] == [(2, "rejected on import: no class")]


def test_a_class_that_is_not_on_the_map_is_missed_wholly(product, make_samples, land):
    legend = Legend.from_names(["water", "crop", "forest", "wetland"])  # codes 1..4: not the map's
    samples = make_samples([5, 6, 7, 8, 9], [3, 4, 45, 60, 61], ["forest", "wetland", "water", "crop", "crop"], legend=legend)
    a = assess_map(product, samples)
    wetland = a.classes[3]
    assert (wetland.name, wetland.producers.value, wetland.users.value) == ("wetland", 0.0, None)
    assert "no sample is mapped as 'wetland'" in wetland.users.why
    assert a.error_matrix.row_codes == [1, 2, 7, 4]
    assert any("nowhere on the map: wetland" in w for w in a.warnings)


def test_legends_without_a_common_name_are_refused(product, make_samples):
    with pytest.raises(LegendError, match="have no name in common; rename the classes"):
        assess_map(product, make_samples([1], [1], ["oak"], legend=Legend.from_names(["oak"])))


def test_training_rows_are_refused_and_the_way_to_ask_for_them_is_named(product, draw_simple):
    samples = draw_simple()
    with pytest.raises(AssessmentError, match=r"3 of 200 reference rows .*sample_id 0.*allow_training_rows: true"):
        assess_map(product, samples, training=samples.select(np.arange(3)))


def test_training_rows_that_are_asked_for_are_said(product, draw_simple):
    samples = draw_simple()
    options = AssessOptions(allow_training_rows=True)
    a = assess_map(product, samples, training=samples.select(np.arange(3)), options=options)
    assert any(w.startswith("3 of 200 reference rows trained the model") for w in a.warnings)


def test_rows_near_a_training_row_are_refused_with_a_buffer(product, make_samples):
    reference, training = make_samples([10], [10], ["forest"]), make_samples([10], [13], ["forest"])
    assert assess_map(product, reference, training=training).checks[0].passed
    with pytest.raises(AssessmentError, match="within 31 m of one"):
        assess_map(product, reference, training=training, options=AssessOptions(buffer_m=31))


def test_one_table_of_both_purposes_is_taken_apart(product, draw_simple):
    purpose = np.where(np.arange(200) < 120, "train", "reference")
    a = assess_map(product, draw_simple(purpose=purpose))
    assert a.n_samples == 80
    assert a.checks[0].message == "None of the 80 reference rows trained the model."


def test_samples_in_lonlat_meet_the_same_pixels(product, draw_simple):
    samples = draw_simple()
    lonlat = SampleTable(samples.frame.to_crs("EPSG:4326"), samples.legend, design=samples.design)
    assert assess_map(product, lonlat).error_matrix == assess_map(product, samples).error_matrix


def test_a_reference_elsewhere_is_refused_with_the_likely_cause(product, make_samples):
    with pytest.raises(AssessmentError, match=r"none of the 1 reference samples lies on the map .*axis order"):
        assess_map(product, make_samples([5000], [5000], ["crop"]))


def test_an_unknown_stratum_is_refused(product, draw_stratified):
    samples = draw_stratified(product)
    samples.frame.loc[3, "stratum"] = "bog"
    with pytest.raises(AssessmentError, match="which the design does not list; its strata are forest, water, crop"):
        assess_map(product, samples)


def test_a_cluster_design_needs_its_units(product, draw_simple):
    with pytest.raises(AssessmentError, match="200 rows have no psu; name the primary sampling unit"):
        assess_map(product, draw_simple(kind="cluster"))


def test_a_reference_without_labels_is_refused(product, make_samples):
    with pytest.raises(AssessmentError, match="2 rows and none with a class; label the places"):
        assess_map(product, make_samples([1, 2], [1, 2], ["", ""]))


def test_held_out_predictions_without_a_map_have_no_areas(make_samples, land):
    samples = make_samples(np.arange(60), np.arange(60), land.truth[np.arange(60), np.arange(60)], group=np.arange(60) // 6)
    a = assess_held_out(samples, predicted=land.mapped[np.arange(60), np.arange(60)])
    assert (a.basis, a.total_area_ha, a.intervals.se_method) == ("held-out", None, "bootstrap of 10 groups, 1000 draws")
    assert all(x.mapped_ha is None and x.area_ha is None for x in a.areas)
    assert a.overall_accuracy.value > 0.8


def test_held_out_samples_read_the_map_where_there_is_one(product, draw_simple):
    a = assess_held_out(draw_simple(kind="none"), product=product)
    assert (a.basis, a.n_used) == ("held-out", 200)
    assert a.total_area_ha == pytest.approx(48, rel=1e-2)


def test_held_out_rows_without_a_prediction_are_left_out(make_samples):
    a = assess_held_out(make_samples([1, 2, 3], [1, 2, 3], ["forest", "crop", "crop"]), predicted=np.array([0, 2, -1]))
    assert [(x.n, x.reason) for x in a.left_out] == [(1, "without a prediction")]
    assert a.overall_accuracy.value == 1


def test_held_out_samples_need_something_to_judge(make_samples):
    with pytest.raises(AssessmentError, match="give product=MapProduct or predicted=class indices"):
        assess_held_out(make_samples([1], [1], ["crop"]))


def test_predictions_have_to_match_the_rows(make_samples):
    with pytest.raises(AssessmentError, match=r"shape \(3,\), but there are 1 held-out samples"):
        assess_held_out(make_samples([1], [1], ["crop"]), predicted=np.zeros(3, int))


def test_a_map_without_reference_is_described_and_not_judged(product):
    a = assess_without_reference(product, title="x")
    assert (a.basis, a.error_matrix, a.overall_accuracy.value) == ("cross-validation", None, None)
    assert [x.mapped_ha for x in a.areas] == [product.area_ha[c] for c in (1, 2, 7)]
    assert "No reference sample" in a.areas[0].why


def test_kappa_only_where_asked_for(product, draw_simple):
    assert assess_map(product, draw_simple()).kappa is None
    assert 0.5 < assess_map(product, draw_simple(), options=AssessOptions(scores=("kappa",))).kappa < 1


@pytest.mark.parametrize("method", ["normal", "wilson", "logit"])
def test_intervals_are_made_as_asked(product, draw_simple, method):
    a = assess_map(product, draw_simple(), options=AssessOptions(interval=method))
    assert a.intervals.method == method
    assert 0 <= a.overall_accuracy.lower < a.overall_accuracy.value < a.overall_accuracy.upper <= 1


def test_a_finite_population_shrinks_errors(product, draw_stratified):
    plain, finite = (
        assess_map(product, draw_stratified(product), options=AssessOptions(finite_population=f)) for f in (False, True)
    )
    assert finite.overall_accuracy.se < plain.overall_accuracy.se


def test_the_same_input_gives_the_same_document(product, draw_simple):
    samples = draw_simple(kind="none")
    assert assess_map(product, samples) == assess_map(product, samples)
