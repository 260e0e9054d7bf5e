from __future__ import annotations

import numpy as np
import pytest

from landweave.errors import SampleError
from landweave.io.files import sha256_file
from landweave.legend import Legend
from landweave.samples import DrawOptions, Strata, draw_design
from landweave.samples.reference import pixel_of


@pytest.fixture
def strata(geobox) -> Strata:
    """Stratum 1: 1600 pixels, 2: 320, 5: 80."""
    codes = np.ones((40, 50), dtype=np.uint8)
    codes[:, 40:48], codes[:, 48:] = 2, 5
    return Strata(codes, geobox)


def drawn(strata, **options):
    return draw_design(strata, options=DrawOptions(**options))


def counts(samples) -> dict[str, int]:
    return samples.frame["stratum"].value_counts().to_dict()


def test_a_simple_draw_gives_every_pixel_the_same_chance(geobox):
    made = drawn(geobox, kind="simple", n=100)
    assert len(made) == 100
    assert made.frame["inclusion_probability"].unique().tolist() == [100 / 2000]
    assert made.design.kind == "simple"
    assert made.design.strata[0].size_px == 2000
    assert made.design.strata[0].area_ha == pytest.approx(20, rel=0.01)


def test_places_are_pixel_centres_drawn_once(geobox):
    made = drawn(geobox, kind="simple", n=500)
    row, col = pixel_of(made.frame, geobox)
    assert len(set(zip(row, col, strict=True))) == 500
    assert ((made.frame.geometry.x - 600_005) % 10 == 0).all()


def test_places_have_no_label_yet(geobox):
    assert drawn(geobox, kind="simple", n=5).frame["class"].isna().all()


def test_proportional_allocation_follows_the_sizes(strata):
    made = drawn(strata, n=100)
    assert counts(made) == {"1": 80, "2": 16, "5": 4}
    assert {s.name: s.n_drawn / s.size_px for s in made.design.strata} == {"1": 0.05, "2": 0.05, "5": 0.05}


def test_places_stand_in_their_stratum(strata, geobox):
    made = drawn(strata, n=60, allocation="equal")
    row, col = pixel_of(made.frame, geobox)
    assert (strata.codes[row, col].astype(str) == made.frame["stratum"]).all()
    assert counts(made) == {"1": 20, "2": 20, "5": 20}


def test_a_minimum_is_granted_to_small_strata(strata):
    assert counts(drawn(strata, n=100, min_per_stratum=10)) == {"1": 80, "2": 16, "5": 10}


def test_places_are_shared_out_by_hand_and_by_name(strata):
    legend = Legend.from_dicts([{"code": 1, "name": "forest"}, {"code": 2, "name": "crop"}, {"code": 5, "name": "loss"}])
    options = DrawOptions(n=10, allocation={"loss": 7, "crop": 3})
    made = draw_design(strata, options=options, legend=legend)
    assert counts(made) == {"loss": 7, "crop": 3}
    assert made.frame.loc[made.frame["stratum"] == "loss", "inclusion_probability"].unique() == pytest.approx([7 / 80])


def test_the_draw_repeats_with_its_seed_and_changes_with_another(strata):
    first, same, other = (sorted(drawn(strata, n=50, seed=s).frame["group"]) for s in (1, 1, 2))
    assert first == same != other


def test_inclusion_is_even_over_many_draws(geobox):
    hits = np.zeros((40, 50))
    for seed in range(30):
        row, col = pixel_of(drawn(geobox, kind="simple", n=200, seed=seed).frame, geobox)
        hits[row, col] += 1
    # 30 draws of 1 in 10: mean 3; quarters of the grid average 500 pixels each (standard error about 0.07)
    quarters = [hits[r, c].mean() for r in (slice(0, 20), slice(20, 40)) for c in (slice(0, 25), slice(25, 50))]
    assert np.abs(np.array(quarters) - 3).max() < 0.35


def test_a_systematic_draw_is_a_lattice(geobox):
    made = drawn(geobox, kind="systematic", n=20)
    row, col = pixel_of(made.frame, geobox)
    assert set(np.diff(np.unique(row))) == set(np.diff(np.unique(col))) == {10}
    assert made.frame["inclusion_probability"].unique() == pytest.approx([0.01])


def test_a_map_file_is_its_own_strata(strata, write_raster):
    path = write_raster(strata.codes)
    made = drawn(path, n=100)
    assert made.design.strata_checksum == sha256_file(path)
    assert counts(made) == {"1": 80, "2": 16, "5": 4}


def test_blocks_do_not_lose_pixels(geobox, monkeypatch):
    monkeypatch.setattr("landweave.samples.design._BLOCK_PX", 16)
    made = drawn(geobox, kind="simple", n=2000)
    assert made.frame["group"].nunique() == 2000


def test_nodata_is_not_drawn_from(strata):
    made = draw_design(strata, options=DrawOptions(n=50), nodata=1)
    assert set(counts(made)) == {"2", "5"}


def test_more_places_than_pixels_is_an_error(strata, geobox):
    with pytest.raises(SampleError, match=r"90 places are asked of stratum '5', which has 80 pixels"):
        drawn(strata, n=90, allocation={"5": 90})
    with pytest.raises(SampleError, match=r"3000 places are asked of 2000 pixels"):
        drawn(geobox, kind="systematic", n=3000)


def test_an_allocation_names_strata(strata):
    with pytest.raises(SampleError, match=r"allocation names the stratum 'forest', which is not there \(there are 1, 2, 5\)"):
        drawn(strata, n=9, allocation={"forest": 9})


def test_strata_without_pixels_are_an_error(geobox):
    with pytest.raises(SampleError, match=r"strata hold no pixel to draw from"):
        drawn(Strata(np.full((40, 50), -1), geobox), n=5)


def test_strata_of_fractions_are_an_error(write_raster):
    with pytest.raises(SampleError, match=r"holds float32; strata are whole numbers"):
        drawn(write_raster(np.zeros((40, 50), np.float32)), n=5)


def test_an_array_must_fit_its_grid(geobox):
    with pytest.raises(SampleError, match=r"strata have the shape \(2, 2\), their grid \(40, 50\)"):
        drawn(Strata(np.ones((2, 2), int), geobox), n=1)
