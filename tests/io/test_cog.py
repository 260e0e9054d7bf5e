"""COGs are whole or not there, and the same whatever windows they were written in."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from rasterio._err import CPLE_BaseError
from rio_cogeo import cog_validate

from landweave.errors import DiskFullError, GridError
from landweave.grid import make_geobox
from landweave.io import cog
from landweave.io.cog import CogSpec, estimate_cog_bytes, legend_colormap, write_cog
from landweave.legend import Legend

GEOBOX = make_geobox((0, 0, 6000, 11000), "EPSG:32633", 10)
SPEC = CogSpec("uint8", 2, 255, "average", ("a", "b"), scale=0.004, predictor=True)


def pixels():
    y, x = np.mgrid[: GEOBOX.shape[0], : GEOBOX.shape[1]]
    return np.stack([(np.sin(x / 40 + y / 90) + 1) * 120, (np.cos(x / 70) + 1) * 120]).astype(np.uint8)


def reader(data):
    return lambda w: data[(slice(None), *w.slices)]


def test_step_and_threads_do_not_change_a_byte(tmp_path):
    data = pixels()
    made = [write_cog(tmp_path / f"{s}_{n}.tif", GEOBOX, reader(data), SPEC, step_px=s, threads=n)
            for s, n in ((512, 1), (1024, 2))]  # fmt: skip
    assert made[0].read_bytes() == made[1].read_bytes()
    assert cog_validate(made[0], strict=True)[0]
    with rasterio.open(made[0]) as src:
        np.testing.assert_array_equal(src.read(), data)
        assert (src.descriptions, src.scales, src.nodata) == (("a", "b"), (0.004, 0.004), 255)


def test_nothing_is_left_when_the_pixels_cannot_be_read(tmp_path):
    def fail(window):
        raise RuntimeError("no pixels")

    with pytest.raises(RuntimeError, match="no pixels"):
        write_cog(tmp_path / "a.tif", GEOBOX, fail, SPEC)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_says_how_much_is_needed(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise CPLE_BaseError(3, 1, "WriteEncodedTile/Strip() failed.")

    monkeypatch.setattr("rasterio.shutil.copy", fail)
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 2**20}))
    with pytest.raises(DiskFullError, match=r"a\.tif needs up to 3 MiB, 1 MiB are free; nothing of it was kept"):
        write_cog(tmp_path / "a.tif", GEOBOX, reader(pixels()), SPEC)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_does_not_read_back_never_gets_its_name(tmp_path, monkeypatch):
    copy = cog._copy_to_cog

    def copy_wrong(source, target, spec, threads):
        with rasterio.open(source, "r+") as dst:
            dst.write(np.zeros((1, 1), dtype=np.uint8), 1, window=rasterio.windows.Window(0, 0, 1, 1))
        copy(source, target, spec, threads)

    monkeypatch.setattr(cog, "_copy_to_cog", copy_wrong)
    with pytest.raises(DiskFullError, match="does not read back as it was written at row 0, column 0"):
        write_cog(tmp_path / "a.tif", GEOBOX, reader(pixels()), SPEC)
    assert list(tmp_path.iterdir()) == []


def test_a_step_that_does_not_fit_the_tiles_is_refused(tmp_path):
    with pytest.raises(GridError, match="step of 500 px does not fit tiles of 512 px"):
        write_cog(tmp_path / "a.tif", GEOBOX, reader(pixels()), SPEC, step_px=500)


def test_the_estimate_covers_pixels_that_cannot_be_compressed(tmp_path, rng):
    data = rng.integers(0, 250, (2, *GEOBOX.shape), dtype=np.uint8)
    path = write_cog(tmp_path / "a.tif", GEOBOX, reader(data), SPEC)
    assert path.stat().st_size < estimate_cog_bytes(GEOBOX, SPEC)


def test_the_colour_table_hides_nodata_and_greys_unsure():
    table = legend_colormap(Legend.from_names(["a"], colors={"a": "#102030"}))
    assert table == {1: (16, 32, 48, 255), 254: (190, 190, 190, 255), 255: (0, 0, 0, 0)}
