"""The real series of the benchmark of networks as sample tables, with their splits.

Each loader gives a `SeriesSet`: the table, how it is split at random and in the honest way, and what to say about it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

from landweave.legend import Legend
from landweave.samples import (
    SampleOptions,
    SplitOptions,
    block_of,
    classes_in_one_block,
    import_series,
    split_random,
    split_spatial,
)
from landweave.types import Fold, ModelInput, SampleTable, feature_names


@dataclass(frozen=True)
class SeriesSet:
    """A data set: its table, and folds by (split name, seed)."""

    name: str
    title: str
    samples: SampleTable
    splits: tuple[str, str]
    fold: Callable[[str, int], list[Fold]]


def drop_lonely(samples: SampleTable, split: SplitOptions) -> SampleTable:
    """Leave out classes that stand in one block: no training fold holds them when they are tested."""
    lonely = classes_in_one_block(samples, block_of(samples, split))
    kept = samples.select(~samples.frame["class"].isin(lonely).to_numpy())
    return replace(kept, legend=Legend.from_names([n for n in samples.legend.names if n not in lonely]))


def split_both(samples: SampleTable, block_size_deg: float) -> Callable[[str, int], list[Fold]]:
    """Give five random folds of single rows, or five of spatial blocks."""

    def fold(split: str, seed: int) -> list[Fold]:
        options = SplitOptions(block_size_deg=block_size_deg, seed=seed, random_by="sample")
        return (split_random if split == "random" else split_spatial)(samples, options)[0]

    return fold


def make_table(
    inputs: list[ModelInput], values: list[np.ndarray], labels: np.ndarray, lonlat: np.ndarray, groups: np.ndarray
) -> SampleTable:
    """Make a table of arrays (row, step, band), or (row, band) where static."""
    flat = np.concatenate([v.reshape(len(labels), -1) for v in values], axis=1).astype(np.float32)
    frame = pd.DataFrame(flat, columns=list(feature_names(inputs)))
    own = pd.DataFrame({"sample_id": np.arange(len(labels)), "class": labels.astype(str), "weight": 1.0, "purpose": "train",
                        "group": groups.astype(str), "polygon_id": -1})  # fmt: skip
    geometry = gpd.points_from_xy(lonlat[:, 0], lonlat[:, 1])
    table = gpd.GeoDataFrame(pd.concat([frame, own], axis=1), geometry=geometry, crs="EPSG:4326")
    return SampleTable(table, Legend.from_names(sorted(set(labels.astype(str)))), tuple(inputs))


def load_mato_grosso(data: Path) -> SeriesSet:
    split = SplitOptions(block_size_deg=0.25)
    path = data / "modis-matogrosso" / "sits_matogrosso_mod13q1_1892x23x6.npz"
    samples = drop_lonely(import_series(SampleOptions(series=str(path), sensor="modis-mod13q1")), split)
    title = f"Mato Grosso, MODIS, {len(samples)} series of 23 dates and 6 bands, 7 learnable classes; blocks of 0.25 degrees"
    return SeriesSet("mato-grosso", title, samples, ("random", "spatial"), split_both(samples, 0.25))


def load_cerrado(data: Path) -> SeriesSet:
    path = data / "cbers4-cerrado" / "sits_cerrado_cbers4_922x23x6.npz"
    samples = import_series(SampleOptions(series=str(path), sensor="cbers4-awfi"))
    title = f"Cerrado, CBERS-4, {len(samples)} series of 23 dates and 6 bands, 4 classes; blocks of 0.25 degrees"
    return SeriesSet("cerrado", title, samples, ("random", "spatial"), split_both(samples, 0.25))


def official(samples: SampleTable, n_train: int) -> Callable[[str, int], list[Fold]]:
    """Give the publisher's split (the first rows train), or a random one of the same sizes."""

    def fold(split: str, seed: int) -> list[Fold]:
        rows = np.arange(len(samples))
        if split == "random":
            rows = np.random.default_rng([seed, 5]).permutation(rows)
        return [Fold(np.sort(rows[:n_train]), np.sort(rows[n_train:]))]

    return fold


def load_temporal_cnn(data: Path) -> SeriesSet:
    tables = [pd.read_csv(data / "temporalcnn" / f"{part}_dataset.csv", header=None).to_numpy() for part in ("train", "test")]
    both = np.concatenate(tables)
    spec = ModelInput(bands=("nir", "red", "green"), kinds=("reflectance",) * 3, n_steps=149)
    lonlat = np.zeros((len(both), 2))  # polygons have no place in the file; they are the groups
    names = np.array([f"class {k:02.0f}" for k in both[:, 0]])
    samples = make_table([spec], [both[:, 2:] / 255], names, lonlat, both[:, 1].astype(int))
    title = "temporalCNN example, FORMOSAT-2, 260 + 260 series of 149 days and 3 bands, 13 classes; official split by polygon"
    return SeriesSet("temporalcnn", title, samples, ("random", "official"), official(samples, len(tables[0])))


def load_statlog(data: Path) -> SeriesSet:
    tables = [np.loadtxt(data / "statlog" / f"sat.{part}") for part in ("trn", "tst")]
    tables = [t[t[:, -1] < 8] for t in tables]  # a stray row of label 37 in each file
    both = np.concatenate(tables)
    spec = ModelInput(bands=("green", "red", "nir1", "nir2"), kinds=("reflectance",) * 4, n_steps=9)
    names = np.array([f"class {k:.0f}" for k in both[:, -1]])
    samples = make_table([spec], [both[:, :-1] / 255], names, np.zeros((len(both), 2)), np.arange(len(both)))
    title = f"Statlog, Landsat MSS, {len(both)} places of 3 x 3 pixels and 4 bands, 6 classes; official split"
    return SeriesSet("statlog", title, samples, ("random", "official"), official(samples, len(tables[0])))


_OPTICAL = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")


def load_worldcereal(data: Path) -> SeriesSet:
    frame = pd.read_parquet(data / "worldcereal" / "worldcereal_testdf.parquet")
    label = frame["WORLDCOVER-LABEL-10m"].to_numpy()
    codes, counts = np.unique(label, return_counts=True)
    kept = np.isin(label, codes[counts >= 10])  # classes of a handful of rows are left out, 7 are left
    frame, label = frame[kept].reset_index(drop=True), label[kept]

    def read(names: tuple[str, ...]) -> np.ndarray:
        by_name = {c.rsplit("-", 1)[0]: c for c in frame.columns if "-ts" in c}
        raw = np.stack([[frame[by_name[f"{n}-ts{t}"]].to_numpy(np.float64) for n in names] for t in range(12)])
        return np.where(raw == 65535, np.nan, raw).transpose(2, 0, 1)

    optical = read(tuple(f"OPTICAL-{b}" for b in _OPTICAL)) / 10000
    radar = 20 * np.log10(read(("SAR-VV", "SAR-VH"))) - 83  # amplitudes as uint16, to dB (the product's definition)
    weather = read(("METEO-temperature_mean", "METEO-precipitation_flux")) / 100
    weather[:, :, 1] = np.log1p(weather[:, :, 1])
    terrain = frame[["DEM-alt-20m", "DEM-slo-20m"]].to_numpy(np.float64)
    inputs = [ModelInput(name="optical", bands=tuple(b.lower() for b in _OPTICAL), kinds=("reflectance",) * 10, n_steps=12,
                         required=False),
              ModelInput(name="radar", bands=("vv", "vh"), kinds=("backscatter",) * 2, n_steps=12, required=False),
              ModelInput(name="weather", bands=("temperature", "rain"), kinds=("weather",) * 2, n_steps=12, required=False),
              ModelInput(name="terrain", bands=("elevation", "slope"), kinds=("elevation",) * 2, required=False)]  # fmt: skip
    values = [optical, radar, weather, terrain]
    lonlat = frame[["lon", "lat"]].to_numpy(np.float64)
    samples = make_table(inputs, values, np.array([f"worldcover {c}" for c in label]), lonlat, np.arange(len(frame)))
    title = (f"WorldCereal, {len(frame)} places world-wide, 12 months of S2, S1 and weather, and DEM, "
             f"{len(samples.legend)} WorldCover classes; blocks of 5 degrees")  # fmt: skip
    return SeriesSet("worldcereal", title, samples, ("random", "spatial"), split_both(samples, 5.0))


@dataclass(frozen=True)
class FuelMoisture:
    """The regression: monthly series (row, 3, 18), live fuel moisture in %, the official test rows, sites."""

    features: np.ndarray
    target: np.ndarray
    is_test: np.ndarray
    site: np.ndarray


def load_fuel_moisture(data: Path) -> FuelMoisture:
    folder = data / "fuel_moisture" / "npy"
    loaded = {name: np.load(folder / f"{name}.npy") for name in ("s1_s2_era5_srtm", "target", "is_test", "site")}
    site = np.unique(loaded["site"], return_inverse=True)[1].reshape(-1)
    return FuelMoisture(loaded["s1_s2_era5_srtm"].astype(np.float32), loaded["target"], loaded["is_test"].astype(bool), site)


SETS: dict[str, Callable[[Path], SeriesSet]] = {
    "mato-grosso": load_mato_grosso, "cerrado": load_cerrado, "temporalcnn": load_temporal_cnn, "statlog": load_statlog,
    "worldcereal": load_worldcereal,
}  # fmt: skip
