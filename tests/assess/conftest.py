"""A small map with known errors, and samples on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray

from landweave.grid import make_geobox, pixel_area_m2
from landweave.io.files import sha256_file
from landweave.legend import Legend
from landweave.types import Design, MapProduct, SampleTable, StratumInfo

NAMES = ("forest", "water", "crop")
SHAPE = (60, 80)


@pytest.fixture(scope="session")
def legend() -> Legend:
    return Legend.from_dicts([{"code": c, "name": n} for c, n in zip((1, 2, 7), NAMES, strict=True)])


@pytest.fixture(scope="session")
def land(legend) -> SimpleNamespace:
    """Class indices of the truth and of a map that errs in a tenth of its pixels (60 x 80); -1 is nodata of the map."""
    rng = np.random.default_rng(5)
    truth = np.repeat(np.array([[0] * 40 + [1] * 10 + [2] * 30]), SHAPE[0], axis=0)
    mapped = np.where(rng.random(SHAPE) < 0.1, rng.integers(0, 3, SHAPE), truth)
    return SimpleNamespace(truth=truth, mapped=mapped)


@pytest.fixture
def make_product(tmp_path, legend) -> Callable[..., MapProduct]:
    """Write class indices (or codes) as a map in EPSG:32633 with 10 m pixels."""

    def make(mapped: NDArray[Any], *, name: str = "map", codes: bool = False) -> MapProduct:
        rows, cols = mapped.shape
        geobox = make_geobox((500_000, 5_000_000, 500_000 + 10 * cols, 5_000_000 + 10 * rows), "EPSG:32633", 10)
        values = mapped.astype(np.uint8) if codes else legend.to_codes(mapped)
        folder: Path = tmp_path / name
        folder.mkdir(exist_ok=True)
        with rasterio.open(folder / "map.tif", "w", driver="GTiff", height=rows, width=cols, count=1, dtype="uint8", nodata=255,
                           crs="EPSG:32633", transform=rasterio.Affine(*geobox.affine[:6])) as file:  # fmt: skip
            file.write(values, 1)
        area = pixel_area_m2(geobox) / 1e4
        present = [int(c) for c in np.unique(values)]
        return MapProduct(folder, {"map": folder / "map.tif"}, legend, geobox, sha256_file(folder / "map.tif"),
                          {c: int((values == c).sum()) for c in present},
                          {c: float(area[values == c].sum()) for c in present})  # fmt: skip

    return make


@pytest.fixture
def product(make_product, land) -> MapProduct:
    return make_product(land.mapped)


@pytest.fixture
def make_samples(legend) -> Callable[..., SampleTable]:
    """Place samples at pixel centres; classes are names or indices of the legend."""

    def make(rows: Any, cols: Any, classes: Any, *, design: Design | None = None, legend: Legend = legend,
             **columns: Any) -> SampleTable:  # fmt: skip
        rows, cols = np.asarray(rows), np.asarray(cols)
        names = [c if isinstance(c, str) else legend.names[int(c)] for c in classes]
        points = gpd.points_from_xy(500_005 + 10 * cols, 5_000_000 + 10 * SHAPE[0] - 5 - 10 * rows)
        plain = {"sample_id": np.arange(len(rows)), "class": names, "group": None, "stratum": None, "psu": None,
                 "inclusion_probability": np.nan, "purpose": "reference"}  # fmt: skip
        frame = gpd.GeoDataFrame(plain | columns, geometry=points, crs="EPSG:32633")
        return SampleTable(frame, legend, design=design or Design())

    return make


@pytest.fixture
def draw_stratified(land, legend, make_samples) -> Callable[..., SampleTable]:
    """Draw a stratified sample whose strata are the classes of the map, labelled with the truth."""

    def draw(product: MapProduct, n: int = 40, *, checksum: str | None = None, seed: int = 0) -> SampleTable:
        rng = np.random.default_rng(seed)
        picked = [rng.choice(np.flatnonzero(land.mapped == k), n, replace=False) for k in range(3)]
        rows, cols = np.unravel_index(np.concatenate(picked), SHAPE)
        strata = tuple(StratumInfo(name=c.name, code=c.code, size_px=product.count_px[c.code], n_drawn=n,
                                   area_ha=product.area_ha[c.code]) for c in legend)  # fmt: skip
        design = Design(kind="stratified", strata=strata, strata_checksum=checksum or product.checksum)
        return make_samples(rows, cols, land.truth[rows, cols], design=design, stratum=np.repeat(legend.names, n))

    return draw


@pytest.fixture
def draw_simple(land, make_samples) -> Callable[..., SampleTable]:
    """Draw a simple random sample over the whole grid, labelled with the truth."""

    def draw(n: int = 200, *, kind: str = "simple", seed: int = 0, **columns: Any) -> SampleTable:
        rows, cols = np.unravel_index(np.random.default_rng(seed).choice(SHAPE[0] * SHAPE[1], n, replace=False), SHAPE)
        return make_samples(rows, cols, land.truth[rows, cols], design=Design(kind=kind), **columns)

    return draw
