from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from scipy.ndimage import gaussian_filter

PIXEL = Affine(10, 0, 500_000, 0, -10, 5_000_000)


@pytest.fixture
def land(tmp_path: Path, rng: np.random.Generator) -> Callable[..., Path]:
    """Write one landscape, 128 x 128 pixels, with a transform."""
    values = gaussian_filter(rng.normal(size=(128, 128)), 1.5).astype(np.float32) + 1

    def write(name: str, transform: Affine = PIXEL, step: int = 1) -> Path:
        data = values[::step, ::step]
        profile = {"driver": "GTiff", "count": 1, "height": data.shape[0], "width": data.shape[1], "dtype": "float32"}
        with rasterio.open(tmp_path / name, "w", crs="EPSG:32633", transform=transform, **profile) as dst:
            dst.write(data, 1)
        return tmp_path / name

    return write


def test_coregister_prints_writes_and_moves(
    land: Callable[..., Path], cli: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:  # fmt: skip
    base, other = land("base.tif"), land("other.tif", PIXEL @ Affine.translation(2, -1))
    code, said = cli("coregister", base, other, "--block-px", 48, "--json", tmp_path / "s.json", "--out", tmp_path / "moved")
    assert code == 0
    assert "-1.00" in said
    assert "+2.00" in said
    assert (tmp_path / "moved" / "other.tif").exists()
    assert json.loads((tmp_path / "s.json").read_text())[0]["cols"] == pytest.approx(2, abs=0.05)


def test_sharpen_prints_the_scores(land: Callable[..., Path], cli: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    pan, ms = land("pan.tif"), land("ms.tif", PIXEL @ Affine.scale(2), step=2)
    code, said = cli("sharpen", ms, pan, "--out", tmp_path / "sharp.tif", "--method", "mtf-glp")
    assert code == 0
    assert "ERGAS" in said
    assert "hqnr" in said


def test_an_unknown_method_lists_those_there_are(land: Callable[..., Path], cli: Callable[..., tuple[int, str]]) -> None:
    code, said = cli("sharpen", land("a.tif"), land("b.tif"), "--out", "c.tif", "--method", "ihs")
    assert code == 2
    assert "no pansharpening named 'ihs'; there is brovey, gsa, mtf-glp" in said
