"""The one table of sentences: report, headline and methods in English, Spanish, French and Portuguese.

Receives keys with values, or English sentences of `assessment.json`; hands on text in the asked language with its decimal mark.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from importlib import resources
from typing import Any, Literal

from landweave.assess.area_units import AREA_SYMBOLS, AreaUnit, to_unit
from landweave.errors import AssessmentError

__all__ = ["ENGLISH", "LANGUAGES", "Language", "Words", "get_words"]

Language = Literal["en", "es", "fr", "pt"]
LANGUAGES: tuple[Language, ...] = ("en", "es", "fr", "pt")

_THIN = "\u202f"  # narrow no-break space: groups digits the same way for readers of every language
_DASH = "\u2013"
_SAID = "said."


@dataclass(frozen=True)
class Words:
    """The sentences and number formats of one language.

    Attributes:
        language: Its code, as in the `lang` attribute of a page.
        area_unit: Unit that areas are written in.
    """

    language: Language = "en"
    area_unit: AreaUnit = "ha"

    @cached_property
    def phrases(self) -> dict[str, str]:
        """Key -> sentence with placeholders in braces; every language has the same keys and placeholders."""
        return _read_phrases(self.language)

    def say(self, key: str, **values: Any) -> str:
        """Give a sentence with its placeholders filled."""
        return self.phrases[key].format(**values)

    def translate(self, text: str | None) -> str:
        """Give a sentence of `assessment.json` in this language; one without a key stays as it is, in English."""
        if not text or self.language == "en":
            return text or ""
        for key, pattern in _said_patterns():
            found = pattern.fullmatch(text.strip())
            if found is not None:
                return self.say(key, **{name: self.translate(value) for name, value in found.groupdict().items()})
        return text

    def localise(self, number: str) -> str:
        """Put the language's decimal mark into a number that is written with a point."""
        return number if self.language == "en" else re.sub(r"(?<=\d)\.(?=\d)", ",", number)

    def fixed(self, value: float, digits: int = 0) -> str:
        """Write a number with a fixed number of decimals and grouped digits."""
        return self.localise(f"{value:,.{digits}f}".replace(",", _THIN))

    def percent(self, value: float | None, digits: int = 1) -> str:
        """Write a share as a percentage; an absent one is a dash, and nothing short of all is rounded up to 100 %."""
        if value is None:
            return _DASH
        text = f"{100 * value:.{digits}f}"
        if value < 1.0 and float(text) >= 100.0:
            return self.say("more_than", value=self.localise(f"{100 - 10.0**-digits:.{digits}f}\u00a0%"))
        return self.localise(f"{text}\u00a0%")

    def count(self, value: float) -> str:
        """Write a count with grouped digits; shared labels keep one decimal."""
        return self.fixed(value, 0 if float(value).is_integer() else 1)

    def area(self, area_ha: float | None) -> str:
        """Write hectares in the unit, with grouped digits and about four significant ones; an absent area is a dash."""
        if area_ha is None:
            return _DASH
        area = to_unit(area_ha, self.area_unit)
        return self.fixed(area, 0 if abs(area) >= 1000 or area == 0 else 1 if abs(area) >= 10 else 2)

    def size(self, area_ha: float | None) -> str:
        """Write hectares in the unit and with it, such as "12.5 km²"."""
        return f"{self.area(area_ha)}\u00a0{AREA_SYMBOLS[self.area_unit]}"

    def join(self, names: Sequence[str]) -> str:
        """Join names with commas and a final "and"."""
        if len(names) < 2:
            return names[0] if names else self.say("none")
        return f"{', '.join(names[:-1])} {self.say('and')} {names[-1]}"

    def plain(self, value: Any) -> str:
        """Write any JSON value for a reader; numbers of parameters stay as one would type them."""
        if value is None:
            return _DASH
        if isinstance(value, bool):
            return self.say("yes" if value else "no")
        if isinstance(value, float):
            return f"{value:.6g}"
        if isinstance(value, list | tuple):
            return ", ".join(self.plain(v) for v in value) or self.say("none")
        if isinstance(value, dict):
            return ", ".join(f"{k}: {self.plain(v)}" for k, v in value.items()) or self.say("none")
        return str(value)

    def place(self, corner: str) -> str:
        """Write a position such as "13.41° E, 45.02° N" with the language's decimal mark and initials of the directions."""
        initials = dict(zip("NESW", self.say("compass").split(), strict=True))
        return re.sub(r"[NESW]", lambda m: initials[m.group()], self.localise(corner))

    def month(self, day: date, *, year: bool = False) -> str:
        """Write the short name of a day's month, with the year where asked."""
        name = self.say("months").split()[day.month - 1]
        return f"{name} {day.year}" if year else name


@lru_cache(maxsize=len(LANGUAGES))
def _read_phrases(language: Language) -> dict[str, str]:
    text = (resources.files("landweave.assess") / "phrases" / f"{language}.json").read_text(encoding="utf-8")
    phrases: dict[str, str] = json.loads(text)
    return phrases


@lru_cache(maxsize=1)
def _said_patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Patterns that know the English sentences of `assessment.json` again and cut their values out."""
    made = []
    for key, text in _read_phrases("en").items():
        if key.startswith(_SAID):
            pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.*?)", re.escape(text))
            made.append((key, re.compile(pattern, re.DOTALL)))
    return tuple(made)


ENGLISH = Words()


def get_words(language: str, area_unit: AreaUnit = "ha") -> Words:
    """Give the sentences of a language.

    Raises:
        AssessmentError: If there are none.
    """
    for known in LANGUAGES:
        if known == language:
            return Words(known, area_unit)
    raise AssessmentError(f"language {language!r} is not one that reports are written in; choose one of {', '.join(LANGUAGES)}")
