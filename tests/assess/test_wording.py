"""The table of sentences: one key set in four languages, numbers as each of them writes them."""

from __future__ import annotations

import string
from datetime import date

import pytest

from landweave.assess.wording import ENGLISH, LANGUAGES, get_words
from landweave.errors import AssessmentError

OTHERS = [code for code in LANGUAGES if code != "en"]


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("language", OTHERS)
def test_every_language_has_the_same_keys_in_the_same_order(language: str) -> None:
    assert list(get_words(language).phrases) == list(ENGLISH.phrases)


@pytest.mark.parametrize("language", OTHERS)
def test_every_sentence_has_the_same_placeholders(language: str) -> None:
    words = get_words(language)
    assert {k: placeholders(v) for k, v in words.phrases.items()} == {k: placeholders(v) for k, v in ENGLISH.phrases.items()}


@pytest.mark.parametrize("language", OTHERS)
def test_sentences_are_translated_not_copied(language: str) -> None:
    words = get_words(language)
    same = [k for k, v in words.phrases.items() if v == ENGLISH.phrases[k] and len(v.split()) > 4 and "{" not in v]
    assert same == []


@pytest.mark.parametrize("language", OTHERS)
def test_numbers_have_a_decimal_comma(language: str) -> None:
    words = get_words(language)
    assert (words.percent(0.9466), words.area(12.345), words.count(1892)) == ("94,7\u00a0%", "12,3", "1\u202f892")


def test_sentences_of_the_assessment_are_known_again() -> None:
    spanish = get_words("es")
    assert spanish.translate("None of the 640 reference rows trained the model.").startswith("Ninguna de las 640 filas")
    assert "las muestras de entrenamiento" in spanish.translate("Always answers the commonest class of the training samples.")


def test_a_sentence_without_a_key_stays_as_it_is() -> None:
    assert get_words("fr").translate("The sky was green.") == "The sky was green."


def test_months_and_directions_follow_the_language() -> None:
    assert get_words("pt").month(date(2020, 2, 1), year=True) == "fev 2020"
    assert get_words("pt").place("13.41\u00b0 E, 45.02\u00b0 S") == "13,41\u00b0 L, 45,02\u00b0 S"


def test_an_unknown_language_is_named_with_those_that_exist() -> None:
    with pytest.raises(AssessmentError, match=r"'de' is not one .* en, es, fr, pt"):
        get_words("de")
