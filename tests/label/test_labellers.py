from __future__ import annotations

import numpy as np
import pytest

from landweave.errors import SampleError
from landweave.label import agree_samples, to_votes


@pytest.fixture
def answers(table):
    """Ann, Bo and Cy at four places; Cy is often wrong and left one out."""
    place = np.repeat(np.arange(4), 3)[:-1]
    classes = np.array([0, 0, 1, 1, 1, 1, 2, 2, 0, 0, 1])
    who = np.tile(["ann", "bo", "cy"], 4)[:-1]
    return table(None, classes, np.column_stack([place, place * 0.5]).astype(float), labeller=who)


def test_votes_are_laid_out_by_place_and_labeller(answers):
    votes, first, names = to_votes(answers)
    assert names == ("ann", "bo", "cy")
    assert votes.tolist() == [[0, 0, 1], [1, 1, 1], [2, 2, 0], [0, 1, -1]]
    assert first.tolist() == [0, 3, 6, 9]


def test_majority_gives_one_row_per_place(answers):
    agreed = agree_samples(answers, method="majority")
    assert agreed.samples.frame["class"].tolist() == ["crop", "forest", "water", "crop"]
    assert agreed.places["risk"].to_numpy() == pytest.approx([1 / 3, 0, 1 / 3, 1 / 2])
    assert agreed.samples.frame["weight"].to_numpy() == pytest.approx([2 / 3, 1, 2 / 3, 1 / 2])
    assert agreed.places["agree"].to_numpy() == pytest.approx([2 / 3, 1, 2 / 3, 1 / 2])


def test_labellers_are_listed_with_their_quality(answers):
    listed = agree_samples(answers).labellers.set_index("labeller")
    assert listed["n_labels"].to_dict() == {"ann": 4, "bo": 4, "cy": 3}
    assert listed.loc["cy", "quality"] < listed.loc["ann", "quality"]


def test_costs_change_what_is_said(answers):
    # missing water is a hundred times worse than anything else
    loss = 1 - np.eye(3)
    loss[2, :2] = 100
    agreed = agree_samples(answers, method="majority", loss=loss)
    assert agreed.samples.frame["class"].tolist()[2] == "water"


def test_rows_without_labeller_are_refused(clean, table):
    with pytest.raises(SampleError, match="180 of 180 rows name no labeller"):
        to_votes(clean)
    alone = table(None, np.array([0, 1]), np.zeros((2, 2)), labeller="ann")
    with pytest.raises(SampleError, match="all rows are by 'ann'"):
        to_votes(alone)
