"""Judging on real data with a split that somebody else made: continents, official test sets, maps of three dates.

    python benchmarks/real_judging.py --data FOLDER

FOLDER holds `worldcereal`, `statlog`, `fuel_moisture` and `maps-change`. Prints what docs/judge-real-data.md shows. Intervals
are 95 %: from a bootstrap of whole blocks for folds, mid-P for a test set or a continent taken as independent places, from a
bootstrap of sites for the errors of the regression.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio

from landweave.grid import GeoBox, pixel_area_m2
from landweave.legend import Legend
from landweave.metrics import (
    ChangeCounter,
    bootstrap_scores,
    count_confusion,
    count_parts,
    midp_interval,
    score_matrix,
    score_regression,
)
from landweave.models import ModelOptions, cross_validate, train_model
from landweave.samples import SplitOptions, split_random, split_spatial
from landweave.types import ModelInput, SampleTable

FAMILIES = ("random-forest", "catboost", "svm")
YEARS = (1985, 1991, 1999)
CLASSES = ("forest", "built", "other")


def make_table(spec: ModelInput, values: np.ndarray, labels: np.ndarray, lonlat: np.ndarray) -> SampleTable:
    frame = pd.DataFrame(values.reshape(len(values), -1), columns=list(spec.feature_names))
    frame["class"], frame["group"] = labels, np.arange(len(labels)).astype(str)
    places = gpd.points_from_xy(*lonlat.T)
    table = gpd.GeoDataFrame(frame, geometry=places, crs="EPSG:4326")
    return SampleTable(table, Legend.from_names(sorted(set(labels))), (spec,))


# --- WorldCereal: leave one continent out ----------------------------------------------------------------------------------


def continent_of(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """Name continents by straight lines: rough along the Mediterranean and the Red Sea, which is enough to hold regions out."""
    africa = (lon > -20) & (lon < 52) & (lat < 36) & ~((lon > 34) & (lat > 12.5 + (43 - lon).clip(0) * 1.9))
    europe = ((lon < 60) & (lat > 42)) | ((lon < 26) & (lat > 34))
    america, oceania = lon < -30, (lon > 110) & (lat < -10)
    return np.select(
        [america & (lat < 13), america, oceania, africa, europe],
        ["South America", "North America", "Oceania", "Africa", "Europe"], "Asia",
    )  # fmt: skip


def load_worldcereal(data: Path) -> SampleTable:
    frame = pd.read_parquet(data / "worldcereal" / "worldcereal_testdf.parquet")
    label = frame["WORLDCOVER-LABEL-10m"]
    frame = frame[label.map(label.value_counts()) >= 10]  # classes of a handful of rows are left out
    stems = sorted({c.rsplit("-ts", 1)[0] for c in frame.columns if "-ts" in c})
    by_name = {c.rsplit("-", 1)[0]: c for c in frame.columns if "-ts" in c}
    raw = np.stack([[frame[by_name[f"{s}-ts{t}"]].to_numpy(float) for s in stems] for t in range(12)]).transpose(2, 0, 1)
    values = np.where(raw == 65535, np.nan, raw)
    kept = [i for i, s in enumerate(stems) if not np.isnan(values[:, :, i]).all()]
    spec = ModelInput(bands=tuple(stems[i].lower() for i in kept), kinds=("other",) * len(kept), n_steps=12)
    lonlat = frame[["lon", "lat"]].to_numpy(float)
    names = frame["WORLDCOVER-LABEL-10m"].map(lambda c: f"worldcover {c}").to_numpy()
    samples = make_table(spec, values[:, :, kept], names, lonlat)
    samples.frame["continent"] = continent_of(*lonlat.T)
    return samples


def print_worldcereal(data: Path) -> None:
    samples = load_worldcereal(data)
    counts = samples.frame["continent"].value_counts()
    print("### WorldCereal: one continent left out\n")
    print(f"{len(samples)} places, {len(samples.legend)} WorldCover classes, 12 months; "
          + ", ".join(f"{k} {n}" for k, n in counts.items()) + ".\n")  # fmt: skip
    print("| folds | overall accuracy, % | macro-F1, % |\n|---|---|---|")
    truth = samples.to_class_index()
    blocks = pd.factorize(pd.Series(np.floor(samples.frame.geometry.x / 5).astype(str) + np.floor(samples.frame.geometry.y / 5)
                                    .astype(str)))[0]  # fmt: skip
    options = ModelOptions(missing="native", min_valid_steps=1)
    splits = {"random": split_random(samples, SplitOptions(random_by="sample")),
              "spatial, blocks of 5 degrees": split_spatial(samples, SplitOptions(block_size_deg=5)),
              "leave one continent out": split_spatial(samples, SplitOptions(by="continent", leave_one_out=True))}  # fmt: skip
    for name, folds in splits.items():
        predicted = cross_validate(samples, folds, options=options, n_jobs=2).predicted[0]
        print(f"| {name} | " + " | ".join(scores_with_ends(predicted, truth, blocks, len(samples.legend))) + " |")
    for fold in splits["leave one continent out"][0]:
        hit = predicted[fold.test] == truth[fold.test]
        low, high = (100 * float(e) for e in midp_interval(hit.sum(), len(hit)))
        name = samples.frame["continent"].iloc[fold.test[0]]
        print(f"| - {name} ({len(hit)} places) | {100 * hit.mean():.1f} ({low:.1f}-{high:.1f}) | |")


def scores_with_ends(predicted: np.ndarray, truth: np.ndarray, blocks: np.ndarray, k: int) -> list[str]:
    rng = np.random.default_rng(0)
    parts = count_parts(blocks, predicted, truth, n_groups=int(blocks.max()) + 1, n_classes=k)
    drawn = bootstrap_scores(parts, ("overall_accuracy", "macro_f1"), draws=1000, rng=rng)
    matrix = count_confusion(predicted, truth, k)
    cells = []
    for name in ("overall_accuracy", "macro_f1"):
        value, se = float(score_matrix(matrix, name)), float(np.nanstd(drawn[name], ddof=1))  # type: ignore[arg-type]
        cells.append(f"{100 * value:.1f} ({100 * (value - 1.96 * se):.1f}-{100 * (value + 1.96 * se):.1f})")
    return cells


# --- statlog: the official test set ----------------------------------------------------------------------------------------


def load_statlog(data: Path) -> tuple[SampleTable, np.ndarray]:
    """Give both files as one table, and which rows are the official test set."""
    tables = [np.loadtxt(data / "statlog" / f"sat.{part}") for part in ("trn", "tst")]
    tables = [t[t[:, -1] < 8] for t in tables]  # a stray row of label 37 in each file
    both = np.concatenate(tables)
    spec = ModelInput(bands=("green", "red", "nir1", "nir2"), kinds=("reflectance",) * 4, n_steps=9)
    samples = make_table(spec, both[:, :-1] / 255, np.array([f"class {k:.0f}" for k in both[:, -1]]), np.zeros((len(both), 2)))
    return samples, np.arange(len(both)) >= len(tables[0])


def score_statlog(data: Path, family: str) -> tuple[int, int, float]:
    """Give right answers, test rows and macro-F1 of a family on the official test set."""
    samples, is_test = load_statlog(data)
    train, test = samples.select(~is_test), samples.select(is_test)
    params = {"C": 10.0} if family == "svm" else {}
    predicted = train_model(train, options=ModelOptions(name=family, params=params)).predict_features_index(test.to_features())
    matrix = count_confusion(predicted, test.to_class_index(), len(samples.legend))
    return int(np.trace(matrix)), int(matrix.sum()), float(score_matrix(matrix, "macro_f1"))


def print_statlog(data: Path) -> None:
    print("\n### Statlog: the official test set\n")
    print("| model | test places | overall accuracy, % | macro-F1, % |\n|---|---|---|---|")
    for family in FAMILIES:
        right, n, f1 = score_statlog(data, family)
        low, high = (100 * float(e) for e in midp_interval(right, n))
        print(f"| {family} | {n} | {100 * right / n:.1f} ({low:.1f}-{high:.1f}) | {100 * f1:.1f} |")


# --- fuel moisture: regression on the official test set --------------------------------------------------------------------


def print_fuel(data: Path) -> None:
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.linear_model import LinearRegression

    folder = data / "fuel_moisture" / "npy"
    x, y, test, site = (np.load(folder / f"{n}.npy") for n in ("s1_s2_era5_srtm", "target", "is_test", "site"))
    x, test = x.reshape(len(x), -1), test.astype(bool)
    sites = np.unique(site.reshape(len(site), -1)[:, 0][test], return_inverse=True)[1]
    print("\n### Fuel moisture: regression on the official test set\n")
    print("| model | test rows | RMSE | MAE | bias | R2 |\n|---|---|---|---|---|---|")
    for name, model in (("linear", LinearRegression()), ("forest", RandomForestRegressor(100, random_state=0, n_jobs=2))):
        predicted = model.fit(x[~test], y[~test]).predict(x[test])
        found, rng = score_regression(predicted, y[test]), np.random.default_rng(0)
        drawn = []
        for _ in range(500):
            times = np.bincount(rng.integers(sites.max() + 1, size=sites.max() + 1), minlength=sites.max() + 1)[sites]
            one = score_regression(np.repeat(predicted, times), np.repeat(y[test], times))
            drawn.append([float(one.rmse), float(one.mae), float(one.bias), float(one.r2)])
        low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
        values = (found.rmse, found.mae, found.bias, found.r2)
        cells = [f"{float(v):.2f} ({a:.2f} to {b:.2f})" for v, a, b in zip(values, low, high, strict=True)]
        print(f"| {name} | {int(found.n)} | " + " | ".join(cells) + " |")


# --- three dates: change matrices and areas --------------------------------------------------------------------------------


def read_dates(data: Path) -> tuple[list[np.ndarray], np.ndarray]:
    """Give class indices of the three dates (-1 is nodata), and the area of each pixel in hectares."""
    maps = []
    for year in YEARS:
        with rasterio.open(data / "maps-change" / f"pie_lu_pie_{year}.tif") as src:
            codes = src.read(1).astype(np.int64)
            area = pixel_area_m2(GeoBox.from_rio(src)) / 10_000
        maps.append(np.where(codes == 255, -1, codes - 1))
    return maps, np.broadcast_to(area, maps[0].shape)


def change_areas(before: np.ndarray, after: np.ndarray, area_ha: np.ndarray) -> np.ndarray:
    """Add up areas by class before (rows) and after (columns)."""
    known = (before >= 0) & (after >= 0)
    k = len(CLASSES)
    cells = np.bincount(before[known] * k + after[known], area_ha[known], minlength=k * k)
    return cells.reshape(k, k)


def print_change(data: Path) -> None:
    maps, area = read_dates(data)
    print("\n### Plum Island: change between maps of 1985, 1991 and 1999\n")
    print("Mapped areas in hectares, geodesic; rows before, columns after. No reference, and so no interval.")
    for i, j in ((0, 1), (1, 2), (0, 2)):
        cells = change_areas(maps[i], maps[j], area)
        print(f"\n| {YEARS[i]} to {YEARS[j]} | " + " | ".join(CLASSES) + " | all before |\n|---|---:|---:|---:|---:|")
        for name, row in zip(CLASSES, cells, strict=True):
            print(f"| {name} | " + " | ".join(f"{v:.0f}" for v in row) + f" | {row.sum():.0f} |")
        print("| all after | " + " | ".join(f"{v:.0f}" for v in cells.sum(axis=0)) + f" | {cells.sum():.0f} |")
        print(f"\nChanged: {100 * (1 - np.trace(cells) / cells.sum()):.2f} % of the area.")
    counter = ChangeCounter(len(CLASSES))
    counter.update((maps[0], maps[1]), (maps[0], maps[2]))
    found = counter.result()
    print(f"\nThe change to 1991 as a guess of that to 1999: precision {found.precision:.3f}, recall {found.recall:.3f}, F1 "
          f"{found.f1:.3f}, IoU {found.iou:.3f}; SCS {found.scs:.3f} (BC {found.bc:.3f}, SC {found.sc:.3f}); SeK "
          f"{found.sek:.3f}, Fscd {found.fscd:.3f}.")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    given = parser.parse_args()
    for part in (print_worldcereal, print_statlog, print_fuel, print_change):
        part(given.data)


if __name__ == "__main__":
    main()
