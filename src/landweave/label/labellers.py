"""Sample tables with several labellers per place: one row per place, its posterior and risk, and the labellers' quality.

Receives a `SampleTable` whose rows name their labeller; hands on a table of places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from landweave.errors import SampleError
from landweave.grid import make_geobox
from landweave.io.vectors import read_vectors
from landweave.label.checking import number_places
from landweave.label.consensus import Consensus, ConsensusMethod, bayes_risk, find_consensus
from landweave.legend import Legend
from landweave.samples import SampleOptions, import_reference
from landweave.samples.interpreting import Agreed, Votes
from landweave.types import SampleTable

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AgreedSamples", "agree_answers", "agree_samples", "import_labelled", "to_votes"]


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


def agree_answers(votes: Votes) -> Agreed:
    """Turn interpreters' answers into labels by Dawid and Skene's model, as `samples.collect_answers` asks of a consensus.

    Ties stay without a label, as with `samples.majority_vote`.
    """
    table = np.full((votes.n_places, votes.n_labellers), -1, dtype=np.int64)
    table[votes.place, votes.labeller] = votes.class_index
    found = find_consensus(table, n_classes=votes.n_classes, method="dawid-skene")
    return Agreed(found.label, np.nan_to_num(found.posterior))


def import_labelled(paths: Sequence[Path | str], options: SampleOptions) -> SampleTable:
    """Read files in which people labelled the same places, without any imagery to put them on.

    Places that agree to 1e-6 degrees are one place.

    Args:
        paths: One file with a labeller's column, or a file per labeller, whose name then stands for who it is.
        options: Columns and the like; `reference` is not looked at.

    Raises:
        SourceError: If a file cannot be read.
        SampleError: If a column is missing, or a single file has no labeller's column.
    """
    import geopandas as gpd
    import pandas as pd

    if len(paths) == 1 and options.labeller_column is None:
        raise SampleError(f"{paths[0]} is the only file and no labeller_column is named; name the column of who labelled, "
                          "or give a file per labeller")  # fmt: skip
    parts = [_read_file(path, options, None) for path in paths]
    names = sorted({name for part in parts for name in part.legend.names})
    legend = Legend.from_names(names)
    tables = [replace(part, legend=legend) for part in parts]
    rows = []
    for path, table in zip(paths, tables, strict=True):
        frame = table.frame
        if options.labeller_column is None:
            frame = frame.assign(labeller=_who(path, paths))
        rows.append(frame)
    joined = pd.concat(rows, ignore_index=True)
    joined["sample_id"] = np.arange(len(joined))
    frame = gpd.GeoDataFrame(joined, geometry="geometry", crs=rows[0].crs)
    rejected = [t.rejected for t in tables if t.rejected is not None]
    return replace(tables[0], frame=frame, rejected=pd.concat(rejected, ignore_index=True) if rejected else None)


def _read_file(path: Path | str, options: SampleOptions, legend: Legend | None) -> SampleTable:
    given = options.model_copy(update={"reference": str(path)})
    places = read_vectors(path, layer=options.layer, crs=options.crs, lon_column=options.lon_column,
                          lat_column=options.lat_column)  # fmt: skip
    known = places.geometry[~(places.geometry.isna() | places.geometry.is_empty)]
    west, south, east, north = (float(v) for v in known.to_crs("EPSG:4326").total_bounds)
    # 0.1 m, so that no two places share a pixel; only the grid's formula is used
    grid = make_geobox((west - 1e-5, south - 1e-5, east + 1e-5, north + 1e-5), "EPSG:4326", 1e-6)
    return import_reference(given, legend=legend, geobox=grid)


def _who(path: Path | str, paths: Sequence[Path | str]) -> str:
    stems = [Path(p).stem for p in paths]
    return Path(path).stem if len(set(stems)) == len(stems) else str(path)


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
