from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from scipy.ndimage import gaussian_filter

from landweave.cube import detail
from landweave.cube.detail import compare_files, move_files, sharpen_file
from landweave.errors import BandError, GridError, OutputExistsError
from landweave.features.sharpening import average, fit_whole, pansharpen

FINE = Affine(5, 0, 500_000, 0, -5, 5_000_000)
COARSE = FINE @ Affine.scale(2)


@pytest.fixture
def fine(rng: np.random.Generator) -> np.ndarray:
    """Three bands (3, 160, 160) with shared edges."""
    kinds = np.kron(rng.integers(0, 5, (20, 20)), np.ones((8, 8), dtype=int))
    return (rng.uniform(0.1, 0.5, (3, 5))[:, kinds] + rng.normal(0, 0.01, (3, 160, 160))).astype(np.float32)


@pytest.fixture
def pair(fine: np.ndarray, write: Callable[..., str]) -> tuple[str, str]:
    """A multispectral and a panchromatic file."""
    return write(average(fine, 2), transform=COARSE), write(fine.mean(axis=0), transform=FINE)


@pytest.mark.parametrize("method", ["brovey", "gsa", "mtf-glp"])
def test_blocks_give_what_the_whole_raster_gives(
    pair: tuple[str, str], fine: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:  # fmt: skip
    monkeypatch.setattr(detail, "_BLOCK_PX", 24)
    made = sharpen_file(*pair, tmp_path / "sharp.tif", method=method, judge=False)
    ms, pan = average(fine, 2), fine.mean(axis=0)
    wanted = pansharpen(ms, pan, fit_whole(ms, pan, method=method, ratio=2))
    with rasterio.open(made.path) as src:
        assert src.transform == FINE
        np.testing.assert_allclose(src.read()[:, 24:-24, 24:-24], wanted[:, 24:-24, 24:-24], atol=2e-4)


def test_every_method_is_scored_beside_interpolation(pair: tuple[str, str], tmp_path: Path) -> None:
    made = sharpen_file(*pair, tmp_path / "sharp.tif")
    assert list(made.reduced) == ["interpolation", "brovey", "gsa", "mtf-glp"]
    assert made.reduced["gsa"].ergas < made.reduced["interpolation"].ergas
    assert made.full is not None
    assert 0.5 < made.full.hqnr <= 1


def test_grids_that_share_centres_are_sharpened_on_the_pan_lattice(
    fine: np.ndarray, write: Callable[..., str], tmp_path: Path
) -> None:  # fmt: skip
    ms = write(average(fine, 2), transform=COARSE @ Affine.translation(-0.25, -0.25))
    made = sharpen_file(ms, write(fine[0], transform=FINE), tmp_path / "sharp.tif", judge=False)
    with rasterio.open(made.path) as src:
        assert np.isfinite(src.read(1)[10:-10, 10:-10]).all()
        assert (src.transform.c, src.transform.a) == (500_000, 5)


@pytest.mark.parametrize(("change", "error", "says"), [
    ({"transform": FINE @ Affine.scale(1.5)}, GridError, "are 1.5 times those of .* whole ratio from 2 on"),
    ({"crs": "EPSG:32634"}, GridError, "reproject one to the other"),
    ({"transform": COARSE @ Affine.translation(5000, 0)}, GridError, "do not overlap"),
])  # fmt: skip
def test_files_that_do_not_fit_are_refused(
    fine: np.ndarray, write: Callable[..., str], tmp_path: Path, change: dict[str, object], error: type[Exception], says: str
) -> None:  # fmt: skip
    ms = write(average(fine, 2), **{"transform": COARSE, **change})
    with pytest.raises(error, match=says):
        sharpen_file(ms, write(fine[0], transform=FINE), tmp_path / "sharp.tif")


def test_a_pan_of_several_layers_and_an_output_that_exists_are_refused(
    pair: tuple[str, str], tmp_path: Path
) -> None:  # fmt: skip
    with pytest.raises(BandError, match="has 3 layers; a panchromatic file has one"):
        sharpen_file(pair[0], pair[0], tmp_path / "sharp.tif")
    (tmp_path / "sharp.tif").touch()
    with pytest.raises(OutputExistsError, match="exists already"):
        sharpen_file(*pair, tmp_path / "sharp.tif")


def test_a_shifted_file_is_found_and_its_copy_moved_into_place(
    write: Callable[..., str], rng: np.random.Generator, tmp_path: Path
) -> None:  # fmt: skip
    land = gaussian_filter(rng.normal(size=(200, 200)), 2).astype(np.float32)
    base, other = write(land, transform=COARSE), write(land, transform=COARSE @ Affine.translation(-2, 3))
    (found,) = compare_files(base, [other], block_px=64)
    assert (round(found.shift.rows, 2), round(found.shift.cols, 2)) == (3, -2)
    (path,) = move_files(base, [found], tmp_path / "moved")
    with rasterio.open(path) as src:
        assert src.transform.almost_equals(COARSE, 0.2)
        np.testing.assert_array_equal(src.read(1), land)


def test_a_layer_that_is_not_there_is_named(pair: tuple[str, str]) -> None:
    with pytest.raises(BandError, match="has 1 layers, and layer 3 was asked for"):
        compare_files(pair[0], [pair[1]], layer=3)
