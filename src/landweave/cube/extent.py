"""The grid of a cube: given by the options, or taken from the files of its scenes.

Receives file headers and options; hands on a `GeoBox` that shares the lattice of the first fitting file, so that such files
are read as they are.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from affine import Affine
from odc.geo.crs import CRS
from pyproj import Transformer
from pyproj.crs import CRS as ProjCRS  # noqa: N811 (two classes of one name)

from landweave.cube.grids import find_tile
from landweave.cube.options import CubeOptions
from landweave.errors import GridError
from landweave.grid import GeoBox, crs_of, make_geobox, resolve_crs
from landweave.io.rasters import RasterInfo, read_info

__all__ = ["check_overlap", "describe_bounds", "measure_pixel", "project_bounds", "resolve_coarse", "resolve_geobox"]

log = logging.getLogger(__name__)
_SAME = 1e-6
"""Relative difference below which two pixel sizes are one."""

Bounds = tuple[float, float, float, float]


def describe_bounds(bounds: Bounds, crs: CRS) -> str:
    """Say where bounds are in degrees, or in crs units where they cannot be projected."""
    try:
        west, south, east, north = project_bounds(bounds, crs, CRS("EPSG:4326"))
    except GridError:
        return "left {:g}, bottom {:g}, right {:g}, top {:g} in crs units".format(*bounds)
    return f"lon {west:.4f}..{east:.4f}, lat {south:.4f}..{north:.4f}"


def project_bounds(bounds: Bounds, crs: CRS, to: CRS) -> Bounds:
    """Give the bounds in another crs that cover the given ones; edges are followed at 21 points each.

    Raises:
        GridError: If they lie where the other crs is not defined.
    """
    if crs == to:
        return bounds
    west, south, east, north = _transformer(crs, to).transform_bounds(*bounds, densify_pts=21)
    out = (float(west), float(south), float(east), float(north))
    if not all(math.isfinite(v) for v in out):
        raise GridError(f"bounds {bounds} of {crs} have no place in {to}; is the axis order swapped?")
    return out


def _file_bounds(info: RasterInfo, to: CRS) -> Bounds:
    box = info.geobox.extent.boundingbox
    return project_bounds((box.left, box.bottom, box.right, box.top), crs_of(info.geobox), to)


def _common_crs(infos: Sequence[RasterInfo]) -> CRS:
    counted = Counter(crs_of(i.geobox) for i in infos)
    return counted.most_common(1)[0][0]


def measure_pixel(geobox: GeoBox, crs: CRS) -> tuple[float, float]:
    """Give the size (x, y) of a grid's central pixel in units of a crs."""
    a = geobox.affine
    if crs == geobox.crs:
        return math.hypot(a.a, a.d), math.hypot(a.b, a.e)
    rows, cols = geobox.shape
    x, y = zip(*(a @ (cols / 2 + dx, rows / 2 + dy) for dx, dy in ((0, 0), (1, 0), (0, 1))), strict=True)
    (x0, x1, x2), (y0, y1, y2) = _transformer(crs_of(geobox), crs).transform(x, y)
    return math.hypot(x1 - x0, y1 - y0), math.hypot(x2 - x0, y2 - y0)


def _transformer(crs: CRS, to: CRS) -> Transformer:
    return Transformer.from_crs(ProjCRS.from_wkt(crs.to_wkt()), ProjCRS.from_wkt(to.to_wkt()), always_xy=True)


def _finest(infos: Sequence[RasterInfo], crs: CRS) -> tuple[float, float]:
    own = [i.geobox for i in infos if crs_of(i.geobox) == crs]
    sizes = [measure_pixel(g, crs) for g in own or [i.geobox for i in infos]]
    if not own:  # square pixels of the same area where every file is reprojected
        sizes = [(math.sqrt(x * y),) * 2 for x, y in sizes]
    return min(sizes, key=lambda size: size[0] * size[1])


def _near(a: tuple[float, float], b: tuple[float, float]) -> bool:
    return all(abs(p - q) <= _SAME * abs(q) for p, q in zip(a, b, strict=True))


def _anchor(infos: Sequence[RasterInfo], crs: CRS, size: tuple[float, float]) -> Affine | None:
    """Lattice of the first north-up file in this crs with this pixel size, else of one whose pixels it divides or fits."""
    own = [i.geobox.affine for i in infos if crs_of(i.geobox) == crs and i.geobox.affine.b == 0 and i.geobox.affine.e < 0]
    for affine in own:
        if _near((affine.a, -affine.e), size):
            return affine
    for affine in own:
        ratio = (affine.a / size[0], -affine.e / size[1])
        for r in (ratio, (1 / ratio[0], 1 / ratio[1])):
            if round(r[0]) == round(r[1]) >= 1 and _near(r, (round(r[0]), round(r[1]))):
                return Affine(size[0], 0, affine.c, 0, -size[1], affine.f)
    return None


def _snap(bounds: Bounds, crs: CRS, size: tuple[float, float], anchor: Affine | None) -> GeoBox:
    if anchor is None:
        return make_geobox(bounds, crs, size)
    tiny = 1e-3  # of a pixel: bounds this near to the lattice are on it
    left, bottom, right, top = bounds
    col0 = math.floor((left - anchor.c) / anchor.a + tiny)
    col1 = math.ceil((right - anchor.c) / anchor.a - tiny)
    row0 = math.floor((top - anchor.f) / anchor.e + tiny)
    row1 = math.ceil((bottom - anchor.f) / anchor.e - tiny)
    return GeoBox((max(row1 - row0, 1), max(col1 - col0, 1)), anchor @ Affine.translation(col0, row0), crs)


def _combine(boxes: Sequence[Bounds], crs: CRS, how: str) -> Bounds:
    lefts, bottoms, rights, tops = zip(*boxes, strict=True)
    if how == "union":
        return min(lefts), min(bottoms), max(rights), max(tops)
    inner = (max(lefts), max(bottoms), min(rights), min(tops))
    if inner[0] >= inner[2] or inner[1] >= inner[3]:
        first, last = describe_bounds(boxes[0], crs), describe_bounds(boxes[-1], crs)
        raise GridError(f"the files have no area in common (first: {first}; last: {last}); use extent: union, or fewer files")
    return inner


def _overlap(a: Bounds, b: Bounds) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def check_overlap(geobox: GeoBox, infos: Sequence[RasterInfo], what: str, files_of: str = "the files") -> None:
    """Check that a grid and files share some area.

    Raises:
        GridError: If not; shows both in degrees.
    """
    crs = crs_of(geobox)
    box = geobox.extent.boundingbox
    grid = (box.left, box.bottom, box.right, box.top)
    files = _combine([_file_bounds(i, crs) for i in infos], crs, "union")
    if not _overlap(grid, files):
        raise GridError(
            f"{what} and {files_of} do not overlap: {what} at {describe_bounds(grid, crs)}, {files_of} at "
            f"{describe_bounds(files, crs)}; check crs and bounds (left, bottom, right, top; swapped axis order?)"
        )


def _size_option(options: CubeOptions) -> tuple[float, float] | None:
    given = options.resolution
    if isinstance(given, dict):
        sizes = [(float(v), float(v)) if isinstance(v, int | float) else v for v in given.values()]
        return min(sizes, key=lambda s: s[0] * s[1])
    return (float(given), float(given)) if isinstance(given, int | float) else given


def _read_like(path: Path) -> GeoBox:
    geobox = read_info(path).geobox
    a = geobox.affine
    if geobox.crs is None or a.b or a.d or a.e > 0:
        what = "has no crs" if geobox.crs is None else f"is rotated or south-up (transform {tuple(a)[:6]})"
        raise GridError(f"like: {path} {what}; give a north-up raster with a crs, or crs, resolution and bounds")
    return geobox


def resolve_geobox(infos: Sequence[RasterInfo], options: CubeOptions) -> GeoBox:
    """Find the grid of a cube.

    The crs is the given one, else the commonest of the files (the first on a tie); the pixel size the given one, else the
    finest of the files in that crs; the area the given one, else the union or intersection of the files; a `tile` gives crs,
    area and lattice. Else the lattice is that of `like`, else of the first file with this crs and pixel size, else of the first
    whose pixels are a whole multiple or part of it; only without any such file does it start at whole multiples of the pixel
    size. Files that all share one north-up grid give exactly that grid.

    Args:
        infos: Headers of the files, each with a crs.
        options: What was asked for.

    Raises:
        GridError: If bounds and files do not overlap (both are shown in degrees), or the files have no area in common.
    """
    if options.tile is not None:
        tile = find_tile(options.tile)
        own = resolve_crs(tile.crs)
        geobox = tile.to_geobox(_size_option(options) or tile.resolution or _finest(infos, own))
        check_overlap(geobox, infos, f"tile {options.tile}")
        return geobox
    if options.like is not None:
        like = _read_like(options.like)
        if not (options.bounds or options.bbox):
            check_overlap(like, infos, f"the grid of {options.like}")
            return like
    crs = crs_of(like) if options.like else resolve_crs(options.crs) if options.crs else _common_crs(infos)
    size = measure_pixel(like, crs) if options.like else _size_option(options) or _finest(infos, crs)
    anchor = like.affine if options.like else _anchor(infos, crs, size)
    if options.bounds or options.bbox:
        given = options.bounds or project_bounds(options.bbox or (0, 0, 0, 0), CRS("EPSG:4326"), crs)
        geobox = _snap(given, crs, size, anchor)
        check_overlap(geobox, infos, "bounds" if options.bounds else "bbox")
        return geobox
    return _snap(_combine([_file_bounds(i, crs) for i in infos], crs, options.extent), crs, size, anchor)


def resolve_coarse(fine: GeoBox, size: tuple[float, float], name: str) -> GeoBox:
    """Give the grid of a source with larger pixels that nests on the output grid: same origin, integer ratio.

    Raises:
        GridError: If the pixel sizes have no integer ratio, the same in both axes.
    """
    a = fine.affine
    ratio = size[0] / a.a, size[1] / -a.e
    whole = round(ratio[0])
    if whole < 1 or not _near(ratio, (whole, whole)):
        raise GridError(f"resolution of {name!r} is {size[0]:g} x {size[1]:g}, the output grid's {a.a:g} x {-a.e:g}: give a "
                        "whole multiple of it, the same in x and y")  # fmt: skip
    shape = (-(-fine.shape[0] // whole), -(-fine.shape[1] // whole))
    return fine if whole == 1 else GeoBox(shape, a @ Affine.scale(whole), fine.crs)
