"""`landweave score` and the function behind it."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from affine import Affine

from landweave.assess.scoring import score_rasters
from landweave.errors import AssessmentError, GridError
from landweave.metrics import BoundaryCounter, ChangeCounter, count_confusion

LEGEND = '[{"code": 1, "name": "dry", "color": "#aa0000"}, {"code": 2, "name": "wet", "color": "#0000aa"}]'


@pytest.fixture
def rasters(tmp_path, rng):
    """Map, reference, and both of an earlier date: paths and codes (40 x 30), 255 is nodata."""
    made = {}
    for name in ("map", "reference", "map0", "reference0"):
        codes = rng.choice([1, 1, 2, 2, 255], (40, 30)).astype(np.uint8)
        folder = tmp_path / name
        folder.mkdir()
        with rasterio.open(folder / "m.tif", "w", driver="GTiff", height=40, width=30, count=1, dtype="uint8", nodata=255,
                           crs="EPSG:32633", transform=Affine(10, 0, 5e5, 0, -10, 5e6)) as dst:  # fmt: skip
            dst.write(codes, 1)
        (folder / "legend.json").write_text(LEGEND)
        made[name] = folder / "m.tif", np.where(codes == 255, -1, codes.astype(int) - 1)
    return made


def test_scores_are_those_of_the_counters_whatever_the_blocks(rasters, monkeypatch):
    (a, x), (b, y), (c, x0), (d, y0) = (rasters[n] for n in ("map", "reference", "map0", "reference0"))
    change, edges = ChangeCounter(2), BoundaryCounter(2, tolerance_px=2)
    change.update((x0, x), (y0, y))
    edges.update(x, y)
    for rows in (7, 1024):
        monkeypatch.setattr("landweave.assess.scoring._ROWS", rows)
        found = score_rasters(a, b, earlier=(c, d), tolerance_px=2)
        np.testing.assert_array_equal(found.matrix, count_confusion(x, y, 2))
        assert found.change == change.result()
        assert found.overall["boundary F1"] == pytest.approx(edges.result().mean_f1)


def test_the_command_prints_them(rasters, cli):
    code, text = cli("score", str(rasters["map"][0]), str(rasters["reference"][0]), "--tolerance-px", "1")
    assert code == 0
    assert "boundary F1" in text
    assert "producer's" in text


def test_rasters_on_other_grids_or_without_common_classes_are_refused(rasters, tmp_path):
    path = rasters["map"][0]
    with rasterio.open(path) as src:
        profile, codes = src.profile, src.read(1)
    with rasterio.open(tmp_path / "small.tif", "w", **{**profile, "height": 20}) as dst:
        dst.write(codes[:20], 1)
    with rasterio.open(tmp_path / "other.tif", "w", **profile) as dst:
        dst.write(np.full_like(codes, 9), 1)
    with pytest.raises(GridError, match="bring both onto one grid"):
        score_rasters(path, tmp_path / "small.tif")
    with pytest.raises(AssessmentError, match="must hold the map's codes"):
        score_rasters(path, tmp_path / "other.tif")
