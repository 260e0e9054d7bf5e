from __future__ import annotations

import numpy as np
import pytest
import rasterio

from landweave.errors import MapError
from landweave.features.segments import segment_window
from landweave.maps import SegmentOptions, open_map
from landweave.maps.relabelling import RelabelOptions, relabel_map
from landweave.maps.tasks import summarise_proba

SIDE = 10


def write(path, pixels, **more):
    shape = {"height": pixels.shape[-2], "width": pixels.shape[-1], "count": 1 if pixels.ndim == 2 else len(pixels)}
    with rasterio.open(path, "w", driver="GTiff", **shape, dtype=pixels.dtype.name, crs="EPSG:32633", **more,
                       transform=rasterio.Affine(10, 0, 500_000, 0, -10, 5_000_000)) as dst:  # fmt: skip
        dst.write(pixels if pixels.ndim == 3 else pixels[None])
    return path


@pytest.fixture
def world(tmp_path, rng):
    """A map of two classes in squares of 10 pixels, a fifth of it wrong and unsure, with probabilities and segments."""
    truth = np.kron(rng.integers(0, 2, (9, 12)), np.ones((SIDE, SIDE), dtype=int))
    wrong = rng.random(truth.shape) < 0.2
    top = np.where(wrong, 0.55, rng.uniform(0.7, 1, truth.shape))
    said = np.where(wrong, 1 - truth, truth)
    proba = np.stack([np.where(said == c, top, 1 - top) for c in (0, 1)]).astype(np.float32)
    proba[:, :5, :5] = np.nan
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "legend.json").write_text('[{"code": 1, "name": "a"}, {"code": 2, "name": "b"}]')
    legend = open_map(write(tmp_path / "m" / "map.tif", (truth + 1).astype(np.uint8), nodata=255)).legend
    made = summarise_proba(proba, legend, products=("map", "proba"))
    write(tmp_path / "m" / "map.tif", made["map"], nodata=255)
    write(tmp_path / "m" / "proba.tif", made["proba"], nodata=255)
    write(tmp_path / "seg.tif", np.kron(np.arange(108).reshape(9, 12), np.ones((SIDE, SIDE), int)).astype(np.int32))
    return tmp_path, truth


def codes_of(product):
    with rasterio.open(product.files["map"]) as src:
        return src.read(1)


@pytest.mark.parametrize(("rule", "unsure_below"), [("majority", 0.6), ("confident", None), ("confident", 0.6)])
def test_unsure_pixels_take_what_their_segment_says(world, rule, unsure_below):
    folder, truth = world
    options = RelabelOptions(rule=rule, unsure_below=unsure_below)
    made = codes_of(relabel_map(folder / "m", folder / "out", by=folder / "seg.tif", options=options))
    assert (made[:5, :5] == 255).all()
    known = made != 255
    assert (made - 1 == truth)[known].mean() > 0.99


def test_sure_pixels_stay(world):
    folder, _ = world
    before = codes_of(open_map(folder / "m"))
    options = RelabelOptions(rule="majority", unsure_below=0.51)
    made = relabel_map(folder / "m", folder / "out", by=folder / "seg.tif", options=options)
    np.testing.assert_array_equal(codes_of(made), before)


def test_a_map_without_probabilities_can_only_be_voted_over(world):
    folder, truth = world
    (folder / "m" / "proba.tif").unlink()
    with pytest.raises(MapError, match="proba"):
        relabel_map(folder / "m", folder / "out", by=folder / "seg.tif", options=RelabelOptions(rule="confident"))
    made = codes_of(relabel_map(folder / "m", folder / "voted", by=folder / "seg.tif"))
    assert (made - 1 == truth)[made != 255].mean() > 0.99


@pytest.mark.parametrize("method", ["felzenszwalb", "slic", "watershed"])
def test_segments_follow_fields(rng, method):
    """Fields of 16 x 16 pixels that differ from their neighbours by a third of a band's range or more."""
    field = np.kron(np.arange(16).reshape(4, 4), np.ones((16, 16), int))
    levels = np.array([0.0, 0.5, 0.1, 0.6, 0.9, 0.2, 0.7, 0.3, 0.4, 0.8, 0.0, 0.9, 1.0, 0.1, 0.5, 0.2])[field]
    image = np.stack([levels, 1 - levels]).astype(np.float32) + rng.normal(0, 0.02, (2, 64, 64)).astype(np.float32)
    found = segment_window(image, SegmentOptions(method=method, size_px=64, contrast=0.05))
    main = sum(np.bincount(field[found == s]).max() for s in np.unique(found))
    assert main / field.size > 0.95
    assert 8 <= len(np.unique(found)) <= 120


def test_the_graph_leaves_out_nodata_and_joins_what_is_alike():
    image = np.zeros((1, 20, 20), np.float32)
    image[:, :, 10:] = 1
    image[:, 5, 5] = np.nan
    found = segment_window(image, SegmentOptions(method="felzenszwalb", size_px=10))
    assert found[5, 5] == -1
    assert len(np.unique(found[found >= 0])) == 2
    assert found[0, 0] != found[0, 19]
