"""Two-stage draws: squares, then pixels in them."""

from __future__ import annotations

import numpy as np
import pytest

from landweave.errors import SampleError
from landweave.samples import DrawOptions, draw_design
from landweave.samples.design_clusters import pick_clusters


def everywhere(window):
    return np.ones((window.height, window.width), dtype=bool)


def pick(rng, allowed=everywhere, **options):
    return pick_clusters((60, 100), allowed, **{"n": 60, "psu_px": 10, "per_psu": 5, "rng": rng, **options})


def test_places_lie_in_their_square_and_are_drawn_once(rng):
    made = pick(rng)
    assert (made.psu == np.column_stack([made.rows // 10, made.cols // 10])).all()
    assert len(np.unique(made.psu, axis=0)) == 12
    assert len(set(zip(made.rows.tolist(), made.cols.tolist(), strict=True))) == 60
    assert made.probability == pytest.approx(np.full(60, 12 / 60 * 5 / 100))


def test_pixels_that_may_not_be_drawn_are_not_and_raise_the_others_chance(rng):
    made = pick(rng, lambda w: np.arange(w.col, w.col_end)[None, :].repeat(w.height, axis=0) % 2 == 0)
    assert (made.cols % 2 == 0).all()
    assert made.probability == pytest.approx(np.full(60, 12 / 60 * 5 / 50))


def test_weights_add_up_to_the_pixels_on_average(rng):
    uneven = everywhere(type("W", (), {"height": 60, "width": 100}))
    uneven[:30, :70] = False
    totals = [(1 / pick(rng, lambda w: uneven[w.slices]).probability).sum() for _ in range(200)]
    assert np.mean(totals) == pytest.approx(uneven.sum(), rel=0.03)


def test_more_squares_than_there_are_is_an_error(rng):
    with pytest.raises(SampleError, match=r"400 places at 5 a square take 80 squares, but only 60 are there"):
        pick(rng, n=400)


def test_a_cluster_design_says_what_it_was_drawn_from(geobox):
    made = draw_design(geobox, options=DrawOptions(kind="cluster", n=30, psu_px=10, per_psu=6))
    assert (made.design.kind, made.design.psu_count) == ("cluster", 20)
    assert made.frame["psu"].nunique() == 5
    assert "30 places in 5 of 20 squares of 10 x 10 pixels" in made.design.note
