"""Families by name."""

from __future__ import annotations

import pytest

from landweave.errors import ModelError
from landweave.models import get_model, list_models, register_model
from landweave.models.registry import _families


def test_families_are_listed_by_name():
    names = [f.name for f in list_models()]
    assert names == sorted(names)
    assert {"catboost", "fusion", "ltae", "mlp", "nearest-centroid", "random-forest", "svm", "tempcnn"} <= set(names)


@pytest.mark.parametrize("family", [f for f in list_models() if f.uses == "features"], ids=lambda f: f.name)
def test_family_makes_an_estimator_with_its_parameters(family):
    estimator = family.make(family.complete({}), 8, 0, None)
    assert hasattr(estimator, "fit")
    assert family.title
    assert family.source


def test_unknown_name_suggests_and_lists():
    with pytest.raises(ModelError, match=r"no model named .random-forrest.; did you mean .random-forest.\? known models: bay"):
        get_model("random-forrest")


def test_a_new_family_can_be_registered():
    family = get_model("extra-trees")
    register_model(type(family)(**{**vars(family), "name": "my-trees"}))
    try:
        assert get_model("my-trees").title == family.title
    finally:
        del _families["my-trees"]
