"""Several maps as labellers of one: the consensus, their quality, and the risk."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio

from landweave.errors import GridError, MapError
from landweave.io.files import read_json
from landweave.label import dawid_skene
from landweave.legend import Legend
from landweave.maps import open_map
from landweave.maps.agreement import agree_maps, make_loss, write_risk

WRONG = (0.05, 0.15, 0.3, 0.1)


@pytest.fixture
def truth(rng):
    return np.kron(rng.integers(1, 4, (12, 15)), np.ones((8, 8), dtype=int)).astype(np.uint8)


@pytest.fixture
def maps(tmp_path, truth, rng):
    """Four maps of one truth, of which 5 to 30 % is wrong at random; the first has no class in its first rows."""
    (tmp_path / "legend.json").write_text('[{"code": 1, "name": "a"}, {"code": 2, "name": "b"}, {"code": 3, "name": "c"}]')
    paths = []
    for i, share in enumerate(WRONG):
        codes = np.where(rng.random(truth.shape) < share, (truth + rng.integers(0, 2, truth.shape)) % 3 + 1, truth)
        if i == 0:
            codes[:4] = 255
        paths.append(write(tmp_path / f"m{i}.tif", codes))
    return paths


def write(path, codes, left=500_000):
    shape = {"height": codes.shape[0], "width": codes.shape[1], "count": 1, "dtype": "uint8", "nodata": 255}
    with rasterio.open(path, "w", driver="GTiff", **shape, crs="EPSG:32633",
                       transform=rasterio.Affine(10, 0, left, 0, -10, 5_000_000)) as dst:  # fmt: skip
        dst.write(codes.astype(np.uint8), 1)
    return path


def read(path):
    with rasterio.open(path) as src:
        return src.read(1), src.scales[0]


def test_the_consensus_is_better_than_every_map_and_knows_how_good_each_is(maps, truth, tmp_path):
    made = agree_maps(maps, tmp_path / "out")
    codes, _ = read(made.product.files["map"])
    assert (codes == truth).mean() > 0.97 > 1 - min(WRONG)
    np.testing.assert_allclose(made.consensus.quality, 1 - np.array(WRONG), atol=0.02)
    assert made.names == ("m0", "m1", "m2", "m3")


def test_the_risk_is_the_chance_of_an_error(maps, truth, tmp_path):
    made = agree_maps(maps, tmp_path / "out")
    codes, _ = read(made.product.files["map"])
    stored, scale = read(tmp_path / "out" / "risk.tif")
    assert made.mean_risk == pytest.approx((codes != truth).mean(), abs=0.01)
    assert stored[stored != 255].mean() * scale == pytest.approx(made.mean_risk, abs=0.002)
    assert (codes != truth)[stored * scale > 0.3].mean() > 5 * (codes != truth).mean()


def test_pixels_put_together_give_what_all_of_them_give(maps, tmp_path, truth):
    made = agree_maps(maps, tmp_path / "out")
    votes = np.stack([read(p)[0].astype(np.int64).ravel() for p in maps], axis=1)
    found = dawid_skene(np.where(votes == 255, -1, votes - 1), n_classes=3)
    np.testing.assert_allclose(made.consensus.confusion, found.confusion, atol=1e-6)
    np.testing.assert_array_equal(read(made.product.files["map"])[0].ravel(), found.label + 1)


def test_an_error_that_costs_more_is_avoided(maps, tmp_path):
    plain = agree_maps(maps, tmp_path / "plain")
    dear = agree_maps(maps, tmp_path / "dear", loss={("c", "a"): 50.0, ("c", "b"): 50.0})
    assert dear.product.count_px[3] > plain.product.count_px[3]
    assert make_loss(dear.product.legend, {("c", "a"): 50.0})[2].tolist() == [50.0, 1.0, 0.0]


def test_the_folder_says_how_it_was_made(maps, tmp_path):
    made = agree_maps(maps, tmp_path / "out", method="majority")
    told = read_json(tmp_path / "out" / "consensus.json")
    assert [m["name"] for m in told["maps"]] == ["m0", "m1", "m2", "m3"]
    assert len(read_json(made.product.files["lineage"])["stages"][-1]["inputs"]) == 4
    assert open_map(tmp_path / "out").count_px == made.product.count_px


def test_maps_that_cannot_be_joined_say_why(maps, tmp_path, truth):
    with pytest.raises(MapError, match="a consensus needs two, better three"):
        agree_maps(maps[:1], tmp_path / "out")
    with pytest.raises(GridError, match="is on another grid than"):
        agree_maps([maps[0], write(tmp_path / "moved.tif", truth, left=500_010)], tmp_path / "out")
    with pytest.raises(MapError, match=r"holds no proba\.tif|no proba"):
        write_risk(open_map(maps[0]))
    with pytest.raises(MapError, match="all costs are 0"):
        make_loss(Legend.from_names(["a", "b"]), {("a", "b"): 0, ("b", "a"): 0})
