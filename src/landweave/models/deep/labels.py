"""Labels on the pixels of a grid: from rasters, polygons or sample tables; unlabelled pixels are -1, never background.

Receives files, polygons or a `SampleTable` and the output grid; hands on a `LabelGrid`, cut into training and validation part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from landweave.errors import GridError, LegendError, SampleError, SourceError
from landweave.grid import GeoBox, Window, crs_of, split_blocks
from landweave.io.rasters import read_info, read_window
from landweave.legend import Legend
from landweave.samples.dealing import deal_units
from landweave.samples.labels import to_label
from landweave.samples.options import SampleOptions
from landweave.samples.polygons import find_spans
from landweave.types import SampleTable

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = [
    "LabelGrid", "labels_from_polygons", "labels_from_raster", "labels_from_reference", "labels_from_samples", "mask_near",
    "split_labels",
]  # fmt: skip

_BLOCK_PX = 1024
UNLABELLED = -1


@dataclass(frozen=True)
class LabelGrid:
    """The labels of a grid, two bytes a pixel.

    Attributes:
        index: class_index (y, x), int16; -1 where there is no label.
        legend: The classes.
        geobox: The grid, which is the output grid of the cubes that the labels belong to.
        stratum: Number of the stratum (y, x), int16, for weights by stratum; None where there are no strata.
        note: What was settled on the way, in a sentence.
    """

    index: NDArray[np.int16]
    legend: Legend
    geobox: GeoBox
    stratum: NDArray[np.int16] | None = None
    note: str = ""

    def __post_init__(self) -> None:
        for what, array in (("labels", self.index), ("strata", self.stratum)):
            if array is not None and array.shape != tuple(self.geobox.shape):
                raise GridError(f"{what} have shape {array.shape}, their grid has {tuple(self.geobox.shape)}; give one number "
                                "per pixel of the grid")  # fmt: skip
        top = int(self.index.max(initial=-1))
        if top >= len(self.legend):
            raise LegendError(f"class_index {top} stands in the labels, the legend has {len(self.legend)} classes; indices run "
                              f"from 0 to {len(self.legend) - 1}, unlabelled is -1")  # fmt: skip

    @property
    def counts(self) -> NDArray[np.int64]:
        """Labelled pixels per class_index (K,)."""
        return np.bincount(self.index[self.index >= 0].astype(np.int64), minlength=len(self.legend))

    @property
    def n_labelled(self) -> int:
        """Labelled pixels."""
        return int(np.count_nonzero(self.index >= 0))

    def read(self, window: Window) -> NDArray[np.int16]:
        """Give the labels of a window, -1 outside the grid."""
        return _read_padded(self.index, window)

    def keep(self, where: NDArray[np.bool_]) -> LabelGrid:
        """Keep the labels where `where` (y, x) is true; the others become -1."""
        return replace(self, index=np.where(where, self.index, np.int16(UNLABELLED)))


def _read_padded(array: NDArray[np.int16], window: Window) -> NDArray[np.int16]:
    inside = window.clip((array.shape[0], array.shape[1]))
    rows, cols = inside.slices
    if inside == window:
        return array[rows, cols]
    out = np.full((window.height, window.width), UNLABELLED, dtype=array.dtype)
    top, left = inside.row - window.row, inside.col - window.col
    out[top : top + inside.height, left : left + inside.width] = array[rows, cols]
    return out


# --- where labels come from ----------------------------------------------------------------------------------------------


def labels_from_raster(
    path: str, geobox: GeoBox, *, legend: Legend, layer: int = 1, unlabelled: Sequence[int] = (),
    resampling: Literal["nearest", "mode"] = "nearest", crs: str | None = None,
) -> LabelGrid:  # fmt: skip
    """Read a label raster onto a grid.

    Args:
        path: Raster of class codes (whole numbers).
        geobox: The grid.
        legend: The classes; the raster holds their codes.
        layer: Band of the raster, from 1.
        unlabelled: Values that mean "no label"; the raster's nodata does in any case.
        resampling: `nearest` (the label under the pixel's centre) or `mode` (the commonest label under the pixel).
        crs: The raster's crs where it states none.

    Raises:
        SourceError: If the raster cannot be read or holds fractions.
        LegendError: If it holds a value that is neither a class code nor declared as unlabelled.
        SampleError: If no label lies on the grid.
    """
    index = np.full(tuple(geobox.shape), UNLABELLED, dtype=np.int16)
    table = np.full(65536, -2, dtype=np.int16)
    table[list(legend.codes)] = np.arange(len(legend), dtype=np.int16)
    for window in split_blocks((geobox.shape[0], geobox.shape[1]), _BLOCK_PX):
        data, valid = read_window(path, [layer], geobox, window, resampling=resampling, src_crs=crs)
        values, known = data[0], valid[0] & ~np.isin(data[0], list(unlabelled))
        index[window.slices][known] = _to_index(values[known], table, path, legend)
    if not (index >= 0).any():
        at = read_info(path).geobox.boundingbox.bbox
        raise SampleError(f"{path} has no label on the grid: it covers {tuple(at)}, the grid {tuple(geobox.boundingbox.bbox)}; "
                          "check the area, the crs and `unlabelled`")  # fmt: skip
    return LabelGrid(index, legend, geobox)


def _to_index(values: NDArray[Any], table: NDArray[np.int16], path: str, legend: Legend) -> NDArray[np.int16]:
    if values.dtype.kind == "f" and (values != np.round(values)).any():
        raise SourceError(f"{path} holds fractions such as {values[values != np.round(values)][0]:g}; labels are whole numbers")
    whole = values.astype(np.int64)
    outside = (whole < 0) | (whole > 65535)
    found = table[np.where(outside, 0, whole)]
    wrong = np.unique(whole[outside | (found == -2)])
    if wrong.size:
        raise LegendError(f"{path} holds the value {wrong[0]}, which is no class code (codes: "
                          f"{', '.join(map(str, legend.codes))}); add the class, or list the value as unlabelled")  # fmt: skip
    return found


def labels_from_polygons(
    polygons: gpd.GeoSeries, names: Sequence[str], geobox: GeoBox, *, legend: Legend
) -> LabelGrid:  # fmt: skip
    """Rasterise polygons: a pixel has the label of the polygon that holds its centre.

    A pixel in polygons of different classes is unlabelled; `note` counts them.

    Args:
        polygons: Polygons and multipolygons with a crs.
        names: Class name of each.
        geobox: The grid.
        legend: The classes.

    Raises:
        SampleError: If the polygons have no crs, or none holds a pixel centre of the grid.
        LegendError: If a name is not in the legend.
    """
    if polygons.crs is None:
        raise SampleError(f"{len(polygons)} polygons have no crs; set it with polygons.set_crs('EPSG:...')")
    on_grid = polygons.to_crs(crs_of(geobox).to_wkt())
    parts = []
    for polygon, name in zip(on_grid, names, strict=True):
        spans = find_spans(polygon, geobox)
        row, col = spans.pick(np.arange(len(spans)))
        parts.append((row * geobox.shape[1] + col, np.full(len(row), legend.index_of(name), dtype=np.int16)))
    at, value = (np.concatenate(both) for both in zip(*parts, strict=True))
    if not at.size:
        raise SampleError(f"none of {len(polygons)} polygons holds a pixel centre of the grid "
                          f"{tuple(geobox.boundingbox.bbox)}; check the area and the pixel size")  # fmt: skip
    return _fill(at, value, geobox, legend)


def labels_from_samples(samples: SampleTable, geobox: GeoBox) -> LabelGrid:
    """Put the rows of a sample table onto the pixels that they lie in; all other pixels are unlabelled.

    Rows that contradict each other on one pixel leave it unlabelled. Rows of polygons are pixels already (`max_per_polygon`
    caps them). Column `stratum`, where filled, gives the strata.

    Raises:
        SampleError: If no row lies on the grid.
    """
    xy = samples.to_xy(crs_of(geobox).to_wkt())
    inverse = ~geobox.affine
    col = np.floor(inverse.a * xy[:, 0] + inverse.b * xy[:, 1] + inverse.c).astype(np.int64)
    row = np.floor(inverse.d * xy[:, 0] + inverse.e * xy[:, 1] + inverse.f).astype(np.int64)
    inside = (row >= 0) & (row < geobox.shape[0]) & (col >= 0) & (col < geobox.shape[1])
    if not inside.any():
        raise SampleError(f"none of {len(samples)} samples lies on the grid {tuple(geobox.boundingbox.bbox)}; check the crs")
    at = row[inside] * geobox.shape[1] + col[inside]
    labels = _fill(at, samples.to_class_index()[inside].astype(np.int16), geobox, samples.legend)
    if "stratum" not in samples.frame or samples.frame["stratum"].isna().all():
        return labels
    import pandas as pd

    number = pd.factorize(samples.frame["stratum"], sort=True)[0].astype(np.int16)[inside]
    stratum = np.full(labels.index.size, UNLABELLED, dtype=np.int16)
    stratum[at] = number
    return replace(labels, stratum=stratum.reshape(labels.index.shape))


def _fill(at: NDArray[np.int64], value: NDArray[np.int16], geobox: GeoBox, legend: Legend) -> LabelGrid:
    index = np.full(geobox.shape[0] * geobox.shape[1], UNLABELLED, dtype=np.int16)
    index[at] = value
    clash = np.unique(at[index[at] != value])
    index[clash] = UNLABELLED
    note = f"{clash.size} pixels carry labels of different classes and stay unlabelled" if clash.size else ""
    return LabelGrid(index.reshape(tuple(geobox.shape)), legend, geobox, note=note)


# --- training and validation ---------------------------------------------------------------------------------------------


def split_labels(
    labels: LabelGrid, *, share: float, block_px: int, buffer_px: int = 0, seed: int = 0
) -> tuple[LabelGrid, LabelGrid]:
    """Deal square blocks of the grid into a training and a validation part, each class as evenly as the blocks allow.

    Args:
        labels: All labels.
        share: Share of the labelled pixels to validate on, 0..1.
        block_px: Side of a block.
        buffer_px: Training labels nearer than this to a validation block (Chebyshev distance) are left out.
        seed: Seed of the deal.

    Returns:
        Labels to train on and to validate on; -1 elsewhere, so that no pixel is labelled in both.

    Raises:
        SampleError: If a side would have no labels.
    """
    rows, cols = np.nonzero(labels.index >= 0)
    n_cols = -(-labels.index.shape[1] // block_px)
    unit = (rows // block_px) * n_cols + cols // block_px
    names, number = np.unique(unit, return_inverse=True)
    if len(names) < 2:
        raise SampleError(f"all {len(rows)} labelled pixels stand in one block of {block_px} px, so that nothing can be held "
                          "out for validation; make blocks smaller, or set validation_share to 0")  # fmt: skip
    classes = labels.index[rows, cols].astype(np.int64)
    shares = np.array([1 - share, share])
    side = deal_units(number.astype(np.int64), classes, shares, np.random.default_rng([seed, 3]))
    held = np.unique(number[side == 1])
    if not len(held) or len(held) == len(names):
        raise SampleError(f"holding out {share:.0%} of {len(names)} blocks of {block_px} px leaves one side empty; make blocks "
                          "smaller")  # fmt: skip
    is_held = np.zeros((-(-labels.index.shape[0] // block_px), n_cols), dtype=bool)
    is_held.ravel()[names[held]] = True
    whole = np.repeat(np.repeat(is_held, block_px, 0), block_px, 1)[: labels.index.shape[0], : labels.index.shape[1]]
    train = labels.keep(~mask_near(whole, buffer_px))
    if not train.n_labelled:
        raise SampleError(f"a buffer of {buffer_px} px around the validation blocks leaves no label to train on; lower it")
    return train, labels.keep(whole)


def mask_near(where: NDArray[np.bool_], distance_px: int) -> NDArray[np.bool_]:
    """Let true pixels (y, x) grow by `distance_px` in all eight directions."""
    if distance_px <= 0:
        return where
    from scipy.ndimage import maximum_filter

    grown = maximum_filter(where.view(np.uint8), size=2 * distance_px + 1, mode="constant", cval=0)
    return np.asarray(grown.view(bool))


def labels_from_reference(options: SampleOptions, geobox: GeoBox, *, legend: Legend) -> LabelGrid:
    """Put every label of a reference file on a grid: all pixels of polygons or of a label raster, uncapped.

    Args:
        options: Where labels are and how they are read; `max_per_polygon` and `max_per_class` are left aside.
        geobox: The grid.
        legend: The classes.

    Raises:
        SourceError: If the file cannot be read.
        SampleError: If no label lies on the grid.
    """
    from landweave.samples.reference import import_reference

    path = str(options.reference)
    if Path(path).suffix.lower() not in (".tif", ".tiff", ".gtif", ".gtiff", ".img", ".vrt"):
        every = options.model_copy(update={"max_per_polygon": None, "max_per_class": None})
        return labels_from_samples(import_reference(every, legend=legend, geobox=geobox), geobox)
    layer = options.layer if isinstance(options.layer, int) else 1
    index = np.full(tuple(geobox.shape), UNLABELLED, dtype=np.int16)
    for window in split_blocks((geobox.shape[0], geobox.shape[1]), _BLOCK_PX):
        data, valid = read_window(path, [layer], geobox, window, src_crs=options.crs)
        for value in np.unique(data[0][valid[0]]):
            name = _name_of(value, options, legend)
            if name is not None:
                index[window.slices][valid[0] & (data[0] == value)] = legend.index_of(name)
    return LabelGrid(index, legend, geobox)


def _name_of(value: Any, options: SampleOptions, legend: Legend) -> str | None:
    """Give the class of a raster value, None where it is excluded or means "no label"."""
    label = to_label(value)
    name = options.classes.get(str(label), str(label))
    if label in {to_label(v) for v in options.unlabelled} or {label, name} & set(options.exclude):
        return None
    by_code = {str(c.code): c.name for c in legend}
    found = legend.match_names([name])[0].get(name) or by_code.get(name) or legend.names[legend.index_of(name)]
    return None if found in options.exclude else found
