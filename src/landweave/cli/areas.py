"""`landweave areas`: areas of classes, with the help of the model's probabilities, and of classes added and subtracted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landweave.cli.show import print_line, print_table

if TYPE_CHECKING:
    from landweave.types import MapProduct, SampleTable

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(areas)


def areas(
    map_path: Annotated[Path, typer.Argument(metavar="MAP", help="Folder of a map with proba.tif, or a classified map.")],
    reference: Annotated[
        Path, typer.Option("--reference", metavar="PARQUET", help="The labelled sample that `landweave answers` wrote.")
    ],
    assisted: Annotated[
        str | None, typer.Option(help="regression or difference: let the probabilities (proba.tif) help the estimate.")
    ] = None,
    add: Annotated[
        list[str] | None, typer.Option("--sum", help="NAME=+CLASS,-CLASS: add and subtract areas; repeat.")
    ] = None,
    net: Annotated[bool, typer.Option("--net", help="Net change of each class, of a map with classes like 'A -> B'.")] = False,
    unit: Annotated[str, typer.Option(help="Unit of areas: ha, km2, m2 or acre.")] = "ha",
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="JSON", help="Write all figures.")] = None,
) -> None:
    """Estimate areas from a probability sample: model-assisted, or of classes added and subtracted.

    What the model says of every pixel, corrected by what the sample says of the model. The better the probabilities, the more
    samples this saves; however bad they are, it stays unbiased:

        landweave areas out/ --reference reference.parquet --assisted regression

    Net change with its own interval, which cannot be had from those of gain and loss:

        landweave areas change.tif --reference reference.parquet --sum "net forest=+gain,-loss"

        landweave areas change.tif --reference reference.parquet --net
    """
    from landweave.io.files import write_json
    from landweave.io.tables import read_samples
    from landweave.maps import open_map

    if assisted is None and not add and not net:
        raise typer.BadParameter("nothing is asked for; give --assisted, --sum or --net (`landweave assess` gives plain areas)")
    product, samples = open_map(map_path), read_samples(reference)
    told = {}
    if assisted is not None:
        told["assisted"] = _assist(product, samples, assisted, unit)
    if add or net:
        told["combined"] = _combine(product, samples, add or [], net=net, unit=unit)
    if out is not None:
        write_json(out, told)
        print_line(f"figures: {out}")


def _assist(product: MapProduct, samples: SampleTable, method: str, unit: str) -> object:
    from landweave.assess import assess_assisted
    from landweave.assess.area_units import to_unit

    if method not in ("regression", "difference"):
        raise typer.BadParameter(f"no method named {method!r}; known: regression, difference", param_hint="--assisted")
    made = assess_assisted(product, samples, method=method)  # type: ignore[arg-type]  # checked above
    rows = []
    for area, gain in zip(made.areas, made.relative_efficiency, strict=True):
        cells = (area.mapped_ha, area.area_ha, area.lower_ha, area.upper_ha)
        shown = ("-" if c is None else f"{to_unit(c, unit):,.5g}" for c in cells)
        rows.append((area.name, *shown, "-" if gain is None else f"{gain:.2f}"))
    header = ("class", f"mapped {unit}", f"estimated {unit}", "from", "to", "worth")
    print_table("Areas with the help of the model", header, rows, right=range(1, 6),
                note=f"{made.note} {made.n} samples; `worth` is how many times as many they would have to be "
                     "without it.")  # fmt: skip
    return made.model_dump(mode="json")


def _combine(product: MapProduct, samples: SampleTable, given: list[str], *, net: bool, unit: str) -> object:
    from landweave.assess.area_units import to_unit
    from landweave.assess.combinations import assess_combinations, net_changes

    asked = net_changes(product.legend.names) if net else {}
    asked |= dict(parse_sum(text) for text in given)
    made = assess_combinations(product, samples, asked)
    rows = [(one.name, *(f"{to_unit(v, unit):,.5g}" for v in (one.mapped_ha, one.area_ha, one.lower_ha, one.upper_ha)))
            for one in made]  # fmt: skip
    print_table("Areas added and subtracted", ("sum", f"mapped {unit}", f"estimated {unit}", "from", "to"), rows,
                right=range(1, 5), note="95 % intervals, with the covariances of the parts.")  # fmt: skip
    return [one.model_dump(mode="json") for one in made]


def parse_sum(text: str) -> tuple[str, dict[str, float]]:
    """Read NAME=+CLASS,-CLASS."""
    name, sign, rest = text.partition("=")
    terms = {part.strip().lstrip("+-").strip(): -1.0 if part.strip().startswith("-") else 1.0 for part in rest.split(",")}
    if not (sign and name.strip() and all(terms)):
        raise typer.BadParameter(f"{text!r} is no sum; write NAME=+CLASS,-CLASS, e.g. 'net forest=+gain,-loss'",
                                 param_hint="--sum")  # fmt: skip
    return name.strip(), terms
