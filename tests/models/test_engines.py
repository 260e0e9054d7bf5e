"""Engines by kind."""

from __future__ import annotations

import pytest

from landweave.errors import ModelError
from landweave.models.engines import Weights, load_engine


def test_unknown_kind_lists_the_known():
    with pytest.raises(ModelError, match="engine of kind 'pickle'; this version of landweave knows bayes-fusion, catboost"):
        load_engine("pickle", Weights())


def test_lacking_array_is_named():
    with pytest.raises(ModelError, match="weights of the forest engine lack 'feature'"):
        load_engine("forest", Weights())
