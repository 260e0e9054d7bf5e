"""Updates: a changed, new or removed image redoes the blocks it touches, and the bytes are those of a run from nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from landweave.cube import CubeOptions, load_cube
from landweave.cube.derived_options import SegmentCubeOptions
from landweave.errors import MapError, OutputExistsError
from landweave.io.rasters import close_rasters
from landweave.maps import MapOptions, SmoothOptions, predict_map, update_map

OPTIONS = MapOptions(block_px=64)
PERIOD = CubeOptions(period_days=366, fill="none")


@pytest.fixture
def with_patch(mapping: Any, scenes: list[Any], tmp_path: Path) -> list[Any]:
    """The two dates, and a small image of another day over the rows and columns 100 to 140."""
    path = tmp_path / "in" / "patch.tif"
    with rasterio.open(tmp_path / "in" / "scene0.tif") as src:
        profile = {**src.profile, "width": 40, "height": 40, "transform": src.transform @ src.transform.translation(100, 100)}
    with rasterio.open(path, "w", **profile) as dst:
        dst.write(np.full((2, 40, 40), 4000, dtype=np.uint16))
        dst.descriptions = ("red", "nir")
    assets = tuple(replace(a, path=str(path)) for a in scenes[0].assets)
    day = scenes[0].time_start.replace(day=20)
    return [*scenes, replace(scenes[0], id="patch", assets=assets, time_start=day, time_end=day)]


def change(path: Path, rows: slice) -> None:
    close_rasters()
    with rasterio.open(path, "r+") as dst:
        data = dst.read()
        data[:, rows] = data[:, rows] // 2
        dst.write(data)


def products(folder: Path) -> dict[str, bytes]:
    return {n: (folder / n).read_bytes() for n in ("map.tif", "proba.tif", "uncertainty.tif")}


def test_new_image_redoes_only_the_blocks_it_touches(mapping: Any, scenes: Any, with_patch: Any, tmp_path: Path) -> None:
    first = load_cube(scenes, options=PERIOD)
    predict_map(mapping.FakeModel(first), first, tmp_path / "out", options=OPTIONS)
    cubes = load_cube(with_patch, options=PERIOD)
    model = mapping.FakeModel(cubes)
    update_map(model, cubes, tmp_path / "out", options=OPTIONS)
    assert 1 <= model.calls <= 4
    predict_map(model, cubes, tmp_path / "fresh", options=OPTIONS)
    assert products(tmp_path / "out") == products(tmp_path / "fresh")


def test_image_that_changed_elsewhere_leaves_the_map_as_it_is(mapping: Any, with_patch: Any, tmp_path: Path) -> None:
    part = PERIOD.model_copy(update={"bounds": (500000, 5000000, 500600, 5000700), "start": date(2020, 1, 1)})
    cubes = load_cube(with_patch, options=part)
    predict_map(mapping.FakeModel(cubes), cubes, tmp_path / "out", options=OPTIONS)
    written = (tmp_path / "out" / "lineage.json").read_bytes()
    change(tmp_path / "in" / "patch.tif", slice(0, 40))
    cubes = load_cube(with_patch, options=part)
    update_map(mapping.FakeModel(cubes), cubes, tmp_path / "out", options=OPTIONS)
    assert (tmp_path / "out" / "lineage.json").read_bytes() == written


def test_removed_image_is_taken_out_of_the_map(mapping: Any, scenes: Any, with_patch: Any, tmp_path: Path) -> None:
    first = load_cube(with_patch, options=PERIOD)
    predict_map(mapping.FakeModel(first), first, tmp_path / "out", options=OPTIONS)
    cubes = load_cube(scenes, options=PERIOD)
    model = mapping.FakeModel(cubes)
    update_map(model, cubes, tmp_path / "out", options=OPTIONS)
    assert model.calls <= 4
    predict_map(model, cubes, tmp_path / "fresh", options=OPTIONS)
    assert products(tmp_path / "out") == products(tmp_path / "fresh")


def test_changed_image_with_smoothing_redoes_the_margin_too(mapping: Any, with_patch: Any, tmp_path: Path) -> None:
    options = MapOptions(block_px=64, smooth=SmoothOptions(window_px=5))
    cubes = load_cube(with_patch, options=PERIOD)
    predict_map(mapping.FakeModel(cubes), cubes, tmp_path / "out", options=options)
    change(tmp_path / "in" / "patch.tif", slice(0, 40))
    cubes = load_cube(with_patch, options=PERIOD)
    model = mapping.FakeModel(cubes)
    update_map(model, cubes, tmp_path / "out", options=options)
    assert model.calls < 12
    predict_map(model, cubes, tmp_path / "fresh", options=options)
    assert products(tmp_path / "out") == products(tmp_path / "fresh")


def test_changed_image_redoes_all_blocks_whose_segments_it_may_change(mapping: Any, with_patch: Any, tmp_path: Path) -> None:
    by_objects = PERIOD.model_copy(update={"segments": SegmentCubeOptions(size_px=20, window_px=64)})
    cubes = load_cube(with_patch, options=by_objects)
    predict_map(mapping.SegmentModel(cubes), cubes, tmp_path / "out", options=MapOptions(block_px=32))
    change(tmp_path / "in" / "patch.tif", slice(0, 10))
    cubes = load_cube(with_patch, options=by_objects)
    model = mapping.SegmentModel(cubes)
    update_map(model, cubes, tmp_path / "out", options=MapOptions(block_px=32))
    assert model.calls == 12  # of 35: rows 64 to 192, columns 64 to the edge
    predict_map(model, cubes, tmp_path / "fresh", options=MapOptions(block_px=32))
    assert products(tmp_path / "out") == products(tmp_path / "fresh")


def test_nothing_changed_is_nothing_to_do(mapping: Any, cubes: Any, model: Any, tmp_path: Path) -> None:
    update_map(model, cubes, tmp_path / "out", options=OPTIONS)
    calls = model.calls
    update_map(model, cubes, tmp_path / "out", options=OPTIONS)
    assert model.calls == calls


def test_more_than_images_changed_is_an_error_that_names_it(cubes: Any, model: Any, tmp_path: Path) -> None:
    predict_map(model, cubes, tmp_path / "out", options=OPTIONS)
    with pytest.raises(OutputExistsError, match=r"more than its images: options.proba: True -> False"):
        update_map(model, cubes, tmp_path / "out", options=MapOptions(proba=False))


def test_filtered_map_cannot_be_updated(mapping: Any, with_patch: Any, tmp_path: Path) -> None:
    options = MapOptions(block_px=64, majority_px=3)
    cubes = load_cube(with_patch, options=PERIOD)
    predict_map(mapping.FakeModel(cubes), cubes, tmp_path / "out", options=options)
    change(tmp_path / "in" / "patch.tif", slice(0, 40))
    cubes = load_cube(with_patch, options=PERIOD)
    with pytest.raises(MapError, match="were filtered"):
        update_map(mapping.FakeModel(cubes), cubes, tmp_path / "out", options=options)


def test_map_changed_by_hand_is_not_taken_for_ours(mapping: Any, with_patch: Any, tmp_path: Path) -> None:
    cubes = load_cube(with_patch, options=PERIOD)
    predict_map(mapping.FakeModel(cubes), cubes, tmp_path / "out", options=OPTIONS)
    with (tmp_path / "out" / "map.tif").open("ab") as file:
        file.write(b"x")
    change(tmp_path / "in" / "patch.tif", slice(0, 40))
    cubes = load_cube(with_patch, options=PERIOD)
    with pytest.raises(OutputExistsError, match="changed since it was written"):
        update_map(mapping.FakeModel(cubes), cubes, tmp_path / "out", options=OPTIONS)
