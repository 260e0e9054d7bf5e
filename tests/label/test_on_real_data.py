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
