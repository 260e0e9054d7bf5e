from __future__ import annotations

import numpy as np
import pytest

from landweave.errors import SampleError
from landweave.label import LabelFinding, LabelReport


def finding(name, suspect, suggested, score=None):
    score = np.where(suspect, 0.9, 0.1) if score is None else np.array(score)
    return LabelFinding(name, np.array(suspect, dtype=bool), score, np.array(suggested))


@pytest.fixture
def report():
    return LabelReport((
        finding("a", [1, 1, 0, 0], [2, 1, -1, -1]), finding("b", [1, 0, 0, 1], [1, -1, -1, 0]),
        finding("c", [1, 1, 0, 0], [1, 0, -1, -1], [0.9, np.nan, np.nan, 0.1]),
    ))  # fmt: skip


def test_rows_that_two_checks_suspect(report):
    both = report.combine(min_votes=2)
    assert both.suspect.tolist() == [True, True, False, False]
    assert both.suggested[:2].tolist() == [1, 1]  # two of three say 1; of a tie the first check wins
    assert both.score == pytest.approx([0.9, 0.5, 0.1, (0.1 + 0.9 + 0.1) / 3])


def test_votes_beyond_the_checks_are_refused(report):
    with pytest.raises(SampleError, match="min_votes is 4, with 3 checks"):
        report.combine(min_votes=4)


def test_findings_by_name(report):
    assert report.get_finding("b").suspect.sum() == 2
    with pytest.raises(SampleError, match="no finding of 'd'; there are a, b, c"):
        report.get_finding("d")


def test_table_lists_suspects_with_most_votes_first(report, clean):
    listed = report.to_table(clean.select(np.arange(4)))
    assert listed["votes"].tolist() == [3, 2, 1]
    assert listed.loc[0, "b_like"] == "forest"
    assert [row[:3] for row in report.to_rows()] == [("a", 4, 2), ("b", 4, 2), ("c", 2, 2)]


def test_parts_of_different_length_are_refused():
    with pytest.raises(SampleError, match="has 2 marks, 1 scores and 2 suggestions"):
        LabelFinding("x", np.zeros(2, bool), np.zeros(1), np.zeros(2, int))
