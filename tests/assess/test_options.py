"""Options of an assessment."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from landweave.assess import AssessOptions


def test_defaults_refuse_training_rows_and_use_the_fields_interval():
    options = AssessOptions()
    assert (options.interval, options.allow_training_rows, options.buffer_m, options.scores) == ("midp", False, 0, ())


def test_every_option_is_described():
    assert all(field.description for field in AssessOptions.model_fields.values())


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"buffer_m": -1}, "greater than or equal to 0"),
        ({"interval": "exact"}, "'midp', 'normal', 'wilson', 'logit', 'bootstrap' or 'jeffreys'"),
        ({"scores": ["mcc"]}, "'kappa'"),
        ({"buffer": 3}, "Extra inputs"),
    ],
)
def test_impossible_options_are_refused(given, match):
    with pytest.raises(ValidationError, match=match):
        AssessOptions(**given)
