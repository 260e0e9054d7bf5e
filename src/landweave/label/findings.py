"""What a check of labels finds: which rows look wrong, how much so, and what they look like instead.

Every check of this room hands on a `LabelFinding`; a `LabelReport` holds those of one table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from landweave.errors import SampleError
from landweave.types import SampleTable

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LabelFinding", "LabelReport"]


@dataclass(frozen=True)
class LabelFinding:
    """What one check says of every row.

    Attributes:
        method: Name of the check.
        suspect: True where the label looks wrong (row,).
        score: How wrong it looks, 0..1 (row,); NaN where the check could not judge the row.
        suggested: class_index that the row looks like (row,); -1 where the check has none to suggest.
        note: What was done, in a sentence.
    """

    method: str
    suspect: NDArray[np.bool_]
    score: NDArray[np.float64]
    suggested: NDArray[np.int64]
    note: str = ""

    def __post_init__(self) -> None:
        if not len(self.suspect) == len(self.score) == len(self.suggested):
            raise SampleError(f"finding {self.method!r} has {len(self.suspect)} marks, {len(self.score)} scores and "
                              f"{len(self.suggested)} suggestions; give one of each per row")  # fmt: skip

    @property
    def n_judged(self) -> int:
        """Rows that the check could judge."""
        return int((~np.isnan(self.score)).sum())


@dataclass(frozen=True)
class LabelReport:
    """The findings of several checks on one table.

    Attributes:
        findings: One per check, in the order they were made.
    """

    findings: tuple[LabelFinding, ...]

    @property
    def votes(self) -> NDArray[np.int64]:
        """How many checks suspect each row (row,)."""
        return np.asarray(np.sum([f.suspect for f in self.findings], axis=0), dtype=np.int64)

    def get_finding(self, method: str) -> LabelFinding:
        """Give the finding of a check.

        Raises:
            SampleError: If it was not made; lists those that were.
        """
        for finding in self.findings:
            if finding.method == method:
                return finding
        raise SampleError(f"no finding of {method!r}; there are {', '.join(f.method for f in self.findings)}")

    def combine(self, *, min_votes: int = 2) -> LabelFinding:
        """Join the checks: a row is suspect where at least `min_votes` of them suspect it.

        The score is the mean of the checks that could judge the row; the suggestion is the commonest one among the checks
        that suspect it (ties: the check made first).

        Raises:
            SampleError: If more votes are asked than there are checks.
        """
        if not 1 <= min_votes <= len(self.findings):
            raise SampleError(f"min_votes is {min_votes}, with {len(self.findings)} checks; give 1 to {len(self.findings)}")
        scores = np.array([f.score for f in self.findings])
        judged = ~np.isnan(scores)
        total = np.where(judged, scores, 0).sum(axis=0)
        score = np.where(judged.any(axis=0), total / np.maximum(judged.sum(axis=0), 1), np.nan)
        said = np.array([np.where(f.suspect, f.suggested, -1) for f in self.findings])
        agree = np.array([((said == row) & (row >= 0)).sum(axis=0) for row in said])
        suggested = np.take_along_axis(said, agree.argmax(axis=0)[None], axis=0)[0]
        note = f"suspect where at least {min_votes} of {', '.join(f.method for f in self.findings)} say so"
        return LabelFinding("combined", self.votes >= min_votes, score, suggested, note)

    def to_table(self, samples: SampleTable) -> pd.DataFrame:
        """List the rows that any check suspects, those with the most votes first.

        Returns:
            Columns sample_id, class, votes, and per check its score and what the row looks like (empty where not suspect).
        """
        import pandas as pd

        names = np.array([*samples.legend.names, ""], dtype=object)
        rows = np.flatnonzero(self.votes)
        columns = {"sample_id": samples.frame["sample_id"].to_numpy()[rows], "class": samples.frame["class"].to_numpy()[rows],
                   "votes": self.votes[rows]}  # fmt: skip
        for f in self.findings:
            columns[f"{f.method}_score"] = f.score[rows].round(3)
            columns[f"{f.method}_like"] = names[np.where(f.suspect, f.suggested, -1)[rows]]
        return pd.DataFrame(columns).sort_values("votes", ascending=False, kind="stable", ignore_index=True)

    def to_rows(self) -> list[tuple[str, int, int, str]]:
        """Give method, rows judged, rows suspected and note of every check."""
        return [(f.method, f.n_judged, int(f.suspect.sum()), f.note) for f in self.findings]
