from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from landweave.errors import ModelError
from landweave.models import ModelOptions, load_model, save_model, train_model
from landweave.models.bayes_fusion import BayesFusion, fuse, group_columns
from landweave.types import ModelInput, SampleTable

RADAR = ModelInput(name="radar", bands=("vv", "vh"), kinds=("backscatter",) * 2, n_steps=2)
OPTICS = ModelInput(name="optics", bands=("red", "nir", "vv_ratio"), kinds=("reflectance",) * 3)
SMALL = {"base_params": {"n_estimators": 15}}


def one(
    posteriors: list[list[float]], prior: list[float], weights: list[float] | None = None, floor: float = 0.0
) -> np.ndarray:  # fmt: skip
    p = np.array(posteriors)[:, None]
    w = np.ones(len(p)) if weights is None else np.array(weights)
    return np.asarray(fuse(p, np.ones((len(p), 1), dtype=bool), np.array(prior), w, floor)[0])


def test_the_product_is_taken_over_the_prior() -> None:
    made = one([[0.6, 0.4], [0.7, 0.3]], [0.2, 0.8])
    np.testing.assert_allclose(made, np.array([0.6 * 0.7 / 0.2, 0.4 * 0.3 / 0.8]) / (0.6 * 0.7 / 0.2 + 0.4 * 0.3 / 0.8))


def test_a_source_that_knows_only_the_prior_changes_nothing() -> None:
    np.testing.assert_allclose(one([[0.6, 0.4], [0.2, 0.8]], [0.2, 0.8]), [0.6, 0.4])


def test_a_weight_of_zero_leaves_a_source_out_and_a_lower_one_weakens_it() -> None:
    np.testing.assert_allclose(one([[0.6, 0.4], [0.9, 0.1]], [0.5, 0.5], [1.0, 0.0]), [0.6, 0.4])
    assert 0.6 < one([[0.6, 0.4], [0.9, 0.1]], [0.5, 0.5], [1.0, 0.5])[0] < one([[0.6, 0.4], [0.9, 0.1]], [0.5, 0.5])[0]


def test_no_source_rules_a_class_out_alone() -> None:
    assert one([[0.0, 1.0], [0.999, 0.001]], [0.5, 0.5], floor=0.01)[0] > 0.3
    assert one([[0.0, 1.0], [1.0, 0.0]], [0.5, 0.5], floor=0.01).tolist() == [0.5, 0.5]


def test_columns_belong_to_inputs_or_to_patterns_of_bands() -> None:
    by_input = group_columns((RADAR, OPTICS), None, "fill")
    assert {n: c.tolist() for n, c in by_input.items()} == {"radar": [0, 1, 2, 3], "optics": [4, 5, 6]}
    patterns = {"sar": ["radar.v*", "vv_*"], "optical": ["red", "nir"]}
    assert {n: c.tolist() for n, c in group_columns((RADAR, OPTICS), patterns, "fill").items()} == {
        "sar": [0, 1, 2, 3, 6], "optical": [4, 5],
    }  # fmt: skip


def test_mask_columns_go_with_their_bands() -> None:
    patterns = {"a": ["red"], "b": ["nir", "vv_ratio"]}
    assert group_columns((OPTICS,), patterns, "mask")["a"].tolist() == [0, 3]


@pytest.mark.parametrize(("sources", "says"), [
    ({"sar": ["v*"], "opt": ["red"]}, r"band optics\.nir belongs to no source; .* params: sources:"),
    ({"sar": ["v*"], "opt": ["red", "nir", "vv*"]}, r"band radar\.vv belongs to sar and opt"),
    ({"all": ["*"], "hh": ["hh"]}, r"source 'hh' has no band; its patterns match none of radar\.vv"),
])  # fmt: skip
def test_bands_without_a_source_are_refused(sources: dict[str, list[str]], says: str) -> None:
    with pytest.raises(ModelError, match=says):
        group_columns((RADAR, OPTICS), sources, "fill")


@pytest.fixture
def pair(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Three classes; columns 0-1 part the first from the others, columns 2-3 the last."""
    y = np.repeat([0, 1, 2], 80)
    X = rng.normal(0, 1.2, (240, 4))
    X[:, :2] += 3 * (y == 0)[:, None]
    X[:, 2:] += 3 * (y == 2)[:, None]
    return X.astype(np.float32), y


COLUMNS = {"one": [0, 1], "other": [2, 3]}


def test_fused_sources_know_more_than_either(pair: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = pair
    scores = {
        name: np.mean(BayesFusion(columns, **SMALL).fit(X[::2], y[::2]).predict(X[1::2]) == y[1::2])
        for name, columns in {"both": COLUMNS, "one": {"one": [0, 1]}, "other": {"other": [2, 3]}}.items()
    }
    assert scores["both"] > max(scores["one"], scores["other"]) + 0.1


def test_the_order_of_the_sources_changes_nothing(pair: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = pair
    forth = BayesFusion(COLUMNS, **SMALL).fit(X, y).predict_proba(X)
    back = BayesFusion(dict(reversed(COLUMNS.items())), **SMALL).fit(X, y).predict_proba(X)
    np.testing.assert_allclose(forth, back, rtol=1e-12)


def test_a_row_without_a_source_is_told_by_the_others(pair: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = pair
    fitted = BayesFusion(COLUMNS, **SMALL).fit(X, y)
    half = X.copy()
    half[:, 2:] = np.nan
    alone = fitted.estimators_[0].predict_proba(X[:, :2])
    np.testing.assert_allclose(fitted.predict_proba(half), 0.99 * alone + 0.01 * fitted.prior_, rtol=1e-9)


def test_unreliable_sources_weigh_less(pair: tuple[np.ndarray, np.ndarray], rng: np.random.Generator) -> None:
    X, y = pair
    X[:, 2:] = rng.normal(size=(240, 2))
    fitted = BayesFusion(COLUMNS, reliability="auto", **SMALL).fit(X, y)
    assert fitted.weights_[0] == 1.0
    assert fitted.weights_[1] < 0.4


def test_a_trained_fusion_is_saved_and_gives_the_same_bits(make_samples: Callable[..., SampleTable], tmp_path: object) -> None:
    samples = make_samples(n_steps=3)
    sources = {"visible": ["red"], "infrared": ["nir"]}
    options = ModelOptions(name="bayes-fusion", params={"sources": sources, **SMALL})
    model = train_model(samples, options=options)
    loaded = load_model(save_model(model, f"{tmp_path}/model"))
    rows = samples.to_features()
    np.testing.assert_array_equal(loaded.predict_features(rows), model.predict_features(rows))
    assert loaded.card.params["sources"] == sources
    assert (model.predict_features_index(rows) == samples.to_class_index()).mean() > 0.9


def test_optional_inputs_may_be_absent(make_samples: Callable[..., SampleTable]) -> None:
    whole = make_samples(n_steps=None, bands=("red", "nir", "vv", "vh"))
    (spec,) = whole.inputs
    frame = whole.frame.rename(columns={b: f"{n}.{b}" for b, n in zip(spec.bands, ("o", "o", "s", "s"), strict=True)})
    frame.loc[::4, ["s.vv", "s.vh"]] = np.nan
    kinds = ("reflectance", "reflectance")
    inputs = (ModelInput(name="o", bands=("red", "nir"), kinds=kinds),
              ModelInput(name="s", bands=("vv", "vh"), kinds=kinds, required=False))  # fmt: skip
    samples = replace(whole, frame=frame, inputs=inputs)
    model = train_model(samples, options=ModelOptions(name="bayes-fusion", params=SMALL, missing="native"))
    assert not np.isnan(model.predict_features(samples.to_features())).any()


@pytest.mark.parametrize(("more", "says"), [
    ({"prior": "flat"}, "prior is 'flat'; give training or uniform"),
    ({"reliability": {"one": 1.0}}, "give auto, or a weight 0..1 for each of one, other"),
    ({"reliability": {"one": 1.0, "other": 2.0}}, r"reliabilities are \[1\.0, 2\.0\]"),
])  # fmt: skip
def test_options_that_make_no_sense_are_refused(
    pair: tuple[np.ndarray, np.ndarray], more: dict[str, object], says: str
) -> None:  # fmt: skip
    with pytest.raises(ModelError, match=says):
        BayesFusion(COLUMNS, **SMALL, **more).fit(*pair)


def test_a_source_that_never_saw_a_class_is_refused(pair: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = pair
    X[y == 2, 2:] = np.nan
    with pytest.raises(ModelError, match="source 'other' was observed at 160 of 240 samples, which do not hold every class"):
        BayesFusion(COLUMNS, **SMALL).fit(X, y)
