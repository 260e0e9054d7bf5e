"""Random, spatial and kNNDM folds on real samples: three numbers, three questions.

    python benchmarks/splits.py --data FOLDER [--model random-forest] [--repeats 3] [--blocks 0.25] [--jobs 2]

FOLDER holds the sample sets as npz (`modis-matogrosso`, `cbers4-cerrado`, `sits-small`). Intervals are 95 %, from a bootstrap
of whole blocks. Prints Markdown, as it stands in docs/splits.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from landweave.assess import summarise_cross_validation
from landweave.assess.document import CrossValidationScores
from landweave.models import ModelOptions, cross_validate
from landweave.samples import (
    SampleOptions,
    SplitOptions,
    block_of,
    block_size_of,
    classes_in_one_block,
    import_series,
    match_distances,
    split_random,
    split_spatial,
    suggest_block_size,
)
from landweave.types import SampleTable

SETS = {
    "Mato Grosso, MOD13Q1": "modis-matogrosso/sits_matogrosso_mod13q1_1892x23x6.npz",
    "Cerrado, CBERS-4 AWFI": "cbers4-cerrado/*.npz",
    "Rondonia, Landsat 8": "sits-small/sits_rondonia_l8_*.npz",
}
QUESTIONS = {
    "random": "How good is the model between its samples? Clustered samples flatter it.",
    "spatial": "How good is it at new places, a block away from what it has seen?",
    "kNNDM": "How good is a map of the samples' hull? These tests are as far from their training as its pixels from the "
             "samples.",
}


def interval(value: float, se: float | None) -> str:
    """Write a share with its 95 % interval in per cent."""
    if se is None:
        return f"{100 * value:.1f}"
    low, high = (100 * min(max(value + z * se, 0), 1) for z in (-1.96, 1.96))
    return f"{100 * value:.1f} ({low:.1f}-{high:.1f})"


def describe(name: str, samples: SampleTable, args: argparse.Namespace) -> None:
    """Print the table of one sample set."""
    split = SplitOptions(n_repeats=args.repeats, block_size_deg=args.blocks)
    blocks, suggestion = block_of(samples, split), suggest_block_size(samples)
    match = match_distances(samples, split)
    folds = {"random": split_random(samples, split), "spatial": split_spatial(samples, split),
             "knndm": split_spatial(samples, split.model_copy(update={"by": "knndm"}))}  # fmt: skip
    predicted = {kind: cross_validate(samples, repeats, options=ModelOptions(name=args.model), n_jobs=args.jobs).predicted
                 for kind, repeats in folds.items()}  # fmt: skip
    scores = summarise_cross_validation(samples.to_class_index(), samples.legend.names, **predicted, blocks=blocks, split=split)
    n_places = samples.frame["group"].nunique()
    print(f"\n### {name}\n\n{len(samples)} samples on {n_places} places, {len(samples.legend)} classes, {blocks.max() + 1} "
          f"blocks of {args.blocks:g} degrees ({block_size_of(samples, split) / 1000:.0f} km). Variogram: "
          f"{suggestion.why}.")  # fmt: skip
    clustering = "random folds serve" if match.n_clusters is None else f"{match.n_clusters} clusters"
    print(f"Places of the hull lie {np.median(match.prediction_m) / 1000:.1f} km from the nearest sample (median); kNNDM "
          f"({clustering}) tests {np.median(match.fold_m) / 1000:.1f} km away and misses the distribution by "
          f"{match.wasserstein_m / 1000:.1f} km, random folds by {match.random_wasserstein_m / 1000:.1f} km.")  # fmt: skip
    lonely = classes_in_one_block(samples, blocks)
    if lonely:
        print(f"Never learnt in spatial folds (one block only): {', '.join(lonely)}.")
    print("\n| folds | overall accuracy, % | macro-F1, % | without classes in one block: accuracy, % | macro-F1, % |")
    print("|---|---|---|---|---|")
    for kind in ("random", "spatial", "knndm"):
        found = getattr(scores, kind)
        if isinstance(found, CrossValidationScores):
            cells = [(found.overall_accuracy, found.overall_accuracy_se), (found.macro_f1, found.macro_f1_se),
                     (found.overall_accuracy_learnable, found.overall_accuracy_learnable_se),
                     (found.macro_f1_learnable, found.macro_f1_learnable_se)]  # fmt: skip
            label = "kNNDM" if kind == "knndm" else kind
            print(f"| {label} | " + " | ".join("-" if v is None else interval(v, se) for v, se in cells) + " |")


def main() -> None:
    """Print all tables and the sentences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="random-forest")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--blocks", type=float, default=0.25, help="side of a block in degrees")
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    print(f"{args.model}, 5 folds x {args.repeats} repeats, 95 % intervals from a bootstrap of whole blocks.")
    for name, pattern in SETS.items():
        path = next(iter(sorted(args.data.glob(pattern))))
        describe(name, import_series(SampleOptions(series=str(path))), args)
    print("\n### Which question each answers\n")
    for kind, question in QUESTIONS.items():
        print(f"- **{kind}**: {question}")
    print("\nWhere a probability sample of the mapped area exists, none of the three is needed: the design-based estimate is "
          "right, and spatial folds are pessimistic for that map (Wadoux et al. 2021, doi:10.1016/j.ecolmodel.2021.109692; "
          "de Bruin et al. 2022, doi:10.1016/j.ecoinf.2022.101665).")  # fmt: skip


if __name__ == "__main__":
    main()
