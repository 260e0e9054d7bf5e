"""Fusion of several inputs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from landweave.errors import ModelError
from landweave.models.deep.estimator import SeriesClassifier
from landweave.models.deep.fusion import MERGES, STRATEGIES, Merge, join_views
from landweave.models.deep.series_views import lay_out
from landweave.models.onnx_engine import OnnxEngine

WAYS = [("input", "concat"), ("feature", "concat"), ("feature", "mean"), ("feature", "attention"), ("feature", "gated"),
        ("decision", "gated"), ("ensemble", "mean"), ("hybrid", "gated")]  # fmt: skip


@pytest.fixture(scope="module")
def fuse(make_context, make_rows, quick):
    def call(**changes):
        params = {**quick, "merge_width": 16, "encoder_params": {"width": 16, "n_heads": 2, "hidden": 16}, **changes}
        return SeriesClassifier(make_context("fusion", params), None).fit(*make_rows())

    return call


@pytest.mark.parametrize(("strategy", "merge"), WAYS)
def test_every_strategy_learns_is_exported_and_does_without_a_sensor(fuse, make_rows, strategy, merge):
    network = fuse(strategy=strategy, merge=merge, sensor_dropout=0.3)
    engine = OnnxEngine(network.to_onnx(), 3)
    for hide in ((), ("optical",), ("radar",), ("terrain",), ("optical", "radar", "terrain")):
        features, target = make_rows(seed=1, hide=hide)
        proba = engine.predict_proba(features)
        np.testing.assert_allclose(proba, network.predict_proba(features), atol=1e-4)
        assert (proba.argmax(axis=1) == target).mean() > (0.25 if len(hide) == 3 else 0.55)


def test_weights_of_the_inputs_are_reported(fuse, make_rows):
    network = fuse(merge="gated", epochs=2)
    assert sum(network.report_["view_weights"].values()) == pytest.approx(1, abs=1e-5)
    assert network.weigh_views(make_rows(hide=("radar",))[0])["radar"] == 0


@pytest.mark.parametrize("name", MERGES)
def test_a_view_that_lacks_has_no_say(name):
    torch.manual_seed(0)
    merge, features = Merge(name, 3, 4), torch.randn(5, 3, 4)
    present = torch.tensor([[1.0, 0.0, 1.0]]).expand(5, 3)
    other = features.clone()
    other[:, 1] = 9.0
    torch.testing.assert_close(merge(features, present), merge(other, present))
    torch.testing.assert_close(merge.weigh(features * present[:, :, None], present).sum(dim=1), torch.ones(5))


def test_input_fusion_takes_the_nearest_day(views):
    dated = [v.model_copy(update={"dates": tuple(f"2020-0{m}-01" for m in months)}) if months else v
             for v, months in zip(views, ((1, 2, 3, 4, 5, 6), (1, 3, 4, 6), ()), strict=True)]  # fmt: skip
    joint, at = join_views(lay_out(dated, "mask"))
    assert (joint.n_steps, joint.n_bands) == (6, 2 + 1 + 1 + 3)
    assert at == ((0, 1, 2, 3, 4, 5), (0, 0, 1, 2, 2, 3), (0,) * 6) or at[1][1] in (0, 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"strategy": "late"}, "no fusion strategy named 'late'; known: input, feature"),
        ({"merge": "sum"}, "no merge named 'sum'; known: mean, concat"),
        ({"strategy": "decision", "merge": "concat"}, "merge concat cannot join decisions"),
        ({"encoder": "rnn"}, "no encoder named 'rnn'; known encoders: deep-mlp"),
        ({"encoder_params": {"depth": 2}}, "encoder ltae has no parameter 'depth'; it takes dropout"),
    ],
)
def test_unknown_ways_list_the_known_ones(fuse, changes, message):
    with pytest.raises(ModelError, match=message):
        fuse(**changes)
    assert set(STRATEGIES) == {s for s, _ in WAYS}
