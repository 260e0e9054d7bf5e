"""`landweave consensus` on tables and maps, and `landweave risk`."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import rasterio

from landweave.io.tables import read_samples


@pytest.fixture
def labels(tmp_path):
    """A table per labeller: 60 places of two classes, of which they mislabel 5, 10 and 30 %."""
    rng = np.random.default_rng(3)
    truth, lonlat = rng.integers(0, 2, 60), rng.uniform(10, 11, (60, 2)).round(5)
    for who, wrong in (("anna", 0.05), ("ben", 0.1), ("carla", 0.3)):
        said = np.where(rng.random(60) < wrong, 1 - truth, truth)
        table = {"lon": lonlat[:, 0], "lat": lonlat[:, 1], "label": np.array(["crop", "mine"])[said]}
        pd.DataFrame(table).to_csv(tmp_path / f"{who}.csv", index=False)
    return tmp_path, truth


def run(cli, folder, *more):
    files = [folder / f"{who}.csv" for who in ("anna", "ben", "carla")]
    return cli("consensus", *files, "--class-column", "label", "--crs", "EPSG:4326", "--out", folder / "agreed.parquet", *more)


def test_tables_of_several_people_become_one_with_their_quality(cli, labels):
    folder, truth = labels
    code, told = run(cli, folder, "--places", folder / "places.csv", "--picture", folder / "risk.svg")
    assert code == 0, told
    assert "60 places, 60 with several labels" in told
    agreed = read_samples(folder / "agreed.parquet").frame
    assert (agreed["class"] == np.array(["crop", "mine"])[truth]).mean() > 0.9
    places = pd.read_csv(folder / "places.csv")
    assert {"risk", "n_labels", "agree", "p_crop", "p_mine"} <= set(places.columns)
    assert (folder / "risk.svg").read_text().count("<circle") >= 60


def test_a_dear_error_is_avoided(cli, labels):
    folder, _ = labels
    shares = []
    for more in ((), ("--cost", "mine=crop:20")):
        assert run(cli, folder, *more)[0] == 0
        shares.append((read_samples(folder / "agreed.parquet").frame["class"] == "mine").mean())
    assert shares[1] > shares[0]


def test_maps_are_labellers_too_and_their_risk_is_a_layer(cli, tmp_path):
    rng = np.random.default_rng(0)
    truth = np.repeat(np.array([1, 2], np.uint8), 40)[None].repeat(40, axis=0)
    (tmp_path / "legend.json").write_text('[{"code": 1, "name": "crop"}, {"code": 2, "name": "mine"}]')
    for i in range(3):
        codes = np.where(rng.random(truth.shape) < 0.1, 3 - truth, truth).astype(np.uint8)
        shape = {"height": 40, "width": 80, "count": 1, "dtype": "uint8", "nodata": 255}
        with rasterio.open(tmp_path / f"m{i}.tif", "w", driver="GTiff", **shape, crs="EPSG:32633",
                           transform=rasterio.Affine(10, 0, 500_000, 0, -10, 5_000_000)) as dst:  # fmt: skip
            dst.write(codes, 1)
    code, told = cli("consensus", *(tmp_path / f"m{i}.tif" for i in range(3)), "--out", tmp_path / "agreed")
    assert code == 0, told
    assert "errors that the maps share are not seen" in told
    code, told = cli("risk", tmp_path / "agreed", "--cost", "mine=crop:5", "--out", tmp_path / "dear.tif")
    assert code == 0, told
    with rasterio.open(tmp_path / "dear.tif") as src:
        assert src.scales[0] == pytest.approx(5 / 250)


@pytest.mark.parametrize(
    ("more", "match"),
    [(("--method", "mean"), "no method named 'mean'; known: dawid-skene, majority"),
     (("--cost", "mine:5"), "is no cost; write TRUE=SAID:NUMBER")],
)  # fmt: skip
def test_mistakes_are_told(cli, labels, more, match):
    code, told = run(cli, labels[0], *more)
    assert code == 2
    assert match in " ".join(told.replace("│", " ").split())


def test_a_single_table_needs_a_labellers_column(cli, labels):
    code, told = cli("consensus", labels[0] / "anna.csv", "--class-column", "label", "--out", labels[0] / "a.parquet")
    assert code == 2
    assert "or give a file per labeller" in told
