"""Finished maps refined into new ones: the right pixels for any worker count, resumed, described, refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
import rasterio

from landweave.errors import MapError, OutputExistsError
from landweave.features.segments import SegmentOptions
from landweave.grid import Window
from landweave.io.lineage import read_lineage
from landweave.io.stac import validate_item
from landweave.maps import FilterOptions, MapOptions, SmoothOptions, open_map, predict_map
from landweave.maps import refining as module
from landweave.maps.filters import filter_index
from landweave.maps.refining import aggregate_map, filter_map, read_proba, segment_map, sieve_map, smooth_map
from landweave.maps.smoothing import smooth_proba
from landweave.maps.temporal import SeriesOptions
from landweave.maps.years import smooth_years


def read(path, band=None):
    with rasterio.open(path) as src:
        return src.read(band) if band else src.read()


@pytest.fixture
def product(model, cubes, tmp_path):
    return predict_map(model, cubes, tmp_path / "map")


def whole_of(product):
    rows, cols = product.geobox.shape
    return read_proba(product, Window(0, 0, rows, cols))


@pytest.mark.parametrize("workers", [1, 2])
def test_smoothed_map_is_that_of_the_whole_raster(product, tmp_path, monkeypatch, workers):
    monkeypatch.setattr(module, "_BLOCK_PX", 512)
    options = SmoothOptions(window_px=5)
    made = smooth_map(product.folder, tmp_path / "out", options=options, workers=workers)
    expected = smooth_proba(whole_of(product), options, legend=product.legend)
    codes = read(made.files["map"], 1)
    known = ~np.isnan(expected[0])
    np.testing.assert_array_equal(codes[known], product.legend.to_codes(expected.argmax(axis=0))[known])
    assert (codes[~known] == 255).all()
    np.testing.assert_allclose(read(made.files["proba"])[:, known] / 250, expected[:, known], atol=0.003)


def test_edge_smoothing_reads_the_imagery(product, cubes, tmp_path):
    made = smooth_map(product.folder, tmp_path / "out", options=SmoothOptions(method="edge", window_px=3), guide=cubes)
    assert (read(made.files["map"], 1) != read(product.files["map"], 1)).any()
    with pytest.raises(MapError, match="got none; give the imagery"):
        smooth_map(product.folder, tmp_path / "out2", options=SmoothOptions(method="edge"))


def test_filters_run_as_on_the_whole_raster(product, tmp_path):
    options = FilterOptions(majority_px=3, mmu_px=9)
    made = filter_map(product.folder, tmp_path / "out", options=options)
    index = filter_index(product.legend.to_index(read(product.files["map"], 1)), options, n_classes=3)
    np.testing.assert_array_equal(read(made.files["map"], 1), product.legend.to_codes(index))
    assert open_map(made.folder).area_ha == made.area_ha


def test_lineage_keeps_what_the_map_was_made_from(product, tmp_path):
    made = sieve_map(product.folder, tmp_path / "out", min_px=5)
    lineage = read_lineage(made.folder)
    assert [s.name for s in lineage.stages] == ["source map", "map"]
    assert lineage.find_stage("map").keys["source"] == product.checksum
    assert not (made.folder / ".work").exists()


def test_refined_map_has_an_item_of_its_own(product, tmp_path):
    old = json.loads(product.files["item"].read_text())
    made = filter_map(product.folder, tmp_path / "f", options=FilterOptions(majority_px=3))
    item = json.loads(made.files["item"].read_text())
    assert validate_item(item) == []
    assert item["id"] != old["id"]
    times = ("datetime", "start_datetime", "end_datetime")
    assert [item["properties"].get(k) for k in times] == [old["properties"].get(k) for k in times]
    counts = {c["value"]: c["count"] for c in item["assets"]["map"]["classification:classes"]}
    assert counts[17] == made.count_px[17]


def test_finished_result_is_kept_and_another_one_refused(product, tmp_path):
    first = sieve_map(product.folder, tmp_path / "out", min_px=5)
    before = first.files["map"].stat().st_mtime_ns
    sieve_map(product.folder, tmp_path / "out", min_px=5)
    assert first.files["map"].stat().st_mtime_ns == before
    with pytest.raises(OutputExistsError, match=r"options.sieve_px: 5 -> 7"):
        sieve_map(product.folder, tmp_path / "out", min_px=7)
    assert sieve_map(product.folder, tmp_path / "out", min_px=7, overwrite=True).checksum != first.checksum
    with pytest.raises(OutputExistsError, match="folder of the map itself"):
        sieve_map(product.folder, product.folder, min_px=7)


def test_parents_by_code_and_by_probability(product, tmp_path):
    parents = {"Forest": "Land", "Crop": "Land"}
    by_code = aggregate_map(product.folder, tmp_path / "codes", parents=parents)
    assert by_code.legend.names == ("Land", "Water & ice")
    assert by_code.count_px[1] == product.count_px[3] + product.count_px[17]
    by_proba = aggregate_map(product.folder, tmp_path / "proba", parents=parents, by_proba=True)
    summed = read(product.files["proba"])[[0, 2]].sum(axis=0, dtype=int)
    stored = read(by_proba.files["proba"], 1)
    known = stored != 255
    assert abs(stored[known].astype(int) - summed[known]).max() <= 2  # the file's probabilities are rounded


def test_segments_vote(product, cubes, tmp_path):
    made = segment_map(product.folder, tmp_path / "out", guide=cubes, options=SegmentOptions(size_px=30, window_px=64))
    before, after = read(product.files["map"], 1), read(made.files["map"], 1)
    np.testing.assert_array_equal(before == 255, after == 255)
    assert (np.diff(after.astype(int)) != 0).sum() < (np.diff(before.astype(int)) != 0).sum() / 2


def test_years_hold_no_forbidden_change(product, tmp_path, model, cubes):
    later = smooth_map(product.folder, tmp_path / "later", options=SmoothOptions(window_px=3, smoothness=50))
    options = SeriesOptions(method="viterbi", stay=0.6, forbidden=(("Forest", "Crop"),))
    first, second = smooth_years([product.folder, later.folder], tmp_path / "years", options=options)
    before, after = read(first.files["map"], 1), read(second.files["map"], 1)
    assert ((before == 3) & (after == 0)).any()
    assert not ((before == 3) & (after == 17)).any()
    with pytest.raises(MapError, match="give at least two"):
        smooth_years([product.folder], tmp_path / "one")


def test_maps_without_probabilities_are_refused(model, cubes, tmp_path):
    product = predict_map(model, cubes, tmp_path / "map", options=MapOptions(proba=False))
    with pytest.raises(MapError, match=r"has no proba.tif; make the map with map.proba: true"):
        smooth_map(product.folder, tmp_path / "out")
    with pytest.raises(MapError, match="no filter is asked for"):
        filter_map(product.folder, tmp_path / "out", options=FilterOptions())


def test_predicting_smooths_and_filters_like_the_whole_raster(model, cubes, tmp_path):
    options = {"smooth": SmoothOptions(window_px=5), "majority_px": 3, "mmu_px": 5}
    made = [predict_map(model, cubes, tmp_path / f"b{b}", options=MapOptions(block_px=b, **options)) for b in (32, 48, 1024)]
    assert made[0].checksum == made[1].checksum == made[2].checksum
    for name in ("proba", "uncertainty"):
        assert len({p.files[name].read_bytes() for p in made}) == 1
    assert json.loads((made[0].folder / "lineage.json").read_text())["stages"][0]["keys"]["options"]["filters"]["mmu_px"] == 5
    plain = predict_map(model, cubes, tmp_path / "plain")
    assert made[0].checksum != plain.checksum
    with pytest.raises(OutputExistsError, match=r"options.smooth"):
        predict_map(model, cubes, tmp_path / "b32", options=MapOptions())
