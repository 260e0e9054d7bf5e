"""Estimates by zone."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely

from landweave.assess import AssessOptions, assess_map, assess_zones
from landweave.errors import AssessmentError
from landweave.types import Design

from_left, top = 500_000, 5_000_600


@pytest.fixture
def provinces(tmp_path):
    """Two halves of the map in degrees."""
    boxes = [shapely.box(500_000, 5_000_000, 500_400, 5_000_600), shapely.box(500_400, 5_000_000, 500_800, 5_000_600)]
    path = tmp_path / "provinces.gpkg"
    gpd.GeoDataFrame({"province": ["west", "east"]}, geometry=boxes, crs=32633).to_crs(4326).to_file(path)
    return path


def test_each_zone_adds_up_to_its_area_and_has_intervals(product, draw_stratified, provinces):
    made = assess_zones(product, draw_stratified(product), provinces)
    assert [z.name for z in made.zones] == ["east", "west"]
    for zone in made.zones:
        assert sum(a.area_ha for a in zone.areas) == pytest.approx(zone.area_ha)
        assert all(a.upper_ha > a.lower_ha for a in zone.areas)
    assert sum(z.area_ha for z in made.zones) == pytest.approx(sum(product.area_ha.values()))
    assert sum(z.n for z in made.zones) == 120


def test_zones_come_near_the_truth(product, draw_stratified, provinces, land):
    made = {z.name: z for z in assess_zones(product, draw_stratified(product, 300), provinces).zones}
    truth = (land.truth[:, :40] == 0).mean()
    area = made["west"].areas[0]
    assert abs(area.area_share - truth) < 3 * area.se_ha / made["west"].area_ha


def test_class_areas_add_up_to_the_whole_where_asked_for(product, draw_simple, provinces):
    samples = draw_simple()
    whole = assess_map(product, samples)
    made = assess_zones(product, samples, provinces, sums="whole")
    for i, area in enumerate(whole.areas):
        assert sum(z.areas[i].area_ha for z in made.zones) == pytest.approx(area.area_ha)


def test_a_column_of_the_sample_can_be_the_zones(product, draw_simple):
    samples = draw_simple(village=np.repeat(["a", "b"], 100))
    made = assess_zones(product, samples, "village")
    assert [(z.name, z.n, z.area_ha) for z in made.zones] == [("a", 100, None), ("b", 100, None)]
    assert "their" not in made.sums_note
    assert sum(a.area_ha for z in made.zones for a in z.areas) == pytest.approx(sum(product.area_ha.values()))


def test_clusters_are_estimated_as_domains(product, draw_simple, provinces):
    made = assess_zones(product, draw_simple(kind="cluster", psu=(np.arange(200) // 5).astype(str)), provinces)
    assert "domain of the sample" in made.estimator_note
    assert sum(a.area_ha for a in made.zones[0].areas) == pytest.approx(made.zones[0].area_ha)


def test_a_zone_without_samples_says_so(product, draw_simple, tmp_path):
    frame = gpd.GeoDataFrame({"name": ["all", "corner"]}, crs=32633, geometry=[
        shapely.box(500_010, 5_000_000, 500_800, 5_000_600), shapely.box(500_000, 5_000_000, 500_010, 5_000_010)])  # fmt: skip
    frame.to_file(tmp_path / "z.gpkg")
    corner = assess_zones(product, draw_simple(20), tmp_path / "z.gpkg").zones[1]
    assert corner.why == "0 reference samples in the zone: too few to estimate from"
    assert corner.areas == []


def test_what_has_no_answer_is_refused(product, draw_simple, make_samples, provinces, tmp_path):
    with pytest.raises(AssessmentError, match="no probability design, so that nothing can be estimated for zones either"):
        assess_zones(product, make_samples([1], [1], [0], design=Design()), provinces)
    with pytest.raises(AssessmentError, match="zones have no bootstrap intervals"):
        assess_zones(product, draw_simple(), provinces, options=AssessOptions(interval="bootstrap"))
    far = tmp_path / "far.gpkg"
    gpd.GeoDataFrame({"name": ["x"]}, geometry=[shapely.box(0, 0, 1, 1)], crs=32633).to_file(far)
    with pytest.raises(AssessmentError, match="none of the 200 samples lies in a zone"):
        assess_zones(product, draw_simple(), far)
