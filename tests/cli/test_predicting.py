"""`landweave predict` on images and on cubes."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio

from landweave.maps import open_map

PATTERN = ("--pattern", "{date:%Y%m%d}.tif", "--scale", "0.0001")


def read(path):
    with rasterio.open(path) as file:
        return file.read()


def test_a_file_gets_the_map_and_its_style_alone(cli, done, tmp_path):
    code, text = cli("predict", done.folder / "out" / "model", *done.images, "--out", tmp_path / "map.tif", *PATTERN)
    assert code == 0
    assert sorted(p.name for p in tmp_path.iterdir() if not p.name.endswith(".xml")) == ["map.qml", "map.tif"]
    np.testing.assert_array_equal(read(tmp_path / "map.tif"), read(done.folder / "out" / "map.tif"))
    assert "Mapped, not estimated, areas" in text
    assert open_map(tmp_path / "map.tif").legend.names == ("crop", "forest", "water")


def test_a_folder_gets_all_products(cli, done, tmp_path):
    cube = done.folder / "out" / "cube.zarr"
    assert cli("predict", done.folder / "out" / "model", cube, "--out", tmp_path / "all")[0] == 0
    for name in ("map.tif", "proba.tif", "uncertainty.tif"):
        np.testing.assert_array_equal(read(tmp_path / "all" / name), read(done.folder / "out" / name))


def test_bands_are_named_by_the_command(cli, done, jobs, tmp_path):
    for seed, image in enumerate(done.images, start=1):
        jobs.write_tif(tmp_path / "in" / image.name, jobs.make_values(seed), names=None, nodata=0)
    images = sorted((tmp_path / "in").glob("*.tif"))
    code, text = cli("predict", done.folder / "out" / "model", *images, "--out", tmp_path / "map.tif", *PATTERN, "--bands",
                     "green, red,nir")  # fmt: skip
    assert code == 0, text
    np.testing.assert_array_equal(read(tmp_path / "map.tif"), read(done.folder / "out" / "map.tif"))


def test_a_file_that_is_there_is_kept_unless_told(cli, done, tmp_path):
    (tmp_path / "map.tif").write_text("mine")
    args = ("predict", done.folder / "out" / "model", *done.images, "--out", tmp_path / "map.tif", *PATTERN)
    code, text = cli(*args)
    assert code == 2
    assert "--overwrite replaces it" in text
    assert (tmp_path / "map.tif").read_text() == "mine"
    assert cli(*args, "--overwrite")[0] == 0


@pytest.mark.parametrize(("dates", "told"), [(1, "1 time step, the model was trained on 2 time steps"), (0, "no images given")])
def test_too_few_images_are_told(cli, done, tmp_path, dates, told):
    code, text = cli("predict", done.folder / "out" / "model", *done.images[:dates], "--out", tmp_path / "map.tif", *PATTERN)
    assert code == 2
    assert told in text


def test_images_of_other_dates_are_refused(cli, done, jobs, tmp_path):
    for day in ("20200601", "20201130"):
        jobs.write_tif(tmp_path / f"{day}.tif", jobs.make_values(), nodata=0)
    images = sorted(tmp_path.glob("*.tif"))
    code, text = cli("predict", done.folder / "out" / "model", *images, "--out", tmp_path / "m", *PATTERN)
    assert code == 2
    assert "off by more than half a step" in text
    assert "2020-07-01 (cube: 2020-11-30)" in text


def test_a_folder_that_is_no_model_is_named(cli, done, tmp_path):
    code, text = cli("predict", tmp_path, *done.images, "--out", tmp_path / "map.tif", *PATTERN)
    assert code == 2
    assert str(tmp_path) in text
    assert "model" in text


@pytest.mark.parametrize(("option", "told"), [
    (("--runtime", "openvino"), "is no network, so that no runtime"), (("--augment", "dihedral"), "works on single pixels"),
])  # fmt: skip
def test_options_of_networks_are_for_networks(cli, done, tmp_path, option, told):
    cube = done.folder / "out" / "cube.zarr"
    code, text = cli("predict", done.folder / "out" / "model", cube, "--out", tmp_path / "all", *option)
    assert code == 2
    assert told in " ".join(text.split())
