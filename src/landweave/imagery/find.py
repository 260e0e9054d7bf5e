"""The room's verb: from a source's options to its scenes."""

from __future__ import annotations

import logging
from pathlib import Path

from landweave.errors import SceneError, SourceError
from landweave.imagery import landsat, safe
from landweave.imagery.archive import open_archive
from landweave.imagery.catalogue import load_items
from landweave.imagery.catalogue_options import CatalogueOptions
from landweave.imagery.group import group_scenes
from landweave.imagery.layers import Found, UnknownBandError, read_layers, read_name, resolve_sensor
from landweave.imagery.masks import LEARNED
from landweave.imagery.netcdf import is_netcdf, read_netcdf
from landweave.imagery.options import SourceOptions
from landweave.imagery.paths import FoundPath, expand_paths, is_archive
from landweave.imagery.stac_items import keep_newest, read_item
from landweave.imagery.table import read_table
from landweave.sensors import get_sensor
from landweave.types import Scene

__all__ = ["find_scenes"]

log = logging.getLogger(__name__)


def find_scenes(options: SourceOptions, *, items: Path | None = None) -> list[Scene]:
    """Find the scenes of a source: which layer of which file is which band at which time. Reads headers only.

    A scene is what one sensor saw of one place at one time. Its time comes from `layer_dates`, the pattern (the recipe's or
    the sensor's), `date`, the table, the archive's metadata, or the one date that stands in the file's name; a date
    without a time of day stands for that whole day, and an end in a name is inclusive. Scenes without any date are static
    layers: elevation, or a single image for a map of one date; only `generic` and `dem` may leave the date out unsaid.
    Items of a catalogue are scenes each; their files are not opened.

    Args:
        options: The source.
        items: Where the items of a catalogue's search are kept: read instead of searching where the file is there, written
            otherwise.

    Returns:
        Scenes sorted by time and id, static ones first; band names are common names.

    Raises:
        SourceError: If a path is missing, matches nothing, or is no raster; names it and says what is there.
        BandError: If layers have no names, or a band that the options name is not there.
        SceneError: If two files hold one band, time and place, or a dated sensor's file has no date.
        GridError: If a file has no crs and the options state none.
    """
    if options.catalogue is not None:
        found, what = _search(options, options.catalogue, items), "items"
    else:
        found, what = _open_files(options), "files"
    scenes = group_scenes(found, options)
    log.info("%d scenes of %s with %d layers of %s", len(scenes), options.sensor, len(found), what)
    if options.mask is not None and options.mask.kind == LEARNED:
        from landweave.imagery.learned_masks import add_learned_masks  # onnxruntime loads here

        return add_learned_masks(scenes, options.mask)
    return scenes


def _search(options: SourceOptions, catalogue: CatalogueOptions, path: Path | None) -> list[Found]:
    newest = keep_newest(load_items(catalogue, path))
    return [layer for item in newest for layer in read_item(item, options, catalogue)]


def _open_files(options: SourceOptions) -> list[Found]:
    found = read_table(options.table, options) if options.table is not None else []
    paths = expand_paths(options.paths)
    found += [layer for item in paths for layer in _read_path(item, options, alone=len(paths) == 1)]
    if not found:
        example = paths[0].path.name if paths else str(options.table)
        fits = f"pattern {options.pattern!r} fits" if options.pattern else f"{options.sensor} knows"
        raise SceneError(f"{fits} none of the {len(paths)} files found, such as {example}; compare the two")
    return found


def _read_path(item: FoundPath, options: SourceOptions, *, alone: bool) -> list[Found]:
    path = item.path
    if is_archive(path):
        return _read_archive(path, options)
    if is_netcdf(path):
        return read_netcdf(path, options)
    if options.pattern is not None:
        fields = read_name(path, resolve_sensor(get_sensor(options.sensor), path.name), options)
        if fields is None and item.is_named:
            raise SceneError(f"{path} does not fit the pattern {options.pattern!r}; correct one of them")
        if fields is None:
            log.warning("%s is left out: it does not fit the pattern %s", path, options.pattern)
            return []
    try:
        return read_layers(path, options)
    except UnknownBandError as err:
        if item.is_named or alone:
            raise
        log.warning("left out: %s", err)
        return []


def _read_archive(path: Path, options: SourceOptions) -> list[Found]:
    archive = open_archive(path)
    if safe.find_metadata(archive):
        return safe.read_product(archive, options)
    if landsat.find_metadata(archive):
        return landsat.read_products(archive, options)
    some = ", ".join(archive.names[:6]) or "nothing"
    raise SourceError(
        f"{path} holds neither a Sentinel-2 product (MTD_MSIL2A.xml) nor Landsat Collection 2 products (*_MTL.txt); it holds "
        f"{some}; unpack it and give its rasters"
    )
