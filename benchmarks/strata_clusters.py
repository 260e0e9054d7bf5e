"""Do two-stage clusters within strata give areas that are right on average, with intervals that hold the truth?

Draws from a known landscape of three classes, whose map errs in patches; prints bias, standard errors and coverage.

    python benchmarks/strata_clusters.py --draws 1000
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.ndimage import gaussian_filter

from landweave.assess.designs import make_units
from landweave.assess.estimation import Evidence
from landweave.assess.options import AssessOptions
from landweave.grid import make_geobox
from landweave.legend import Legend
from landweave.metrics.units import estimate_units
from landweave.samples import DrawOptions, Strata, draw_design

LEGEND = Legend.from_names(["crop", "forest", "water"])
SIDE = 240


def make_world() -> tuple[np.ndarray, np.ndarray]:
    """Map and truth (y, x) as class indices: patches of some 10 pixels, and errors that come in patches too."""
    rng = np.random.default_rng(4)
    score = gaussian_filter(rng.normal(size=(3, SIDE, SIDE)), (0, 6, 6)) + np.array([0.02, 0.03, -0.02])[:, None, None]
    truth = score.argmax(axis=0)
    noise = gaussian_filter(rng.normal(size=(SIDE, SIDE)), 3)
    return np.where(noise > np.quantile(noise, 0.85), (truth + 1) % 3, truth), truth


def estimate(mapped: np.ndarray, truth: np.ndarray, seed: int, n: int, *, both: bool) -> tuple[np.ndarray, np.ndarray]:
    """Draw once; values and standard errors of the areas (as shares) and of overall accuracy."""
    grid = make_geobox((500_000, 5_000_000, 500_000 + 10 * SIDE, 5_000_000 + 10 * SIDE), "EPSG:32633", 10)
    options = DrawOptions(kind="stratified-cluster", n=n, allocation="equal", psu_px=20, per_psu=5, seed=seed)
    made = draw_design(Strata(mapped + 1, grid), options=options, legend=LEGEND)
    at = made.frame["group"].str.split(" ", expand=True)
    row, col = at[1].astype(int).to_numpy(), at[2].astype(int).to_numpy()
    size = np.bincount(mapped.ravel(), minlength=3).astype(float)
    text = {name: made.frame[name].to_numpy().astype(str) for name in ("stratum", "psu")}
    evidence = Evidence(LEGEND, mapped[row, col], truth[row, col], size, size, made.design, None, text["stratum"], text["psu"],
                        made.frame["inclusion_probability"].to_numpy(), row)  # fmt: skip
    found = estimate_units(make_units(evidence, AssessOptions(finite_population=both)))
    return np.append(found.area.value, found.overall.value), np.append(found.area.se, found.overall.se)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1000)
    draws = parser.parse_args().draws
    mapped, truth = make_world()
    target = np.append(np.bincount(truth.ravel(), minlength=3) / SIDE**2, (mapped == truth).mean())
    print(f"{draws} draws of 5 places in squares of 20 x 20 pixels within 3 strata; all figures in points\n")
    print("| places | variance | figure | truth | bias | scatter of draws | mean standard error | 95 % intervals hold it, % |")
    print("|---|---|---|---|---|---|---|---|")
    for n, both in ((150, False), (300, False), (300, True)):
        pairs = [estimate(mapped, truth, seed, n, both=both) for seed in range(draws)]
        value, se = (np.array([p[i] for p in pairs]) for i in (0, 1))
        held = (np.abs(value - target) <= 1.96 * se).mean(axis=0)
        for k, name in enumerate((*(f"area of {c}" for c in LEGEND.names), "overall accuracy")):
            cells = (target[k], value[:, k].mean() - target[k], value[:, k].std(ddof=1), se[:, k].mean(), held[k])
            how = "both stages" if both else "between clusters"
            print(f"| {n} | {how} | {name} | " + " | ".join(f"{100 * c:.2f}" for c in cells[:4]) + f" | {100 * cells[4]:.1f} |")


if __name__ == "__main__":
    main()
