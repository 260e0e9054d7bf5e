"""`landweave relabel`, `pseudo` and `weak-labels` on a small job."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import rasterio

from landweave.io.rasters import read_info
from landweave.io.tables import read_samples


@pytest.fixture
def out(done):
    return done.folder / "out"


def write_like(path, like, codes):
    info = read_info(like)
    with rasterio.open(path, "w", driver="GTiff", height=info.geobox.shape[0], width=info.geobox.shape[1], count=1,
                       dtype=codes.dtype.name, crs=info.geobox.crs.to_wkt(), transform=info.geobox.affine) as dst:  # fmt: skip
        dst.write(codes, 1)
    return path


def test_samples_take_the_class_of_their_segment(cli, out, tmp_path):
    rows, cols = read_info(out / "map.tif").geobox.shape
    whole = write_like(tmp_path / "seg.tif", out / "map.tif", np.zeros((rows, cols), np.int32))
    table = read_samples(out / "samples.parquet")
    first = table.frame["class"].value_counts().index[0]
    odd = table.frame["sample_id"][table.frame["class"] != first].head(2)
    pd.DataFrame({"sample_id": odd}).to_csv(tmp_path / "suspects.csv", index=False)
    code, told = cli("relabel", out / "samples.parquet", "--segments", whole, "--suspects", tmp_path / "suspects.csv",
                     "--min-share", 0.1, "--out", tmp_path / "new.parquet")  # fmt: skip
    assert code == 0, told
    made = read_samples(tmp_path / "new.parquet").frame
    assert (made["class"].to_numpy() != table.frame["class"].to_numpy()).sum() == 2
    assert made.loc[made["sample_id"].isin(odd), "class"].nunique() == 1


def test_a_map_is_relabelled_by_segments_cut_from_its_cube(cli, out, tmp_path):
    code, told = cli("relabel", out, "--guide", out / "cube.zarr", "--method", "felzenszwalb", "--size", 20, "--rule",
                     "confident", "--out", tmp_path / "new")  # fmt: skip
    assert code == 0, told
    assert (tmp_path / "new" / "map.tif").exists()


def test_segments_come_from_one_place(cli, out, tmp_path):
    code, told = cli("relabel", out, "--out", tmp_path / "new")
    assert code == 2
    assert "give one of them" in told


@pytest.mark.parametrize("method", ["label-spreading", "self-training"])
def test_unlabelled_pixels_get_provisional_labels(cli, out, tmp_path, method):
    code, told = cli("pseudo", out / "samples.parquet", out / "cube.zarr", "--method", method, "--pool", 200, "--min-proba",
                     0.6, "--out", tmp_path / "more.parquet")  # fmt: skip
    assert code == 0, told
    before, made = (read_samples(p).frame for p in (out / "samples.parquet", tmp_path / "more.parquet"))
    added = made[made["labeller"] == method]
    assert len(made) - len(before) == len(added) > 0
    assert (added["weight"] <= 0.5).all()


def test_products_give_labels_through_crosswalks(cli, out, tmp_path):
    rows, cols = read_info(out / "map.tif").geobox.shape
    cover = np.full((rows, cols), 10, np.uint8)
    cover[:, cols // 2 :] = 40
    wc = write_like(tmp_path / "wc.tif", out / "map.tif", cover)
    dw = write_like(tmp_path / "dw.tif", out / "map.tif", np.where(cover == 10, 1, 4).astype(np.uint8))
    code, told = cli("weak-labels", f"esa-worldcover={wc}", f"dynamic-world={dw}", "--like", out / "map.tif", "--n", 20,
                     "--out", tmp_path / "weak.parquet")  # fmt: skip
    assert code == 0, told
    made = read_samples(tmp_path / "weak.parquet").frame
    assert made["class"].value_counts().to_dict() == {"Tree cover": 20, "Cropland": 20}
    code, told = cli("weak-labels", "esa-worldcover", "--like", wc, "--out", tmp_path / "weak.parquet")
    assert code == 2
    assert "write NOMENCLATURE=RASTER" in told
