"""Series networks as estimators."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from landweave.errors import ModelError
from landweave.models.deep.encoders import ENCODERS
from landweave.models.deep.estimator import SeriesClassifier, SeriesRegressor
from landweave.models.deep.export import check_parity
from landweave.models.onnx_engine import OnnxEngine

SMALL = {
    "deep-mlp": {"width": 16, "depth": 1}, "gru": {"width": 12}, "lstm": {"width": 12},
    "inception-time": {"filters": 4, "depth": 3}, "resnet-1d": {"filters": 6},
    "ltae": {"width": 16, "n_heads": 2, "hidden": 16}, "tae": {"width": 8, "n_heads": 2, "hidden": 16},
    "tempcnn": {"filters": 8, "kernel": 3, "dense": 16, "dropout": 0.1}, "transformer": {"width": 16, "n_heads": 2, "depth": 1},
}  # fmt: skip


SLOW = ("inception-time", "lstm", "resnet-1d", "tae", "deep-mlp", "transformer")
CHECKED = [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in sorted(ENCODERS)]


@pytest.fixture(scope="module")
def fit(make_context, make_rows, quick):
    """Fit a family on the small rows."""

    def call(name="ltae", **changes):
        params = {**SMALL.get(name, {}), **quick, **changes}
        encoder = None if name == "fusion" else name
        return SeriesClassifier(make_context(name, params), encoder).fit(*make_rows())

    return call


@pytest.mark.parametrize("name", CHECKED)
def test_network_learns_and_gives_the_same_without_torch(fit, make_rows, name):
    network = fit(name)
    features, target = make_rows(seed=1)
    proba = network.predict_proba(features)
    engine = OnnxEngine(network.to_onnx(), 3)
    assert (proba.argmax(axis=1) == target).mean() > 0.7
    np.testing.assert_allclose(engine.predict_proba(features), proba, atol=1e-4)
    assert engine.predict_column(features[:1]) == proba[:1].argmax()


@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_what_stands_in_a_gap_is_never_seen(fit, make_rows, name):
    model = fit(name, epochs=1).model_
    inputs = model.front(torch.from_numpy(make_rows(12, gaps=0.5)[0]))
    spoilt = {k: v if k.endswith("_valid") else torch.where(inputs[f"{k}_valid"][:, :, None] > 0, v, 7.0)
              for k, v in inputs.items()}  # fmt: skip
    encoder = model.members[0].encoders[0]
    with torch.inference_mode():
        first, second = (encoder(i["optical"], i["optical_valid"]) for i in (inputs, spoilt))
    torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-5)  # sums with exp(-1e4) = 0 added in between


def test_same_seed_gives_the_same_network(fit, make_rows):
    features, _ = make_rows()
    first = fit()
    assert first.predict_proba(features).tobytes() == fit().predict_proba(features).tobytes()


def test_members_are_averaged_and_reported(fit, make_rows):
    network = fit(n_members=2, epochs=2)
    features, _ = make_rows()
    with torch.inference_mode():
        inputs = network.model_.front(torch.from_numpy(features))
        alone = [m(inputs).softmax(1).numpy() for m in network.model_.members]
    np.testing.assert_allclose(network.predict_proba(features), np.mean(alone, axis=0), atol=1e-6)
    assert len(network.report_["members"]) == 2
    assert network.report_["parameters"] > 0


@pytest.mark.parametrize("loss", ["focal", "class-balanced", "symmetric", "generalised", "coral", "corn"])
def test_losses_can_be_named(fit, make_rows, loss):
    features, target = make_rows(seed=1)
    assert (fit(loss=loss).predict_proba(features).argmax(axis=1) == target).mean() > 0.6


def test_hierarchical_loss_takes_the_legends_parents(make_context, make_rows, quick):
    context = make_context("ltae", {**quick, "epochs": 1, "loss": "hierarchical"}, parents=(0, 0, 1))
    assert SeriesClassifier(context, "ltae").fit(*make_rows()).classes_.tolist() == [0, 1, 2]
    with pytest.raises(ModelError, match="needs the parent of each of 3 classes, has 0"):
        SeriesClassifier(make_context("ltae", {**quick, "loss": "hierarchical"}), "ltae").fit(*make_rows())


def test_co_teaching_and_mixing_train(fit, make_rows):
    features, target = make_rows(seed=1)
    for changes in ({"co_teaching": 0.2}, {"mixup": 0.2, "cutmix": 0.5, "balance": 1.0, "date_dropout": 0.3}):
        assert (fit(**changes).predict_proba(features).argmax(axis=1) == target).mean() > 0.6


def test_class_without_rows_has_no_column(make_context, make_rows, quick):
    features, target = make_rows()
    network = SeriesClassifier(make_context("ltae", {**quick, "epochs": 1}), "ltae")
    network.fit(features[target > 0], target[target > 0])
    assert network.classes_.tolist() == [1, 2]
    assert network.predict_proba(features).shape == (90, 2)


def test_run_continues_from_its_folder(fit, make_rows, tmp_path):
    first = fit(folder=str(tmp_path), epochs=2)
    assert (tmp_path / "member-0" / "log.csv").exists()
    features, _ = make_rows()
    assert fit(folder=str(tmp_path), epochs=2).predict_proba(features).tobytes() == first.predict_proba(features).tobytes()
    with pytest.raises(ModelError, match="of another configuration: epochs was 2, is 3"):
        fit(folder=str(tmp_path), epochs=3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 1}, "training rows in batches of 1; a batch norm needs two"),
        ({"epochs": 0}, "parameter epochs is 0: Input should be greater than or equal to 1"),
        ({"width": 20, "n_heads": 3}, "width 20 is not a multiple of n_heads 3"),
        ({"loss": "huber"}, "loss huber is for values, this is a classification"),
        ({"co_teaching": 0.2, "mixup": 0.2}, "co_teaching goes with a single encoder and without mixup"),
    ],
)
def test_parameters_that_cannot_be_are_errors(fit, changes, message):
    with pytest.raises(ModelError, match=message):
        fit(**changes)


@pytest.mark.parametrize("loss", ["huber", "gaussian-nll"])
def test_regression_finds_a_line(make_context, make_rows, quick, loss):
    features, target = make_rows(150, gaps=0.0)
    value = 50 + 10.0 * target
    model = SeriesRegressor(make_context("ltae", {**quick, "loss": loss, "epochs": 12}), "ltae").fit(features, value)
    assert np.sqrt(np.mean((model.predict(features) - value) ** 2)) < 5
    with pytest.raises(ModelError, match="loss is 'focal'; regression takes huber"):
        SeriesRegressor(make_context("ltae", {"loss": "focal"}), "ltae").fit(features, value)


def test_export_that_differs_is_an_error(fit, make_rows):
    first, second = fit(epochs=1), fit(epochs=3)
    with pytest.raises(ModelError, match="exported network differs from torch by"):
        check_parity(second.model_, first.to_onnx(), make_rows()[0])


def test_unfitted_network_is_an_error(make_context, quick):
    with pytest.raises(ModelError, match="not fitted; call fit first"):
        SeriesClassifier(make_context("ltae", quick), "ltae").to_onnx()
