"""Classes under their parents."""

from __future__ import annotations

import numpy as np
import pytest

from landweave.errors import LegendError
from landweave.legend import LandClass, Legend
from landweave.maps.aggregation import aggregate_codes, aggregate_legend, aggregate_proba

FINE = Legend((
    LandClass(11, "Maize", "#ffcc00", "Cropland"), LandClass(12, "Wheat", "#ddaa00", "Cropland"),
    LandClass(2, "Forest", "#228833"), LandClass(254 + 50, "Lake", "#0000ff", "Water"),
))  # fmt: skip


def test_parents_stand_in_the_order_of_their_children():
    made = aggregate_legend(FINE)
    assert [(c.code, c.name, c.color) for c in made.parents] == [
        (1, "Cropland", "#ffcc00"), (2, "Forest", "#228833"), (3, "Water", "#0000ff")]  # fmt: skip
    assert made.parent_index == (0, 0, 1, 2)


def test_a_table_of_parents_replaces_the_legends_own():
    made = aggregate_legend(FINE, parents={"Forest": "Natural", "Lake": "Natural"}, colors={"Natural": "#00ff00"})
    assert made.parents.names == ("Maize", "Wheat", "Natural")
    assert made.parents.codes == (11, 12, 1)


def test_codes_become_their_parents_with_nodata_and_unsure():
    codes = np.array([[11, 12, 2], [304, FINE.nodata, FINE.unsure]], dtype=np.uint16)
    assert aggregate_codes(codes, aggregate_legend(FINE)).tolist() == [[1, 1, 2], [3, 255, 254]]


def test_probabilities_add_up_and_may_choose_another_class():
    proba = np.array([0.3, 0.25, 0.4, 0.05], dtype=np.float32).reshape(4, 1, 1) * np.array([1, np.nan], dtype=np.float32)
    summed = aggregate_proba(proba, aggregate_legend(FINE))
    np.testing.assert_allclose(summed[:, 0, 0], [0.55, 0.4, 0.05], rtol=1e-6)
    assert np.isnan(summed[:, 0, 1]).all()


def test_unknown_names_and_flat_legends_are_errors():
    with pytest.raises(LegendError, match="did you mean 'Forest'"):
        aggregate_legend(FINE, parents={"Forrest": "Natural"})
    with pytest.raises(LegendError, match="no class of the legend has a parent"):
        aggregate_legend(Legend.from_names(["a", "b"]))
    with pytest.raises(LegendError, match="which is no parent"):
        aggregate_legend(FINE, colors={"Ice": "#ffffff"})
