from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
from scipy.stats import binom

from landweave.errors import SampleError
from landweave.grid import GeoBox, pixel_area_m2
from landweave.simulate.covers import CODE_OF_COVER, LEGEND
from landweave.simulate.imagery import View
from landweave.simulate.landcover import Land, Setting
from landweave.simulate.survey import Strata, add_label_noise, draw_reference, draw_training, make_old_map


def _truth_at(points: gpd.GeoSeries, geobox: GeoBox, truth: np.ndarray) -> np.ndarray:
    col, row = (points.x - geobox.affine.c) / geobox.affine.a, (points.y - geobox.affine.f) / geobox.affine.e
    return truth[row.to_numpy().astype(int), col.to_numpy().astype(int)]


@pytest.fixture(scope="module")
def clean(setting: Setting, land: Land, view: View) -> gpd.GeoDataFrame:
    return draw_training(land.cover, setting.from_road_px, view.geobox, count=150, noise_pct=0, seed=3)


def test_label_noise_is_met_within_binomial_tolerance(rng: np.random.Generator) -> None:
    codes = rng.integers(1, 11, 5000)
    wrong = int((add_label_noise(codes, 8.0, rng) != codes).sum())
    low, high = binom.interval(0.999, 5000, 0.08)
    assert low <= wrong <= high


def test_no_noise_leaves_labels_alone(rng: np.random.Generator) -> None:
    codes = rng.integers(1, 11, 100)
    assert np.array_equal(add_label_noise(codes, 0, rng), codes)


def test_noiseless_polygons_carry_the_class_they_stand_in(clean: gpd.GeoDataFrame, land: Land, view: View) -> None:
    assert 140 <= len(clean) <= 150
    at = _truth_at(clean.geometry.representative_point(), view.geobox, land.classes)
    assert (at == clean["code"]).mean() > 0.97  # the smallest ones may lean over an edge
    assert clean.geometry.is_valid.all()


def test_every_class_is_surveyed(clean: gpd.GeoDataFrame, land: Land) -> None:
    assert set(clean["code"]) == set(np.unique(land.classes))


def test_the_surveyor_keeps_to_the_roads(clean: gpd.GeoDataFrame, setting: Setting, view: View) -> None:
    at = _truth_at(clean.geometry.representative_point(), view.geobox, setting.from_road_px)
    assert np.median(at) < 0.8 * np.median(setting.from_road_px)


def test_polygons_keep_off_the_reference(setting: Setting, land: Land, view: View) -> None:
    reference, _ = draw_reference(land.classes, view.geobox, count=100, noise_pct=0, seed=3)
    marked = np.zeros(land.cover.shape, dtype=bool)
    a = view.geobox.affine
    rows, cols = (reference.geometry.y - a.f) / a.e, (reference.geometry.x - a.c) / a.a
    marked[rows.astype(int), cols.astype(int)] = True
    training = draw_training(land.cover, setting.from_road_px, view.geobox, count=80, noise_pct=0, seed=3, keep_off=marked)
    assert training.union_all().distance(reference.geometry).min() > 0


def test_a_simple_sample_has_one_inclusion_probability_that_sums_to_n(land: Land, view: View) -> None:
    frame, design = draw_reference(land.classes, view.geobox, count=250, noise_pct=0, seed=3)
    assert design.kind == "simple"
    assert frame["inclusion_probability"].nunique() == 1
    assert frame["inclusion_probability"].iloc[0] * land.cover.size == pytest.approx(250)
    assert not frame.geometry.duplicated().any()
    assert design.strata[0].area_ha == pytest.approx(float(pixel_area_m2(view.geobox).sum()) / 1e4)


def test_perfect_reference_labels_are_the_truth_at_pixel_centres(land: Land, view: View) -> None:
    frame, _ = draw_reference(land.classes, view.geobox, count=250, noise_pct=0, seed=3)
    assert np.array_equal(_truth_at(frame.geometry, view.geobox, land.classes), frame["code"])
    assert [LEGEND.names[LEGEND.codes.index(c)] for c in frame["code"]] == list(frame["class"])
    assert np.allclose((frame.geometry.x - view.geobox.affine.c) % 10, 5)


def test_a_stratified_sample_states_its_strata(land: Land, view: View) -> None:
    old = make_old_map(land.classes, 3)
    strata = Strata(old, dict(zip(LEGEND.codes, LEGEND.names, strict=True)), "abc")
    frame, design = draw_reference(land.classes, view.geobox, count=200, noise_pct=0, seed=3, strata=strata)
    assert design.kind == "stratified"
    assert design.strata_checksum == "abc"
    assert sum(s.size_px for s in design.strata) == land.cover.size
    assert (1 / frame["inclusion_probability"]).sum() == pytest.approx(land.cover.size)
    for s in design.strata:
        rows = frame[frame["stratum"] == s.name]
        assert len(rows) == s.n_drawn
        assert set(_truth_at(rows.geometry, view.geobox, old)) == {s.code}


def test_an_old_map_is_coarser_and_partly_wrong(land: Land) -> None:
    old = make_old_map(land.classes, 3)
    assert 0.6 < (old == land.classes).mean() < 0.9
    assert np.array_equal(old[0:3, 0:3], np.full((3, 3), old[0, 0]))


def test_more_reference_than_pixels_is_refused(view: View, land: Land) -> None:
    with pytest.raises(SampleError, match="ask for fewer"):
        draw_reference(land.classes, view.geobox, count=40000, noise_pct=0, seed=3)


def test_codes_of_covers_are_in_the_legend() -> None:
    assert set(CODE_OF_COVER.tolist()) <= set(LEGEND.codes)
