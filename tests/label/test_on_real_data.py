from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from landweave.label import find_consensus

pytestmark = pytest.mark.real


@pytest.fixture
def rwanda(real_data):
    """Votes (place, set) on cropland of three interpreter sets: 0 cropland, 1 not."""
    tables = [pd.read_csv(p) for p in sorted((real_data / "reference-points" / "rwanda" / "ceo_labels").glob("*.csv"))]
    rows = pd.concat([t.assign(who=i) for i, t in enumerate(tables)]).dropna(subset=["Crop/ or not"])
    place = rows.groupby(["lon", "lat"]).ngroup().to_numpy()
    votes = np.full((place.max() + 1, 3), -1)
    votes[place, rows["who"]] = (rows["Crop/ or not"] == "Non-crop").to_numpy()
    return votes


def test_rwanda_interpreters_differ_and_the_second_set_misses_cropland(rwanda):
    found = find_consensus(rwanda, n_classes=2)
    assert len(rwanda) == 1204
    assert (rwanda[(rwanda >= 0).all(axis=1)].std(axis=1) == 0).mean() == pytest.approx(0.594, abs=0.01)
    # files in order: set 1, set 2, first; set 2 sees 285 places of cropland where the others see some 500
    assert found.confusion[1, 0, 0] < 0.7 < found.confusion[0, 0, 0]
    assert found.prevalence[0] == pytest.approx(0.353, abs=0.02)


@pytest.fixture
def geowiki(real_data):
    """Votes (cell, set) of Geo-Wiki's control and expert sets: 0 cropland, 1 not; a cell is listed where it is cropland."""
    folder = real_data / "reference-points" / "geowiki2017"
    seen, crop = ([pd.read_csv(folder / f"{what}_{who}.txt", sep="\t") for who in ("con", "exp")] for what in ("loc", "crop"))
    votes = []
    for location in sorted(set(seen[0].locationid) & set(seen[1].locationid)):
        marked = [set(map(tuple, t.loc[t.locationid == location, ["centroid_X", "centroid_Y"]].round(4).to_numpy()))
                  for t in crop]  # fmt: skip
        listed = sorted(marked[0] | marked[1])
        votes += [[int(cell not in own) for own in marked] for cell in listed] + [[1, 1]] * (25 - len(listed))
    return np.array(votes)


def test_two_geowiki_sets_leave_the_majority_open_where_they_differ(geowiki):
    majority = find_consensus(geowiki, n_classes=2, method="majority")
    assert len(geowiki) == 650
    assert (geowiki[:, 0] == geowiki[:, 1]).mean() == pytest.approx(0.88, abs=0.005)
    np.testing.assert_array_equal(majority.label < 0, geowiki[:, 0] != geowiki[:, 1])


def test_geowiki_control_and_expert_sets_are_about_equally_good(geowiki):
    found = find_consensus(geowiki, n_classes=2)
    # set 0 is the control set, set 1 the experts, who miss more cropland and claim less of it wrongly
    np.testing.assert_allclose(found.quality, [0.935, 0.937], atol=0.01)
    assert found.confusion[0, 0, 0] > found.confusion[1, 0, 0] > 0.85
    assert found.confusion[1, 1, 1] > found.confusion[0, 1, 1] > 0.9
    assert found.prevalence[0] == pytest.approx(0.413, abs=0.01)
    assert 1 - found.posterior.max(axis=1).mean() == pytest.approx(0.063, abs=0.01)
