from __future__ import annotations

import numpy as np
import pytest
import rasterio

from landweave.errors import LegendError, SampleError
from landweave.grid import make_geobox
from landweave.label import (
    Product,
    ProductOptions,
    agree_products,
    crosswalk_between,
    make_crosswalk,
    sample_products,
    stable_core,
)
from landweave.legend import Legend

GRID = make_geobox((500_000, 5_000_000, 500_400, 5_000_300), "EPSG:32633", 10)  # 30 rows x 40 columns
WANTED = Legend.from_names(["trees", "crops", "water"])
SAME = make_crosswalk(WANTED, WANTED, {n: n for n in WANTED.names})


@pytest.fixture
def write(tmp_path):
    def to_file(codes, name):
        profile = {"driver": "GTiff", "width": 40, "height": 30, "count": 1, "dtype": "uint8", "nodata": 0}
        with rasterio.open(tmp_path / name, "w", crs="EPSG:32633", transform=GRID.affine, **profile) as file:
            file.write(codes.astype(np.uint8), 1)
        return str(tmp_path / name)

    return to_file


@pytest.fixture
def halves():
    """Trees (1) in the left half, crops (2) in the right, a pond (3) of 3 x 3 pixels."""
    codes = np.ones((30, 40), dtype=int)
    codes[:, 20:] = 2
    codes[10:13, 30:33] = 3
    return codes


def places_of(samples):
    x, y = samples.to_xy("EPSG:32633").T
    return ((5_000_300 - y) // 10).astype(int), ((x - 500_000) // 10).astype(int)


def test_core_is_stable_and_away_from_edges(halves):
    later = halves.copy()
    later[0, 0] = 2
    core = stable_core(np.stack([halves, later]), np.ones((2, 30, 40), bool), erode_px=1)
    assert not core[:2, :2].any()
    assert not core[:, 19:21].any()
    assert core[11, 31]
    assert core[10:13, 30:33].sum() == 1
    assert stable_core(np.stack([halves, later]), np.ones((2, 30, 40), bool), erode_px=0).sum() == 1199


def test_two_uncertain_votes_make_a_sure_one():
    trees_or_mangroves, wetland_or_mangroves = [0.5, 0.5, 0], [0, 0.5, 0.5]
    label, certainty = agree_products(np.array([trees_or_mangroves, wetland_or_mangroves]))
    assert (label, certainty) == (1, pytest.approx(0.5))


def test_ties_and_lone_votes_are_no_agreement():
    label, _ = agree_products(np.array([[[0.5, 1, 0]], [[0.5, 0, 0]]]).transpose(1, 0, 2))
    assert label.tolist() == [-1, 0, -1]  # one product: even votes, a sure vote, none
    both = np.array([[1.0, 0], [0, 1]])
    assert agree_products(both)[0] == -1
    assert agree_products(both, min_agree=1, weights=[2, 1])[0] == 0
    with pytest.raises(SampleError, match=r"3 products must agree, and there are 2"):
        agree_products(both, min_agree=3)


def test_samples_are_balanced_and_carry_the_product(write, halves):
    path = write(halves, "map.tif")
    samples = sample_products([Product("national map", (path,), SAME)], GRID, options=ProductOptions(n_per_class=9))
    assert samples.frame["class"].value_counts().to_dict() == {"trees": 9, "crops": 9, "water": 9}
    row, col = places_of(samples)
    assert np.array_equal(np.array(WANTED.codes)[samples.to_class_index()], halves[row, col])
    assert set(samples.frame["labeller"]) == {"national map"}
    assert samples.design.kind == "none"
    assert "9 of 600 trees" in samples.design.note


def test_edges_and_changes_are_left_out(write, halves):
    later = halves.copy()
    later[:, 35:] = 1
    product = Product("m", (write(halves, "a.tif"), write(later, "b.tif")), SAME)
    samples = sample_products([product], GRID, options=ProductOptions(n_per_class=1000, erode_m=20))
    row, col = places_of(samples)
    assert col[samples.frame["class"] == "trees"].max() == 17
    assert col[samples.frame["class"] == "crops"].max() == 32
    assert "water" not in set(samples.frame["class"])
    assert row.min() == 2  # beyond the grid nothing is known


def test_products_must_agree_through_their_crosswalks(write, halves):
    other = np.where(halves == 1, 10, 40)  # WorldCover: tree cover, cropland
    legend = crosswalk_between("esa-worldcover", "esa-worldcover").source
    walk = make_crosswalk(legend, WANTED, {"Tree cover": "trees", "Cropland": {"crops": 0.8, "trees": 0.2}})
    products = [Product("a", (write(halves, "a.tif"),), SAME), Product("b", (write(other, "b.tif"),), walk)]
    samples = sample_products(products, GRID, options=ProductOptions(n_per_class=1000))
    counts = samples.frame["class"].value_counts().to_dict()
    assert counts == {"trees": 600, "crops": 591}  # the pond is crops to the other
    assert samples.frame.groupby("class")["weight"].first().to_dict() == pytest.approx({"crops": 0.9, "trees": 1.0})


def test_strata_get_the_same_number_each(write, halves):
    strata = np.where(np.arange(30)[:, None] < 10, 0, np.where(np.arange(30)[:, None] < 20, 1, -1)).repeat(40, axis=1)
    product = Product("m", (write(halves, "m.tif"),), SAME)
    samples = sample_products([product], GRID, options=ProductOptions(n_per_class=5), strata=strata)
    assert samples.frame.groupby(["class", "stratum"]).size().to_dict() == {
        ("trees", "0"): 5, ("trees", "1"): 5, ("crops", "0"): 5, ("crops", "1"): 5, ("water", "1"): 5,
    }  # fmt: skip
    assert places_of(samples)[0].max() < 20


def test_the_draw_does_not_depend_on_blocks(write, halves, monkeypatch):
    product = Product("m", (write(halves, "m.tif"),), SAME)
    options = ProductOptions(n_per_class=7, erode_m=10, seed=5)
    whole = sample_products([product], GRID, options=options)
    monkeypatch.setattr("landweave.label.products._BLOCK_PX", 8)
    pieces = sample_products([product], GRID, options=options)
    assert whole.frame["group"].tolist() == pieces.frame["group"].tolist()


def test_products_that_cannot_agree_are_refused(write, halves):
    a = Product("a", (write(halves, "a.tif"),), SAME)
    b = Product("b", (write(halves % 3 + 1, "b.tif"),), SAME)
    with pytest.raises(SampleError, match=r"no pixel of the grid is agreed on by a, b .* lower erode_m"):
        sample_products([a, b], GRID)
    with pytest.raises(LegendError, match="'c' leads to the classes"):
        sample_products([a, Product("c", a.paths, crosswalk_between("corine", "corine"))], GRID)
    with pytest.raises(SampleError, match="no products given"):
        sample_products([], GRID)
