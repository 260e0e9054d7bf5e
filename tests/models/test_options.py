"""Options refuse what makes no sense."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from landweave.models import ModelOptions


@pytest.mark.parametrize(("given", "message"), [
    ({"class_weight": {"water": 0}}, "weight of class 'water' is 0.0; weights are positive"),
    ({"candidates": ()}, "name at least one family"),
    ({"candidates": ("auto",)}, "and not auto itself"),
    ({"min_valid_steps": 0}, "greater than or equal to 1"),
    ({"nme": "svm"}, "Extra inputs are not permitted"),
])  # fmt: skip
def test_wrong_options_are_refused(given, message):
    with pytest.raises(ValidationError, match=message):
        ModelOptions(**given)


def test_every_option_is_described():
    assert all(field.description for field in ModelOptions.model_fields.values())
