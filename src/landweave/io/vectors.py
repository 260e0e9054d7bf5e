"""Vector files and tables of places: points and polygons with their attributes and always a crs; GeoPackages written.

Receives paths; hands on GeoDataFrames. Receives a GeoDataFrame; hands on a file that is whole or not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landweave.errors import SampleError, SourceError
from landweave.grid import resolve_crs
from landweave.io.files import atomic_path

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

__all__ = ["list_vector_layers", "read_table", "read_vectors", "write_gpkg", "write_vectors"]

_LON = ("lon", "longitude", "long", "lng", "x_lon", "decimallongitude", "pl_lon", "center_lon")
_LAT = ("lat", "latitude", "y_lat", "decimallatitude", "pl_lat", "center_lat")
_GEO = ".geo"
"""Column in which Earth Engine's CSV exports hold the geometry as GeoJSON, longitude and latitude on WGS84."""
_TABLES = {".csv", ".txt", ".tsv"}
_PARQUET = {".parquet", ".geoparquet", ".pq"}


def list_vector_layers(path: str | Path) -> list[str]:
    """List the layers of a vector file that have geometry.

    Raises:
        SourceError: If the file is missing or not a vector file.
    """
    import pyogrio

    _check_exists(path)
    try:
        return [str(name) for name, kind in pyogrio.list_layers(path) if kind is not None]
    except pyogrio.errors.DataSourceError as err:
        raise SourceError(f"{path} is not a vector file that GDAL can open (truncated? a raster?): {err}") from err


def read_vectors(
    path: str | Path, *, layer: str | int | None = None, crs: Any = None,
    lon_column: str | None = None, lat_column: str | None = None,
) -> gpd.GeoDataFrame:  # fmt: skip
    """Read points or polygons with their attributes.

    Args:
        path: GPKG, GeoJSON, Shapefile (or anything else of pyogrio), GeoParquet, CSV with coordinates in columns or in
            Earth Engine's `.geo`.
        layer: Name or number, needed where the file has several.
        crs: The crs of a file that states none; a stated one that differs is an error.
        lon_column: x column of a CSV; found by name by default.
        lat_column: y column of a CSV; found by name by default.

    Returns:
        Rows with geometry and a crs.

    Raises:
        SourceError: If the file is missing, not a vector file, lacks the layer or holds no rows.
        SampleError: If it has no crs and none is given, or coordinates cannot be found.
    """
    _check_exists(path)
    suffix = Path(path).suffix.lower()
    if suffix in _TABLES:
        frame = _place(read_table(path), path, crs, lon_column, lat_column)
    elif suffix in _PARQUET:
        frame = _read_geoparquet(path, crs, lon_column, lat_column)
    else:
        frame = _read_layer(path, layer)
    if len(frame) == 0:
        raise SourceError(f"{path} holds no rows")
    return _with_crs(frame, path, crs)


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a CSV (comma, semicolon or tab) or parquet table without regard to geometry.

    Raises:
        SourceError: If it is missing or cannot be read as a table.
    """
    import pandas as pd
    import pyarrow as pa

    _check_exists(path)
    try:
        if Path(path).suffix.lower() in _PARQUET:
            return pd.read_parquet(path)
        with Path(path).open(encoding="utf-8-sig") as file:
            head = file.readline()
        separator = max(",;\t", key=head.count)
        return pd.read_csv(path, sep=separator, encoding="utf-8-sig", low_memory=False)
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError, pa.ArrowInvalid) as err:
        raise SourceError(f"{path} is not a table that can be read (truncated? another kind of file?): {err}") from err


def _check_exists(path: str | Path) -> None:
    if not str(path).startswith("/vsi") and not Path(path).exists():
        raise SourceError(f"file {path} does not exist")


def _read_layer(path: str | Path, layer: str | int | None) -> gpd.GeoDataFrame:
    import geopandas as gpd
    import pyogrio

    layers = list_vector_layers(path)
    if not layers:
        raise SourceError(f"{path} has no layer with geometry; give a file of points or polygons")
    if layer is None and len(layers) > 1:
        raise SourceError(f"{path} has {len(layers)} layers; say which with layer: (one of {', '.join(layers)})")
    if isinstance(layer, str) and layer not in layers:
        raise SourceError(f"{path} has no layer {layer!r}; it has {', '.join(layers)}")
    if isinstance(layer, int) and not 0 <= layer < len(layers):
        raise SourceError(f"{path} has no layer {layer}; it has {len(layers)}, numbered from 0")
    name = layers[layer] if isinstance(layer, int) else layer or layers[0]
    try:
        return gpd.read_file(path, layer=name)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.FeatureError) as err:
        raise SourceError(f"cannot read layer {name!r} of {path} (truncated or corrupt?): {err}") from err


def _read_geoparquet(path: str | Path, crs: Any, lon: str | None, lat: str | None) -> gpd.GeoDataFrame:
    import geopandas as gpd
    import pyarrow as pa

    try:
        return gpd.read_parquet(path)
    except pa.ArrowInvalid as err:
        raise SourceError(f"{path} is not a parquet file (truncated? another kind of file?): {err}") from err
    except ValueError:  # geopandas says so of a parquet file without geo metadata
        return _place(read_table(path), path, crs, lon, lat)


def _place(table: pd.DataFrame, path: str | Path, crs: Any, lon: str | None, lat: str | None) -> gpd.GeoDataFrame:
    """Give the rows of a plain table their geometry."""
    import geopandas as gpd
    import pandas as pd
    import shapely

    if _GEO in table.columns and lon is None:
        text = [None if pd.isna(t) else t for t in table[_GEO]]
        try:
            shapes = shapely.from_geojson(text)
        except shapely.errors.GEOSException as err:
            raise SourceError(f"{path} has a .geo column that is not GeoJSON: {err}") from err
        return gpd.GeoDataFrame(table.drop(columns=_GEO), geometry=shapes, crs="EPSG:4326")
    x, y, known = _find_coordinates(table, path, lon, lat)
    values = [pd.to_numeric(table[c], errors="coerce").to_numpy(dtype=float) for c in (x, y)]
    is_degrees = known and crs is None  # columns called longitude and latitude say what they are
    return gpd.GeoDataFrame(table, geometry=gpd.points_from_xy(*values), crs="EPSG:4326" if is_degrees else None)


def _find_coordinates(table: pd.DataFrame, path: str | Path, lon: str | None, lat: str | None) -> tuple[str, str, bool]:
    for column in (lon, lat):
        if column is not None and column not in table.columns:
            raise SampleError(f"{path} has no column {column!r}; it has {', '.join(map(str, table.columns))}")
    plain = {str(c).strip().casefold(): str(c) for c in table.columns}
    x = lon or next((plain[n] for n in _LON if n in plain), None)
    y = lat or next((plain[n] for n in _LAT if n in plain), None)
    if x is None or y is None:
        raise SampleError(f"{path} has no longitude and latitude columns (columns: {', '.join(map(str, table.columns))}); name "
                          "them with lon_column and lat_column")  # fmt: skip
    return x, y, x.strip().casefold() in (*_LON, *_LAT) and y.strip().casefold() in (*_LON, *_LAT)


def _with_crs(frame: gpd.GeoDataFrame, path: str | Path, crs: Any) -> gpd.GeoDataFrame:
    if frame.crs is None and crs is None:
        raise SampleError(f"{path} has no crs; state the one its coordinates are in, e.g. crs: EPSG:4326 (the samples' part of "
                          "the recipe)")  # fmt: skip
    if crs is None:
        return frame
    given = resolve_crs(crs).to_wkt()
    if frame.crs is not None and not frame.crs.equals(given):
        raise SampleError(f"{path} says that its crs is {frame.crs.name}, the recipe says {crs}; leave `crs` out, or correct "
                          "the file")  # fmt: skip
    return frame.set_crs(given, allow_override=True)


def write_gpkg(path: Path | str, frame: gpd.GeoDataFrame, *, layer: str) -> Path:
    """Write a GeoPackage with one layer, replacing an older file.

    Args:
        path: The file; its name must end in .gpkg.
        frame: Rows with a geometry and a crs.
        layer: Name of the layer.
    """
    final = Path(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    # the driver insists on its extension, so that the unfinished name ends in .gpkg too
    part = final.with_name(f".{final.stem}.part.gpkg")
    part.unlink(missing_ok=True)
    try:
        frame.to_file(part, layer=layer, driver="GPKG", engine="pyogrio")
        part.replace(final)
    finally:
        part.unlink(missing_ok=True)
    return final


_DRIVERS = {".gpkg": "GPKG", ".fgb": "FlatGeobuf", ".pmtiles": "PMTiles", ".geojson": "GeoJSON"}
"""File ending -> GDAL driver of `write_vectors`; GeoParquet is written by pyarrow."""


def write_vectors(path: Path | str, frame: gpd.GeoDataFrame, *, layer: str, options: Mapping[str, Any] | None = None) -> Path:
    """Write polygons or points in the format that the file's ending names, replacing an older file.

    GeoPackage (.gpkg), GeoParquet (.parquet, .geoparquet), FlatGeobuf (.fgb), PMTiles (.pmtiles: web tiles, cut and rounded, in
    Web Mercator) or GeoJSON (.geojson: longitude and latitude on WGS84).

    Args:
        path: The file.
        frame: Rows with a geometry and a crs.
        layer: Name of the layer, where the format has one.
        options: Layer creation options of the GDAL driver.

    Raises:
        SourceError: If the ending is none of these, or GDAL was built without the driver.
    """
    final = Path(path)
    ending = final.suffix.lower()
    final.parent.mkdir(parents=True, exist_ok=True)
    if ending in (".parquet", ".geoparquet"):
        with atomic_path(final) as part:
            frame.to_parquet(part, index=False, write_covering_bbox=True)
        return final
    if ending not in _DRIVERS:
        known = ", ".join([*_DRIVERS, ".parquet", ".geoparquet"])
        raise SourceError(f"cannot write vectors to {final}: the ending is {ending or 'missing'}, known are {known}")
    _check_driver(_DRIVERS[ending])
    if ending in (".geojson", ".pmtiles"):
        frame = frame.to_crs("EPSG:4326" if ending == ".geojson" else "EPSG:3857")
    # drivers insist on their extension, so that the unfinished name ends in it too
    part = final.with_name(f".{final.stem}.part{ending}")
    part.unlink(missing_ok=True)
    try:
        frame.to_file(part, layer=layer, driver=_DRIVERS[ending], engine="pyogrio", **(options or {}))
        part.replace(final)
    finally:
        part.unlink(missing_ok=True)
    return final


def _check_driver(driver: str) -> None:
    import pyogrio

    if "w" not in pyogrio.list_drivers().get(driver, ""):
        raise SourceError(f"the GDAL {pyogrio.__gdal_version_string__} inside pyogrio cannot write {driver}; choose .gpkg or "
                          ".parquet")  # fmt: skip
