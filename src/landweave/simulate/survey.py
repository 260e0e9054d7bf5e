"""Labels: training polygons as a surveyor draws them along the roads, and a reference sample by a probability design.

Receives the truth; hands on tables of polygons and points.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from landweave.errors import SampleError
from landweave.grid import GeoBox, crs_of, pixel_area_m2
from landweave.simulate.covers import CODE_OF_COVER, LEGEND
from landweave.simulate.domain import FloatArray
from landweave.simulate.noise import make_rng
from landweave.types import Design, StratumInfo

if TYPE_CHECKING:
    import geopandas as gpd

_CONFUSED_WITH = {
    1: (2,), 2: (6, 1, 5), 3: (4, 5), 4: (3, 5), 5: (3, 6, 2), 6: (7, 5, 2), 7: (8, 6), 8: (7, 6), 9: (10, 6), 10: (9, 8),
}  # fmt: skip
"""What a surveyor takes a class for when wrong."""


def draw_training(
    cover: NDArray[np.uint8], from_road_px: FloatArray, geobox: GeoBox, *, count: int, noise_pct: float, seed: int,
    keep_off: NDArray[np.bool_] | None = None,
) -> gpd.GeoDataFrame:  # fmt: skip
    """Draw training polygons where a surveyor would: inside of one class, most of them near roads, rare classes too.

    Args:
        cover: Index into `COVERS` (rows, columns); polygons are shared out among covers, so that lakes are not forgotten
            over rivers.
        from_road_px: Distance from the nearest road in pixels.
        geobox: The grid.
        count: Number of polygons.
        noise_pct: Share of polygons with a wrong class, per cent; each is drawn independently.
        seed: The landscape's seed.
        keep_off: Pixels that no polygon may touch: those of the reference sample, which must not train a model.

    Returns:
        Polygons with the columns `polygon_id`, `class`, `code`, `labeller`.
    """
    import geopandas as gpd

    rng = make_rng(seed, "training")
    truth = CODE_OF_COVER[cover]
    depth = _depth(truth)
    metres = abs(geobox.affine.a)
    near = np.exp(-from_road_px * metres / 350.0) + 0.02
    wanted = _share_out(cover, count)
    free = np.full(cover.shape, 1e4, dtype=np.float32)
    if keep_off is not None and keep_off.any():
        free = scipy.ndimage.distance_transform_edt(~keep_off).astype(np.float32)
    shapes, codes = [], []
    for index, n in wanted.items():
        weight = np.where((cover == index) & (free >= 3.0), near * np.minimum(depth, 4.0), 0).ravel()
        places = _draw_apart(weight, truth.shape, n, rng)
        for r, c in places:
            radius = min(max(0.8, 0.85 * depth[r, c]), rng.uniform(1.5, 6.5), (free[r, c] - 1.5) / 1.1)
            shapes.append(_draw_polygon(r, c, radius, geobox, rng))
            codes.append(int(CODE_OF_COVER[index]))
    labels = add_label_noise(np.array(codes), noise_pct, rng)
    names = [LEGEND.names[LEGEND.codes.index(code)] for code in labels]
    labeller = rng.choice(["north team", "south team", "volunteer"], len(shapes), p=[0.4, 0.4, 0.2])
    columns = {"polygon_id": np.arange(1, len(shapes) + 1), "class": names, "code": labels, "labeller": labeller}
    return gpd.GeoDataFrame(columns, geometry=shapes, crs=crs_of(geobox).to_wkt())


def _depth(truth: NDArray[np.uint8]) -> FloatArray:
    """Distance in pixels from the nearest pixel of another class, at least 1."""
    edge = np.zeros(truth.shape, dtype=bool)
    for axis in (0, 1):
        differs = np.diff(truth, axis=axis) != 0
        low, high = [slice(None)] * 2, [slice(None)] * 2
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        edge[tuple(low)] |= differs
        edge[tuple(high)] |= differs
    return np.asarray(scipy.ndimage.distance_transform_edt(~edge), dtype=np.float32)


def _share_out(cover: NDArray[np.uint8], count: int) -> dict[int, int]:
    """Polygons per cover, by the root of its area: a surveyor looks for rare ones, but finds fewer of them.

    Remainders go to the largest, so that the sum is `count`.
    """
    found, pixels = np.unique(cover, return_counts=True)
    share = count * np.sqrt(pixels) / np.sqrt(pixels).sum()
    whole = np.floor(share).astype(int)
    whole[np.argsort(whole - share, kind="stable")[: count - int(whole.sum())]] += 1
    return {int(index): int(n) for index, n in zip(found, whole, strict=True)}


def _draw_apart(
    weight: NDArray[np.float32], shape: tuple[int, ...], count: int, rng: np.random.Generator
) -> list[tuple[int, int]]:
    """Draw places by weight, no two within three pixels where there is room."""
    cells = np.flatnonzero(weight > 0)
    if not len(cells):
        return []
    chance = np.cumsum(weight[cells], dtype=np.float64)
    taken: list[tuple[int, int]] = []
    for _ in range(12 * count):
        if len(taken) == count:
            break
        at = int(cells[np.searchsorted(chance, rng.random() * chance[-1])])
        r, c = divmod(at, shape[1])
        if all(max(abs(r - a), abs(c - b)) > 3 for a, b in taken):
            taken.append((r, c))
    return taken


def _draw_polygon(row: int, col: int, radius: float, geobox: GeoBox, rng: np.random.Generator) -> object:
    from shapely.geometry import Polygon

    n = int(rng.integers(4, 9))
    angle = np.sort(rng.uniform(0, 2 * np.pi, n) * 0.25 + np.linspace(0, 2 * np.pi, n, endpoint=False))
    reach = radius * rng.uniform(0.75, 1.1, n)
    ring = [
        geobox.affine @ (col + 0.5 + d * np.cos(a), row + 0.5 + d * np.sin(a)) for a, d in zip(angle, reach, strict=True)
    ]
    return Polygon(ring).buffer(0)


def add_label_noise(codes: NDArray[np.int64], noise_pct: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """Give each label, with the stated chance, the code of a class it is commonly confused with."""
    wrong = rng.random(len(codes)) < noise_pct / 100
    pick = rng.random(len(codes))
    noisy = codes.copy()
    for i in np.flatnonzero(wrong):
        others = _CONFUSED_WITH[int(codes[i])]
        noisy[i] = others[int(pick[i] * len(others))]
    return noisy


@dataclass(frozen=True)
class Strata:
    """Strata of a design as a raster of codes, with the file they come from.

    Attributes:
        codes: (rows, columns).
        names: Code -> name.
        checksum: sha256 of the map's file; None where the strata are not a map.
    """

    codes: NDArray[np.uint8]
    names: dict[int, str]
    checksum: str | None = None


def draw_reference(
    truth: NDArray[np.uint8], geobox: GeoBox, *, count: int, noise_pct: float, seed: int, strata: Strata | None = None
) -> tuple[gpd.GeoDataFrame, Design]:
    """Draw a reference sample of pixels by a probability design and label it with the truth.

    Args:
        truth: Class codes (rows, columns).
        geobox: The grid.
        count: Number of pixels.
        noise_pct: Share of wrong labels, per cent.
        seed: The landscape's seed.
        strata: Strata; None draws a simple random sample of all pixels. Half of the sample is shared out equally among
            strata, the other half by their size.

    Returns:
        Points at pixel centres with the columns `class`, `code`, `stratum`, `inclusion_probability`; and the design.

    Raises:
        SampleError: If there are fewer pixels than asked for.
    """
    import geopandas as gpd

    if count > truth.size:
        raise SampleError(f"reference sample of {count} pixels is asked from {truth.size}; ask for fewer")
    rng = make_rng(seed, "reference")
    areas = np.asarray(pixel_area_m2(geobox)) / 1e4
    kind = "simple" if strata is None else "stratified"
    if strata is None:
        strata = Strata(np.ones(truth.shape, dtype=np.uint8), {1: "all"})
    drawn, info = _draw_strata(strata, areas, count, rng)
    cells = np.concatenate([cells for cells, _, _ in drawn])
    stratum = np.repeat([name for _, name, _ in drawn], [len(c) for c, _, _ in drawn])
    chance = np.repeat([p for _, _, p in drawn], [len(c) for c, _, _ in drawn])
    order = rng.permutation(len(cells))
    cells, stratum, chance = cells[order], stratum[order], chance[order]
    rows, cols = np.divmod(cells, truth.shape[1])
    labels = add_label_noise(truth[rows, cols].astype(np.int64), noise_pct, rng)
    a = geobox.affine
    x, y = a.a * (cols + 0.5) + a.c, a.e * (rows + 0.5) + a.f
    columns = {
        "sample_id": np.arange(1, len(cells) + 1), "class": [LEGEND.names[LEGEND.codes.index(code)] for code in labels],
        "code": labels, "stratum": stratum, "inclusion_probability": chance,
    }  # fmt: skip
    frame = gpd.GeoDataFrame(columns, geometry=gpd.points_from_xy(x, y), crs=crs_of(geobox).to_wkt())
    design = Design(
        kind=kind, strata=info, strata_checksum=strata.checksum, unit=f"pixel {abs(geobox.affine.a):g} m", seed=seed,
        note=f"{len(cells)} pixels drawn without replacement; {noise_pct:g} % of the labels are wrong on purpose",
    )  # fmt: skip
    return frame, design


def _draw_strata(
    strata: Strata, areas_ha: NDArray[np.float64], count: int, rng: np.random.Generator
) -> tuple[list[tuple[NDArray[np.int64], str, float]], tuple[StratumInfo, ...]]:
    flat = strata.codes.ravel()
    sizes = {code: int((flat == code).sum()) for code in strata.names}
    sizes = {code: size for code, size in sizes.items() if size > 0}
    drawn, info = [], []
    for code, size in sizes.items():
        n = count if len(sizes) == 1 else round(count * (0.5 / len(sizes) + 0.5 * size / flat.size))
        n = min(max(n, 2), size)
        cells = np.flatnonzero(flat == code)[rng.choice(size, n, replace=False, shuffle=False)]
        area = float(areas_ha[strata.codes == code].sum())
        drawn.append((cells, strata.names[code], n / size))
        named = None if strata.checksum is None else code
        info.append(StratumInfo(name=strata.names[code], size_px=size, area_ha=area, n_drawn=n, code=named))
    return drawn, tuple(info)


def make_old_map(truth: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """Make the kind of map that strata come from: coarser and partly wrong.

    Every block of 3 x 3 pixels takes the class of its middle, and one block in eight a class it is often confused with.
    """
    rows, cols = truth.shape
    at_row, at_col = (np.minimum(3 * (np.arange(n) // 3) + 1, n - 1) for n in (rows, cols))
    middle = truth[np.ix_(at_row[::3], at_col[::3])]
    rng = make_rng(seed, "old map")
    old = add_label_noise(middle.ravel().astype(np.int64), 12.5, rng).reshape(middle.shape).astype(np.uint8)
    return np.repeat(np.repeat(old, 3, axis=0), 3, axis=1)[:rows, :cols]
