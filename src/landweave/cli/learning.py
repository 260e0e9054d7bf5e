"""`landweave curve`, `leaks` and `levels`: what more labels would bring, whether a split leaks, scores level by level."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from landweave.cli.show import print_line, print_table, progress_bars

if TYPE_CHECKING:
    import pandas as pd

    from landweave.models import ModelOptions
    from landweave.samples import SplitOptions
    from landweave.types import Fold, Progress, SampleTable

__all__ = ["register"]

SamplesPath = Annotated[Path, typer.Argument(metavar="SAMPLES", help="samples.parquet, as `landweave samples` writes it.")]
By = Annotated[
    str, typer.Option("--by", help="Folds by block, group, polygon, year, tile, region, environment, knndm or a column.")
]
BlockSize = Annotated[float | None, typer.Option("--block-size-m", min=0, help="Side of the blocks in metres.")]
Buffer = Annotated[float, typer.Option("--buffer-m", min=0, help="Training rows nearer than this to a test row are left out.")]
NFolds = Annotated[int, typer.Option("--folds", min=2, help="Folds.")]
Repeats = Annotated[int, typer.Option("--repeats", min=1, help="How often the folds are drawn anew.")]
Regions = Annotated[str | None, typer.Option("--regions", metavar="FILE", help="Polygons of --by region.")]
RegionColumn = Annotated[str | None, typer.Option("--region-column", help="Their column with the name.")]

_STRATEGIES = ("random", "margin", "entropy", "least-confident", "committee")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (curve, leaks, levels):
        app.command()(command)


def curve(
    samples: SamplesPath,
    by: Annotated[
        list[str] | None,
        typer.Option("--count", help="sample, place; or label: ask for labels in an order (see --strategy). Repeat."),
    ] = None,
    sizes: Annotated[str | None, typer.Option(help="Training sizes, e.g. 50,100,200; a doubling row by default.")] = None,
    model: Annotated[str, typer.Option(help="Family of models.")] = "random-forest",
    strategy: Annotated[
        list[str] | None, typer.Option(help="With --count label: random, margin, entropy, least-confident, committee. Repeat.")
    ] = None,
    folds: NFolds = 5, repeats: Repeats = 1, split_by: By = "block", block_size_m: BlockSize = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all draws.")] = 0,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="CSV", help="Write the curves.")] = None,
    picture: Annotated[Path | None, typer.Option(metavar="SVG", help="Draw them.")] = None,
) -> None:  # fmt: skip
    """Tell what more samples, more places, or better chosen labels would bring: accuracy at new blocks against their number.

    Where the curve by samples is flat and the one by places still rises, do not digitise more of the same: go elsewhere.

        landweave curve out/samples.parquet --count sample --count place --picture curve.svg

    Or play labelling with the labels that are there: how soon does an order of asking reach what random choice reaches?

        landweave curve out/samples.parquet --count label --strategy random --strategy margin --picture labels.svg
    """
    from landweave.io.files import write_text
    from landweave.io.tables import read_samples
    from landweave.models import ModelOptions
    from landweave.samples import SplitOptions

    table, options = read_samples(samples), ModelOptions(name=model, seed=seed)
    split = SplitOptions(n_folds=folds, n_repeats=repeats, by=split_by, block_size_m=block_size_m, seed=seed)
    asked = tuple(by or ("sample", "place"))
    wrong = [name for name in asked if name not in ("sample", "place", "label")]
    if wrong:
        raise typer.BadParameter(f"{wrong[0]!r} cannot be counted; known: sample, place, label", param_hint="--count")
    with progress_bars() as progress:
        made = _curves(table, split, options, asked, _sizes(sizes), tuple(strategy or ("random", "margin")), progress)
    _print_curves(made)
    if out is not None:
        write_text(out, made.to_csv(index=False, lineterminator="\n"))
        print_line(f"curves: {out}")
    if picture is not None:
        write_text(picture, _draw(made))
        print_line(f"picture: {picture}")


def _sizes(given: str | None) -> tuple[int, ...] | None:
    if given is None:
        return None
    try:
        return tuple(sorted({int(part) for part in given.split(",")}))
    except ValueError as err:
        raise typer.BadParameter(f"{given!r} is no list of numbers; write e.g. 50,100,200", param_hint="--sizes") from err


def _curves(
    table: SampleTable, split: SplitOptions, options: ModelOptions, asked: tuple[str, ...], sizes: tuple[int, ...] | None,
    strategies: tuple[str, ...], progress: Progress,
) -> pd.DataFrame:  # fmt: skip
    import pandas as pd

    from landweave.models import learning_curve
    from landweave.samples import split_spatial

    folds, parts = split_spatial(table, split), []
    for count in asked:
        if count == "label":
            parts += [_play(table, folds, options, name, sizes, progress) for name in strategies]
        else:
            at = sizes or _doubling(table, folds, count)
            found = learning_curve(table, folds, options=options, sizes=at, by=count, seed=split.seed)  # type: ignore[arg-type]
            parts.append(found.table.assign(curve=f"by {count}"))
    return pd.concat(parts, ignore_index=True)


def _doubling(table: SampleTable, folds: list[list[Fold]], count: str) -> tuple[int, ...]:
    """Halve the smallest training side five times, as far as every class keeps a row."""
    import numpy as np

    def units(fold: Fold) -> int:
        return len(fold.train) if count == "sample" else table.frame["group"].iloc[fold.train].nunique()

    most = min(units(f) for one in folds for f in one)
    least = max(len(np.unique(table.to_class_index()[f.train])) for one in folds for f in one)
    return tuple(sorted({most // 2**k for k in range(6) if most // 2**k >= max(least, 2)}))


def _play(
    table: SampleTable, folds: list[list[Fold]], options: ModelOptions, strategy: str, sizes: tuple[int, ...] | None,
    progress: Progress,
) -> pd.DataFrame:  # fmt: skip
    import numpy as np
    import pandas as pd

    from landweave.label import CurveOptions, play_labelling

    if strategy not in _STRATEGIES:
        raise typer.BadParameter(f"no strategy named {strategy!r}; known: {', '.join(_STRATEGIES)}", param_hint="--strategy")
    first, step, rounds = _rounds(sizes, min(len(f.train) for one in folds for f in one))
    asked = CurveOptions.model_validate({
        "strategy": strategy, "diversity": "cluster" if strategy == "margin" else "none", "start": first, "batch": step,
        "n_rounds": rounds, "seed": options.seed,
    })  # fmt: skip
    found = play_labelling(table, folds, model=options, options=asked, progress=progress)
    columns: dict[str, Any] = {"size": found.n_labels}
    for name, values in (("overall_accuracy", found.overall_accuracy), ("macro_f1", found.macro_f1)):
        columns |= {name: np.mean(values, axis=0), f"{name}_low": values.min(axis=0), f"{name}_high": values.max(axis=0)}
    return pd.DataFrame(columns).assign(curve=strategy)


def _rounds(sizes: tuple[int, ...] | None, most: int) -> tuple[int, int, int]:
    """Give the first number of labels, the batch and the rounds; sizes are met by equal steps."""
    if sizes is None:
        batch = max(1, min(20, most // 10))
        return batch, batch, min(8, most // batch - 1)
    steps = {b - a for a, b in pairwise(sizes)}
    if len(steps) != 1:
        raise typer.BadParameter(f"{','.join(map(str, sizes))} are no equal steps, which labels are asked for in; write e.g. "
                                 "20,40,60", param_hint="--sizes")  # fmt: skip
    return sizes[0], steps.pop(), len(sizes) - 1


def _print_curves(made: pd.DataFrame) -> None:
    rows = [(r["curve"], int(r["size"]), f"{100 * r['overall_accuracy']:.1f}", f"{100 * r['macro_f1']:.1f}")
            for r in made.to_dict("records")]  # fmt: skip
    print_table("At new places", ("curve", "training", "overall accuracy %", "macro-F1 %"), rows, right=(1, 2, 3),
                note="Means over the repeats; all are tested on the same held-out rows.")  # fmt: skip


def _draw(made: pd.DataFrame) -> str:
    from landweave.io.svg import Line, draw_lines

    lines = []
    for name, part in made.groupby("curve", sort=False):
        spread = bool((part["macro_f1_high"] > part["macro_f1_low"]).any())
        low, high = ((part["macro_f1_low"].tolist(), part["macro_f1_high"].tolist()) if spread else ((), ()))
        lines.append(Line(str(name), part["size"].tolist(), part["macro_f1"].tolist(), low, high))
    counted = {str(c).removeprefix("by ") + "s" for c in made["curve"].unique()} & {"samples", "places"}
    what = " or ".join(sorted(counted, reverse=True)) or "labels"
    return draw_lines(lines, title="What more training would bring", x_label=f"training {what} of each fold",
                      y_label="macro-F1 at new places")  # fmt: skip


def leaks(
    samples: SamplesPath,
    other: Annotated[
        Path | None, typer.Option("--against", metavar="PARQUET", help="Samples that judge, to hold against those that train.")
    ] = None,
    fold_column: Annotated[str | None, typer.Option(help="Column with each row's fold, of a split made elsewhere.")] = None,
    by: By = "block", block_size_m: BlockSize = None, buffer_m: Buffer = 0.0, folds: NFolds = 5, regions: Regions = None,
    region_column: RegionColumn = None,
    same_places: Annotated[bool, typer.Option(help="Allow the same place in other years on both sides.")] = False,
) -> None:  # fmt: skip
    """Find what a split lets through: the same row, group or place on both sides, or a neighbour within the buffer.

    Exit code 2 where it leaks, so that a script stops. Of a split made elsewhere, of one of ours, of two files:

        landweave leaks samples.parquet --fold-column fold --buffer-m 500

        landweave leaks samples.parquet --by tile --buffer-m 500

        landweave leaks samples.parquet --against reference.parquet --buffer-m 500
    """
    from landweave.io.tables import read_samples
    from landweave.samples import SplitOptions, check_leaks, folds_of_column, join_sides, split_spatial

    table = read_samples(samples)
    if other is not None:
        table, repeats = join_sides(table, read_samples(other))
    elif fold_column is not None:
        repeats = [folds_of_column(table, fold_column)]
    else:
        split = SplitOptions(by=by, n_folds=folds, block_size_m=block_size_m, buffer_m=buffer_m, regions=regions,
                             region_column=region_column, cut_groups=same_places)  # fmt: skip
        repeats = split_spatial(table, split)
    check_leaks(table, repeats, buffer_m=buffer_m, same_places=same_places)
    sides = [(i + 1, len(f.train), len(f.test)) for i, f in enumerate(repeats[0])]
    print_table("No leaks", ("fold", "training rows", "test rows"), sides, right=(0, 1, 2),
                note=f"No row, group or place stands on both sides, and none nearer than {buffer_m:g} m.")  # fmt: skip


def levels(
    map_path: Annotated[Path, typer.Argument(metavar="MAP", help="Classified map.")],
    reference: Annotated[Path, typer.Option("--reference", metavar="PARQUET", help="Labelled samples.")],
    nomenclature: Annotated[
        str | None, typer.Option(help="Nomenclature whose hierarchy counts; the parents in the map's legend by default.")
    ] = None,
) -> None:
    """Score a map at every level of its legend's hierarchy: confusing two kinds of forest is no error one level up.

    Plain shares of the sample's rows; `landweave aggregate`, then `landweave assess`, gives estimates for the whole map:

        landweave levels map.tif --reference reference.parquet --nomenclature corine
    """
    from landweave.assess.levels import score_map_levels
    from landweave.io.tables import read_samples
    from landweave.maps import open_map

    scores = score_map_levels(open_map(map_path), read_samples(reference), nomenclature=nomenclature)
    rows = [(s.depth, len(s.legend), f"{100 * s.overall_accuracy:.1f}", f"{100 * s.macro_f1:.1f}", int(s.counts.sum()))
            for s in scores]  # fmt: skip
    print_table("Scores by level", ("level", "classes", "accuracy %", "macro-F1 %", "rows"), rows, right=range(5),
                note="Level 0 is the map's own classes. Plain shares of the rows, not estimates for the map.")  # fmt: skip
