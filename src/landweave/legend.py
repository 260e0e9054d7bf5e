"""The class legend: codes, names, colours, parents and definitions of the classes of a map; and the nomenclatures we ship.

Receives names or a nomenclature; hands on a `Legend`, which every later room uses for the order of classes.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.errors import LegendError

__all__ = ["LandClass", "Legend", "Nomenclature", "get_nomenclature", "list_nomenclatures", "suggest_name"]

MAX_UINT8_CODE = 253
"""Codes above this make a map uint16; 254 and 255 are "unsure" and nodata."""

# Colours for classes that come without one: distinct in hue and lightness, readable by most colour-blind readers.
_PALETTE = (
    "#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#994f00", "#7f7f7f", "#bbcc33", "#332288",
    "#f4a582", "#006d6f", "#d9b3ff", "#8c564b", "#ffd92f", "#1b4f72",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LandClass:
    """One class of a legend.

    Attributes:
        code: Value in the raster, 0 or more.
        name: Label for people and tables.
        color: "#rrggbb".
        parent: Name of the class above it in the hierarchy, if any.
        definition: What the class means, in a sentence.
    """

    code: int
    name: str
    color: str
    parent: str | None = None
    definition: str = ""


@dataclass(frozen=True)
class Legend:
    """The classes of a map in their fixed order; position in it is the `class_index` inside models.

    Raises:
        LegendError: If codes or names are doubled, a code is negative or reserved, or a colour is not "#rrggbb".
    """

    classes: tuple[LandClass, ...]
    _index_of_code: dict[int, int] = field(init=False, repr=False, compare=False)
    _index_of_name: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        codes, names = [c.code for c in self.classes], [c.name for c in self.classes]
        if not codes:
            raise LegendError("legend has no classes; give at least one")
        for what, values in (("code", list(map(str, codes))), ("name", names)):
            doubled = sorted({v for v in values if values.count(v) > 1})
            if doubled:
                raise LegendError(f"class {what} {', '.join(doubled)} stands twice in the legend; each must be unique")
        top = max(codes)
        reserved = {254, 255} if top <= 255 else {65534, 65535}
        wrong = [c for c in codes if c < 0 or c > 65533 or c in reserved]
        if wrong:
            raise LegendError(f"class code {wrong[0]} is not allowed: codes run from 0 to 65533, and "
                              f"{min(reserved)} (unsure) and {max(reserved)} (nodata) are reserved")  # fmt: skip
        for c in self.classes:
            if not re.fullmatch(r"#[0-9a-fA-F]{6}", c.color):
                raise LegendError(f"colour of class {c.name!r} is {c.color!r}; give it as '#rrggbb'")
        object.__setattr__(self, "_index_of_code", {c: i for i, c in enumerate(codes)})
        object.__setattr__(self, "_index_of_name", {n: i for i, n in enumerate(names)})

    @classmethod
    def from_names(cls, names: Iterable[str], *, first_code: int = 1, colors: Mapping[str, str] | None = None) -> Legend:
        """Number class names from `first_code` in the given order, with palette colours where none are given."""
        colors = colors or {}
        return cls(tuple(
            LandClass(first_code + i, str(name), colors.get(str(name), _PALETTE[i % len(_PALETTE)]))
            for i, name in enumerate(names)
        ))  # fmt: skip

    @classmethod
    def from_dicts(cls, classes: Iterable[Mapping[str, Any]]) -> Legend:
        """Build from dictionaries with keys code, name and optionally color, parent, definition."""
        made = []
        for i, entry in enumerate(classes):
            unknown = sorted(set(entry) - {"code", "name", "color", "parent", "definition"})
            if unknown:
                raise LegendError(f"class {i} has the unknown key {unknown[0]!r}; known: code, name, color, parent, definition")
            made.append(LandClass(
                code=int(entry["code"]), name=str(entry["name"]), color=str(entry.get("color") or _PALETTE[i % len(_PALETTE)]),
                parent=entry.get("parent"), definition=str(entry.get("definition") or ""),
            ))  # fmt: skip
        return cls(tuple(made))

    def to_dicts(self) -> list[dict[str, Any]]:
        """Give the classes as plain dictionaries, in order."""
        return [asdict(c) for c in self.classes]

    def __len__(self) -> int:
        return len(self.classes)

    def __iter__(self) -> Iterator[LandClass]:
        return iter(self.classes)

    @property
    def names(self) -> tuple[str, ...]:
        """Class names in order."""
        return tuple(c.name for c in self.classes)

    @property
    def codes(self) -> tuple[int, ...]:
        """Class codes in order."""
        return tuple(c.code for c in self.classes)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Raster dtype: uint8, or uint16 where a code exceeds 253."""
        return np.dtype(np.uint8 if max(self.codes) <= MAX_UINT8_CODE else np.uint16)

    @property
    def nodata(self) -> int:
        """Marker for "no valid observation": 255, or 65535 in a uint16 map."""
        return 255 if self.dtype == np.uint8 else 65535

    @property
    def unsure(self) -> int:
        """Marker for "observed, but the model is not sure enough": 254, or 65534 in a uint16 map."""
        return self.nodata - 1

    def index_of(self, name: str) -> int:
        """Give the class_index of a name.

        Raises:
            LegendError: If the name is unknown; the message suggests the nearest one.
        """
        if name in self._index_of_name:
            return self._index_of_name[name]
        near = suggest_name(name, self.names)
        hint = f"; did you mean {near!r}?" if near else ""
        raise LegendError(f"no class named {name!r} in the legend{hint} (classes: {', '.join(self.names)})")

    def to_codes(self, class_index: NDArray[np.integer[Any]]) -> NDArray[Any]:
        """Turn class indices into raster codes; a negative index becomes nodata."""
        table = np.append(np.array(self.codes, dtype=self.dtype), np.array([self.nodata], dtype=self.dtype))
        return table[np.where(class_index < 0, len(self.codes), class_index)]

    def to_index(self, codes: NDArray[Any]) -> NDArray[np.int16]:
        """Turn raster codes into class indices; nodata, unsure and codes outside the legend become -1."""
        table = np.full(65536, -1, dtype=np.int16)
        table[list(self.codes)] = np.arange(len(self.codes), dtype=np.int16)
        return table[codes.astype(np.int64)]

    def match_names(self, labels: Sequence[str]) -> tuple[dict[str, str], dict[str, str | None]]:
        """Match labels to class names; case, surrounding blanks, "_" and "-" do not matter.

        Returns:
            Matched label -> class name, and unmatched label -> the nearest class name (None where none is near).
        """
        known = {_plain(n): n for n in self.names}
        matched: dict[str, str] = {}
        unmatched: dict[str, str | None] = {}
        for label in dict.fromkeys(labels):
            if label in self._index_of_name:
                matched[label] = label
            elif _plain(label) in known:
                matched[label] = known[_plain(label)]
            else:
                unmatched[label] = suggest_name(label, self.names)
        return matched, unmatched


def _plain(name: str) -> str:
    return re.sub(r"[\s_\-]+", " ", name.strip().casefold())


def suggest_name(name: str, known: Iterable[str]) -> str | None:
    """Find the known name nearest to a misspelt one, or None."""
    plain = {_plain(k): k for k in known}
    near = difflib.get_close_matches(_plain(name), plain, n=1, cutoff=0.6)
    return plain[near[0]] if near else None


@dataclass(frozen=True)
class Nomenclature:
    """A published legend and its crosswalks to others.

    Attributes:
        key: Short name, as in `landweave nomenclatures`.
        title: Full name.
        source: Where the classes and definitions come from.
        legend: The classes.
        crosswalks: Key of another nomenclature -> {class name here -> class names there it may correspond to}.
        parents: Name of a group of classes (their `parent`) -> the group above it, where there is one.
    """

    key: str
    title: str
    source: str
    legend: Legend
    crosswalks: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    parents: Mapping[str, str] = field(default_factory=dict)


def list_nomenclatures() -> list[str]:
    """List the keys of the nomenclatures that ship with Landweave."""
    folder = resources.files("landweave") / "nomenclatures"
    return sorted(p.name.removesuffix(".json") for p in folder.iterdir() if p.name.endswith(".json"))


@lru_cache(maxsize=32)
def get_nomenclature(key: str) -> Nomenclature:
    """Load a nomenclature by key.

    Raises:
        LegendError: If there is none of that name; the message lists what exists.
    """
    known = list_nomenclatures()
    if key not in known:
        raise LegendError(f"no nomenclature named {key!r}; known: {', '.join(known)}")
    text = (resources.files("landweave") / "nomenclatures" / f"{key}.json").read_text(encoding="utf-8")
    data = json.loads(text)
    crosswalks = {other: {a: tuple(b) for a, b in table.items()} for other, table in data.get("crosswalks", {}).items()}
    legend = Legend.from_dicts(data["classes"])
    return Nomenclature(key, data["title"], data["source"], legend, crosswalks, data.get("parents", {}))
