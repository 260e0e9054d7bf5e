from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from landweave.errors import BandError, SampleError, SourceError
from landweave.models.scenes import (
    FileBands,
    count_labels,
    read_scene_table,
    scenes_from_files,
    scenes_from_folder,
    scenes_from_places,
    summarise_scenes,
)


def test_a_folder_per_class_gives_labels_bands_and_physical_values(chip_folder):
    scenes = scenes_from_folder(chip_folder, bands=FileBands(scale=1e-4))
    assert scenes.legend.names == ("crop", "forest", "water")
    assert scenes.inputs[0].bands == ("red", "nir")
    assert count_labels(scenes) == {"crop": 2, "forest": 2, "water": 2}
    pixels = scenes.read(5)["main"]
    assert pixels.values[0, 4, 4] == pytest.approx(0.3)
    assert pixels.valid.sum() == 60


def test_files_are_cut_or_padded_around_their_centre(chip_folder):
    small, large = (scenes_from_folder(chip_folder, chip_size_px=side).read(0)["main"] for side in (4, 12))
    assert small.valid.all()
    assert small.values.shape == (2, 4, 4)
    assert large.valid.sum() == 60


def test_neighbours_on_a_common_grid_share_a_group(chip_folder):
    assert len(np.unique(scenes_from_folder(chip_folder).groups)) == 3  # 2 chips side by side, 3 rows 400 m apart


def test_layers_without_names_need_some(chip_folder):
    with pytest.raises(BandError, match="2 layers and 1 names are given; name each with --bands"):
        scenes_from_folder(chip_folder, bands=FileBands(("red",)))


def test_a_folder_without_classes_is_refused(tmp_path):
    with pytest.raises(SourceError, match="scenes need a folder per class"):
        scenes_from_folder(tmp_path)


def test_a_table_gives_several_labels_and_groups(chip_folder):
    rows = {"path": ["crop/0.tif", "water/0.tif", "water/1.tif"], "labels": ["crop", "crop; water", ""]}
    pd.DataFrame({**rows, "group": ["a", "b", "b"]}).to_csv(chip_folder / "chips.csv", index=False)
    scenes = read_scene_table(chip_folder / "chips.csv")
    assert scenes.labels.tolist() == [[1, 0], [1, 1], [0, 0]]
    assert scenes.has_several
    assert scenes.groups.tolist() == [0, 1, 1]


def test_chips_are_cut_from_cubes_around_places(cubes, tmp_path):
    rows = {"x": [500085, 500400], "y": [4999915, 4999800], "labels": ["crop", "water"]}
    pd.DataFrame(rows).to_csv(tmp_path / "places.csv", index=False)
    scenes = read_scene_table(tmp_path / "places.csv", cubes=cubes, chip_size_px=8)
    assert scenes.at.tolist() == [[4, 4], [16, 36]]
    np.testing.assert_array_equal(scenes.read(1)["main"].values, cubes["main"].values[:, 16:24, 36:44])


def test_places_outside_the_cube_are_named(cubes):
    with pytest.raises(SampleError, match="1 of 2 places lie outside the cube, the first at x 0"):
        scenes_from_places(np.array([[500100, 4999900], [0, 0]]), [("a",), ("b",)], cubes, chip_size_px=8)


def test_a_table_without_files_needs_a_cube(tmp_path):
    pd.DataFrame({"x": [1], "y": [2], "labels": ["a"]}).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(SampleError, match="give --cube and --chip-size-px"):
        read_scene_table(tmp_path / "t.csv")


def test_labels_outside_the_legend_are_named(chip_folder, make_scenes):
    with pytest.raises(SampleError, match="chip 0 has the label 'lake'"):
        scenes_from_files([chip_folder / "crop" / "0.tif"], [("lake",)], legend=make_scenes().legend)


def test_overlap_is_found_by_pixels(cubes):
    places = np.array([[500100, 4999900], [500160, 4999900], [500300, 4999700]])
    scenes = scenes_from_places(places, [("a",), ("b",), ("a",)], cubes, chip_size_px=8)
    assert scenes.find_overlapping(np.array([1, 2]), np.array([0])).tolist() == [True, False]


def test_summaries_leave_out_what_was_not_observed(chip_folder):
    table = summarise_scenes(scenes_from_folder(chip_folder))
    np.testing.assert_allclose(table[0], [1000, 1000, 0, 0])
