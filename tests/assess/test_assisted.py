"""Areas with the help of probabilities, from the map's file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import rasterio

from landweave.assess import assess_assisted
from landweave.errors import AssessmentError
from landweave.types import Design


@pytest.fixture
def with_proba(product, land):
    """The map with probabilities: 0.8 for the class it shows, 0.1 for the others."""
    values = np.full((3, *land.mapped.shape), 25, dtype=np.uint8)
    np.put_along_axis(values, land.mapped[None], 200, axis=0)
    with rasterio.open(product.files["map"]) as src:
        profile = src.profile | {"count": 3, "nodata": 255}
    path = product.folder / "proba.tif"
    with rasterio.open(path, "w", **profile) as dst:
        dst.write(values)
    return replace(product, files={**product.files, "proba": path})


@pytest.mark.parametrize("method", ["difference", "regression"])
def test_areas_add_up_and_hold_the_truth(with_proba, draw_simple, land, method):
    made = assess_assisted(with_proba, draw_simple(400), method=method)
    assert sum(a.area_ha for a in made.areas) == pytest.approx(sum(with_proba.area_ha.values()))
    truth = np.bincount(land.truth.ravel()) / land.truth.size * sum(with_proba.area_ha.values())
    assert all(abs(a.area_ha - t) < 4 * a.se_ha for a, t in zip(made.areas, truth, strict=True))
    assert made.n == 400


def test_probabilities_that_only_repeat_the_classes_gain_nothing_over_them(with_proba, draw_stratified):
    made = assess_assisted(with_proba, draw_stratified(with_proba))
    assert made.relative_efficiency == pytest.approx([1, 1, 1], abs=0.1)


def test_maps_or_samples_that_do_not_allow_it_are_refused(with_proba, product, draw_simple, make_samples):
    with pytest.raises(AssessmentError, match=r"holds no proba\.tif; make the map with proba: true"):
        assess_assisted(product, draw_simple())
    with pytest.raises(AssessmentError, match="has no probability design, which model-assisted areas rest on"):
        assess_assisted(with_proba, make_samples([1], [1], [0], design=Design()))
