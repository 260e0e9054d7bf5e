"""Commands on finished maps: smooth, filter, aggregate, smooth-years, vectorize, zonal."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from landweave.cli.show import print_line, print_table, progress_bars
from landweave.errors import MapError

if TYPE_CHECKING:
    from landweave.types import CubeSet, MapProduct

MapPath = Annotated[Path, typer.Argument(metavar="MAP", help="Folder of a map, or any raster of codes with a legend.")]
OutFolder = Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for the new map.")]
Workers = Annotated[int, typer.Option("--workers", "-w", min=1, help="Threads that compute blocks; never changes a pixel.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Start anew where the folder holds another result.")]
Guide = Annotated[
    list[str] | None, typer.Option("--guide", metavar="IMAGE", help="Imagery: raster files or a cube.zarr; may be repeated.")
]
Bands = Annotated[str | None, typer.Option(help="Names of the imagery's layers in order, e.g. blue,green,red,nir.")]
DEFAULT_WORKERS = min(8, os.cpu_count() or 1)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (smooth, filter_, segment, aggregate, smooth_years, vectorize, zonal):
        app.command(command.__name__.rstrip("_").replace("_", "-"))(command)


def smooth(
    map_: MapPath, out: OutFolder,
    method: Annotated[str, typer.Option(help="bayes, median, or edge (needs --guide).")] = "bayes",
    window: Annotated[int, typer.Option(help="Side of the neighbourhood in pixels, odd.")] = 7,
    smoothness: Annotated[float, typer.Option(help="bayes: variance of the logit; larger trusts the neighbours more.")] = 10.0,
    fraction: Annotated[float, typer.Option(help="bayes: share of the window to use, those most sure of the class.")] = 0.5,
    guide: Guide = None, bands: Bands = None, workers: Workers = DEFAULT_WORKERS, overwrite: Overwrite = False,
) -> None:  # fmt: skip
    """Smooth the probabilities of a finished map (proba.tif) and classify anew.

    The file holds probabilities in steps of 0.004; `map: {smooth: {...}}` in a recipe smooths the model's own numbers.
    """
    from landweave.maps import SmoothOptions, smooth_map

    options = make_options(SmoothOptions, method=method, window_px=window, smoothness=smoothness, fraction=fraction)
    with progress_bars() as progress:
        made = smooth_map(map_, out, options=options, guide=load_guide(map_, guide, bands), workers=workers,
                          overwrite=overwrite, progress=progress)  # fmt: skip
    _print_change(map_, made)


def filter_(
    map_: MapPath, out: OutFolder,
    majority: Annotated[int | None, typer.Option(help="Side of a majority filter in pixels, odd.")] = None,
    sieve: Annotated[int | None, typer.Option(help="Dissolve patches of fewer pixels evenly into their surroundings.")] = None,
    mmu: Annotated[int | None, typer.Option(help="Minimum mapping unit: smaller patches join their longest border.")] = None,
    connectivity: Annotated[int, typer.Option(help="4, or 8 where pixels that touch at a corner are one patch.")] = 4,
    workers: Workers = DEFAULT_WORKERS, overwrite: Overwrite = False,
) -> None:  # fmt: skip
    """Filter the classes of a finished map: majority, sieve, minimum mapping unit, in this order."""
    from landweave.maps import FilterOptions, filter_map

    options = make_options(FilterOptions, majority_px=majority, sieve_px=sieve, mmu_px=mmu, connectivity=connectivity)
    with progress_bars() as progress:
        made = filter_map(map_, out, options=options, workers=workers, overwrite=overwrite, progress=progress)
    _print_change(map_, made)


def segment(
    map_: MapPath, out: OutFolder, guide: Guide = None, bands: Bands = None,
    method: Annotated[str, typer.Option(help="slic, or watershed.")] = "slic",
    size: Annotated[int, typer.Option(help="Pixels of a segment on average (slic), or at least (watershed).")] = 100,
    workers: Workers = DEFAULT_WORKERS, overwrite: Overwrite = False,
) -> None:  # fmt: skip
    """Give every segment of the imagery the commonest class of the map inside it."""
    from landweave.features.segments import SegmentOptions
    from landweave.maps.refining import segment_map

    cubes = load_guide(map_, guide, bands)
    if cubes is None:
        raise MapError("segments are cut from imagery and none is given; name it with --guide")
    options = make_options(SegmentOptions, method=method, size_px=size)
    with progress_bars() as progress:
        made = segment_map(map_, out, guide=cubes, options=options, workers=workers, overwrite=overwrite, progress=progress)
    _print_change(map_, made)


def aggregate(
    map_: MapPath, out: OutFolder,
    parent: Annotated[
        list[str] | None, typer.Option(help="CLASS=PARENT; may be repeated. By default the parents in the legend.")
    ] = None,
    by_proba: Annotated[bool, typer.Option("--by-proba", help="Add up probabilities and classify anew.")] = False,
    workers: Workers = DEFAULT_WORKERS, overwrite: Overwrite = False,
) -> None:  # fmt: skip
    """Put classes together under their parents."""
    from landweave.maps import aggregate_map

    pairs = dict(_split_pair(p) for p in parent) if parent else None
    with progress_bars() as progress:
        made = aggregate_map(map_, out, parents=pairs, by_proba=by_proba, workers=workers, overwrite=overwrite,
                             progress=progress)  # fmt: skip
    print_areas(made)


def smooth_years(
    maps: Annotated[list[Path], typer.Argument(metavar="MAP...", help="Folders of annual maps, in the order of the years.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for the new maps, one folder each.")],
    method: Annotated[str, typer.Option(help="forward-backward, or viterbi (never a forbidden change).")] = "viterbi",
    stay: Annotated[float, typer.Option(help="Probability that a class is the same a year later.")] = 0.9,
    forbid: Annotated[
        list[str] | None, typer.Option(help="BEFORE=AFTER: a change that cannot happen; may be repeated.")
    ] = None,
    workers: Workers = DEFAULT_WORKERS, overwrite: Overwrite = False,
) -> None:  # fmt: skip
    """Smooth annual maps in time by a hidden Markov model, so that impossible changes do not happen."""
    from landweave.maps.temporal import SeriesOptions
    from landweave.maps.years import smooth_years as smooth_maps

    options = make_options(SeriesOptions, method=method, stay=stay, forbidden=tuple(_split_pair(p) for p in forbid or ()))
    with progress_bars() as progress:
        made = smooth_maps(maps, out, options=options, workers=workers, overwrite=overwrite, progress=progress)
    for before, after in zip(maps, made, strict=True):
        _print_change(before, after)


def vectorize(
    map_: MapPath,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help=".gpkg, .parquet, .fgb, .pmtiles or .geojson.")],
    simplify: Annotated[float, typer.Option(help="Tolerance in pixels; common borders are simplified once.")] = 0.0,
    min_px: Annotated[int, typer.Option(help="Leave out patches of fewer pixels.")] = 1,
) -> None:
    """Write a map's patches as polygons with class, area and mean probability."""
    from landweave.maps.vectors import VectorOptions, vectorize_map

    options = make_options(VectorOptions, simplify_px=simplify, min_px=min_px)
    print_line(f"polygons: {vectorize_map(map_, out, options=options)}")


def zonal(
    map_: MapPath,
    zones_: Annotated[Path, typer.Argument(metavar="ZONES", help="Vector file of polygons.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help=".parquet or .csv.")],
    layer: Annotated[str | None, typer.Option(help="Layer of the zones, where the file has several.")] = None,
) -> None:
    """Add up a map by zones: area and share of each class, mean probabilities and uncertainty.

    These are mapped areas, with the map's errors; `landweave zones` estimates areas with intervals from a sample.
    """
    from landweave.maps.zones import zones_of_map

    table = zones_of_map(map_, zones_, out, layer=layer)
    shown = [c for c in table.columns if c not in ("mapped_ha", "unmapped_ha", "majority")][:1]
    rows = [
        (*(row[c] for c in shown), f"{row['mapped_ha']:,.1f}", row["majority"] if row["mapped_ha"] > 0 else "")
        for row in table.head(20).to_dict("records")
    ]
    note = f"{len(table)} zones in {out}"
    print_table("Zones", (*shown, "mapped ha", "majority"), rows, right=(len(shown),), note=note)


def make_options(kind: Any, **values: Any) -> Any:
    """Check a stage's options that came from the command line.

    Raises:
        MapError: With the first mistake.
    """
    from pydantic import ValidationError

    try:
        return kind.model_validate(values)
    except ValidationError as err:
        first = err.errors()[0]
        raise MapError(f"{'.'.join(str(p) for p in first['loc'])}: {first['msg'].removeprefix('Value error, ')}") from err


def _split_pair(text: str) -> tuple[str, str]:
    before, sign, after = text.partition("=")
    if not sign or not before or not after:
        raise MapError(f"{text!r} is no pair of class names; write them as Maize=Cropland")
    return before.strip(), after.strip()


def load_guide(map_: Path, guide: list[str] | None, bands: str | None) -> CubeSet | None:
    """Load imagery on a map's grid; None where none is named."""
    from landweave.cube import CubeOptions, load_cube, open_cube
    from landweave.imagery import SourceOptions, find_scenes

    if not guide:
        return None
    if len(guide) == 1 and (Path(guide[0]) / ".zgroup").exists():
        return open_cube(guide[0])
    names = tuple(b.strip() for b in bands.split(",")) if bands else None
    like = map_ / "map.tif" if map_.is_dir() else map_
    scenes = find_scenes(SourceOptions(paths=tuple(guide), layers=names, static=True))
    return load_cube({"guide": scenes}, options=CubeOptions(like=str(like)))


def _print_change(before: Path, made: MapProduct) -> None:
    from landweave.maps import open_map

    old = open_map(before)
    rows = [
        (c.name, f"{old.area_ha.get(c.code, 0):,.1f}", f"{made.area_ha.get(c.code, 0):,.1f}") for c in made.legend
    ]
    print_table(f"Map in {made.folder}", ("class", "before, ha", "after, ha"), rows, right=(1, 2), note="Mapped areas.")


def print_areas(made: MapProduct) -> None:
    """Print the mapped area of each class."""
    rows = [(c.name, f"{made.area_ha.get(c.code, 0):,.1f}") for c in made.legend]
    print_table(f"Map in {made.folder}", ("class", "ha"), rows, right=(1,), note="Mapped areas.")
