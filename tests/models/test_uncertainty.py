from __future__ import annotations

import numpy as np

from landweave.models import ModelOptions, add_uncertainty, train_model


def test_nothing_is_added_that_is_not_asked_for(make_samples, deal_folds):
    samples, options = make_samples(), ModelOptions(name="nearest-centroid")
    model = train_model(samples, options=options)
    again = add_uncertainty(model, samples, deal_folds(120), options=options)
    assert (again.calibration, again.conformal, again.applicability) == (None, None, None)
    assert again.card == model.card


def test_the_card_states_errors_before_and_after_with_their_intervals(make_samples, deal_folds):
    samples = make_samples((100, 100, 100), noise=0.25)
    options = ModelOptions(name="nearest-centroid", calibration="temperature", conformal=True)
    blocks = np.arange(300) // 10
    found = add_uncertainty(train_model(samples, options=options), samples, deal_folds(300), options=options, blocks=blocks)
    stated = found.card.metrics["calibration"]
    assert stated["ece_after"] < stated["ece_before"] + 0.02
    assert stated["ece_after_lower"] <= stated["ece_after_upper"]
    assert found.card.metrics["conformal"]["set_size"] >= 0.9
