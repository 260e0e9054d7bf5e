"""Two-stage clusters within strata: what is drawn, and that the estimates are right on average with honest intervals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from landweave.assess.designs import make_units
from landweave.assess.estimation import Evidence
from landweave.assess.options import AssessOptions
from landweave.errors import AssessmentError, SampleError
from landweave.grid import make_geobox
from landweave.legend import Legend
from landweave.metrics.units import estimate_units
from landweave.samples import DrawOptions, Strata, draw_design

LEGEND = Legend.from_names(["crop", "forest", "water"])
SIDE = 240


@pytest.fixture(scope="module")
def world():
    """Map and truth (y, x) as class indices: patches of some 10 pixels, and errors that come in patches too."""
    rng = np.random.default_rng(4)
    score = gaussian_filter(rng.normal(size=(3, SIDE, SIDE)), (0, 6, 6)) + np.array([0.02, 0.03, -0.02])[:, None, None]
    truth = score.argmax(axis=0)
    noise = gaussian_filter(rng.normal(size=(SIDE, SIDE)), 3)
    return np.where(noise > np.quantile(noise, 0.85), (truth + 1) % 3, truth), truth


@pytest.fixture(scope="module")
def grid():
    return make_geobox((500_000, 5_000_000, 500_000 + 10 * SIDE, 5_000_000 + 10 * SIDE), "EPSG:32633", 10)


def draw(world, grid, seed=0, **options):
    given = {"kind": "stratified-cluster", "n": 300, "allocation": "equal", "psu_px": 20, "per_psu": 5, "seed": seed, **options}
    return draw_design(Strata(world[0] + 1, grid), options=DrawOptions(**given), legend=LEGEND)


def units_of(world, made, **options):
    at = made.frame["group"].str.split(" ", expand=True)
    row, col = at[1].astype(int).to_numpy(), at[2].astype(int).to_numpy()
    mapped = world[0]
    size = np.bincount(mapped.ravel(), minlength=3).astype(float)
    evidence = Evidence(
        LEGEND, mapped[row, col], world[1][row, col], size, size, made.design, None,
        made.frame["stratum"].to_numpy().astype(str), made.frame["psu"].to_numpy().astype(str),
        made.frame["inclusion_probability"].to_numpy(), row,
    )  # fmt: skip
    return make_units(evidence, AssessOptions(**options))


def test_each_stratum_has_clusters_of_its_own(world, grid):
    made = draw(world, grid)
    per = made.frame.groupby("stratum")["psu"].nunique()
    assert per.to_dict() == {"crop": 20, "forest": 20, "water": 20}
    assert made.design.kind == "cluster"
    squares = [np.unique(np.argwhere(world[0] == c) // 20, axis=0) for c in range(3)]
    assert [s.psu_count for s in made.design.strata] == [len(s) for s in squares]


def test_inclusion_probabilities_are_those_of_both_stages(world, grid):
    made = draw(world, grid)
    row = made.frame.iloc[0]
    _, r, c = row["psu"].rsplit(" ", 2)
    code = LEGEND.names.index(row["stratum"])
    there = world[0][int(r) * 20 : int(r) * 20 + 20, int(c) * 20 : int(c) * 20 + 20] == code
    taken = (made.frame["psu"] == row["psu"]).sum()
    expected = 20 / made.design.strata[code].psu_count * taken / there.sum()
    assert row["inclusion_probability"] == pytest.approx(expected)


def test_estimates_are_right_on_average_and_intervals_hold_the_truth(world, grid):
    truth = np.bincount(world[1].ravel(), minlength=3) / SIDE**2
    accuracy = (world[0] == world[1]).mean()
    found = [estimate_units(units_of(world, draw(world, grid, seed=s))) for s in range(80)]
    area = np.array([[*f.area.value, f.overall.value] for f in found])
    se = np.array([[*f.area.se, f.overall.se] for f in found])
    target = np.append(truth, accuracy)
    scatter = area.std(axis=0, ddof=1)
    assert (np.abs(area.mean(axis=0) - target) < 3 * scatter / np.sqrt(len(found))).all()
    assert se.mean(axis=0) == pytest.approx(scatter, rel=0.35)  # the scatter of 80 draws is itself known to a tenth
    # three standard errors of a coverage of 95 % in 80 draws are 7 points
    assert (np.abs(area - target) < 1.96 * se).mean(axis=0).min() >= 0.87


def test_weights_add_up_to_the_strata(world, grid):
    made = draw(world, grid)
    units = units_of(world, made, finite_population=True)
    sums = np.bincount(units.stratum, units.weight)
    assert sums == pytest.approx([s.area_ha for s in made.design.strata])
    assert units.fraction == pytest.approx([20 / s.psu_count for s in made.design.strata])


def test_a_stratum_with_too_few_squares_is_named(world, grid):
    with pytest.raises(SampleError, match="stratum 'crop': 400 places at 2 a square take 200 squares"):
        draw(world, grid, n=1200, per_psu=2)


def test_a_stratum_without_places_is_an_error(world, grid):
    made = draw(world, grid)
    short = made.select((made.frame["stratum"] != "water").to_numpy())
    with pytest.raises(AssessmentError, match="'water' of the cluster sample has no place"):
        units_of(world, short)
