"""Sample tables with several labellers per place: one row per place, its posterior and risk, and the labellers' quality.

Receives a `SampleTable` whose rows name their labeller; hands on a table of places.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from landweave.errors import SampleError
from landweave.label.checking import number_places
from landweave.label.consensus import Consensus, ConsensusMethod, bayes_risk, find_consensus
from landweave.types import SampleTable

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AgreedSamples", "agree_samples", "to_votes"]


@dataclass(frozen=True)
class AgreedSamples:
    """One row per place, and who said what.

    Attributes:
        samples: The places, with the decision of least risk as class and 1 - risk (at equal costs: its probability) as factor
            of the weight.
        places: Per place: sample_id, class, risk, n_labels, agree (share of the labels that are the decision), and a column
            `p_<class>` per class.
        labellers: Per labeller: labeller, n_labels, quality, agree (with the decisions), and a column `p_<class>` per class:
            the chance that the labeller is right where that class is the truth.
        consensus: The arrays behind it.
    """

    samples: SampleTable
    places: pd.DataFrame
    labellers: pd.DataFrame
    consensus: Consensus


def to_votes(samples: SampleTable) -> tuple[NDArray[np.int64], NDArray[np.int64], tuple[str, ...]]:
    """Lay the labels of a table out as votes.

    A labeller who labelled a place twice counts with the last row.

    Returns:
        Votes (place, labeller), the first row of each place, and the labellers' names.

    Raises:
        SampleError: If rows name no labeller, or all name the same one.
    """
    named = samples.frame["labeller"]
    if named.isna().any():
        raise SampleError(f"{int(named.isna().sum())} of {len(samples)} rows name no labeller; name the labeller_column when "
                          "importing")  # fmt: skip
    names, who = np.unique(named.to_numpy().astype(str), return_inverse=True)
    if len(names) < 2:
        raise SampleError(f"all rows are by '{names[0]}'; a consensus needs two labellers, better three")
    places, first, number = np.unique(number_places(samples), return_index=True, return_inverse=True)
    votes = np.full((len(places), len(names)), -1, dtype=np.int64)
    votes[number.reshape(-1), who.reshape(-1)] = samples.to_class_index()
    return votes, first, tuple(str(n) for n in names)


def agree_samples(
    samples: SampleTable, *, method: ConsensusMethod = "dawid-skene", loss: NDArray[np.floating] | None = None
) -> AgreedSamples:
    """Turn several labels per place into one.

    Args:
        samples: Rows of several labellers; rows of one place and time belong together.
        method: `majority` or `dawid-skene`.
        loss: Cost of saying a where j is true (j, a); 1 for every error by default.

    Returns:
        One row per place. With equal costs and a tie, the class that comes first in the legend is taken, and the risk says so.

    Raises:
        SampleError: If there are not two labellers, or the loss does not fit the classes.
    """
    votes, first, names = to_votes(samples)
    found = find_consensus(votes, n_classes=len(samples.legend), method=method)
    decision, risk = bayes_risk(found.posterior, loss=loss)
    order = np.argsort(first)
    said = np.array(samples.legend.names, dtype=object)
    frame = samples.frame.iloc[first[order]].reset_index(drop=True)
    n_labels = (votes >= 0).sum(axis=1)
    factor = np.clip(1 - risk, 0, 1)[order]
    frame = frame.assign(**{
        "class": said[decision[order]], "weight": frame["weight"].to_numpy() * factor,
        "labeller": [f"consensus of {n}" for n in n_labels[order]],
    })  # fmt: skip
    places = _tell_places(frame, found, risk, votes, decision, order, samples.legend.names)
    told = _tell_labellers(found, votes, decision, names, samples.legend.names)
    return AgreedSamples(replace(samples, frame=frame), places, told, found)


def _tell_places(
    frame: Any, found: Consensus, risk: NDArray[np.float64], votes: NDArray[np.int64], decision: NDArray[np.int64],
    order: NDArray[np.int64], classes: tuple[str, ...],
) -> pd.DataFrame:  # fmt: skip
    import pandas as pd

    n = (votes >= 0).sum(axis=1)
    agree = (votes == decision[:, None]).sum(axis=1) / np.maximum(n, 1)
    table = {"sample_id": frame["sample_id"].to_numpy(), "class": frame["class"].to_numpy(), "risk": risk[order],
             "n_labels": n[order], "agree": agree[order]}  # fmt: skip
    return pd.DataFrame(table | {f"p_{name}": found.posterior[order, i] for i, name in enumerate(classes)})


def _tell_labellers(
    found: Consensus, votes: NDArray[np.int64], decision: NDArray[np.int64], names: tuple[str, ...], classes: tuple[str, ...]
) -> pd.DataFrame:
    import pandas as pd

    gave = votes >= 0
    agree = ((votes == decision[:, None]) & gave).sum(axis=0) / np.maximum(gave.sum(axis=0), 1)
    table = {"labeller": names, "n_labels": found.n_votes, "quality": found.quality, "agree": agree}
    return pd.DataFrame(table | {f"p_{name}": found.confusion[:, i, i] for i, name in enumerate(classes)})
