"""The commands that list what there is: sensors, models, nomenclatures, the recipe's schema."""

from __future__ import annotations

from typing import Annotated

import typer

from landweave.cli.show import print_line, print_table


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (sensors, models, nomenclatures, schema):
        app.command()(command)


def sensors(name: Annotated[str | None, typer.Argument(metavar="[SENSOR]", help="Show this sensor's bands.")] = None) -> None:
    """List the sensors, or the bands of one with centres, widths, units and valid range."""
    from landweave.sensors import get_sensor, list_sensors

    if name is None:
        rows = [(s.name, s.title, len(s.bands) or "any") for s in list_sensors()]
        print_table("Sensors", ("name", "title", "bands"), rows, right=(2,))
        return
    sensor = get_sensor(name)
    header = ("band", "kind", "centre nm", "width nm", "pixel m", "scale", "offset", "nodata", "valid range", "also called")
    cells = []
    for b in sensor.bands:
        span = f"{b.valid_range[0]:g} to {b.valid_range[1]:g} {b.unit}"
        numbers = (b.center_nm, b.width_nm, b.resolution_m, b.scale, b.offset, b.nodata)
        cells.append((b.name, b.kind, *numbers, span, ", ".join(b.aliases)))
    print_table(sensor.title, header, cells, right=(2, 3, 4, 5, 6, 7), note=f"Source: {sensor.source}")


def models() -> None:
    """List the families of models with their parameters and defaults."""
    from landweave.models import list_models

    rows: list[tuple[str, ...]] = [(f.name, f.title, f.fit_cost, f.predict_cost,
             ", ".join(f"{k}={v}" for k, v in f.defaults.items())) for f in list_models()]  # fmt: skip
    rows.append(("auto", "tries a short list under spatial folds and says why it chose", "high", "-", "see `candidates`"))
    print_table("Models", ("name", "title", "training", "mapping", "parameters and defaults"), rows)


def nomenclatures(
    name: Annotated[str | None, typer.Argument(metavar="[NOMENCLATURE]", help="Show the classes of this one.")] = None,
) -> None:
    """List the nomenclatures that ship with Landweave, or the classes of one with codes, colours and definitions."""
    from landweave.legend import get_nomenclature, list_nomenclatures

    if name is None:
        found = [get_nomenclature(key) for key in list_nomenclatures()]
        rows = [(n.key, n.title, len(n.legend), ", ".join(n.crosswalks)) for n in found]
        print_table("Nomenclatures", ("name", "title", "classes", "crosswalks to"), rows, right=(2,))
        return
    one = get_nomenclature(name)
    cells = [(c.code, c.name, c.color, c.parent or "", c.definition) for c in one.legend]
    print_table(one.title, ("code", "name", "colour", "parent", "definition"), cells, right=(0,), note=f"Source: {one.source}")


def schema() -> None:
    """Print the JSON schema of a recipe, by which editors complete and check YAML.

    For example in VS Code: write it to recipe.schema.json and put `# yaml-language-server: $schema=recipe.schema.json` on the
    recipe's first line.
    """
    from landweave.recipe import recipe_schema

    print_line(recipe_schema())
