"""Places for interpreters to label, without a hint of the map, and their answers brought together into reference labels.

Receives a drawn `SampleTable`; hands on places to label. Receives answers, several per place; hands on the table with labels,
shares of votes and alternates. How votes become a label is a function of the caller's choice (`Consensus`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from landweave.errors import SampleError
from landweave.samples._rows import lonlat_of, to_text
from landweave.types import SampleTable

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

__all__ = [
    "ALTERNATE_COLUMN",
    "SHARE_PREFIX",
    "Agreed",
    "Consensus",
    "Votes",
    "collect_answers",
    "hide_map",
    "majority_vote",
    "number_places",
]

logger = logging.getLogger(__name__)

SHARE_PREFIX = "share:"
"""Columns `share:CLASS` hold the share of a place's label that is that class; together they make 1."""

ALTERNATE_COLUMN = "alternate"
"""Column of the class that the reference might be instead (a second label)."""


@dataclass(frozen=True)
class Votes:
    """Answers of labellers, one per row.

    Attributes:
        place: Which place each answer is for (n,), 0..n_places-1.
        labeller: Who gave it (n,), 0..n_labellers-1.
        class_index: The class answered (n,), 0..n_classes-1.
        n_places: Number of places.
        n_labellers: Number of labellers.
        n_classes: Number of classes.
    """

    place: NDArray[np.int64]
    labeller: NDArray[np.int64]
    class_index: NDArray[np.int64]
    n_places: int
    n_labellers: int
    n_classes: int


@dataclass(frozen=True)
class Agreed:
    """What the answers come to.

    Attributes:
        class_index: Class of each place (n_places,), -1 where none could be agreed on or nobody answered.
        shares: Belief in each class (n_places, n_classes); rows add up to 1, or are 0 where nobody answered.
    """

    class_index: NDArray[np.int64]
    shares: NDArray[np.float64]


Consensus = Callable[[Votes], Agreed]
"""Turns answers into labels; `majority_vote` is the plainest."""


def majority_vote(votes: Votes) -> Agreed:
    """Take the class that most labellers answered; a tie for the first place is no agreement."""
    counts = np.zeros((votes.n_places, votes.n_classes))
    np.add.at(counts, (votes.place, votes.class_index), 1)
    total = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)
    top = counts.max(axis=1, initial=0)
    single = (counts == top[:, None]).sum(axis=1) == 1
    return Agreed(np.where(single & (top > 0), counts.argmax(axis=1), -1), shares)


def number_places(samples: SampleTable, *, seed: int = 0) -> SampleTable:
    """Add the column `place`: numbers from 1 in an order that says nothing about strata or classes.

    Args:
        samples: The drawn places.
        seed: Seed of the order.
    """
    frame = samples.frame.copy()
    frame["place"] = np.random.default_rng(seed).permutation(len(frame)) + 1
    return replace(samples, frame=frame)


def hide_map(samples: SampleTable) -> gpd.GeoDataFrame:
    """Make the table that interpreters get: where to look, and blanks to fill in; in the order of `place`.

    Left out is all that tells what the map says (stratum, inclusion probability, group): an interpreter who knows it agrees
    with it too often.

    Args:
        samples: Numbered places; see `number_places`.

    Returns:
        Columns place, lon, lat (degrees), class, alternate, confidence, labeller, comment (all empty), geometry on WGS84.

    Raises:
        SampleError: If the places have no numbers.
    """
    import geopandas as gpd

    if "place" not in samples.frame:
        raise SampleError(f"the {len(samples)} samples have no column 'place'; number them with number_places first")
    frame = samples.frame.sort_values("place", kind="stable", ignore_index=True)
    at = lonlat_of(frame)
    empty = to_text([None] * len(frame))
    columns = {"place": frame["place"].to_numpy(dtype=np.int64), "lon": at[:, 0].round(8), "lat": at[:, 1].round(8)}
    blanks = dict.fromkeys(("class", ALTERNATE_COLUMN, "confidence", "labeller", "comment"), empty)
    return gpd.GeoDataFrame(columns | blanks, geometry=gpd.points_from_xy(at[:, 0], at[:, 1]), crs="EPSG:4326")


def collect_answers(
    samples: SampleTable, answers: pd.DataFrame, *, consensus: Consensus = majority_vote
) -> tuple[SampleTable, list[str]]:
    """Bring the interpreters' answers back to the drawn places.

    Args:
        samples: The numbered places, with their design.
        answers: Columns place, class and labeller, one row per answer (`io.interpreters.read_answers` makes them); optionally
            alternate. Rows without a class are no answers.
        consensus: How several answers become one label.

    Returns:
        The samples with `class` (empty where nobody answered or no agreement was reached), `labeller` (all names, by commas),
        `alternate` (the runner-up of the votes, else the interpreter's) and the columns `share:CLASS`; and sentences about what
        a person should look at again.

    Raises:
        SampleError: If an answer is for an unknown place, names an unknown class, or a labeller answered a place twice.
    """
    votes, labellers, rows = _to_votes(samples, answers)
    agreed = consensus(votes)
    names = np.array([*samples.legend.names, None], dtype=object)
    frame = samples.frame.copy()
    frame["class"] = to_text(names[agreed.class_index])
    frame[ALTERNATE_COLUMN] = to_text(_alternates(samples, rows, votes, agreed))
    by_place: list[list[str]] = [[] for _ in range(len(samples))]
    for place, who in zip(votes.place, votes.labeller, strict=True):
        by_place[place].append(labellers[who])
    frame["labeller"] = to_text([", ".join(sorted(w)) or None for w in by_place])
    for i, name in enumerate(samples.legend.names):
        frame[SHARE_PREFIX + name] = agreed.shares[:, i]
    return replace(samples, frame=frame), _remarks(samples, votes, agreed)


def _to_votes(samples: SampleTable, answers: pd.DataFrame) -> tuple[Votes, list[str], pd.DataFrame]:
    if "place" not in samples.frame:
        raise SampleError(f"the {len(samples)} samples have no column 'place'; give the table that `landweave design` wrote")
    rows = answers[answers["class"].notna() & (answers["class"].astype(str).str.strip() != "")].reset_index(drop=True)
    if len(rows) == 0:
        raise SampleError(f"none of the {len(answers)} rows of answers has a class; have the column class filled in")
    where = {int(p): i for i, p in enumerate(samples.frame["place"])}
    unknown = sorted({int(p) for p in rows["place"]} - set(where))
    if unknown:
        raise SampleError(f"there are answers for place {unknown[0]} and {len(unknown) - 1} more that the design does not have "
                          f"(it has 1 to {max(where)}); are these the answers to another draw?")  # fmt: skip
    labels = rows["class"].astype(str).str.strip()
    matched, unmatched = samples.legend.match_names(labels.tolist())
    if unmatched:
        label, near = next(iter(unmatched.items()))
        hint = f"; did they mean {near!r}?" if near else ""
        raise SampleError(f"an interpreter answered {label!r}, which is no class{hint} (classes: "
                          f"{', '.join(samples.legend.names)}); correct the answers")  # fmt: skip
    who = rows["labeller"].fillna("").astype(str).str.strip()
    doubled = rows.assign(who=who)[["place", "who"]].duplicated()
    if doubled.any():
        first = int(np.argmax(doubled.to_numpy()))
        raise SampleError(f"labeller {who[first]!r} answered place {rows['place'][first]} twice; keep one answer of each")
    labellers = sorted(set(who))
    place = np.array([where[int(p)] for p in rows["place"]], dtype=np.int64)
    labeller = np.array([labellers.index(w) for w in who], dtype=np.int64)
    index = np.array([samples.legend.index_of(matched[x]) for x in labels], dtype=np.int64)
    return Votes(place, labeller, index, len(samples), len(labellers), len(samples.legend)), labellers, rows


def _alternates(samples: SampleTable, rows: pd.DataFrame, votes: Votes, agreed: Agreed) -> list[str | None]:
    """Second labels: the runner-up of the votes, else what an interpreter named."""
    made: list[str | None] = [None] * votes.n_places
    if ALTERNATE_COLUMN in rows:
        given = rows[ALTERNATE_COLUMN].fillna("").astype(str).str.strip().tolist()
        matched, _ = samples.legend.match_names([g for g in given if g])
        for place, label in zip(votes.place, given, strict=True):
            if label in matched:
                made[place] = matched[label]
    rest = agreed.shares.copy()
    has = agreed.class_index >= 0
    rest[has, agreed.class_index[has]] = 0
    for place in np.flatnonzero(has & (rest.max(axis=1) > 0)):
        made[place] = samples.legend.names[int(rest[place].argmax())]
    own = [samples.legend.names[i] if i >= 0 else None for i in agreed.class_index]
    return [None if a == b else a for a, b in zip(made, own, strict=True)]


def _remarks(samples: SampleTable, votes: Votes, agreed: Agreed) -> list[str]:
    answered = np.bincount(votes.place, minlength=votes.n_places)
    places = samples.frame["place"].to_numpy()
    silent, split = answered == 0, (answered > 0) & (agreed.class_index < 0)
    said = []
    for what, which in (("have no answer yet", silent), ("have answers that do not agree on a class", split)):
        if which.any():
            first = ", ".join(str(p) for p in sorted(places[which])[:10])
            said.append(f"{int(which.sum())} of {votes.n_places} places {what}: {first}{' ...' if which.sum() > 10 else ''}")
    return said
