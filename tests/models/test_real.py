"""Untuned models on real series reach the reference figures of the data's readme, random and spatial."""

from __future__ import annotations

import numpy as np
import pytest

from landweave.models import ModelOptions, cross_validate
from landweave.samples import SampleOptions, SplitOptions, import_series, split_random, split_spatial

pytestmark = pytest.mark.real
SPLIT = SplitOptions(block_size_deg=0.25, random_by="sample", n_repeats=1)
FILES = {
    "cerrado": "cbers4-cerrado/sits_cerrado_cbers4_922x23x6.npz",
    "mato": "modis-matogrosso/sits_matogrosso_mod13q1_1892x23x6.npz",
}


def accuracy(samples, repeats, name):
    result = cross_validate(samples, repeats, options=ModelOptions(name=name))
    return np.mean([(p == result.truth)[p >= 0].mean() for p in result.predicted])


# the margin covers the luck of the folds: two standard deviations over draws of folds are about .012 at random, .025 in blocks
@pytest.mark.parametrize(("data", "name", "random", "spatial"), [
    ("cerrado", "random-forest", 0.923, 0.910), ("cerrado", "svm", 0.95, 0.93), ("mato", "svm", 0.97, 0.85),
])  # fmt: skip
def test_untuned_model_reaches_the_reference(real_data, data, name, random, spatial):
    bands, sensor = (("ndvi", "evi"), "cbers4-awfi") if data == "cerrado" else (None, "modis-mod13q1")
    samples = import_series(SampleOptions(series=str(real_data / FILES[data]), bands=bands, sensor=sensor))
    assert accuracy(samples, split_random(samples, SPLIT), name) == pytest.approx(random, abs=0.012)
    assert accuracy(samples, split_spatial(samples, SPLIT), name) == pytest.approx(spatial, abs=0.025)
