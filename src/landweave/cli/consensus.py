"""`landweave consensus` and `risk`: several labels of one place become one, with the labellers' quality and the risk of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landweave.cli.show import print_line, print_table, print_warning, progress_bars

if TYPE_CHECKING:
    from landweave.label import AgreedSamples
    from landweave.legend import Legend
    from landweave.types import SampleTable

__all__ = ["register"]

_MAPS = {".tif", ".tiff", ".vrt"}
Cost = Annotated[
    list[str] | None,
    typer.Option(help="TRUE=SAID:5, the cost of saying SAID where TRUE is true (1 where not named); repeat."),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (consensus, risk):
        app.command()(command)


def consensus(
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="SOURCE...", help="samples.parquet; tables of labels (.csv, .gpkg, ...); or two maps or more."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE|DIR", help="samples.parquet; for maps, a folder.")],
    method: Annotated[str, typer.Option(help="dawid-skene (labellers weighed by their quality) or majority.")] = "dawid-skene",
    class_column: Annotated[str | None, typer.Option(help="Column of the label, in a table of labels.")] = None,
    labeller_column: Annotated[
        str | None, typer.Option(help="Column of who gave it; with several tables each is one labeller's.")
    ] = None,
    crs: Annotated[str | None, typer.Option(help="Crs of a table that states none, e.g. EPSG:4326.")] = None,
    cost: Cost = None,
    places: Annotated[Path | None, typer.Option(metavar="CSV", help="Write each place's label, risk, probabilities.")] = None,
    picture: Annotated[Path | None, typer.Option(metavar="SVG", help="Draw the risk of each place.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Maps: start anew where --out holds another result.")] = False,
) -> None:  # fmt: skip
    """Join what several labellers say of the same places, and tell how good each labeller is and how sure the result.

    Rows of one place, by people:

        landweave consensus labels.csv --class-column label --labeller-column user --out agreed.parquet --picture risk.svg

        landweave consensus anna.csv ben.csv carla.csv --class-column label --out agreed.parquet

    Whole maps, by interpreters, models or products; the folder then holds map.tif, proba.tif (the posterior), risk.tif and
    consensus.json with the labellers' confusion:

        landweave consensus anna.tif ben.tif carla.tif --out agreed/

    Dawid and Skene (1979) estimate truth and labellers together. With two labellers nobody breaks a tie: ask a third. An error
    that costs more than others (a missed mine) is told with --cost mine=forest:5; the decision is then the cheapest, not the
    likeliest.
    """
    if all(s.is_dir() or s.suffix.lower() in _MAPS for s in sources):
        _join_maps(sources, out, method, cost, overwrite)
        return
    from landweave.io.files import write_text
    from landweave.io.tables import write_samples
    from landweave.label import agree_samples
    from landweave.maps.agreement import make_loss

    table = _read(sources, class_column, labeller_column, crs)
    _known_method(method)
    loss = make_loss(table.legend, parse_costs(cost)) if cost else None
    made = agree_samples(table, method=method, loss=loss)  # type: ignore[arg-type]  # checked above
    write_samples(made.samples, out)
    if places is not None:
        write_text(places, made.places.to_csv(index=False, lineterminator="\n"))
    if picture is not None:
        _draw(made, picture)
    _print(made, table.legend, method, out)


def risk(
    map_: Annotated[Path, typer.Argument(metavar="MAP_DIR", help="Folder of a map with proba.tif.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="TIF", help="By default risk.tif in the folder.")] = None,
    cost: Cost = None,
) -> None:
    """Write the risk of believing a map, pixel by pixel: the loss to be expected, from its probabilities.

    landweave risk out/ --cost forest=pasture:3
    """
    from landweave.maps import open_map
    from landweave.maps.agreement import write_risk

    print_line(f"risk: {write_risk(open_map(map_), loss=parse_costs(cost), path=out)}")


def parse_costs(given: list[str] | None) -> dict[tuple[str, str], float]:
    """Read TRUE=SAID:COST."""
    made = {}
    for text in given or []:
        pair, colon, number = text.rpartition(":")
        true, sign, said = pair.partition("=")
        try:
            made[true.strip(), said.strip()] = float(number)
        except ValueError:
            sign = ""
        if not (colon and sign and true and said):
            raise typer.BadParameter(f"{text!r} is no cost; write TRUE=SAID:NUMBER, e.g. mine=forest:5", param_hint="--cost")
    return made


def _known_method(method: str) -> None:
    if method not in ("majority", "dawid-skene"):
        raise typer.BadParameter(f"no method named {method!r}; known: dawid-skene, majority", param_hint="--method")


def _read(paths: list[Path], class_column: str | None, labeller_column: str | None, crs: str | None) -> SampleTable:
    from landweave.io.tables import is_sample_table, read_samples
    from landweave.label import import_labelled
    from landweave.samples import SampleOptions

    if len(paths) == 1 and paths[0].suffix.lower() == ".parquet" and is_sample_table(paths[0]):
        return read_samples(paths[0])
    columns = {"class_column": class_column, "labeller_column": labeller_column, "crs": crs}
    return import_labelled(paths, SampleOptions.model_validate({"reference": str(paths[0]), **columns}))


def _print(made: AgreedSamples, legend: Legend, method: str, out: Path) -> None:
    several = made.places["n_labels"] > 1
    unanimous = (made.places["agree"] == 1)[several].mean() if several.any() else float("nan")
    print_line(f"{len(made.places)} places, {int(several.sum())} with several labels, of which {unanimous:.1%} are unanimous; "
               f"mean risk {made.places['risk'].mean():.3f} ({method}): {out}")  # fmt: skip
    rows = [(r["labeller"], r["n_labels"], f"{r['quality']:.1%}", f"{r['agree']:.1%}",
             *(f"{r[f'p_{name}']:.1%}" for name in legend.names)) for r in made.labellers.to_dict("records")]  # fmt: skip
    header = ("labeller", "labels", "right", "agrees with result", *(f"right where {name}" for name in legend.names))
    print_table("Labellers", header, rows, right=range(1, len(header)),
                note="`right` is the estimated chance of being right at a place drawn at random.")  # fmt: skip
    share = made.consensus.prevalence
    print_table("Classes", ("class", "share of places"),
                [(name, f"{share[i]:.1%}") for i, name in enumerate(legend.names)], right=(1,))  # fmt: skip
    if len(made.labellers) == 2:
        print_warning("there are two labellers: where they differ nobody breaks the tie; ask a third")


def _draw(made: AgreedSamples, path: Path) -> None:
    from landweave.io.files import write_text
    from landweave.io.svg import draw_places

    lonlat, risks = made.samples.to_xy("EPSG:4326"), made.places["risk"].to_numpy()
    write_text(path, draw_places(lonlat, risks, title="Risk of the agreed label", label="expected loss"))
    print_line(f"picture: {path}")


def _join_maps(sources: list[Path], out: Path, method: str, cost: list[str] | None, overwrite: bool) -> None:
    from landweave.maps.agreement import agree_maps

    _known_method(method)
    loss = parse_costs(cost)
    with progress_bars() as progress:
        made = agree_maps(
            sources, out, method=method, loss=loss, overwrite=overwrite, progress=progress  # type: ignore[arg-type]  # checked
        )  # fmt: skip
    found, legend = made.consensus, made.product.legend
    print_line(f"{made.all_agree:.1%} of the pixels have one class on all maps; mean risk {made.mean_risk:.3f} ({method}): "
               f"{out}")  # fmt: skip
    k = range(len(legend))
    rows = [(name, f"{found.n_votes[i]:,}", f"{found.quality[i]:.1%}", *(f"{found.confusion[i, c, c]:.1%}" for c in k))
            for i, name in enumerate(made.names)]  # fmt: skip
    header = ("map", "pixels", "right", *(f"right where {name}" for name in legend.names))
    print_table("Maps as labellers", header, rows, right=range(1, len(header)),
                note="Estimated from their votes alone: errors that the maps share are not seen; judge with a reference "
                     "sample.")  # fmt: skip
