"""File names by pattern: `{date:%Y%m%d}_{band}.tif` read into dates, bands and other fields.

Receives a pattern and names; hands on `NameFields`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

__all__ = ["NameFields", "Pattern", "Times", "parse_time", "to_utc"]

Times = tuple[datetime | None, datetime | None]

_DIRECTIVES = {
    "%Y": r"\d{4}", "%y": r"\d{2}", "%m": r"\d{2}", "%d": r"\d{2}", "%j": r"\d{3}", "%H": r"\d{2}", "%M": r"\d{2}",
    "%S": r"\d{2}", "%f": r"\d{1,6}", "%b": r"[A-Za-z]{3}", "%B": r"[A-Za-z]+",
}  # fmt: skip
_TIMES = ("start", "end", "date")
_PART = re.compile(r"\{(\w+)(?::([^{}]*))?\}|(\*+)|([^{}*]+)|([{}])")


def to_utc(time: datetime) -> datetime:
    """Give a time as UTC without a zone; one without a zone is UTC already."""
    return time if time.tzinfo is None else time.astimezone(UTC).replace(tzinfo=None)


def parse_time(text: str, time_format: str | None = None) -> tuple[datetime, datetime]:
    """Read a time and give the span that it stands for: a year, month or day as precisely as it is told, or an instant.

    Raises:
        ValueError: If it is none.
    """
    if time_format is None:
        start = to_utc(datetime.fromisoformat(text))
        return start, start + timedelta(days=1) if len(text) <= len("2020-01-01") else start
    start = datetime.strptime(text, time_format)
    told = set(re.findall(r"%(.)", time_format))
    if "H" in told:
        return start, start
    if told & {"d", "j"}:
        return start, start + timedelta(days=1)
    if told & {"m", "b", "B"}:
        return start, (start + timedelta(days=31)).replace(day=1)
    return start, start.replace(year=start.year + 1)


@dataclass(frozen=True, slots=True)
class NameFields:
    """What a name says.

    Attributes:
        band: The text in the place of `{band}`, if the pattern has one.
        times: Start and end (exclusive), both None where the pattern has no date.
        others: Texts of the other fields.
        stem: The name without the band and the extension: what the files of one scene have in common.
    """

    band: str | None
    times: Times
    others: dict[str, str]
    stem: str


class Pattern:
    """A pattern of file names; matched without regard to case against the last parts of a path.

    Raises:
        ValueError: If a field is doubled, a date's format is unknown, or braces do not close.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._formats: dict[str, str | None] = {}
        regex = "".join(self._translate(m) for m in _PART.finditer(text))
        self._regex = re.compile(regex, re.IGNORECASE)
        self._n_parts = text.count("/") + 1

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields, in order."""
        return tuple(self._formats)

    def _translate(self, match: re.Match[str]) -> str:
        name, time_format, stars, literal, brace = match.groups()
        if brace:
            raise ValueError(f"pattern {self.text!r} has a {brace!r} without its partner; fields look like {{band}}")
        if literal:
            return re.escape(literal)
        if stars:
            return "[^/]*"
        if name in self._formats:
            raise ValueError(f"pattern {self.text!r} has the field {name!r} twice; name one of them otherwise")
        self._formats[name] = time_format
        return f"(?P<{name}>{_format_regex(self.text, name, time_format)})"

    def match(self, path: str) -> NameFields | None:
        """Read a path, or give None where the pattern does not fit it (a date that is no date does not fit either)."""
        tail = "/".join(path.replace("\\", "/").split("/")[-self._n_parts :])
        found = self._regex.fullmatch(tail)
        if found is None:
            return None
        try:
            times = self._times(found)
        except ValueError:
            return None
        values = found.groupdict()
        start, end = found.span("band") if "band" in values else (0, 0)
        dot = tail.rfind(".")
        stop = dot if dot > max(end - 1, tail.rfind("/")) else len(tail)  # without the extension
        stem = tail[:start] + tail[end:stop]
        others = {k: v for k, v in values.items() if k not in (*_TIMES, "band")}
        return NameFields(values.get("band"), times, others, re.sub(r"([_\-.])[_\-.]+", r"\1", stem).strip("_-./"))

    def _times(self, found: re.Match[str]) -> Times:
        read = {k: parse_time(found[k], self._formats[k]) for k in _TIMES if k in self._formats}
        start = read.get("start", read.get("date"))
        return (None, None) if start is None else (start[0], read.get("end", start)[1])  # ends in names are inclusive


def _format_regex(pattern: str, name: str, time_format: str | None) -> str:
    if not time_format:
        return "[^/]+?"
    parts = re.split(r"(%.)", time_format)
    unknown = [p for p in parts[1::2] if p not in _DIRECTIVES]
    if name not in _TIMES or unknown:
        what = f"{unknown[0]!r} in it is unknown" if unknown else "only start, end and date take one"
        raise ValueError(f"pattern {pattern!r}: format {time_format!r} of {name!r}: {what}; use {' '.join(_DIRECTIVES)}")
    return "".join(_DIRECTIVES[p] if i % 2 else re.escape(p) for i, p in enumerate(parts))
