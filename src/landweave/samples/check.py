"""Is a sample good enough? Counts, spread, duplicates, neighbours that disagree, balance and gaps, before any training.

Receives a `SampleTable`; hands on a `SampleReport` with one finding per check.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from landweave.errors import SampleError
from landweave.samples._neighbours import disagree_in_features, same_class_next_door
from landweave.samples._rows import count_reasons, lonlat_of
from landweave.samples.blocks import block_of, block_size_of, blocks_per_class, classes_in_one_block
from landweave.samples.options import SplitOptions
from landweave.types import SampleTable

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CheckLevel", "SampleCheck", "SampleReport", "check_samples"]

CheckLevel = Literal["ok", "warn", "fail"]

_FEW = 30
"""Rows of a class below which its recognised share is known to worse than about 9 points (binomial standard error at 1/2)."""
_K = 10


@dataclass(frozen=True)
class SampleCheck:
    """One thing that was looked at.

    Attributes:
        name: Short name.
        level: `ok`, `warn` (read it) or `fail` (the sample should not be used as it is).
        message: What was found, in a sentence with its numbers, and what to do where something can be done.
        table: The cases, where there are any to list.
    """

    name: str
    level: CheckLevel
    message: str
    table: pd.DataFrame | None = None

    @property
    def passed(self) -> bool:
        """True where nothing asks for attention."""
        return self.level == "ok"


@dataclass(frozen=True)
class SampleReport:
    """What `check_samples` found.

    Attributes:
        checks: In the order of reading.
        n: Rows that can be used.
        block_size_m: Side of the blocks that spread was counted in; None where groups or a column are the blocks.
    """

    checks: tuple[SampleCheck, ...]
    n: int
    block_size_m: float | None = None

    @property
    def level(self) -> CheckLevel:
        """The worst of all checks."""
        levels = {c.level for c in self.checks}
        return "fail" if "fail" in levels else "warn" if "warn" in levels else "ok"

    def get_check(self, name: str) -> SampleCheck:
        """Give a check by name.

        Raises:
            SampleError: If there is none; lists the names.
        """
        for check in self.checks:
            if check.name == name:
                return check
        raise SampleError(f"no check named {name!r}; there are {', '.join(c.name for c in self.checks)}")

    def to_rows(self) -> list[tuple[str, str, str]]:
        """Give name, level and message of every check."""
        return [(c.name, c.level, c.message) for c in self.checks]


def check_samples(
    samples: SampleTable, *, block_size_m: float | None = None, options: SplitOptions | None = None
) -> SampleReport:
    """Look at a sample before anything is trained on it.

    Args:
        samples: The samples, with or without features.
        block_size_m: Side of the blocks that spread is counted in; a tenth of the extent by default.
        options: The split that will be used; its blocks are counted instead.

    Returns:
        Counts per class, spread over blocks, classes in one block, duplicates, neighbours, balance, gaps, small polygons,
        rejected rows, and what the import settled. Never raises on a bad sample: it says so.
    """
    split = options or SplitOptions(block_size_m=block_size_m)
    one_place = bool((np.ptp(lonlat_of(samples.frame), axis=0) == 0).all()) if len(samples) else True
    if one_place and split.by == "block":
        alone = SampleCheck("spread", "fail", f"all {len(samples)} samples stand on one place; collect more places")
        return SampleReport((_check_counts(samples), alone), len(samples))
    blocks = block_of(samples, split)
    made = [_check_counts(samples), _check_balance(samples)]
    made += [_check_spread(samples, blocks, split), _check_lonely(samples, blocks)]
    checks: list[Callable[[SampleTable], SampleCheck | None]] = [
        _check_duplicates, _check_features, _check_space, _check_gaps, _check_small, _check_rejected, _check_source,
    ]  # fmt: skip
    made += [found for check in checks if (found := check(samples)) is not None]
    return SampleReport(tuple(made), len(samples), block_size_of(samples, split) if split.by == "block" else None)


def _check_source(samples: SampleTable) -> SampleCheck | None:
    """Repeat what the import said of its files, above all rows whose code and name contradict."""
    note = samples.design.note
    return SampleCheck("source", "warn" if "contradict" in note else "ok", note) if note else None


def _table(columns: dict[str, Any]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(columns)


def _counts(samples: SampleTable) -> dict[str, int]:
    found = samples.frame["class"].value_counts()
    return {name: int(found.get(name, 0)) for name in samples.legend.names}


def _check_counts(samples: SampleTable) -> SampleCheck:
    counts = _counts(samples)
    table = _table({"class": list(counts), "rows": list(counts.values())})
    single = [n for n, c in counts.items() if c == 1]
    few = [f"{n} ({c})" for n, c in counts.items() if 1 < c < _FEW]
    none = [n for n, c in counts.items() if c == 0]
    told = f"{len(samples)} rows of {sum(c > 0 for c in counts.values())} classes"
    if single:
        return SampleCheck("counts", "fail", f"{told}; {', '.join(single)} has a single row, which cannot both train and test: "
                           "collect more, merge or exclude the class", table)  # fmt: skip
    if none or few:
        parts = [f"no row of {', '.join(none)}, which the map can therefore not show"] if none else []
        if few:
            parts.append(f"fewer than {_FEW} rows of {', '.join(few)}: their accuracy will be known to worse than 9 points")
        return SampleCheck("counts", "warn", f"{told}; {'; '.join(parts)}", table)
    return SampleCheck("counts", "ok", f"{told}, at least {min(counts.values())} of each", table)


def _check_balance(samples: SampleTable) -> SampleCheck:
    counts = {n: c for n, c in _counts(samples).items() if c}
    large, small = max(counts, key=lambda n: counts[n]), min(counts, key=lambda n: counts[n])
    ratio = counts[large] / counts[small]
    told = f"{large} has {ratio:.1f} times the rows of {small}"
    if ratio > 20:
        return SampleCheck("balance", "warn", f"{told}: a model gains little by getting {small} right; cap the large classes "
                           "(max_per_class) or weigh classes (class_weight: balanced), and read macro-F1")  # fmt: skip
    return SampleCheck("balance", "ok", told)


def _check_spread(samples: SampleTable, blocks: NDArray[np.int64], split: SplitOptions) -> SampleCheck:
    per_class = blocks_per_class(samples, blocks)
    classes = samples.frame["class"].to_numpy()
    groups = samples.frame["group"].to_numpy().astype(str)
    rows = []
    for name, n_blocks in per_class.items():
        mine = classes == name
        if mine.any():
            largest = np.bincount(blocks[mine]).max() / mine.sum()
            rows.append((name, int(mine.sum()), len(np.unique(groups[mine])), n_blocks, round(float(largest), 3)))
    columns = ("class", "rows", "groups", "blocks", "largest_block_share")
    table = _table({name: [r[i] for r in rows] for i, name in enumerate(columns)})
    few = [f"{name} ({n})" for name, n in per_class.items() if 0 < n < split.n_folds]
    unit = "groups" if split.by == "group" else f"values of {split.by}"
    if split.by == "block":
        unit = f"blocks of {block_size_of(samples, split) / 1000:.3g} km"
    told = f"samples stand in {int(blocks.max()) + 1} {unit}"
    if few:
        return SampleCheck("spread", "warn", f"{told}; these classes stand in fewer than {split.n_folds} of them, so not every "
                           f"spatial fold can test them: {', '.join(few)}", table)  # fmt: skip
    return SampleCheck("spread", "ok", f"{told}, every class in at least {min(n for n in per_class.values() if n)}", table)


def _check_lonely(samples: SampleTable, blocks: NDArray[np.int64]) -> SampleCheck:
    lonely = classes_in_one_block(samples, blocks)
    if not lonely:
        return SampleCheck("classes in one block", "ok", "every class stands in at least two blocks")
    n = int(np.isin(samples.frame["class"].to_numpy(), lonely).sum())
    return SampleCheck("classes in one block", "warn", f"{', '.join(lonely)} ({n} rows) each stand in a single block: a "
                       "spatial fold that tests them has never seen them, so their score there says nothing about the model; "
                       "collect them elsewhere too")  # fmt: skip


def _check_duplicates(samples: SampleTable) -> SampleCheck:
    frame = samples.frame
    at = lonlat_of(frame)
    group = frame["group"].to_numpy().astype(str)
    # the groups that import makes name the pixel or place; any other grouping says nothing about it
    place = [g if g.startswith(("pixel ", "place ")) and p < 0 else f"{x:.6f} {y:.6f}"
             for g, p, (x, y) in zip(group, frame["polygon_id"], at, strict=True)]  # fmt: skip
    table = frame[["sample_id", "class"]].assign(place=place, time=frame["time_start"].to_numpy().astype("int64"))
    by_place = table.groupby(["place", "time"])
    extra = len(table) - by_place.ngroups
    if extra == 0:
        return SampleCheck("duplicates", "ok", "no place is given twice for the same time")
    mixed = by_place["class"].transform("nunique").to_numpy() > 1
    n_mixed = table[mixed].groupby(["place", "time"]).ngroups
    told = f"{extra} rows repeat a place and time that another row has"
    if not n_mixed:
        return SampleCheck("duplicates", "warn", f"{told}, with the same label; they share a group, so that no split is fooled")
    listed = table.loc[mixed, ["sample_id", "class"]].assign(lon=at[mixed, 0], lat=at[mixed, 1]).reset_index(drop=True)
    level: CheckLevel = "fail" if mixed.sum() > 0.01 * len(table) else "warn"
    return SampleCheck("duplicates", level, f"{told}, and on {n_mixed} places the labels disagree ({int(mixed.sum())} rows); "
                       "look at them and keep one label each", listed)  # fmt: skip


def _check_features(samples: SampleTable) -> SampleCheck | None:
    if not samples.inputs:
        return None
    found = disagree_in_features(samples, k=_K)
    if found is None:
        return None
    rows, n_looked, share = found
    told = (f"{len(rows)} of {n_looked} rows ({len(rows) / n_looked:.1%}) look like another class: of the {_K} rows of other "
            f"groups with the most similar values, at least {int(share * _K)} have the same other label")  # fmt: skip
    if len(rows) > 0.05 * n_looked:
        return SampleCheck("similar values", "warn", f"{told}; either labels are wrong or these classes look alike", rows)
    return SampleCheck("similar values", "ok", told, rows if len(rows) else None)


def _check_space(samples: SampleTable) -> SampleCheck | None:
    found = same_class_next_door(samples)
    if found is None:
        return None
    same, expected = found
    told = f"the nearest place of another group has the same class for {same:.0%} of the rows, {expected:.0%} by chance"
    if same > expected + 0.5 * (1 - expected):
        return SampleCheck("neighbours in space", "warn", f"{told}: samples are clustered, so random folds flatter the model; "
                           "read the spatial score for new places")  # fmt: skip
    return SampleCheck("neighbours in space", "ok", told)


def _check_gaps(samples: SampleTable) -> SampleCheck | None:
    if not samples.inputs:
        return None
    missing = np.isnan(samples.to_features()).mean(axis=1)
    classes = samples.frame["class"].to_numpy()
    share = {n: float(missing[classes == n].mean()) for n in samples.legend.names if (classes == n).any()}
    table = _table({"class": list(share), "missing_share": [round(v, 4) for v in share.values()]})
    told = f"{missing.mean():.1%} of all values are missing"
    low, high = min(share, key=lambda n: share[n]), max(share, key=lambda n: share[n])
    if share[high] - share[low] > 0.2:
        return SampleCheck("gaps", "warn", f"{told}, {share[high]:.0%} in {high} but {share[low]:.0%} in {low}: a model may "
                           "learn the gaps instead of the class", table)  # fmt: skip
    if missing.mean() > 0.2:
        return SampleCheck("gaps", "warn", f"{told}; use more dates or longer steps, or a model that takes gaps", table)
    return SampleCheck("gaps", "ok", told, table)


def _check_small(samples: SampleTable) -> SampleCheck | None:
    small = samples.frame["sub_pixel"].to_numpy(dtype=bool)
    if not small.any():
        return None
    classes = samples.frame["class"].to_numpy()
    share = {n: float(small[classes == n].mean()) for n in samples.legend.names if (classes == n).any()}
    mostly = [f"{n} ({v:.0%})" for n, v in share.items() if v > 0.5]
    told = f"{int(small.sum())} rows come from polygons smaller than a pixel, whose pixel is mixed with its surroundings"
    if mostly:
        return SampleCheck("small polygons", "warn", f"{told}; most rows of {', '.join(mostly)} do")
    return SampleCheck("small polygons", "ok", told)


def _check_rejected(samples: SampleTable) -> SampleCheck:
    reasons = count_reasons(samples.rejected)
    if not reasons:
        return SampleCheck("rejected", "ok", "no row was rejected")
    n = sum(reasons.values())
    table = _table({"reason": list(reasons), "rows": list(reasons.values())})
    told = f"{n} of {n + len(samples)} rows were rejected: " + "; ".join(f"{c} x {r}" for r, c in list(reasons.items())[:5])
    return SampleCheck("rejected", "warn" if n > 0.05 * (n + len(samples)) else "ok", told, table)
