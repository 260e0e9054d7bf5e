"""Whole chips with one label or several: from a folder per class, a table of files, or places on cubes. Needs no torch.

Receives files or cubes with labels; hands on a `SceneSet`, which reads a chip when it is asked for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from landweave.cube import make_inputs
from landweave.cube.blocks import read_blocks
from landweave.errors import BandError, SampleError, SourceError
from landweave.grid import Window, metres_per_pixel
from landweave.io.rasters import RasterInfo, read_info, read_window
from landweave.legend import Legend
from landweave.models.chip_contract import input_ratios
from landweave.models.deep.sampler_cache import Pixels
from landweave.types import BandKind, CubeSet, ModelInput

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "FileBands",
    "SceneSet",
    "count_labels",
    "find_images",
    "read_scene_table",
    "scenes_from_files",
    "scenes_from_folder",
    "scenes_from_places",
    "summarise_scenes",
]

_SUFFIXES = (".tif", ".tiff", ".jp2", ".png", ".jpg", ".jpeg")
_BLOCK_CHIPS = 4
"""Chips along the side of a spatial group, where none are given."""
Reader = Callable[[int], dict[str, Pixels]]


@dataclass(frozen=True)
class FileBands:
    """What the layers of chip files are.

    Attributes:
        names: Band of each layer in order; None takes the layers' own descriptions.
        scale: Physical value = stored * scale.
        kind: Kind of all bands.
        nodata: Stored marker of missing values, where the files do not state one.
    """

    names: tuple[str, ...] | None = None
    scale: float = 1.0
    kind: BandKind = "reflectance"
    nodata: float | None = None


@dataclass(frozen=True)
class SceneSet:
    """Labelled chips.

    Attributes:
        inputs: What a chip holds.
        legend: The classes.
        labels: (chip, class) int8: 1 where the chip carries the label, else 0.
        groups: (chip,): chips of a group are never on both sides of a split.
        names: What a chip is called in messages and tables.
        chip_size_px: Side in pixels of the finest input.
        read: Number of a chip -> its pixels by input.
        at: (chip, 2) row and column of the first pixel on a common grid; None where chips lie on none.
        bbox: (west, south, east, north) in degrees; None where unknown.
    """

    inputs: tuple[ModelInput, ...]
    legend: Legend
    labels: NDArray[np.int8]
    groups: NDArray[np.int64]
    names: tuple[str, ...]
    chip_size_px: int
    read: Reader
    at: NDArray[np.int64] | None = None
    bbox: tuple[float, float, float, float] | None = None

    def __len__(self) -> int:
        return len(self.names)

    @property
    def has_several(self) -> bool:
        """Whether a chip carries more or less than one label."""
        return bool((self.labels.sum(axis=1) != 1).any())

    def select(self, rows: NDArray[np.int64]) -> SceneSet:
        """Give some of the chips."""
        at = None if self.at is None else self.at[rows]
        read = partial(_read_selected, self.read, rows)
        return replace(self, labels=self.labels[rows], groups=self.groups[rows], names=tuple(self.names[i] for i in rows),
                       read=read, at=at)  # fmt: skip

    def find_overlapping(self, rows: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell which of `rows` share a pixel with a chip of `others`; none does where chips lie on no common grid."""
        if self.at is None or not len(rows) or not len(others):
            return np.zeros(len(rows), dtype=bool)
        from scipy.spatial import cKDTree

        apart = cKDTree(self.at[others]).query(self.at[rows], p=np.inf)[0]
        return np.asarray(apart < self.chip_size_px)

    def summarise(self, i: int) -> NDArray[np.float32]:
        """Give mean and standard deviation of every band and step of a chip, 0 where nothing was observed (2 * band,)."""
        made = []
        for pixels in self.read(i).values():
            valid = np.expand_dims(pixels.valid, -3).astype(np.float32)
            n = np.maximum(valid.sum(axis=(-2, -1)), 1.0)
            mean = (pixels.values * valid).sum(axis=(-2, -1)) / n
            spread = np.sqrt(((pixels.values - mean[..., None, None]) ** 2 * valid).sum(axis=(-2, -1)) / n)
            made += [mean.ravel(), spread.ravel()]
        return np.concatenate(made).astype(np.float32)


def _read_selected(read: Reader, rows: NDArray[np.int64], i: int) -> dict[str, Pixels]:
    return read(int(rows[i]))


def scenes_from_folder(folder: Path | str, *, bands: FileBands | None = None, chip_size_px: int | None = None) -> SceneSet:
    """Read a folder that holds a folder of image files per class, the layout of most scene data sets.

    Args:
        folder: Its subfolders are the classes.
        bands: What the layers are.
        chip_size_px: Side; that of the first file by default. Larger files are cut around their centre, smaller ones padded
            with pixels that count as not observed.

    Raises:
        SourceError: If it is no folder, or holds fewer than two classes with images.
        BandError: If the layers have no names and none are given.
    """
    at = Path(folder)
    if not at.is_dir():
        raise SourceError(f"{at} is not a folder; give one that holds a folder of image files per class")
    found = {d.name: find_images(d) for d in sorted(at.iterdir()) if d.is_dir()}
    found = {name: paths for name, paths in found.items() if paths}
    if len(found) < 2:
        raise SourceError(f"{at} holds {len(found)} folder(s) with images ({', '.join(found) or 'none'}); scenes need a folder "
                          f"per class, two at least, with files ending in {', '.join(_SUFFIXES)}")  # fmt: skip
    paths = [p for group in found.values() for p in group]
    labels = [(name,) for name, group in found.items() for _ in group]
    return scenes_from_files(paths, labels, bands=bands, chip_size_px=chip_size_px)


def find_images(folder: Path) -> list[Path]:
    """Give the image files of a folder and its subfolders, sorted."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in _SUFFIXES)


def scenes_from_files(
    paths: Sequence[Path], labels: Sequence[Sequence[str]] | None, *, bands: FileBands | None = None,
    chip_size_px: int | None = None, groups: Sequence[object] | None = None, legend: Legend | None = None,
) -> SceneSet:  # fmt: skip
    """Take one file per chip.

    Args:
        paths: The files.
        labels: Labels of each; None where they are not known.
        bands: What the layers are.
        chip_size_px: See `scenes_from_folder`.
        groups: Group of each; blocks of 4 x 4 chips by default where all files have one crs, else every chip by itself.
        legend: The classes; the labels' names in alphabetical order by default.

    Raises:
        SampleError: If there are no files, or a label is not in the legend.
        BandError: If the layers have no names and none are given, or a file has other layers than the first.
        SourceError: If a file cannot be read.
    """
    if not paths:
        raise SampleError("0 chips given; name files with labels")
    spec = bands or FileBands()
    infos = [read_info(p) for p in paths]
    names = _band_names(infos[0], spec)
    odd = next((i for i in infos if i.count != len(names)), None)
    if odd is not None:
        raise BandError(f"{odd.path} has {odd.count} layers, {infos[0].path} has {len(names)}; all chips need the same bands")
    side = chip_size_px or min(infos[0].geobox.shape)
    on_map = len({str(i.geobox.crs) for i in infos}) == 1 and infos[0].geobox.crs is not None
    metres = metres_per_pixel(infos[0].geobox) if on_map else None
    affine = infos[0].geobox.affine
    resolution = (abs(affine.a), abs(affine.e)) if on_map else None
    only = ModelInput(bands=names, kinds=(spec.kind,) * len(names), resolution=resolution, metres=metres)
    at = np.array([_lattice_of(i, affine) for i in infos]) if on_map else None
    made, classes = _label_matrix(labels, legend, len(paths))
    read = partial(_read_file, infos, spec, side)
    bbox = _bbox_of(infos) if on_map else None
    names_of = tuple(str(p) for p in paths)
    return SceneSet((only,), classes, made, _make_groups(groups, at, side, len(paths)), names_of, side, read, at, bbox)


def _band_names(info: RasterInfo, spec: FileBands) -> tuple[str, ...]:
    names = spec.names or tuple(d or "" for d in info.descriptions)
    if len(names) != info.count or not all(names):
        said = f"{len(names)} names are given" if spec.names else "they have no names of their own"
        raise BandError(f"{info.path} has {info.count} layers and {said}; name each with --bands red,green,blue,...")
    return names


def _lattice_of(info: RasterInfo, first: Affine) -> tuple[int, int]:
    """Row and column of a file's first pixel on the lattice of the first file, to the nearest pixel."""
    affine = info.geobox.affine
    col, row = ~first @ (affine.c, affine.f)
    return round(row), round(col)


def _bbox_of(infos: Sequence[RasterInfo]) -> tuple[float, float, float, float]:
    boxes = np.array([tuple(i.geobox.geographic_extent.boundingbox) for i in infos])
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _read_file(infos: Sequence[RasterInfo], spec: FileBands, side: int, i: int) -> dict[str, Pixels]:
    info = infos[i]
    rows, cols = info.geobox.shape
    window = Window((rows - side) // 2, (cols - side) // 2, side, side)
    stored, valid = read_window(info.path, list(range(1, info.count + 1)), info.geobox, window, nodata=spec.nodata)
    values = np.where(valid, stored * np.float32(spec.scale), np.float32(np.nan)).astype(np.float32)
    return {"main": Pixels.from_values(values)}


def scenes_from_places(
    places: NDArray[np.float64], labels: Sequence[Sequence[str]] | None, cubes: CubeSet, *, chip_size_px: int,
    groups: Sequence[object] | None = None, legend: Legend | None = None,
) -> SceneSet:  # fmt: skip
    """Cut chips around places from cubes; nothing is written to disk.

    Args:
        places: x and y of each chip's centre in the cubes' crs (chip, 2).
        labels: Labels of each; None where they are not known.
        cubes: The cubes.
        chip_size_px: Side in pixels of the output grid.
        groups: Group of each; blocks of 4 x 4 chips by default.
        legend: The classes; the labels' names by default.

    Raises:
        SampleError: If there are no places, one lies outside the cubes, or a label is not in the legend.
    """
    if not len(places):
        raise SampleError("0 places given; give at least one labelled place per class")
    col, row = ~cubes.geobox.affine @ (places[:, 0], places[:, 1])
    rows, cols = cubes.geobox.shape
    outside = np.flatnonzero((row < 0) | (col < 0) | (row >= rows) | (col >= cols))
    if len(outside):
        x, y = places[outside[0]]
        raise SampleError(f"{len(outside)} of {len(places)} places lie outside the cube, the first at x {x:g}, y {y:g}; its "
                          f"bounds are {tuple(cubes.geobox.boundingbox.bbox)} in {cubes.geobox.crs}")  # fmt: skip
    inputs = make_inputs(cubes)
    step = max(input_ratios(inputs).values())  # chips begin on whole pixels of the coarsest input
    corner = np.column_stack([row, col]) - chip_size_px / 2
    at = (np.rint(corner / step) * step).astype(np.int64)
    made, classes = _label_matrix(labels, legend, len(at))
    box = cubes.geobox.geographic_extent.boundingbox
    names = tuple(f"chip at row {r}, column {c}" for r, c in at.tolist())
    return SceneSet(inputs, classes, made, _make_groups(groups, at, chip_size_px, len(at)), names, chip_size_px,
                    partial(_read_place, cubes, at, chip_size_px), at, (box[0], box[1], box[2], box[3]))  # fmt: skip


def _read_place(cubes: CubeSet, at: NDArray[np.int64], side: int, i: int) -> dict[str, Pixels]:
    window = Window(int(at[i, 0]), int(at[i, 1]), side, side)
    return {name: Pixels.from_values(b.values) for name, b in read_blocks(cubes, window).items()}


def _make_groups(given: Sequence[object] | None, at: NDArray[np.int64] | None, side: int, n: int) -> NDArray[np.int64]:
    if given is not None:
        return np.unique([str(g) for g in given], return_inverse=True)[1].reshape(-1).astype(np.int64)
    if at is None:
        return np.arange(n)
    blocks = (at + side // 2) // (_BLOCK_CHIPS * side)
    return np.unique(blocks, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _label_matrix(
    labels: Sequence[Sequence[str]] | None, legend: Legend | None, n: int
) -> tuple[NDArray[np.int8], Legend]:
    if labels is None:
        known = legend or Legend.from_names(["unknown"])
        return np.zeros((n, len(known)), dtype=np.int8), known
    classes = legend or Legend.from_names(sorted({name for one in labels for name in one}))
    if len(classes) < 2:
        raise SampleError(f"labels name {len(classes)} class(es) ({', '.join(classes.names) or 'none'}); scenes need two")
    made = np.zeros((len(labels), len(classes)), dtype=np.int8)
    for i, names in enumerate(labels):
        for name in names:
            if name not in classes.names:
                raise SampleError(f"chip {i} has the label {name!r}, which is not in the legend ({', '.join(classes.names)})")
            made[i, classes.index_of(name)] = 1
    return made, classes


def read_scene_table(
    path: Path | str, *, cubes: CubeSet | None = None, chip_size_px: int | None = None, bands: FileBands | None = None,
    labelled: bool = True,
) -> SceneSet:  # fmt: skip
    """Read a table of chips: a column `labels` (several with ; between them), and where each chip is.

    That is `path` (a file, relative to the table), or x and y in the cube's crs, or lon and lat, or the point geometry of a
    vector file. A column `group` keeps chips together.

    Args:
        path: CSV, or any vector file with points.
        cubes: Where chips are cut from, if the table has no files.
        chip_size_px: Side of a chip; needed with cubes.
        bands: What the layers of files are.
        labelled: Whether labels are wanted; False reads only where the chips are.

    Raises:
        SourceError: If the table cannot be read.
        SampleError: If it lacks columns or rows, or a place lies outside.
    """
    frame, xy = _read_frame(Path(path), cubes)
    column = next((c for c in ("labels", "label", "class") if c in frame), None)
    if column is None and labelled:
        raise SampleError(f"{path} has the columns {', '.join(map(str, frame.columns))}; scenes need `labels` (several with ; "
                          "between them) and path, or x and y")  # fmt: skip
    labels = [_split_labels(v) for v in frame[column].fillna("")] if labelled else None
    groups = frame["group"].tolist() if "group" in frame else None
    if "path" in frame:
        files = [Path(path).parent / str(p) for p in frame["path"]]
        return scenes_from_files(files, labels, bands=bands, chip_size_px=chip_size_px, groups=groups)
    if cubes is None or chip_size_px is None or xy is None:
        raise SampleError(f"{path} names no files (no column path); give --cube and --chip-size-px to cut chips at its places")
    return scenes_from_places(xy, labels, cubes, chip_size_px=chip_size_px, groups=groups)


def _split_labels(text: object) -> tuple[str, ...]:
    return tuple(s for s in (part.strip() for part in str(text).split(";")) if s)


def _read_frame(path: Path, cubes: CubeSet | None) -> tuple[pd.DataFrame, NDArray[np.float64] | None]:
    import geopandas as gpd
    import pandas as pd

    if not path.is_file():
        raise SourceError(f"file {path} does not exist; give a CSV or a vector file of labelled chips")
    if path.suffix.lower() == ".csv":
        frame = pd.read_csv(path, dtype={"labels": str, "label": str, "class": str, "group": str})
        if {"x", "y"} <= set(frame):
            return frame, frame[["x", "y"]].to_numpy(dtype=np.float64)
        if not {"lon", "lat"} <= set(frame) or cubes is None:
            return frame, None
        points = gpd.GeoSeries.from_xy(frame["lon"], frame["lat"], crs="EPSG:4326")
    else:
        frame = gpd.read_file(path)
        points = frame.geometry.centroid if cubes is None else frame.geometry
    if cubes is None:
        return frame, None
    if points.crs is None:
        raise SampleError(f"{path} has no crs; give it one, or columns x and y in {cubes.geobox.crs}")
    moved = points.to_crs(cubes.geobox.crs.to_wkt()).centroid if cubes.geobox.crs is not None else points
    return frame, np.column_stack([moved.x, moved.y])


def summarise_scenes(scenes: SceneSet) -> NDArray[np.float32]:
    """Give means and standard deviations of the bands of every chip (chip, 2 * band), for models on rows of features."""
    return np.stack([scenes.summarise(i) for i in range(len(scenes))])


def count_labels(scenes: SceneSet) -> Mapping[str, int]:
    """Give the number of chips that carry each label."""
    return dict(zip(scenes.legend.names, scenes.labels.sum(axis=0, dtype=int).tolist(), strict=True))
