"""`landweave coverage`: how well the clean observations of a recipe's imagery cover its area in space and time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from landweave.cli.show import print_line, print_table, progress_bars

if TYPE_CHECKING:
    from landweave.cube import CubeOptions
    from landweave.types import CubeSet

__all__ = ["register"]

_SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(coverage)


def _has_periods(options: CubeOptions) -> bool:
    return any(v is not None for v in (options.period, options.period_days, options.steps))


def _list_steps(cubes: CubeSet) -> dict[str, list[tuple[Any, Any]]]:
    """List start and end of the recipe's own time steps, for each cube."""
    timed = {n: c for n, c in cubes.cubes.items() if "time" in c.dims}
    return {n: list(zip(c["time_start"].values, c["time_end"].values, strict=True)) for n, c in timed.items()}


def coverage(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="Recipe file (YAML); its imagery and cube are read.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="Folder for the figures, pixels and a picture.")
    ] = None,
    area_px: Annotated[int | None, typer.Option(min=1, help="Side of an area in pixels.")] = None,
    max_gap_days: Annotated[float, typer.Option(min=0.1, help="Longest gap up to which coverage is high.")] = 60.0,
    min_share: Annotated[
        float, typer.Option(min=0, max=1, help="Share of clean pixels, and of usable dates, from which coverage is high.")
    ] = 0.5,
) -> None:
    """Say how much of a series is clean, where and when, with the longest gaps and a verdict: high or low.

    Looks at the dates as they are: without compositing and without filling. How much filling would have to make up for is
    counted in the recipe's own time steps.

        landweave coverage recipe.yaml --out out/
    """
    from landweave.cube import CoverageOptions, assess_coverage, load_cube, write_coverage
    from landweave.cube.coverage import COLUMNS, SOURCE
    from landweave.errors import CubeError
    from landweave.recipe import read_recipe
    from landweave.recipe.run import find_all_scenes

    read = read_recipe(recipe)
    as_observed = {"fill": "none", "period": None, "period_days": None, "steps": None, "composite": "median", "layers": (),
                   "phenology": None}  # fmt: skip
    bare = read.cube.model_copy(update=as_observed)
    scenes = find_all_scenes(read)
    cubes = load_cube(scenes, options=bare)
    steps = _list_steps(load_cube(scenes, options=read.cube)) if _has_periods(read.cube) else {}
    options = CoverageOptions(area_px=area_px, max_gap_days=max_gap_days, min_spatial=min_share, min_temporal=min_share)
    timed = [name for name, cube in cubes.cubes.items() if "time" in cube.dims]
    if not timed:
        raise CubeError(f"the imagery of {recipe} has no dates; coverage is about series")
    for name in timed:
        with progress_bars() as progress:
            found = assess_coverage(cubes, name=name, options=options, steps=steps.get(name), progress=progress)
        n = len(found.dates)
        title = f"{name}: {n} dates, {found.dates[0].date} to {found.dates[-1].date}: coverage is {found.whole.verdict}"
        whole, *areas = found.to_rows()
        lowest = sorted(sorted(range(len(areas)), key=lambda i: found.areas[i].spatial)[:_SHOWN])
        note = f"{found.describe_gaps()}\n{found.describe_thresholds()}\n{SOURCE}"
        if len(areas) > _SHOWN:
            note = f"the {_SHOWN} areas with the fewest clean pixels of {len(areas)}; --out DIR writes all\n{note}"
        print_table(title, COLUMNS, [whole, *(areas[i] for i in lowest)], right=range(1, 6), note=note)
        for kind, path in (write_coverage(found, out) if out is not None else {}).items():
            print_line(f"{kind}: {path}")
