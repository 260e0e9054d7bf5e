"""Tables of periods: stated steps, fixed lengths that restart each year, and dekads, months, seasons and years."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import pairwise

from landweave.cube.options import CubeOptions
from landweave.cube.series_options import PeriodName

__all__ = ["make_periods", "name_periods"]

Period = tuple[datetime, datetime]


def make_periods(first: date, last: date, options: CubeOptions) -> list[Period]:
    """Give the table of periods that covers first..last: stated steps, named periods, or periods of `period_days`.

    Periods of `period_days` restart on 1 January: the last one of a year ends with the year, however short it gets (MOD13Q1's
    23rd has 13 or 14 days, CBERS likewise).
    """
    if options.steps is not None:
        return list(pairwise(datetime.combine(d, datetime.min.time()) for d in options.steps))
    if options.period is not None:
        found: list[Period] = list(pairwise(_edges(options.period, first.year - 1, last.year + 1)))
    else:
        found = list(_count_days(options.period_days or 1, first.year, last.year))
    return [(s, e) for s, e in found if e.date() > first and s.date() <= last]


def _count_days(length: int, first_year: int, last_year: int) -> Iterator[Period]:
    for year in range(first_year, last_year + 1):
        start, stop = datetime(year, 1, 1), datetime(year + 1, 1, 1)
        while start < stop:
            end = min(start + timedelta(days=length), stop)
            yield start, end
            start = end


def _edges(name: PeriodName, first_year: int, last_year: int) -> Iterator[datetime]:
    """First day of every period of the years, and of the period after them."""
    days = (1, 11, 21) if name == "dekad" else (1,)
    months = {"season": (3, 6, 9, 12), "year": (1,)}.get(name, tuple(range(1, 13)))
    for year in range(first_year, last_year + 1):
        for month in months:
            for day in days:
                yield datetime(year, month, day)
    yield datetime(last_year + 1, months[0], 1)


def name_periods(options: CubeOptions) -> str:
    """Name the periods of a cube for a sentence; empty where it has none."""
    if options.steps is not None:
        return "stated steps"
    if options.period is not None:
        return f"periods by {options.period}"
    return f"periods of {options.period_days} days" if options.period_days else ""
