from __future__ import annotations

import numpy as np
import pytest

from landweave.errors import SampleError
from landweave.label import LabelFinding, clean_samples


@pytest.fixture
def finding(noisy, truth):
    """Knows the planted errors."""
    wrong = noisy[1]
    return LabelFinding("oracle", wrong, np.where(wrong, 0.8, 0.1), np.where(wrong, truth, -1))


def test_dropped_rows_are_rejected_with_the_reason(doubtful, finding):
    done = clean_samples(doubtful, finding)
    assert len(done.samples) == len(doubtful) - finding.suspect.sum()
    assert set(done.samples.rejected["reason"]) == {"label looks wrong (oracle)"}
    assert done.changes["sample_id"].tolist() == np.flatnonzero(finding.suspect).tolist()


def test_weights_fall_with_the_score(doubtful, finding):
    done = clean_samples(doubtful, finding, action="weight")
    weight = done.samples.frame["weight"].to_numpy()
    assert weight[finding.suspect] == pytest.approx(0.2)
    assert (weight[~finding.suspect] == 1).all()
    assert doubtful.frame["weight"].eq(1).all()


def test_relabelled_rows_have_the_suggested_class(doubtful, finding, truth):
    done = clean_samples(doubtful, finding, action="relabel")
    assert np.array_equal(done.samples.to_class_index(), truth)
    assert done.changes["new_class"].tolist() == np.array(doubtful.legend.names)[truth[finding.suspect]].tolist()


def test_rows_without_suggestion_keep_their_class(doubtful, finding):
    silent = LabelFinding("x", finding.suspect, finding.score, np.full(len(doubtful), -1))
    assert len(clean_samples(doubtful, silent, action="relabel").changes) == 0


def test_most_of_a_class_is_never_changed(doubtful):
    labels = doubtful.to_class_index()
    score = np.linspace(0.5, 1, len(labels))
    done = clean_samples(doubtful, LabelFinding("harsh", labels == 2, score, np.zeros(len(labels), int)))
    n = int((labels == 2).sum())
    assert (done.samples.to_class_index() == 2).sum() == n - n // 2
    assert done.n_spared == n - n // 2
    assert done.changes["score"].min() > np.median(score[labels == 2]) - 0.01


def test_finding_of_another_table_is_refused(doubtful, finding):
    with pytest.raises(SampleError, match=r"finding judges 180 rows, the table has 5"):
        clean_samples(doubtful.select(np.arange(5)), finding)
    with pytest.raises(SampleError, match="'burn'; known: drop, weight, relabel"):
        clean_samples(doubtful, finding, action="burn")
