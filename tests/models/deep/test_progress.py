from __future__ import annotations

from landweave.models import ModelOptions, train_model


def test_every_epoch_is_told_and_the_card_keeps_the_curve(make_samples):
    events = []
    options = ModelOptions(name="deep-mlp", params={"epochs": 3, "width": 8, "depth": 1})
    model = train_model(make_samples((20, 20)), options=options, progress=events.append)
    assert [(e.stage, e.done, e.total) for e in events] == [("train", 1, 3), ("train", 2, 3), ("train", 3, 3)]
    (member,) = model.card.lineage["network"]["members"]
    assert len(member["curve"]["loss"]) == len(member["curve"]["macro_f1"]) == 3
