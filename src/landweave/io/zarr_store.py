"""Cubes as Zarr format 2: a group per kind of band and grid, which xarray, rioxarray and GDAL open with crs, scale and nodata.

Receives blocks of float32 values; hands on the same by windows. Format 2, since the GDAL inside rasterio 1.4 reads no
final-spec Zarr 3; Blosc (zstd with byte shuffle), which GDAL, xarray and zarr all decode.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numcodecs  # type: ignore[import-untyped]
import numpy as np
import zarr
from affine import Affine
from numpy.typing import NDArray
from odc.geo.crs import CRS

from landweave.errors import CubeError, SourceError
from landweave.grid import GeoBox, Window, crs_of, geobox_of, to_coords
from landweave.io._kernels import to_physical, to_stored
from landweave.types import BandKind

__all__ = ["CHUNK_PX", "ENCODINGS", "Encoding", "GroupSpec", "ZarrReader", "ZarrWriter", "encode", "plan_groups", "read_store"]

SCHEMA_VERSION = 1
CHUNK_PX = 256
_PLANES = 32
"""Dates x bands in a chunk: 4 MiB of int16, which one block of a map reads whole."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a kind of band is stored: physical = stored * scale; `fill` stands for nodata.

    Attributes:
        dtype: Stored dtype.
        scale: Step of the stored integers; 1 for floats.
        fill: Stored marker for nodata.
    """

    dtype: str
    scale: float
    fill: float

    @property
    def limits(self) -> tuple[float, float]:
        """Physical values that can be stored."""
        if self.dtype.startswith("float"):
            return -math.inf, math.inf
        info = np.iinfo(self.dtype)
        low = info.min + 1 if self.fill == info.min else info.min
        high = info.max - 1 if self.fill == info.max else info.max
        return low * self.scale, high * self.scale


_FLOAT = Encoding("float32", 1.0, math.nan)
ENCODINGS: Mapping[BandKind, Encoding] = {
    # 1e-4 is the step of Sentinel-2, MODIS and CBERS products, which stay exact; Landsat's step of 2.75e-5 is rounded to it:
    # at most 5e-5 of reflectance, a hundredth of the uncertainty of atmospheric correction
    "reflectance": Encoding("int16", 1e-4, -32768),
    "mask": Encoding("uint8", 1.0, 255),
    "index": _FLOAT,  # ratios have poles, so that no integer range fits all of them
    "backscatter": _FLOAT,
    "elevation": _FLOAT,
    "temperature": _FLOAT,
    "weather": _FLOAT,
    "other": _FLOAT,
}
"""Encoding of each kind of band. Everything but reflectance and masks is stored without loss."""


@dataclass(frozen=True)
class GroupSpec:
    """One group of the store: the bands of one kind of one cube.

    Attributes:
        name: Name of the group and of the array in it.
        cube: Name of the cube.
        kind: Kind of its bands.
        bands: Common names.
        positions: Their positions among the cube's bands.
        shape: (time, band, y, x), or (band, y, x) for a static cube.
        chunks: Likewise.
    """

    name: str
    cube: str
    kind: BandKind
    bands: tuple[str, ...]
    positions: tuple[int, ...]
    shape: tuple[int, ...]
    chunks: tuple[int, ...]

    @property
    def encoding(self) -> Encoding:
        """How its values are stored."""
        return ENCODINGS[self.kind]

    @property
    def nbytes(self) -> int:
        """Size before compression."""
        return math.prod(self.shape) * np.dtype(self.encoding.dtype).itemsize


def plan_groups(cubes: Mapping[str, Any]) -> list[GroupSpec]:
    """Lay out the groups of a set of cubes: named by kind, and by kind and cube where two cubes share a kind."""
    kinds = {name: [str(k) for k in cube["kind"].values] for name, cube in cubes.items()}
    holders = {k: [n for n in kinds if k in kinds[n]] for own in kinds.values() for k in own}
    groups = []
    for name, cube in cubes.items():
        names = [str(b) for b in cube["band"].values]
        for kind in dict.fromkeys(kinds[name]):
            at = tuple(i for i, k in enumerate(kinds[name]) if k == kind)
            times = (cube.sizes["time"],) if "time" in cube.dims else ()
            n_bands = min(len(at), _PLANES)
            shape = (*times, len(at), cube.sizes["y"], cube.sizes["x"])
            chunks = (*(min(t, max(_PLANES // n_bands, 1)) for t in times), n_bands, *(min(n, CHUNK_PX) for n in shape[-2:]))
            own = kind if len(holders[kind]) == 1 else f"{kind}_{re.sub(r'[^A-Za-z0-9]+', '_', name)}"
            groups.append(GroupSpec(own, name, kind, tuple(names[i] for i in at), at, shape, chunks))  # type: ignore[arg-type]
    return groups


def encode(values: NDArray[np.float32], spec: GroupSpec) -> NDArray[Any]:
    """Turn physical values of one group into stored ones; NaN becomes the fill value.

    Raises:
        CubeError: If a value cannot be held by the group's dtype.
    """
    encoding = spec.encoding
    if encoding.dtype == "float32":
        return values
    low, high = encoding.limits
    stored = np.empty(values.shape, dtype=encoding.dtype)
    flat, slack = np.ascontiguousarray(values).reshape(-1), encoding.scale / 2.001
    beyond = to_stored(flat, encoding.scale, low - slack, high + slack, encoding.fill, stored.reshape(-1))
    if beyond >= 0:
        band = spec.bands[int(np.unravel_index(beyond, values.shape)[-3])]
        raise CubeError(
            f"band {band!r} of {spec.cube!r} holds {flat[beyond]:g}, but a cube stores {spec.kind} within {low:g}..{high:g}; "
            "state the source's scale or valid_range, or kind: other, which is stored as float32"
        )
    return stored


def decode(stored: NDArray[Any], encoding: Encoding) -> NDArray[np.float32]:
    """Turn stored values into physical ones; the fill value becomes NaN."""
    if encoding.dtype == "float32":
        return np.asarray(stored, dtype=np.float32)
    flat = np.ascontiguousarray(stored).reshape(-1, stored.shape[-1])
    out = np.empty(flat.shape, dtype=np.float32)
    to_physical(flat, flat != int(encoding.fill), encoding.scale, 0.0, -math.inf, math.inf, out)
    return out.reshape(stored.shape)


class ZarrWriter:
    """Makes the groups of a store and takes blocks, from any thread; blocks must not share a chunk."""

    def __init__(
        self, path: Path, cubes: Mapping[str, Any], groups: Sequence[GroupSpec], attributes: Mapping[str, Any]
    ) -> None:  # fmt: skip
        """Create the store at `path` with `attributes` at its root."""
        self.path, self.groups = path, groups
        root = zarr.open_group(str(path), mode="w", zarr_format=2)
        described = [{"name": g.name, "cube": g.cube, "kind": g.kind, "bands": list(g.bands)} for g in groups]
        order = {n: [str(b) for b in c["band"].values] for n, c in cubes.items()}
        root.attrs.update({"landweave": {"schema_version": SCHEMA_VERSION, "groups": described, "bands": order, **attributes}})
        self._arrays = {g.name: _create_group(root, g, cubes[g.cube]) for g in groups}

    def write(self, cube: str, window: Window, values: NDArray[np.float32]) -> None:
        """Write a window of one cube, all its dates and bands."""
        for spec in self.groups:
            if spec.cube == cube:
                every = spec.positions == tuple(range(values.shape[-3]))
                part = values if every else np.ascontiguousarray(values[..., spec.positions, :, :])
                self._arrays[spec.name][(..., *window.slices)] = encode(part, spec)

    def finish(self, notes: Sequence[str]) -> None:
        """Add the notes and consolidate the metadata."""
        root = zarr.open_group(str(self.path), mode="r+", zarr_format=2)
        about = dict(root.attrs["landweave"])  # type: ignore[arg-type]
        root.attrs["landweave"] = {**about, "notes": list(notes)}
        zarr.consolidate_metadata(str(self.path), zarr_format=2)


def _create_group(root: Any, spec: GroupSpec, cube: Any) -> Any:
    group = root.create_group(spec.name, attributes={"Conventions": "CF-1.11"})
    dims = ("time", "band", "y", "x")[-len(spec.shape) :]
    aux = "spatial_ref kind" + (" time_start time_end" if "time" in dims else "")
    encoding = spec.encoding
    attributes: dict[str, Any] = {
        "_ARRAY_DIMENSIONS": list(dims), "grid_mapping": "spatial_ref", "coordinates": aux, "long_name": spec.kind,
        "_CRS": {"wkt": crs_of(geobox_of(cube)).to_wkt()},
    }  # fmt: skip
    if encoding.scale != 1:
        attributes |= {"scale_factor": encoding.scale, "add_offset": 0.0}
    _write_coords(group, spec, cube)
    return group.create_array(
        spec.name, shape=spec.shape, chunks=spec.chunks, dtype=encoding.dtype, fill_value=encoding.fill,
        compressors=numcodecs.Blosc(cname="zstd", clevel=3, shuffle=numcodecs.Blosc.SHUFFLE), attributes=attributes,
    )  # fmt: skip


def _write_coords(group: Any, spec: GroupSpec, cube: Any) -> None:
    geobox = geobox_of(cube)
    coords = to_coords(geobox)
    geographic = bool(crs_of(geobox).geographic)
    for axis in ("y", "x"):
        names = {"y": "latitude", "x": "longitude"} if geographic else {a: f"projection_{a}_coordinate" for a in "yx"}
        unit = {"y": "degrees_north", "x": "degrees_east"}[axis] if geographic else "m"
        attrs = {"standard_name": names[axis], "units": unit, "axis": axis.upper()}
        _write_coord(group, axis, (axis,), np.asarray(coords[axis][1]), attrs)
    _write_coord(group, "spatial_ref", (), np.int64(0), dict(coords["spatial_ref"].attrs))
    _write_coord(group, "band", ("band",), np.array(spec.bands, dtype=str), {"long_name": "common name"})
    _write_coord(group, "kind", ("band",), np.array([spec.kind] * len(spec.bands), dtype=str), {"long_name": "kind of band"})
    for name in ("time", "time_start", "time_end") if len(spec.shape) == 4 else ():
        seconds = cube[name].values.astype("datetime64[s]").astype(np.int64)
        _write_coord(group, name, ("time",), seconds, {
            "units": "seconds since 1970-01-01", "calendar": "proleptic_gregorian",
            "long_name": {"time": "middle", "time_start": "start", "time_end": "end, exclusive"}[name],
        })  # fmt: skip


def _write_coord(group: Any, name: str, dims: tuple[str, ...], values: Any, attributes: Mapping[str, Any]) -> None:
    data = np.asarray(values)
    # no fill value: xarray takes format 2's for nodata, and 0 and "" are values here
    array = group.create_array(
        name, shape=data.shape, chunks=data.shape, dtype=data.dtype, compressors=None, fill_value=None,
        attributes={"_ARRAY_DIMENSIONS": list(dims), **attributes},
    )  # fmt: skip
    array[...] = data


@dataclass(frozen=True)
class StoredCube:
    """What a store says about one of its cubes.

    Attributes:
        reader: Reads its windows.
        geobox: Its grid.
        bands: Common names in order.
        kinds: Kind of each.
        times: Start and end of each step, or None when static.
    """

    reader: ZarrReader
    geobox: GeoBox
    bands: tuple[str, ...]
    kinds: tuple[BandKind, ...]
    times: tuple[NDArray[np.datetime64], NDArray[np.datetime64]] | None


class ZarrReader:
    """Reads windows of one cube of a store; pickles as its path."""

    def __init__(self, path: str, groups: Sequence[GroupSpec]) -> None:
        """Take the folder of the store and the groups of the cube."""
        self.path, self.groups = path, tuple(groups)
        self._arrays: dict[str, Any] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "groups": self.groups, "_arrays": {}}

    def _array(self, spec: GroupSpec) -> Any:
        if spec.name not in self._arrays:
            self._arrays[spec.name] = zarr.open_array(f"{self.path}/{spec.name}/{spec.name}", mode="r", zarr_format=2)
        return self._arrays[spec.name]

    def read(self, window: Window, steps: Sequence[int], bands: Sequence[int]) -> NDArray[np.float32]:
        """Read (time, band, y, x) at positions of steps and bands.

        Raises:
            SourceError: If a chunk cannot be read; names the store.
        """
        out = np.full((len(steps), len(bands), window.height, window.width), np.nan, dtype=np.float32)
        for spec in self.groups:
            own = {p: k for k, p in enumerate(spec.positions)}
            here = [i for i, b in enumerate(bands) if b in own]
            if not here:
                continue
            wanted = [own[bands[i]] for i in here]
            try:
                values = self._select(spec, steps, wanted, window)
            except (OSError, ValueError, RuntimeError) as err:
                raise SourceError(f"cannot read {spec.name} of {self.path} (truncated or corrupt?): {err}") from err
            out[:, here] = decode(values, spec.encoding)
        return out

    def _select(self, spec: GroupSpec, steps: Sequence[int], bands: Sequence[int], window: Window) -> NDArray[Any]:
        array = self._array(spec)
        low, high = min(bands), max(bands) + 1
        picks = [b - low for b in bands]
        if len(spec.shape) == 3:
            return np.asarray(array[(slice(low, high), *window.slices)])[None, picks]
        # one contiguous read per run of dates: a chunk holds several
        first, last = min(steps), max(steps) + 1
        if last - first <= 2 * len(steps):
            part = np.asarray(array[(slice(first, last), slice(low, high), *window.slices)])
            return part[[s - first for s in steps]][:, picks]
        chosen = [np.asarray(array[(slice(s, s + 1), slice(low, high), *window.slices)]) for s in steps]
        return np.concatenate(chosen)[:, picks]


def read_store(path: Path | str) -> tuple[dict[str, StoredCube], dict[str, Any]]:
    """Read what a store holds, and its attributes.

    Raises:
        SourceError: If it is missing, or no cube that Landweave wrote.
    """
    at = Path(path)
    if not at.exists():
        raise SourceError(f"cube {at} does not exist")
    try:
        root = zarr.open_group(str(at), mode="r", zarr_format=2)
        about: dict[str, Any] = dict(root.attrs["landweave"])  # type: ignore[arg-type]
    except (KeyError, OSError, ValueError) as err:
        raise SourceError(f"{at} is not a cube that landweave wrote; make one with `landweave cube`") from err
    if about["schema_version"] != SCHEMA_VERSION:
        raise SourceError(f"{at} has schema version {about['schema_version']}, this landweave reads {SCHEMA_VERSION}; "
                          "make the cube again")  # fmt: skip
    return {name: _read_cube(root, str(at), name, about) for name in about["bands"]}, about


def _read_cube(root: Any, path: str, name: str, about: Mapping[str, Any]) -> StoredCube:
    order = list(about["bands"][name])
    specs = []
    for g in about["groups"]:
        if g["cube"] == name:
            array = root[f"{g['name']}/{g['name']}"]
            at = tuple(order.index(b) for b in g["bands"])
            specs.append(GroupSpec(g["name"], name, g["kind"], tuple(g["bands"]), at, array.shape, array.chunks))
    kinds = {b: s.kind for s in specs for b in s.bands}
    group = root[specs[0].name]
    times = None
    if len(specs[0].shape) == 4:
        start, end = (np.asarray(group[n][:]).astype("datetime64[s]") for n in ("time_start", "time_end"))
        times = (start, end)
    ref = group["spatial_ref"].attrs
    c, a, b, f, d, e = (float(v) for v in str(ref["GeoTransform"]).split())
    geobox = GeoBox((specs[0].shape[-2], specs[0].shape[-1]), Affine(a, b, c, d, e, f), CRS(str(ref["crs_wkt"])))
    return StoredCube(ZarrReader(path, specs), geobox, tuple(order), tuple(kinds[b] for b in order), times)
