"""Acting on doubtful labels: drop them, weigh them down or give them the class they look like, with a list of every change.

Receives a `SampleTable` and a `LabelFinding`; hands on the changed table and the changes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from landweave.errors import SampleError
from landweave.label.findings import LabelFinding
from landweave.samples import set_aside
from landweave.types import SampleTable

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CleanAction", "CleanedSamples", "clean_samples"]

CleanAction = Literal["drop", "weight", "relabel"]


@dataclass(frozen=True)
class CleanedSamples:
    """Samples after cleaning.

    Attributes:
        samples: The table; dropped rows are among its rejected ones.
        changes: One row per changed sample: sample_id, class, action, new_class, new_weight, score, lon, lat.
        n_spared: Suspect rows left as they were, since too much of their class would have been changed.
    """

    samples: SampleTable
    changes: pd.DataFrame
    n_spared: int = 0


def clean_samples(
    samples: SampleTable, finding: LabelFinding, *, action: CleanAction = "drop", max_share: float = 0.5,
    min_weight: float = 0.05,
) -> CleanedSamples:  # fmt: skip
    """Act on the suspect rows of a finding.

    Args:
        samples: The table that was checked.
        finding: Of one check, or of several (`LabelReport.combine`).
        action: `drop` moves the rows to the rejected ones; `weight` multiplies their weight by 1 less the score, which models
            take as the weight of the row; `relabel` gives them the suggested class, where there is one.
        max_share: At most this share of the rows of a class is changed, the worst scores first: where most of a class looks
            wrong, the check does not know the class, or the class needs another look by people.
        min_weight: Least factor of `weight`.

    Returns:
        The new table and the list of changes.

    Raises:
        SampleError: If the finding is of another table, or the action is unknown.
    """
    if len(finding.suspect) != len(samples):
        raise SampleError(f"finding judges {len(finding.suspect)} rows, the table has {len(samples)}; check this table")
    if action not in ("drop", "weight", "relabel"):
        raise SampleError(f"no action named {action!r}; known: drop, weight, relabel")
    labels = samples.to_class_index()
    wanted = finding.suspect & (finding.suggested >= 0) if action == "relabel" else finding.suspect
    chosen = _spare(wanted, np.nan_to_num(finding.score), labels, max_share)
    factor = np.clip(1 - np.nan_to_num(finding.score), min_weight, 1.0)
    changes = _list_changes(samples, finding, chosen, action, factor)
    frame = samples.frame
    if action == "drop":
        made = set_aside(samples, chosen, f"label looks wrong ({finding.method})") if chosen.any() else samples
    elif action == "weight":
        made = replace(samples, frame=frame.assign(weight=np.where(chosen, factor, 1.0) * frame["weight"].to_numpy()))
    else:
        names = np.array(samples.legend.names, dtype=object)
        new = np.where(chosen, finding.suggested, labels)
        made = replace(samples, frame=frame.assign(**{"class": names[new]}))
    return CleanedSamples(made, changes, int(wanted.sum() - chosen.sum()))


def _spare(
    wanted: NDArray[np.bool_], score: NDArray[np.float64], labels: NDArray[np.int64], max_share: float
) -> NDArray[np.bool_]:
    chosen = wanted.copy()
    for c in np.unique(labels[wanted]):
        mine = np.flatnonzero(wanted & (labels == c))
        limit = int(max_share * np.sum(labels == c))
        chosen[mine[np.argsort(-score[mine], kind="stable")[limit:]]] = False
    return chosen


def _list_changes(
    samples: SampleTable, finding: LabelFinding, chosen: NDArray[np.bool_], action: CleanAction, factor: NDArray[np.float64]
) -> pd.DataFrame:
    import pandas as pd

    rows = np.flatnonzero(chosen)
    frame = samples.frame.iloc[rows]
    at = samples.to_xy("EPSG:4326")[rows]
    names = np.array([*samples.legend.names, ""], dtype=object)
    new_class = names[finding.suggested[rows]] if action == "relabel" else frame["class"].to_numpy()
    new_weight = frame["weight"].to_numpy() * (factor[rows] if action == "weight" else 0.0 if action == "drop" else 1.0)
    return pd.DataFrame({
        "sample_id": frame["sample_id"].to_numpy(), "class": frame["class"].to_numpy(), "action": action,
        "new_class": new_class, "new_weight": new_weight, "score": finding.score[rows], "lon": at[:, 0], "lat": at[:, 1],
    })  # fmt: skip
