"""`landweave relabel`, `pseudo` and `weak-labels`: labels from segments, from unlabelled places, from older maps."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from landweave.cli.show import print_line, print_table, print_warning, progress_bars

if TYPE_CHECKING:
    from landweave.label import LabelFinding, Product
    from landweave.types import CubeSet, SampleTable

__all__ = ["register"]

SamplesPath = Annotated[Path, typer.Argument(metavar="SAMPLES", help="samples.parquet, as `landweave samples` writes it.")]
Season = Annotated[str | None, typer.Option("--season", help="Start date of the season, for samples of seasons.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (relabel, pseudo, weak_labels):
        app.command(command.__name__.replace("_", "-"))(command)


def relabel(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="samples.parquet, or a map (folder or raster).")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE|DIR", help="samples.parquet, or a folder for the map.")],
    segments: Annotated[
        Path | None, typer.Option(metavar="RASTER", help="Segment numbers from any tool (Segment Anything, OTB, ...).")
    ] = None,
    guide: Annotated[list[str] | None, typer.Option(metavar="IMAGE", help="Or imagery to cut segments from; repeat.")] = None,
    bands: Annotated[str | None, typer.Option(help="Names of the imagery's layers in order.")] = None,
    method: Annotated[str, typer.Option(help="slic, felzenszwalb or watershed, with --guide.")] = "slic",
    size: Annotated[int, typer.Option(help="Pixels of a segment.")] = 100,
    rule: Annotated[str, typer.Option(help="Maps: majority, or confident (by probability; needs proba.tif).")] = "majority",
    unsure_below: Annotated[float | None, typer.Option(help="Maps: only pixels less probable than this may change.")] = None,
    suspects: Annotated[
        Path | None, typer.Option(metavar="CSV", help="Samples: the list of `landweave labels`; only these may change.")
    ] = None,
    min_share: Annotated[float, typer.Option(help="A segment speaks where one class has this share of it.")] = 0.6,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Maps: start anew where --out holds another result.")] = False,
) -> None:  # fmt: skip
    """Correct labels by image segments: what belongs together carries one label, and the sure speak for the unsure.

    Of a map, its unsure pixels:

        landweave relabel out/ --guide scene.tif --bands blue,green,red,nir --rule confident --unsure-below 0.6 --out better/

    Of samples, those that the checks suspect:

        landweave relabel out/samples.parquet --segments sam.tif --suspects suspects.csv --out better.parquet
    """
    from landweave.cli.refining import load_guide, make_options
    from landweave.errors import MapError
    from landweave.io.tables import is_sample_table, read_samples, write_samples
    from landweave.maps.relabelling import RelabelOptions, relabel_map, relabel_table

    if (segments is None) == (not guide):
        raise MapError("segments come from --segments or are cut from --guide; give one of them")
    options = make_options(RelabelOptions, rule=rule, unsure_below=unsure_below, min_share=min_share,
                           segments={"method": method, "size_px": size})  # fmt: skip
    if source.suffix.lower() == ".parquet" and is_sample_table(source):
        table = read_samples(source)
        by: Any = segments if segments is not None else _guide_of_samples(guide or [], bands)
        made = relabel_table(table, by=by, finding=_read_suspects(table, suspects), options=options)
        write_samples(made.samples, out)
        print_line(f"{len(made.changes)} of {len(table)} rows have another class: {out}")
        return
    by = segments if segments is not None else load_guide(source, guide, bands)
    with progress_bars() as progress:
        product = relabel_map(source, out, by=by, options=options, overwrite=overwrite, progress=progress)
    _print_change(source, product)


def _guide_of_samples(guide: list[str], bands: str | None) -> CubeSet:
    from landweave.cube import load_cube, open_cube
    from landweave.imagery import SourceOptions, find_scenes

    if len(guide) == 1 and (Path(guide[0]) / ".zgroup").exists():
        return open_cube(guide[0])
    names = tuple(b.strip() for b in bands.split(",")) if bands else None
    return load_cube({"guide": find_scenes(SourceOptions(paths=tuple(guide), layers=names, static=True))})


def _read_suspects(table: SampleTable, path: Path | None) -> LabelFinding | None:
    import numpy as np
    import pandas as pd

    from landweave.errors import SampleError
    from landweave.label import LabelFinding

    if path is None:
        return None
    listed = pd.read_csv(path)
    if "sample_id" not in listed:
        raise SampleError(f"{path} has no column sample_id; give the list that `landweave labels --out` wrote")
    suspect = table.frame["sample_id"].isin(listed["sample_id"]).to_numpy()
    return LabelFinding("list", suspect, suspect.astype(np.float64), np.full(len(table), -1))


def _print_change(before: Path, made: Any) -> None:
    from landweave.maps import open_map

    old = open_map(before)
    rows = [(c.name, f"{old.area_ha.get(c.code, 0):,.1f}", f"{made.area_ha.get(c.code, 0):,.1f}") for c in made.legend]
    print_table(f"Map in {made.folder}", ("class", "before, ha", "after, ha"), rows, right=(1, 2), note="Mapped areas.")


def pseudo(
    samples: SamplesPath,
    cube: Annotated[Path, typer.Argument(metavar="CUBE", help="cube.zarr that the samples were extracted from.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="PARQUET", help="Samples with the provisional labels added.")],
    method: Annotated[str, typer.Option(help="label-spreading or self-training.")] = "label-spreading",
    pool: Annotated[int, typer.Option(min=10, help="Pixels drawn at random that may get a label.")] = 2000,
    min_proba: Annotated[float, typer.Option(help="Least probability of a provisional label.")] = 0.8,
    weight: Annotated[float, typer.Option(help="Weight of a provisional label, times its probability.")] = 0.5,
    model: Annotated[str, typer.Option(help="Family of models of self-training.")] = "random-forest",
    season: Season = None, seed: Annotated[int, typer.Option(min=0, help="Seed of the draw.")] = 0,
) -> None:  # fmt: skip
    """Let unlabelled places help: give those that look like labelled ones a provisional label with a lower weight.

    Useful with tens of labels, of little use with thousands; self-training makes a poor start worse. Judge the gain on labels
    that were given, never on provisional ones:

        landweave pseudo out/samples.parquet out/cube.zarr --method label-spreading --out more.parquet
    """
    from landweave.io.tables import read_samples, write_samples
    from landweave.label import PseudoOptions, add_pseudo_labels, draw_pool
    from landweave.models import ModelOptions

    table = read_samples(samples)
    options = PseudoOptions.model_validate({"method": method, "min_proba": min_proba, "weight": weight})
    with progress_bars() as progress:
        unlabelled = draw_pool(table, cube_of(cube, table, season), n=pool, seed=seed, progress=progress)
    made = add_pseudo_labels(table, unlabelled, model=ModelOptions(name=model, seed=seed), options=options)
    write_samples(made, out)
    given, now = table.frame["class"].value_counts(), made.frame["class"].value_counts()
    rows = [(n, int(given.get(n, 0)), int(now.get(n, 0) - given.get(n, 0))) for n in table.legend.names]
    print_table(f"{len(made) - len(table)} of {len(unlabelled)} pixels got a label", ("class", "given", "provisional"), rows,
                right=(1, 2), note=f"{method}; written to {out}")  # fmt: skip


def cube_of(path: Path, table: SampleTable, season: str | None) -> CubeSet:
    """Open a cube, and of samples of seasons the season that is asked for."""
    from landweave.cube import open_cube, select_season
    from landweave.errors import SampleError

    cubes = open_cube(path)
    wanted = next((i.season for i in table.inputs if i.season is not None), None)
    if wanted is None:
        return cubes
    if season is None:
        raise SampleError(f"the samples are of seasons that start on {wanted.start}; say which one, e.g. --season "
                          f"2020-{wanted.start}")  # fmt: skip
    return select_season(cubes, wanted, date.fromisoformat(season))


def weak_labels(
    products: Annotated[
        list[str],
        typer.Argument(metavar="NOMENCLATURE=RASTER[,RASTER...]", help="A product with a raster per year; repeat."),
    ],
    like: Annotated[Path, typer.Option("--like", metavar="RASTER", help="Grid that places are drawn on.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="PARQUET", help="Where the places go.")],
    to: Annotated[str | None, typer.Option(help="Nomenclature of the labels; that of the first product by default.")] = None,
    n: Annotated[int, typer.Option("--n", min=1, help="Places of each class (in each stratum).")] = 200,
    erode_m: Annotated[float, typer.Option(min=0, help="Keep this far from the products' edges.")] = 0.0,
    min_agree: Annotated[int | None, typer.Option(min=1, help="Products that must allow the class; all by default.")] = None,
    strata: Annotated[Path | None, typer.Option(metavar="RASTER", help="Draw the same number in each of its codes.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draw.")] = 0,
) -> None:
    """Take training labels from older maps, where these agree, are stable over their years, and lie away from their edges.

    Products on any grid; their classes meet through the crosswalks (`landweave nomenclatures`), whose doubts become weights:

        landweave weak-labels esa-worldcover=wc2020.tif,wc2021.tif dynamic-world=dw.tif --like scene.tif --out weak.parquet

    Use the file as `samples: {reference: ...}` of a recipe. Agreement of maps is no accuracy: judge with a reference sample.
    """
    from landweave.io.rasters import read_info
    from landweave.io.tables import write_samples
    from landweave.label import ProductOptions, read_segments, sample_products

    given = [parse_product(text, to or products[0].partition("=")[0]) for text in products]
    geobox = read_info(like).geobox
    options = ProductOptions(n_per_class=n, erode_m=erode_m, min_agree=min_agree, seed=seed)
    zones = None if strata is None else read_segments(strata, geobox)
    made = sample_products(given, geobox, options=options, strata=zones)
    write_samples(made, out)
    frame = made.frame.groupby("class")["weight"].agg(["size", "mean"])
    missing = [name for name in made.legend.names if name not in frame.index]
    rows = [(name, int(r["size"]), f"{r['mean']:.2f}") for name, r in frame.iterrows()]
    print_table("Labels from products", ("class", "places", "weight"), rows, right=(1, 2), note=f"{made.design.note}. {out}")
    if missing:
        print_warning(f"no agreed pixel shows {', '.join(missing)}")


def parse_product(text: str, target: str) -> Product:
    """Read NOMENCLATURE=RASTER[,RASTER...]."""
    from landweave.label import Product, crosswalk_between

    name, sign, files = text.partition("=")
    if not (sign and name and files):
        raise typer.BadParameter(f"{text!r} is no product; write NOMENCLATURE=RASTER, e.g. esa-worldcover=wc2021.tif")
    return Product(name, tuple(f.strip() for f in files.split(",")), crosswalk_between(name, target))
