"""`landweave indices` and `landweave propose-indices`: which indices bands allow, and which tell the classes apart."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landweave.cli.show import print_line, print_table, progress_bars

if TYPE_CHECKING:
    from landweave.models.index_design import IndexDesign, IndexScore

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(indices)
    app.command(name="propose-indices")(propose_indices)


def indices(
    name: Annotated[str | None, typer.Argument(metavar="[INDEX]", help="Show the formula and source of this one.")] = None,
    bands: Annotated[str | None, typer.Option("--bands", metavar="A,B,...", help="Those that these bands allow.")] = None,
    sensor: Annotated[str | None, typer.Option("--sensor", help="Those that the bands of this sensor allow.")] = None,
) -> None:
    """List the spectral indices that a recipe takes under `cube: indices`, with formula and source.

        landweave indices --sensor sentinel-2-l2a

        landweave indices --bands red,nir,swir16

        landweave indices MNDWI

    Without options it lists our own table; any other name of spyndex's catalogue (extra `indices`) and formulas such as
    nd(nir,red) and nd(blue,red,nir) can be used as well.
    """
    from landweave.errors import RecipeError
    from landweave.features.indices import find_indices, get_index, list_indices
    from landweave.sensors import get_sensor

    if sum(v is not None for v in (name, bands, sensor)) > 1:
        raise RecipeError("give an index, --bands or --sensor, one of them")
    if name is not None:
        found = [get_index(name)]
    elif sensor is not None:
        found = find_indices(b.name for b in get_sensor(sensor).bands)
    else:
        found = list_indices() if bands is None else find_indices(b.strip() for b in bands.split(","))
    rows = [(i.name, i.title, ", ".join(i.bands), i.formula, i.source) for i in found]
    print_table(f"{len(rows)} indices", ("name", "what", "bands", "formula", "source"), rows)


def propose_indices(
    samples: Annotated[Path, typer.Argument(metavar="SAMPLES", help="samples.parquet of `landweave samples`.")],
    recipe: Annotated[Path | None, typer.Option("--recipe", metavar="RECIPE", help="Recipe whose `split` is used.")] = None,
    n_bands: Annotated[int, typer.Option("--n-bands", min=2, max=3, help="3 tries nd(a,b,c), too.")] = 2,
    bands: Annotated[str | None, typer.Option("--bands", metavar="A,B,...", help="Bands tried; all of reflectance.")] = None,
    shown: Annotated[int, typer.Option("--shown", min=1, help="Formulas that are printed.")] = 10,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="CSV", help="Write the whole ranking.")] = None,
) -> None:
    """Propose indices from the data: normalised differences of bands by how well they separate the classes at new places.

    Every pair of bands is tried under the spatial folds; beside it stand known indices and the bands themselves. What is
    found goes into a recipe as it is printed: `cube: {indices: ["nd(nir,red)"]}`.

        landweave propose-indices out/samples.parquet --recipe recipe.yaml --n-bands 3
    """
    from landweave.io.tables import read_samples
    from landweave.models.index_design import IndexDesignOptions
    from landweave.models.index_design import propose_indices as propose
    from landweave.recipe import read_recipe

    split = None if recipe is None else read_recipe(recipe).split
    wanted = None if bands is None else tuple(b.strip() for b in bands.split(","))
    with progress_bars() as progress:
        found = propose(
            read_samples(samples), split=split, options=IndexDesignOptions(n_bands=n_bands, bands=wanted), progress=progress
        )
    _print(found, shown)
    if out is not None:
        print_line(f"ranking: {_write(found, out)}")


def _row(score: IndexScore) -> tuple[object, ...]:
    return (" + ".join(score.formulas), f"{score.macro_f1:.3f}", f"{score.lower:.3f} to {score.upper:.3f}", score.known_as)


def _print(found: IndexDesign, shown: int) -> None:
    header = ("indices", "macro-F1", "95 % interval", "known as")
    title = f"{len(found.ranking)} formulas, {found.n_rows:,} samples, {found.n_blocks} blocks"
    note = "Each formula's series alone, in a linear discriminant under spatial folds."
    if found.classes_in_one_block:
        note += f" Left out of the scores, as they stand in a single block: {', '.join(found.classes_in_one_block)}."
    if found.nested is not None:
        note += f" Chosen anew within the training of each fold, the best formula scores {found.nested:.3f}."
    print_table(title, header, [_row(s) for s in found.ranking[:shown]], right=(1,), note=note)
    print_table("Put together", header[:3], [_row(s)[:3] for s in found.together], right=(1,))
    rows = [_row(s)[:3] for s in (*found.known, found.all_bands)]
    print_table("Known indices, and the bands themselves", header[:3], rows, right=(1,))


def _write(found: IndexDesign, out: Path) -> Path:
    import csv

    from landweave.io.files import atomic_path

    with atomic_path(out) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("indices", "macro_f1", "lower", "upper", "known_as"))
        for score in (*found.ranking, *found.together[1:], *found.known, found.all_bands):
            writer.writerow((" + ".join(score.formulas), *(f"{v:.5f}" for v in (score.macro_f1, score.lower, score.upper)),
                             score.known_as))  # fmt: skip
    return out
