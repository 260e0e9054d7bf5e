"""What a recipe would do, without doing it: scenes, grid, dates, blocks, memory, disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from landweave.cube import estimate_size, load_cube, make_inputs, season_windows
from landweave.cube.dates import note_disjoint_dates
from landweave.errors import SourceError
from landweave.grid import crs_of, metres_per_pixel
from landweave.io.cog import estimate_cog_bytes
from landweave.maps.cost import GLOBE_KM2, RATE_COMMAND, RATE_MPX_S, CostOptions, count_values, estimate_cost
from landweave.maps.memory import parse_bytes, plan_memory
from landweave.maps.products import make_specs
from landweave.recipe.document import Recipe
from landweave.recipe.run import find_all_scenes
from landweave.samples import import_reference, import_series
from landweave.types import CubeSet, ModelCard, SampleTable, Scene

__all__ = ["PlanTable", "plan_recipe"]


@dataclass(frozen=True)
class PlanTable:
    """A table of the plan; `right` lists the columns of numbers."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[object]]
    right: tuple[int, ...] = ()


def plan_recipe(recipe: Recipe, *, workers: int = 1, memory: str = "2GiB", cost: CostOptions | None = None) -> list[PlanTable]:
    """Open all that a recipe names and say what a run would do; nothing is written.

    Args:
        recipe: The recipe.
        workers: Threads of the run.
        memory: Budget of the run.
        cost: What the estimate for larger areas rests on.

    Raises:
        LandweaveError: What a run would raise for a missing file, a wrong band, samples off the grid.
    """
    scenes = find_all_scenes(recipe)
    cubes = note_disjoint_dates(load_cube(scenes, options=recipe.cube)) if scenes else None
    samples = _read_samples(recipe, cubes)
    tables = [_sources(scenes, cubes)] if cubes is not None else []
    tables += [_grid(recipe, cubes)] if cubes is not None else []
    tables.append(_samples(samples))
    tables.append(_work(recipe, cubes, samples, (workers, memory)))
    if cubes is not None:
        tables.append(_cost(recipe, cubes, samples, cost or CostOptions()))
    return tables


def _read_samples(recipe: Recipe, cubes: CubeSet | None) -> SampleTable:
    legend, options = recipe.make_legend(), recipe.samples
    if options.series is not None:
        return import_series(options, legend=legend, season=recipe.season)
    if cubes is None:
        raise SourceError(f"samples.reference {options.reference} needs imagery to read values from; add `imagery`")
    return import_reference(options, legend=legend, geobox=cubes.geobox)


def _sources(scenes: dict[str, list[Scene]], cubes: CubeSet) -> PlanTable:
    rows = []
    for name, cube in cubes.cubes.items():
        times = list(cube["time"].values) if "time" in cube.dims else []
        span = f"{str(times[0])[:10]} to {str(times[-1])[:10]}" if len(times) else "static"
        bands = ", ".join(map(str, cube["band"].values))
        own = scenes.get(name)  # terrain and place are made from other sources
        about = (own[0].sensor.name, len(own)) if own else ("made here", "-")
        rows.append((name, *about, len(times) or "-", span, bands))
    return PlanTable("Imagery", ("source", "sensor", "scenes", "steps", "dates", "bands"), rows, (2, 3))


def _grid(recipe: Recipe, cubes: CubeSet) -> PlanTable:
    grid = cubes.geobox
    dx, dy = metres_per_pixel(grid)
    authority = crs_of(grid).to_epsg()
    rows: list[tuple[str, str]] = [
        ("crs", f"EPSG:{authority}" if authority else "without an EPSG code, as the files have it"),
        ("pixels", f"{grid.shape[0]:,} rows x {grid.shape[1]:,} columns"),
        ("pixel on the ground", f"{dx:.2f} x {dy:.2f} m"),
    ]
    if recipe.season is not None:
        rows.append(("seasons it can serve", ", ".join(map(str, season_windows(cubes, recipe.season))) or "none"))
    return PlanTable("Grid", ("what", "value"), [*rows, *(("note", note) for note in cubes.notes)])


def _samples(samples: SampleTable) -> PlanTable:
    counts = samples.frame["class"].value_counts()
    rejected = 0 if samples.rejected is None else len(samples.rejected)
    rows: list[tuple[str, int]] = [(c.name, int(counts.get(c.name, 0))) for c in samples.legend]
    return PlanTable("Samples", ("class", "rows"), [*rows, ("not used", rejected)], (1,))


def _work(recipe: Recipe, cubes: CubeSet | None, samples: SampleTable, machine: tuple[int, str]) -> PlanTable:
    split, (workers, memory) = recipe.split, machine
    rows: list[tuple[str, str]] = [
        ("model", recipe.model.name),
        ("folds", f"{split.n_folds} folds x {split.n_repeats} repeats, random and spatial by {split.by}"),
        ("workers", str(workers)),
        ("memory budget", f"{parse_bytes(memory) / 2**20:,.0f} MiB for the whole process"),
    ]
    if cubes is not None:
        card = ModelCard(
            model=recipe.model.name, inputs=make_inputs(cubes, season=recipe.season), classes=samples.legend.to_dicts()
        )
        margin = recipe.map.smooth.halo_px if recipe.map.smooth is not None else 0
        blocks = plan_memory(memory, card, cubes, workers=workers, block_px=recipe.map.block_px, margin_px=margin)
        size = estimate_size(cubes, block_px=blocks.block_px)
        map_bytes = sum(estimate_cog_bytes(cubes.geobox, s) for s in make_specs(samples.legend, recipe.map).values())
        rows.append(
            ("blocks", f"{size.n_blocks:,} of {blocks.block_px} px, {blocks.block_bytes / 2**20:,.0f} MiB each while computed")
        )
        if recipe.write_cube:
            rows.append(("disk for cube.zarr, at most", f"{size.total_bytes / 2**20:,.0f} MiB"))
        rows.append(("disk for the map, at most", f"{map_bytes / 2**20:,.0f} MiB"))
    else:
        rows.append(("map", "none: the recipe has no imagery"))
    return PlanTable("Work", ("what", "value"), rows)


def _cost(recipe: Recipe, cubes: CubeSet, samples: SampleTable, options: CostOptions) -> PlanTable:
    """Say on paper what this map, a given area and the globe take with the recipe's bands and dates."""
    grid = cubes.geobox
    dx, dy = metres_per_pixel(grid)
    n_px = grid.shape[0] * grid.shape[1]
    write = sum(estimate_cog_bytes(grid, s) for s in make_specs(samples.legend, recipe.map).values()) / n_px
    areas = [("this grid", n_px * dx * dy / 1e6)]
    areas += [("the area given", options.area_km2)] if options.area_km2 is not None else []
    rows = []
    for name, area in [*areas, ("the globe's land", GLOBE_KM2)]:
        cost = estimate_cost(
            area, pixel_m=(dx, dy), values_per_px=count_values(cubes), write_bytes_per_px=write, options=options
        )
        rows.append((
            name, f"{cost.area_km2:,.0f}", f"{cost.tiles:,.1f}", f"{cost.core_hours:,.2f}", f"{cost.read_bytes / 1e9:,.1f}",
            f"{cost.write_bytes / 1e9:,.1f}", f"{cost.money:,.2f}",
        ))  # fmt: skip
    source = f", by `{RATE_COMMAND}`" if options.rate_mpx_s == RATE_MPX_S else ""
    title = (f"Cost on paper, at {options.rate_mpx_s:g} Mpx/s per core{source}, {options.price_per_core_hour:g} per core-hour; "
             "without moving images")  # fmt: skip
    columns = ("map of", "km2", "100 km tiles", "core-hours", "GB read, raw", "GB written, at most", "money")
    return PlanTable(title, columns, rows, (1, 2, 3, 4, 5, 6))
