"""The commands around the reference sample: draw it, bring the labels back, compare maps on it, split it by zones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from landweave.cli.show import print_line, print_table, print_warning

if TYPE_CHECKING:
    from landweave.legend import Legend
    from landweave.samples import DesignPlan
    from landweave.types import MapProduct, SampleTable

__all__ = ["register"]

Reference = Annotated[
    Path, typer.Option("--reference", metavar="PARQUET", help="The labelled sample that `landweave answers` wrote.")
]


def register(app: typer.Typer) -> None:
    """Add the commands in the order of the work."""
    for command in (design, answers, zones, compare):
        app.command()(command)


def design(
    map_path: Annotated[Path, typer.Argument(metavar="MAP", help="Classified map (file or folder) to be judged.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Places to label: .gpkg or .csv. Without it the plan is "
                                  "printed and nothing is drawn.")
    ] = None,
    kind: Annotated[str, typer.Option(help="stratified, simple, systematic, cluster, or stratified-cluster.")] = "stratified",
    n: Annotated[int | None, typer.Option("--n", min=2, help="Places in all.")] = None,
    half_width: Annotated[
        float | None, typer.Option(help="Instead of --n: half the 95 % interval wanted of overall accuracy, e.g. 0.03.")
    ] = None,
    allocation: Annotated[
        str, typer.Option(help="Places per stratum: proportional, equal, neyman (by size and expected scatter), optimal (as "
                          "few as reach --target-se).")
    ] = "proportional",
    min_per_stratum: Annotated[int, typer.Option(min=0, help="No stratum gets fewer; 50 is good practice.")] = 0,
    accuracy: Annotated[
        list[str] | None, typer.Option(help="User's accuracy expected: 0.85 for all classes, CLASS=0.7 for one; repeat.")
    ] = None,
    target_se: Annotated[
        list[str] | None, typer.Option(help="CLASS=0.002: standard error wanted of its area, as a share of the whole; repeat.")
    ] = None,
    strata: Annotated[
        Path | None, typer.Option(metavar="RASTER", help="Draw by the codes of this layer instead of the map's classes.")
    ] = None,
    changed_to: Annotated[
        Path | None, typer.Option(metavar="MAP", help="A later map on the same grid: strata are change, a buffer around it, "
                                  "and what stayed.")
    ] = None,
    buffer_px: Annotated[int, typer.Option(min=0, help="Width of that buffer in pixels.")] = 3,
    transitions: Annotated[
        bool, typer.Option("--transitions", help="With --changed-to: a stratum per transition (forest -> crop).")
    ] = False,
    psu_px: Annotated[int, typer.Option(min=2, help="Side of a cluster in pixels (kinds with cluster).")] = 50,
    per_psu: Annotated[int, typer.Option(min=1, help="Places in each cluster (kinds with cluster).")] = 10,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draw: the same seed draws the same places.")] = 0,
    ceo: Annotated[bool, typer.Option("--ceo", help="Write the tables for Collect Earth Online too.")] = False,
) -> None:  # fmt: skip
    """Plan and draw a reference sample, and write it for people to label without seeing the map.

    How many places? The plan is printed with the precision it lets you expect; nothing is drawn without --out:

        landweave design map.tif --half-width 0.03 --accuracy 0.85

        landweave design map.tif --allocation optimal --target-se deforestation=0.002 --min-per-stratum 50

    Then draw. `points.gpkg` holds the places in shuffled order, with empty fields and nothing that tells the map's class;
    `points.samples.parquet` keeps strata and inclusion probabilities and stays with you:

        landweave design map.tif --n 600 --allocation neyman --min-per-stratum 50 --out points.gpkg

        landweave design forest2020.tif --changed-to forest2024.tif --buffer-px 3 --n 600 --out points.gpkg

    `landweave answers` brings the labels back.
    """
    from landweave.maps import open_map
    from landweave.samples import draw_design, plan_design

    product = open_map(map_path)
    source: Any = product.files["map"] if strata is None else strata
    legend = product.legend if strata is None else None
    classes = product.legend
    if changed_to is not None:
        source, legend, classes = _change(product, changed_to, buffer_px, out, transitions=transitions)
    options = _draw_options(
        kind=kind, n=n, half_width=half_width, allocation=allocation, min_per_stratum=min_per_stratum, psu_px=psu_px,
        expected_accuracy=_accuracy(accuracy, legend, changed_to is not None), per_psu=per_psu, seed=seed,
        target_se=_pairs("--target-se", target_se),
    )  # fmt: skip
    _print_plan(plan_design(source, options=options, legend=legend), kind)
    if out is None:
        print_line("Nothing was drawn; give --out FILE to draw.")
        return
    drawn = draw_design(source, options=options, legend=legend)
    _write(replace(drawn, legend=classes), out, seed, ceo)


def answers(
    samples: Annotated[Path, typer.Argument(metavar="SAMPLES", help="The .samples.parquet that `landweave design` wrote.")],
    files: Annotated[list[Path], typer.Argument(metavar="ANSWERS...", help="Filled-in files: .gpkg, .csv, downloads of CEO.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="PARQUET", help="Where the labelled sample goes.")],
    class_column: Annotated[str | None, typer.Option(help="Column of the answer; found by name by default.")] = None,
    place_column: Annotated[str | None, typer.Option(help="Column of the place's number (place, plotid).")] = None,
    labeller_column: Annotated[str | None, typer.Option(help="Who answered; the file's name where there is none.")] = None,
    method: Annotated[
        str, typer.Option(help="majority, or dawid-skene, which weighs labellers by how well they seem to know each class.")
    ] = "majority",
) -> None:
    """Bring the interpreters' labels back to the drawn places; several answers to a place are put to the vote.

    Give all files at once:

        landweave answers points.samples.parquet anna.gpkg ben.gpkg carla.csv --out reference.parquet

    A tie leaves the place without a label and is listed, for somebody to look again. The shares of votes are kept
    (columns share:CLASS), and the runner-up as alternate label. Then judge the map with it:

        landweave assess --map map.tif --reference reference.parquet
    """
    from landweave.io.interpreters import read_answers
    from landweave.io.tables import read_samples, write_samples
    from landweave.label import agree_answers
    from landweave.samples import collect_answers, majority_vote

    known = {"majority": majority_vote, "dawid-skene": agree_answers}
    if method not in known:
        raise typer.BadParameter(f"no method named {method!r}; known: {', '.join(known)}", param_hint="--method")
    given = read_answers(
        files, class_column=class_column, place_column=place_column, labeller_column=labeller_column
    )
    labelled, remarks = collect_answers(read_samples(samples), given, consensus=known[method])
    write_samples(labelled, out)
    counts = labelled.frame["class"].value_counts()
    rows = [(name, int(counts.get(name, 0))) for name in labelled.legend.names]
    note = f"{len(given)} answers from {given['labeller'].nunique()} labellers for {len(labelled)} places; written to {out}"
    print_table("Labels", ("class", "places"), rows, right=(1,), note=note)
    for remark in remarks:
        print_warning(remark)


def zones(
    map_path: Annotated[Path, typer.Argument(metavar="MAP", help="The classified map.")],
    reference: Reference,
    zone_source: Annotated[
        str, typer.Option("--zones", metavar="LAYER", help="Polygons, a raster of codes, or a column of the sample.")
    ],
    name_column: Annotated[str | None, typer.Option(help="Column that names the polygons.")] = None,
    unit: Annotated[str, typer.Option(help="Unit of areas: ha, km2, m2 or acre.")] = "ha",
    whole: Annotated[bool, typer.Option("--add-to-whole", help="Make a class's areas add up over the zones.")] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="JSON", help="Write all figures.")] = None,
) -> None:
    """Estimate the areas of the classes zone by zone (provinces, watersheds), each with its own 95 % interval.

    The sample needs a probability design:

        landweave zones map.tif --reference reference.parquet --zones provinces.gpkg
    """
    from landweave.assess import assess_zones
    from landweave.assess.area_units import to_unit
    from landweave.io.files import write_json
    from landweave.io.tables import read_samples
    from landweave.maps import open_map

    made = assess_zones(open_map(map_path), read_samples(reference), zone_source, name_column=name_column,
                        sums="whole" if whole else "zone")  # fmt: skip
    rows: list[tuple[object, ...]] = []
    for zone in made.zones:
        if zone.why is not None:
            rows.append((zone.name, zone.n, zone.why, "", "", "", ""))
        for area in zone.areas:
            cells = (area.mapped_ha, area.area_ha, area.lower_ha, area.upper_ha)
            rows.append((zone.name, zone.n, area.name, *("-" if c is None else f"{to_unit(c, unit):,.4g}" for c in cells)))
    header = ("zone", "samples", "class", f"mapped {unit}", f"estimated {unit}", "from", "to")
    print_table("Areas by zone", header, rows, right=(1, 3, 4, 5, 6), note=f"{made.estimator_note} {made.sums_note}")
    if made.outside:
        print_warning(f"{made.outside} samples lie in no zone")
    if out is not None:
        write_json(out, made.model_dump(mode="json"))


def compare(
    first: Annotated[Path, typer.Argument(metavar="MAP", help="A classified map.")],
    second: Annotated[Path, typer.Argument(metavar="MAP", help="Another one, of the same classes.")],
    reference: Reference,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="JSON", help="Write all figures.")] = None,
) -> None:
    """Tell which of two maps is better, judged on one sample: the paired difference with its 95 % interval.

    Both maps are read at the places of the sample:

        landweave compare map2023.tif map2024.tif --reference reference.parquet
    """
    from landweave.assess import compare_maps
    from landweave.io.files import write_json
    from landweave.io.tables import read_samples
    from landweave.maps import open_map

    made = compare_maps(open_map(first), open_map(second), read_samples(reference))
    rows = [_difference_row("overall accuracy", made.overall_accuracy), _difference_row("macro-F1", made.macro_f1)]
    rows += [_difference_row(f"F1 of {c.name}", c.f1) for c in made.classes]
    header = ("figure", first.stem, second.stem, "difference", "from", "to", "p")
    note = (f"{made.note} Only the first map is right at {made.only_first_right} places, only the second at "
            f"{made.only_second_right}.")  # fmt: skip
    print_table("First minus second", header, rows, right=range(1, 7), note=note)
    if out is not None:
        write_json(out, made.model_dump(mode="json"))


def _difference_row(name: str, made: Any) -> tuple[str, ...]:
    d = made.difference
    cells = (made.first.value, made.second.value, d.value, d.lower, d.upper)
    return (name, *("-" if c is None else f"{c:.3f}" for c in cells), "-" if made.p_value is None else f"{made.p_value:.3f}")


def _draw_options(**given: Any) -> Any:
    from pydantic import ValidationError

    from landweave.errors import SampleError
    from landweave.samples import DrawOptions

    try:
        return DrawOptions(**given)
    except ValidationError as err:
        first = err.errors()[0]
        where = "".join(f"{p}: " for p in first["loc"][:1])
        raise SampleError(f"{where}{str(first['msg']).removeprefix('Value error, ')}") from err


def _accuracy(given: list[str] | None, legend: Legend | None, is_change: bool) -> float | dict[str, float]:
    """One number for all strata, or one by name with a number for the rest (0.8; what did not change is mostly right)."""
    plain = [text for text in given or [] if "=" not in text]
    named = _pairs("--accuracy", [text for text in given or [] if "=" in text])
    if len(plain) > 1:
        raise typer.BadParameter(f"--accuracy is given for all classes as {plain[0]} and {plain[1]}; give one")
    rest = _number("--accuracy", plain[0]) if plain else 0.8
    if legend is None or (not named and not is_change):
        if named:
            raise typer.BadParameter("--accuracy CLASS=NUMBER needs strata with names; with --strata give one number")
        return rest
    usual = {"buffer": 0.95, "stable": 0.99} if is_change and not plain else {}
    return {name: usual.get(name, rest) for name in legend.names} | named


def _pairs(option: str, given: list[str] | None) -> dict[str, float]:
    made = {}
    for text in given or []:
        name, sign, value = text.rpartition("=")
        if not sign or not name:
            raise typer.BadParameter(f"{option} is {text!r}; give it as CLASS=NUMBER")
        made[name] = _number(option, value)
    return made


def _number(option: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as err:
        raise typer.BadParameter(f"{option} has {text!r} where a number belongs, such as 0.85") from err


def _change(
    product: MapProduct, after: Path, buffer_px: int, out: Path | None, *, transitions: bool
) -> tuple[Any, Any, Any]:
    """Write strata of change and the change map beside `out` (or in a folder that goes with the process)."""
    import tempfile

    from landweave.samples import make_change_strata

    folder = Path(tempfile.mkdtemp(prefix="landweave-")) if out is None else out.parent
    stem = "change" if out is None else out.stem
    before, legend = product.files["map"], product.legend
    split: Any = "class" if transitions else "all"
    change = make_change_strata(before, after, folder / f"{stem}.change.tif", legend=legend, buffer_px=0, split_change=split)
    strata = make_change_strata(before, after, folder / f"{stem}.strata.tif", legend=legend, buffer_px=buffer_px,
                                split_change=split)  # fmt: skip
    if out is not None:
        print_line(f"map of change to be judged: {change.path}")
    return strata.path, strata.legend, change.legend


def _print_plan(plan: DesignPlan, kind: str) -> None:
    rows = [
        (name, f"{px:,}", f"{ha:,.4g}", f"{acc:.2f}", n, f"{n / px:.2e}", f"{100 * se:.2f}")
        for name, px, ha, acc, n, se in zip(
            plan.names, plan.size_px, plan.area_ha, plan.expected_accuracy, plan.n, plan.area_se, strict=True
        )
    ]
    rows.append(("total", f"{sum(plan.size_px):,}", f"{sum(plan.area_ha):,.4g}", "", plan.total, "", ""))
    header = ("stratum", "pixels", "ha", "expected accuracy", "places", "chance", "se of area, % of all")
    note = f"Overall accuracy is to be expected to +- {100 * 1.96 * plan.overall_se:.1f} points (95 %)"
    note += "." if kind.startswith("stratified") else "; the places per stratum are those to be expected by size."
    print_table(f"Plan of a {kind} sample", header, rows, right=range(1, 7), note=note)


def _write(samples: SampleTable, out: Path, seed: int, ceo: bool) -> None:
    from landweave.io.interpreters import write_ceo, write_places
    from landweave.io.tables import write_samples
    from landweave.samples import hide_map, number_places

    numbered = number_places(samples, seed=seed)
    places = hide_map(numbered)
    files = write_places(out, places, samples.legend)
    if ceo:
        files += write_ceo(out.with_suffix(""), places)
    key = write_samples(numbered, out.with_suffix(".samples.parquet"))
    for file in files:
        print_line(f"for the interpreters: {file}")
    print_line(f"for you (strata, inclusion probabilities; not for the interpreters): {key}")
