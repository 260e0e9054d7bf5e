"""How often the 95 % intervals contain the truth: samples drawn again and again from a landscape that is known pixel by pixel.

    python benchmarks/interval_coverage.py [--landscape coast|steppe] [--draws 1000] [--n 600] [--seed 1]
                                           [--intervals midp,normal] [--only TEXT]

Two landscapes of 400 x 400 pixels and their maps are made here, each with an older map whose classes are other strata, the
model's probabilities and a second map. `coast` has five classes of 45 to 1.5 % in patches and a map whose edges are blurred
and patches confused (overall accuracy 0.78); the default interval was chosen on it. `steppe` chose nothing: six classes of 62
to 2 % in strips, and a map made by a table of errors that differs from class to class (one missed by a third, one never
claimed wrongly), by patches of pixels (overall accuracy 0.9). Every draw goes the way of a user's sample: `draw_design`, labels
from the truth, the estimator that the design calls for.

A row is a design with its estimator and interval, and a figure. Columns are classes by the number of sample units that they can
expect (of the reference class for areas and producer's accuracies, of the map class for user's accuracies). A cell is the
lowest coverage of a class in it, in per cent, so that no class hides behind another; "-" where there is none. With 1000 draws
a coverage has a standard error of 0.7.
"""

# ruff: noqa: E402
from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

# numba looks for a module called coverage, the tool of that name, and must not find this file
sys.path[:] = [p for p in sys.path if Path(p or ".").resolve() != Path(__file__).resolve().parent]

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.special import ndtr

from landweave.assess.designs import make_units
from landweave.assess.estimation import Evidence, estimate_from
from landweave.assess.options import AssessOptions
from landweave.assess.tables import make_ends
from landweave.grid import GeoBox, make_geobox
from landweave.legend import Legend
from landweave.metrics import Estimated, estimate_assisted, estimate_difference, estimate_units, score_matrix
from landweave.metrics.units import UnitSample, make_shares
from landweave.samples import DrawOptions, Strata, draw_design
from landweave.types import SampleTable

SIDE = 400
FIGURES = {"area": "area", "user's": "users", "producer's": "producers", "overall": "overall", "F1": "f1", "IoU": "iou"}
BINS = ((100, np.inf, "100 or more"), (30, 100, "30 to 99"), (10, 30, "10 to 29"), (0, 10, "under 10"))
FLOOR = 93.0
"""What coverage has to reach wherever a class can expect 30 units."""


@dataclass(frozen=True)
class Cover:
    """Classes of a landscape: names, shares, and the smoothness of each one's field along rows and columns (pixels)."""

    names: tuple[str, ...]
    shares: tuple[float, ...]
    sizes: tuple[tuple[float, float], ...]


COAST = Cover(("forest", "pasture", "crop", "water", "mine"), (0.45, 0.30, 0.17, 0.065, 0.015),
              ((14, 14), (11, 11), (8, 8), (5, 5), (3, 3)))  # fmt: skip
STEPPE = Cover(("grass", "wheat", "fallow", "shrub", "orchard", "village"), (0.62, 0.14, 0.10, 0.08, 0.04, 0.02),
               ((20, 8), (4, 9), (4, 9), (10, 5), (3, 6), (2, 2)))  # fmt: skip
ERRORS = np.array([
    [0.955, 0.004, 0.030, 0.010, 0.001, 0.000],
    [0.020, 0.900, 0.070, 0.000, 0.010, 0.000],
    [0.110, 0.120, 0.760, 0.005, 0.005, 0.000],
    [0.160, 0.000, 0.010, 0.820, 0.010, 0.000],
    [0.050, 0.140, 0.020, 0.120, 0.670, 0.000],
    [0.030, 0.000, 0.050, 0.000, 0.010, 0.910],
])  # fmt: skip
"""Map class (column) of the pixels of a true class (row) in `steppe`."""


@dataclass
class Land:
    """The landscape: class indices, probabilities, grid."""

    truth: np.ndarray
    mapped: np.ndarray
    older: np.ndarray
    second: np.ndarray
    proba: np.ndarray
    geobox: GeoBox
    legend: Legend

    @property
    def matrix(self) -> np.ndarray:
        return _matrix(self.mapped, self.truth, len(self.legend))


def _matrix(mapped: np.ndarray, truth: np.ndarray, k: int) -> np.ndarray:
    return np.bincount((mapped * k + truth).ravel(), minlength=k * k).reshape(k, k) / mapped.size


def _field(rng: np.random.Generator, size: float | tuple[float, float]) -> np.ndarray:
    made = gaussian_filter(rng.normal(size=(SIDE, SIDE)), size, mode="wrap")
    return made / made.std()


def _scores(cover: Cover, rng: np.random.Generator) -> np.ndarray:
    """Fields (class, y, x): each class wins where its own, raised until the share is right, is the highest."""
    fields = np.stack([_field(rng, s) for s in cover.sizes])
    lift = np.zeros(len(cover.shares))
    for _ in range(400):
        got = np.bincount((fields + lift[:, None, None]).argmax(axis=0).ravel(), minlength=len(lift)) / SIDE**2
        lift += 0.5 * (np.log(cover.shares) - np.log(np.maximum(got, 1e-4)))
    return fields + lift[:, None, None]


def _geobox() -> GeoBox:
    return make_geobox((500_000, 5_000_000, 500_000 + 10 * SIDE, 5_000_000 + 10 * SIDE), "EPSG:32633", 10)


def make_coast(seed: int) -> Land:
    """Make the landscape on which the default interval was chosen: the map sees the true fields through noise."""
    rng = np.random.default_rng(seed)
    scores = _scores(COAST, rng)
    truth = scores.argmax(axis=0)

    def blur(noise: float) -> np.ndarray:
        seen = scores + noise * np.stack([_field(rng, 1.2) for _ in COAST.shares])
        return np.exp(2.0 * seen) / np.exp(2.0 * seen).sum(axis=0)

    proba = blur(0.45)
    mapped, second = proba.argmax(axis=0), blur(0.55).argmax(axis=0)
    redrawn = rng.integers(0, len(COAST.shares), (SIDE, SIDE))
    older = np.where(_field(rng, 9) > 1, redrawn, np.roll(truth, (3, 2), (0, 1)))
    return Land(truth, mapped, older, second, proba, _geobox(), Legend.from_names(COAST.names))


def make_steppe(seed: int) -> Land:
    """Make the landscape that did not choose the interval: the map confuses patches of pixels by the table `ERRORS`."""
    rng = np.random.default_rng(seed)
    truth, k = _scores(STEPPE, rng).argmax(axis=0), len(STEPPE.shares)

    def confuse(patch: float, table: np.ndarray) -> np.ndarray:
        chance = ndtr(_field(rng, patch))
        return (chance[..., None] > table.cumsum(axis=1)[truth][..., :-1]).sum(axis=-1)

    mapped, second = confuse(1.0, ERRORS), confuse(0.6, 0.93 * ERRORS + 0.07 / k)
    proba = np.stack([gaussian_filter((mapped == c).astype(float), 1.5, mode="wrap") for c in range(k)])
    # an older map in which half of the fields have changed hands and the rest is seen coarsely
    swapped = np.where((_field(rng, (3, 6)) > 0) & np.isin(truth, (1, 2)), 3 - truth, truth)
    older = np.kron(swapped[::2, ::2], np.ones((2, 2), dtype=np.int64))
    return Land(truth, mapped, older, second, proba, _geobox(), Legend.from_names(STEPPE.names))


LANDS = {"coast": make_coast, "steppe": make_steppe}


# --- one draw --------------------------------------------------------------------------------------------------------------


def draw(land: Land, strata: np.ndarray, options: DrawOptions) -> tuple[SampleTable, np.ndarray, np.ndarray]:
    """Draw by the design; gives the table and the rows and columns of its places."""
    codes = (strata + 1).astype(np.uint8)
    made = draw_design(Strata(codes, land.geobox, checksum="map" if strata is land.mapped else "other"), options=options,
                       legend=land.legend)  # fmt: skip
    where = made.frame["group"].str.split(" ", expand=True)
    return made, where[1].to_numpy(dtype=np.int64), where[2].to_numpy(dtype=np.int64)


def observe(land: Land, strata: np.ndarray, options: DrawOptions) -> Evidence:
    made, rows, cols = draw(land, strata, options)
    px = np.bincount(land.mapped.ravel(), minlength=len(land.legend)).astype(float)
    n = len(rows)
    return Evidence(
        classes=land.legend, map_index=land.mapped[rows, cols], reference_index=land.truth[rows, cols], mapped_ha=px / 100,
        mapped_px=px, design=made.design, map_checksum="map", stratum=made.frame["stratum"].to_numpy(dtype=str),
        psu=made.frame["psu"].fillna("").to_numpy(dtype=str),
        probability=made.frame["inclusion_probability"].to_numpy(dtype=float), group=np.arange(n),
        place=np.column_stack([rows, cols]),
    )  # fmt: skip


@dataclass
class Tally:
    """Hits and expected units, by row label, figure and class."""

    hits: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)
    draws: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)
    units: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)
    width: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)

    def add(self, label: str, figure: str, truth: np.ndarray, ends: tuple[np.ndarray, np.ndarray], units: np.ndarray) -> None:
        lower, upper = (np.atleast_1d(e) for e in ends)
        truth, known = np.atleast_1d(truth), np.isfinite(lower)
        key = (label, figure)
        for store, value in (
            (self.hits, known & (lower <= truth + 1e-12) & (truth - 1e-12 <= upper)), (self.draws, known),
            (self.units, np.broadcast_to(units, truth.shape)), (self.width, np.where(known, upper - lower, 0)),
        ):  # fmt: skip
            store[key] = store.get(key, 0) + np.asarray(value, dtype=float)


@dataclass(frozen=True)
class Case:
    """Rows of the table: how to draw and estimate, which intervals, and whether it is known to be conservative."""

    label: str
    draw: DrawOptions
    strata: str = "mapped"
    intervals: tuple[str, ...] = ("midp", "normal", "logit")
    options: AssessOptions = field(default_factory=AssessOptions)
    note: str = ""


def cases(n: int) -> list[Case]:
    plain = {"n": n}
    return [
        Case("stratified, equal", DrawOptions(allocation="equal", **plain),
             intervals=("midp", "jeffreys", "normal", "wilson", "logit", "bootstrap")),
        Case("stratified, proportional, 50 at least", DrawOptions(min_per_stratum=50, **plain),
             intervals=("midp", "jeffreys", "normal", "logit")),
        Case("strata of an older map, equal", DrawOptions(allocation="equal", **plain), strata="older",
             intervals=("midp", "jeffreys", "normal", "logit")),
        Case("simple, post-stratified", DrawOptions(kind="simple", **plain),
             intervals=("midp", "jeffreys", "normal", "wilson", "logit")),
        Case("systematic, simple random variance", DrawOptions(kind="systematic", **plain), note="conservative"),
        Case("systematic, successive differences", DrawOptions(kind="systematic", **plain),
             options=AssessOptions(systematic_variance="successive")),
        Case("clusters, two stages", DrawOptions(kind="cluster", psu_px=20, per_psu=5, **plain)),
    ]  # fmt: skip


def run_case(land: Land, case: Case, draws: int, seed: int, tally: Tally) -> None:
    truth = {f: score_matrix(land.matrix, {"overall": "overall_accuracy"}.get(f, f)) for f in FIGURES.values() if f != "area"}
    truth["area"] = land.matrix.sum(axis=0)
    strata = getattr(land, case.strata)
    special = [i for i in case.intervals if i in ("bootstrap", "jeffreys", "midp")]
    for i in range(draws):
        evidence = observe(land, strata, case.draw.model_copy(update={"seed": seed + i}))
        plain = estimate_from(evidence, case.options).estimates
        own = {
            interval: estimate_from(
                evidence, case.options.model_copy(update={"interval": interval, "area_interval": interval})
            ).estimates
            for interval in special
        }
        by_map, by_reference = (
            np.bincount(x, minlength=len(land.legend)) for x in (evidence.map_index, evidence.reference_index)
        )
        for figure, name in FIGURES.items():
            units = {"users": by_map, "overall": len(evidence.map_index)}.get(name, by_reference)
            for interval in case.intervals:
                made: Estimated = getattr(own.get(interval, plain), name)
                tally.add(f"{case.label}; {interval}", figure, truth[name], make_ends(made, interval), units)


def run_others(land: Land, n: int, draws: int, seed: int, tally: Tally) -> None:
    """Model-assisted areas, a zone of a simple sample, and the paired difference of two maps, from the same simple draws."""
    k = len(land.legend)
    area = land.matrix.sum(axis=0)
    mean = land.proba.reshape(k, -1).mean(axis=1)
    west = slice(0, SIDE // 2)
    zone = _matrix(land.mapped[:, west], land.truth[:, west], k).sum(axis=0)
    gap = (land.mapped == land.truth).mean() - (land.second == land.truth).mean()
    for i in range(draws):
        evidence = observe(land, land.mapped, DrawOptions(kind="simple", n=n, seed=seed + i))
        units = np.bincount(evidence.reference_index, minlength=k)
        rows, cols = evidence.place.T
        zeros = np.zeros(n, dtype=np.int64)
        shares = make_shares(evidence.reference_index, k)
        sample = UnitSample(evidence.map_index, shares, np.ones(n), zeros)
        for method in ("difference", "regression"):
            made = estimate_assisted(sample, land.proba[:, rows, cols].T, mean, method=method)
            ends = made.value - 1.96 * made.se, made.value + 1.96 * made.se
            tally.add(f"simple, model-assisted {method}; normal", "area", area, ends, units)
        here = cols < SIDE // 2
        made = estimate_units(make_units(evidence, AssessOptions()), domain=here).area
        inside = np.bincount(evidence.reference_index[here], minlength=k)
        for interval in ("midp", "normal", "logit"):
            tally.add(f"simple, zone (western half); {interval}", "area", zone, make_ends(made, interval), inside)
        other = replace(sample, map_index=land.second[rows, cols])
        apart = estimate_difference(sample, other)[2].overall
        ends = apart.value - 1.96 * apart.se, apart.value + 1.96 * apart.se
        tally.add("simple, paired difference of two maps; normal", "overall", gap, ends, np.array(n))


# --- the table -------------------------------------------------------------------------------------------------------------


def rows_of(tally: Tally, draws: int) -> Iterator[tuple[str, str, list[str], float]]:
    """Label, figure, a cell per column of rarity, and the lowest coverage where 30 units can be expected."""
    for (label, figure), hits in tally.hits.items():
        known = tally.draws[label, figure]
        coverage = 100 * np.divide(hits, known, out=np.full(len(hits), np.nan), where=known > 0)
        units = tally.units[label, figure] / draws
        cells = []
        for low, high, _ in BINS:
            here = (units >= low) & (units < high) & np.isfinite(coverage)
            cells.append(f"{coverage[here].min():.1f}" if here.any() else "-")
        enough = (units >= 30) & np.isfinite(coverage)
        yield label, figure, cells, float(coverage[enough].min()) if enough.any() else np.nan


def print_table(
    land: Land, tally: Tally, draws: int, n: int, conservative: set[str], say: Callable[[str], None] = print
) -> int:
    matrix = land.matrix
    say(f"Landscape of {SIDE} x {SIDE} pixels; map's overall accuracy {np.trace(matrix):.3f}; {draws} draws of {n} units.")
    shares = ", ".join(f"{a} {100 * s:.1f} %" for a, s in zip(land.legend.names, matrix.sum(axis=0), strict=True))
    say(f"Classes: {shares}.\n")
    say("| design and estimator; interval | figure | " + " | ".join(b[2] for b in BINS) + " |")
    say("|---|---|" + "---:|" * len(BINS))
    below = []
    for label, figure, cells, lowest in rows_of(tally, draws):
        kept = label.split(";")[0] in conservative
        say(f"| {label}{' (conservative)' if kept else ''} | {figure} | " + " | ".join(cells) + " |")
        if lowest < FLOOR:
            below.append(f"{label}, {figure}: {lowest:.1f} %")
    say("")
    if below:
        say(f"Below {FLOOR:g} % although 30 units can be expected:")
        for line in below:
            say(f"- {line}")
    else:
        say(f"Coverage is at least {FLOOR:g} % wherever a class can expect 30 units.")
    return len(below)


def simulate(
    draws: int, n: int, seed: int, only: str = "", *, landscape: str = "coast", intervals: str = ""
) -> tuple[Land, Tally, set[str]]:
    land, tally = LANDS[landscape](seed), Tally()
    for i, case in enumerate(cases(n)):
        if only in case.label:
            asked = tuple(x for x in case.intervals if not intervals or x in intervals.split(","))
            run_case(land, replace(case, intervals=asked), draws, 1000 * seed + 100_000 * i, tally)
    if only in "simple":
        run_others(land, n, draws, 5_000_000, tally)
    return land, tally, {c.label for c in cases(n) if c.note == "conservative"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--landscape", choices=list(LANDS), default="coast")
    parser.add_argument("--intervals", default="", help="of these only, comma-separated; all by default")
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--n", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="designs whose label holds this text")
    given = parser.parse_args()
    start = time.process_time()
    land, tally, conservative = simulate(
        given.draws, given.n, given.seed, given.only, landscape=given.landscape, intervals=given.intervals
    )
    print_table(land, tally, given.draws, given.n, conservative)
    print(f"{time.process_time() - start:.0f} processor seconds", file=sys.stderr)


if __name__ == "__main__":
    main()
