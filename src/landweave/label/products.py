"""Weak labels: existing land-cover products sampled where they agree, are stable, and lie away from their edges.

Receives products (rasters with a legend) and a grid; hands on a `SampleTable` without features. Rasters are read in blocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from landweave.errors import LegendError, SampleError
from landweave.grid import GeoBox, Window, crs_of, metres_per_pixel, split_blocks
from landweave.io.rasters import read_window
from landweave.label.crosswalks import Crosswalk
from landweave.legend import Legend
from landweave.types import SAMPLE_COLUMNS, Design, Options, SampleTable

__all__ = ["Product", "ProductOptions", "agree_products", "sample_products", "stable_core"]

_BLOCK_PX = 512
_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Product:
    """An existing map.

    Attributes:
        name: For notes.
        paths: One raster per year (one where there is only one).
        crosswalk: Its codes to the classes wanted.
        layer: Band of the rasters.
        nodata: Value without meaning, where the files do not state it.
        weight: Trust in it, relative to the others.
    """

    name: str
    paths: tuple[str, ...]
    crosswalk: Crosswalk
    layer: int = 1
    nodata: int | None = None
    weight: float = 1.0


class ProductOptions(Options):
    """Which pixels of products become labels."""

    n_per_class: int = Field(200, ge=1, description="pixels drawn of each class (in each stratum)")
    erode_m: float = Field(0, ge=0, description="a pixel counts where its product shows one class this far around it")
    min_agree: int | None = Field(None, ge=1, description="products that must allow the class; all by default")
    min_certainty: float = Field(0.5, gt=0, le=1, description="least certainty of the class (see agree_products)")
    seed: int = Field(0, ge=0, description="seed of the draw")


def stable_core(codes: NDArray[np.integer], valid: NDArray[np.bool_], *, erode_px: int) -> NDArray[np.bool_]:
    """Tell which pixels a product shows alike in all years, and alike to all their neighbours.

    Args:
        codes: Class codes (year, y, x).
        valid: Where they mean something, same shape.
        erode_px: Pixels on every side (a square) that must show the same class; 0 for none. Pixels beyond the array count as
            different.

    Returns:
        (y, x).
    """
    from scipy.ndimage import maximum_filter, minimum_filter

    same = valid.all(axis=0) & (codes == codes[0]).all(axis=0)
    if erode_px == 0:
        return np.asarray(same)
    size = 2 * erode_px + 1
    marked = np.where(same, codes[0].astype(np.int64), -1)
    low = minimum_filter(marked, size=size, mode="constant", cval=-1)
    high = maximum_filter(marked, size=size, mode="constant", cval=-1)
    return np.asarray(same & (low == high))


def agree_products(
    shares: NDArray[np.floating], *, min_agree: int | None = None, min_certainty: float = 0.5,
    weights: Sequence[float] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:  # fmt: skip
    """Join what several products say of a pixel.

    A product's code allows one class or several, which share its vote. The class that most products allow wins, by votes
    where several are allowed alike: "trees or mangroves" and "wetland or mangroves" make mangroves. Its certainty is its
    share of all votes, over the products that say something.

    Args:
        shares: Votes (product, class, ...), each product's summing to 1, or 0 where it says nothing.
        min_agree: Products that must allow the class; all of them by default.
        min_certainty: Least certainty.
        weights: Trust in each product.

    Returns:
        class_index (...), -1 where no class is agreed on or two are alike; and the certainty of the winner, 0..1.

    Raises:
        SampleError: If more products must agree than there are.
    """
    p = np.asarray(shares, dtype=np.float64)
    need = len(p) if min_agree is None else min_agree
    if not 1 <= need <= len(p):
        raise SampleError(f"{need} products must agree, and there are {len(p)}; set min_agree to 1..{len(p)}")
    trust = np.ones(len(p)) if weights is None else np.asarray(weights, dtype=np.float64)
    scaled = p * trust.reshape(-1, *[1] * (p.ndim - 1))
    votes, allowed = scaled.sum(axis=0), (p > 0).sum(axis=0)
    total = votes.sum(axis=0)
    rank = allowed + votes / (trust.sum() * 1.001)  # whole part: products; fraction: votes
    order = np.sort(rank, axis=0)
    lead = order[-1] - (order[-2] if len(order) > 1 else 0)
    winner = rank.argmax(axis=0)
    share = np.take_along_axis(votes, winner[None], axis=0)[0] / np.where(total > 0, total, 1)
    support = np.take_along_axis(allowed, winner[None], axis=0)[0]
    agreed = (support >= need) & (share >= min_certainty - 1e-9) & (lead > 1e-9)
    return np.where(agreed, winner, -1), np.where(agreed, share, 0.0)


@dataclass
class _Drawn:
    """Pixels kept of one class and stratum, those of the smallest keys, and how many there were."""

    n: int = 0
    key: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64))
    pixel: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    certainty: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    def add(self, pixel: NDArray[np.int64], certainty: NDArray[np.float64], seed: int, limit: int) -> None:
        self.n += len(pixel)
        key = np.concatenate([self.key, _key(pixel, seed)])
        order = np.argsort(key, kind="stable")[:limit]
        self.pixel = np.concatenate([self.pixel, pixel])[order]
        self.certainty = np.concatenate([self.certainty, certainty])[order]
        self.key = key[order]


def _key(pixel: NDArray[np.int64], seed: int) -> NDArray[np.uint64]:
    """Give each pixel a pseudo-random key of its own (the finaliser of splitmix64, Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        z = pixel.astype(np.uint64) + np.uint64(seed + 1) * _MIX
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def sample_products(
    products: Sequence[Product], geobox: GeoBox, *, options: ProductOptions | None = None,
    strata: NDArray[np.integer] | None = None,
) -> SampleTable:  # fmt: skip
    """Sample existing products as training labels.

    A pixel is a candidate where every product that shows anything shows one class in all its years and `erode_m` around, and
    the products agree through their crosswalks. Of each class (and stratum) the same number is drawn, by a key of the pixel
    alone, so that the draw depends on the seed and the grid, not on blocks.

    Args:
        products: With crosswalks to one and the same legend.
        geobox: The grid; products on other grids are read at its pixels' centres.
        options: How many, how far from edges, how much agreement.
        strata: Stratum number (y, x), negative where nothing is drawn; one stratum by default.

    Returns:
        Places with class, `weight` (the certainty), `labeller` (the products) and stratum; of no probability design, as the
        products' labels are no reference. Its note counts candidates and draws.

    Raises:
        LegendError: If the crosswalks lead to different legends.
        SampleError: If no pixel is agreed on, or the strata do not fit the grid.
        SourceError: If a raster cannot be read.
    """
    options = options or ProductOptions()
    legend = _common_legend(products)
    if strata is not None and strata.shape != tuple(geobox.shape):
        raise SampleError(f"strata have shape {strata.shape}, the grid {tuple(geobox.shape)}; put both on one grid")
    drawn: dict[tuple[int, int], _Drawn] = {}
    for window, label, certainty in _read_labels(products, geobox, options):
        row, col = np.nonzero(label >= 0)
        pixel = (row + window.row) * geobox.shape[1] + col + window.col
        stratum = np.zeros(len(row), dtype=np.int64)
        if strata is not None:
            stratum = strata[row + window.row, col + window.col].astype(np.int64)
        for c, s in {*zip(label[row, col].tolist(), stratum.tolist(), strict=True)}:
            if s >= 0:
                mine = (label[row, col] == c) & (stratum == s)
                kept = drawn.setdefault((c, s), _Drawn())
                kept.add(pixel[mine], certainty[row, col][mine], options.seed, options.n_per_class)
    if not drawn:
        names = ", ".join(p.name for p in products)
        raise SampleError(f"no pixel of the grid is agreed on by {names} within {options.erode_m:g} m; lower erode_m, "
                          "min_agree or min_certainty, or check that the products cover the grid")  # fmt: skip
    return _make_table(drawn, products, geobox, legend, has_strata=strata is not None)


def _common_legend(products: Sequence[Product]) -> Legend:
    if not products:
        raise SampleError("no products given; name at least one")
    legend = products[0].crosswalk.target
    for product in products[1:]:
        if product.crosswalk.target.names != legend.names:
            raise LegendError(f"product {product.name!r} leads to the classes {', '.join(product.crosswalk.target.names)}, "
                              f"{products[0].name!r} to {', '.join(legend.names)}; give crosswalks to one legend")  # fmt: skip
    return legend


def _read_labels(
    products: Sequence[Product], geobox: GeoBox, options: ProductOptions
) -> Iterator[tuple[Window, NDArray[np.int64], NDArray[np.float64]]]:
    """Give agreed class and certainty (y, x) block by block."""
    size = min(metres_per_pixel(geobox))
    halo = int(np.ceil(options.erode_m / size - 1e-9)) if options.erode_m > 0 else 0
    for window in split_blocks((geobox.shape[0], geobox.shape[1]), _BLOCK_PX):
        around = Window(window.row - halo, window.col - halo, window.height + 2 * halo, window.width + 2 * halo)
        inner = (slice(halo, halo + window.height), slice(halo, halo + window.width))
        shares, unstable = [], np.zeros((window.height, window.width), dtype=bool)
        for product in products:
            read = [read_window(p, [product.layer], geobox, around, nodata=product.nodata) for p in product.paths]
            codes = np.stack([data[0].astype(np.int64) for data, _ in read])
            valid = np.stack([ok[0] for _, ok in read])
            core = stable_core(codes, valid, erode_px=halo)[inner]
            share = product.crosswalk.to_shares(codes[0][inner])
            says = np.asarray(valid.all(axis=0))[inner]
            unstable |= says & ~core
            shares.append(np.where(says & core, share, 0.0))
        label, certainty = agree_products(
            np.stack(shares), min_agree=options.min_agree, min_certainty=options.min_certainty,
            weights=[p.weight for p in products],
        )  # fmt: skip
        yield window, np.where(unstable, -1, label), certainty


def _make_table(
    drawn: Mapping[tuple[int, int], _Drawn], products: Sequence[Product], geobox: GeoBox, legend: Legend, *, has_strata: bool
) -> SampleTable:
    import geopandas as gpd
    import pandas as pd

    keys = sorted(drawn)
    pixel = np.concatenate([drawn[k].pixel for k in keys])
    certainty = np.concatenate([drawn[k].certainty for k in keys])
    names = np.concatenate([np.full(len(drawn[k].pixel), legend.names[k[0]], dtype=object) for k in keys])
    stratum = np.concatenate([np.full(len(drawn[k].pixel), k[1]) for k in keys])
    order = np.argsort(pixel, kind="stable")
    row, col = np.divmod(pixel[order], geobox.shape[1])
    a = geobox.affine
    x, y = a.c + a.a * (col + 0.5) + a.b * (row + 0.5), a.f + a.d * (col + 0.5) + a.e * (row + 0.5)
    n = len(pixel)
    data: dict[str, Any] = {
        "sample_id": np.arange(n), "class": names[order], "time_start": np.datetime64("NaT", "ms"),
        "time_end": np.datetime64("NaT", "ms"), "group": [f"pixel {r} {c}" for r, c in zip(row, col, strict=True)],
        "stratum": stratum[order].astype(str) if has_strata else None, "psu": None, "inclusion_probability": np.nan,
        "purpose": "train", "weight": certainty[order], "labeller": " + ".join(p.name for p in products), "sub_pixel": False,
        "polygon_id": -1,
    }  # fmt: skip
    table = pd.DataFrame({name: data[name] for name in SAMPLE_COLUMNS}, index=range(n))
    for name in ("time_start", "time_end"):
        table[name] = table[name].astype("datetime64[ms]")
    frame = gpd.GeoDataFrame(table, geometry=gpd.points_from_xy(x, y), crs=crs_of(geobox).to_wkt())
    told = ", ".join(f"{len(drawn[k].pixel)} of {drawn[k].n} {legend.names[k[0]]}{f' in stratum {k[1]}' if has_strata else ''}"
                     for k in keys)  # fmt: skip
    note = f"labels of {' and '.join(p.name for p in products)} where they agree, drawn per class: {told}"
    return SampleTable(frame, legend, (), Design(unit="pixel", note=note))
