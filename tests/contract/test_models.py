"""The same checks on every registered model family."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from landweave.errors import ModelError
from landweave.legend import Legend
from landweave.models import ModelOptions, list_models, load_model, save_model, train_model
from landweave.models.mlp_svm import HiddenLayerSVC
from landweave.models.rotation_forest import RotationForest
from landweave.models.svm import ProbabilitySVC
from landweave.types import ModelInput, SampleTable

SMALL = {
    "deep-mlp": {"width": 8, "depth": 1, "dropout": 0}, "fusion": {"merge_width": 8, "encoder_params": {"width": 8}},
    "gru": {"width": 8, "dropout": 0}, "lstm": {"width": 8, "dropout": 0},
    "inception-time": {"filters": 2, "depth": 3, "dropout": 0}, "resnet-1d": {"filters": 4, "dropout": 0},
    "ltae": {"width": 8, "n_heads": 2, "hidden": 8, "dropout": 0}, "tae": {"width": 8, "n_heads": 2, "hidden": 8, "dropout": 0},
    "tempcnn": {"filters": 4, "kernel": 3, "dense": 8, "dropout": 0},
    "transformer": {"width": 8, "n_heads": 2, "depth": 1, "dropout": 0},
}  # fmt: skip
"""Networks small enough for tests: what they learn is tested elsewhere, here only that they keep the contract."""
FAST = {
    "bayes-fusion": {"base_params": {"n_estimators": 7}}, "catboost": {"iterations": 8}, "extra-trees": {"n_estimators": 7},
    "mlp": {"hidden_layer_sizes": [8], "learning_rate_init": 0.05, "tol": 1e-3},
    "mlp-svm": {"hidden_layer_sizes": [8], "learning_rate_init": 0.05, "tol": 1e-3},
    "random-forest": {"n_estimators": 7},
    "rotation-forest": {"n_estimators": 4},
    **{name: {**small, "epochs": 12, "learning_rate": 0.02, "batch_size": 16, "validation_share": 0, "ema": 0.5}
       for name, small in SMALL.items()},
}  # fmt: skip
FAMILIES = {f.name: f for f in list_models() if f.uses == "features"}
SLOW = ("deep-mlp", "inception-time", "lstm", "resnet-1d", "tae", "transformer")
"""Networks that share their engine and trainer with those tested every time."""
CHECKED = [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in sorted(FAMILIES)]
NAMES = ("water", "forest", "crop", "town")  # a legend whose order is not alphabetical; "town" has no samples


def make_table(gaps: float = 0.0, seed: int = 0) -> SampleTable:
    rng = np.random.default_rng(seed)
    spec = ModelInput(bands=("red", "nir"), kinds=("reflectance",) * 2, n_steps=3)
    truth = np.arange(90) % 3
    X = (truth[:, None] * np.linspace(-0.1, 0.2, 6) + rng.normal(0.3, 0.08, (90, 6))).astype(np.float32)
    X[rng.random(X.shape) < gaps] = np.nan
    frame = pd.DataFrame(X, columns=list(spec.feature_names)).assign(**{"class": [NAMES[k] for k in truth], "weight": 1.0})
    points = gpd.points_from_xy(np.zeros(90), np.zeros(90))
    return SampleTable(gpd.GeoDataFrame(frame, geometry=points, crs=4326), Legend.from_names(NAMES), (spec,))


def options_of(name: str, **changes) -> ModelOptions:
    return ModelOptions(name=name, params=FAST.get(name, {}), **changes)


@pytest.fixture(scope="module", params=CHECKED)
def trained(request):
    return train_model(make_table(), options=options_of(request.param))


@pytest.fixture(scope="module")
def features():
    return np.random.default_rng(5).normal(0.3, 0.2, (700, 6)).astype(np.float32)


def test_probabilities_sum_to_one_in_legend_order(trained, features):
    proba = trained.predict_features(features)
    assert (proba.shape, proba.dtype) == ((700, 4), np.float32)
    assert (proba[:, 3] == 0).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-6)  # float32


def test_training_rows_are_mostly_recognised(trained):
    table = make_table()
    assert (trained.predict_features_index(table.to_features()) == table.to_class_index()).mean() > 0.75


def test_class_is_the_first_most_probable_one(trained, features):
    np.testing.assert_array_equal(trained.predict_features_index(features), trained.predict_features(features).argmax(axis=1))


def test_saved_and_loaded_model_gives_the_same_bytes(trained, features, tmp_path):
    again = load_model(save_model(trained, tmp_path / "model"))
    assert again.predict_features(features).tobytes() == trained.predict_features(features).tobytes()
    np.testing.assert_array_equal(again.predict_features_index(features), trained.predict_features_index(features))


@pytest.mark.parametrize("size", [1, 7, 33, 512])
def test_batches_do_not_change_a_pixel(trained, features, size):
    whole = trained.predict_features(features)
    parts = [trained.predict_features(features[s : s + size]) for s in range(0, 66 if size == 1 else 700, size)]
    joined = np.concatenate(parts)
    assert joined.tobytes() == whole[: len(joined)].tobytes()


def test_threads_do_not_change_a_pixel(trained, features):
    whole = trained.predict_features(features)
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(trained.predict_features, np.array_split(features, 9)))
    assert np.concatenate(parts).tobytes() == whole.tobytes()


def test_same_seed_gives_the_same_model(trained, features):
    again = train_model(make_table(), options=options_of(trained.card.model))
    assert again.predict_features(features).tobytes() == trained.predict_features(features).tobytes()


def test_rows_without_a_value_are_nodata(trained, features):
    rows = features[:3].copy()
    rows[1] = np.nan
    assert np.isnan(trained.predict_features(rows)).all(axis=1).tolist() == [False, True, False]
    assert trained.predict_features_index(rows)[1] == -1


@pytest.mark.parametrize("missing", ["fill", "mask", "native"])
@pytest.mark.parametrize("name", CHECKED)
def test_gaps_are_learnt_from_or_refused(name, missing):
    table, options = make_table(gaps=0.2), options_of(name, missing=missing)
    if missing == "native" and not FAMILIES[name].handles_nan:
        with pytest.raises(ModelError, match="cannot take gaps as they are"):
            train_model(table, options=options)
        return
    model = train_model(table, options=options)
    proba = model.predict_features(table.to_features())
    assert np.isfinite(proba).all(axis=1).mean() > 0.9
    np.testing.assert_array_equal(model.predict_features_index(table.to_features())[:9], proba.argmax(axis=1)[:9])


@pytest.mark.parametrize("name", CHECKED)
def test_one_class_is_an_error(name):
    one = make_table().select(np.arange(0, 90, 3))
    with pytest.raises(ModelError, match="training needs at least two classes"):
        train_model(one, options=options_of(name))


def test_other_number_of_features_is_an_error(trained):
    with pytest.raises(ModelError, match="5 columns, the model was trained on 6"):
        trained.predict_features(np.zeros((1, 5), np.float32))


@pytest.mark.parametrize("name", CHECKED)
def test_two_classes_work(name):
    table = make_table()
    table = replace(table, legend=Legend.from_names(NAMES[:3])).select(np.flatnonzero(table.to_class_index() > 0))
    proba = train_model(table, options=options_of(name)).predict_features(table.to_features())
    assert (proba[:, 0] == 0).all()
    assert (proba.argmax(axis=1) == table.to_class_index()).mean() > 0.75


def expected_failures(estimator):
    return {"check_sample_weight_equivalence_on_dense_data":
            "scaling and the draws of rows (folds, bootstraps, batches) take rows, not weights"}  # fmt: skip


@parametrize_with_checks(
    [RotationForest(n_estimators=3), ProbabilitySVC(n_folds=2),
     HiddenLayerSVC(hidden_layer_sizes=(5,), learning_rate_init=0.05, tol=1e-2)],
    expected_failed_checks=expected_failures,
)
@pytest.mark.filterwarnings("ignore")  # scikit-learn's checks feed data that must warn
def test_own_estimators_keep_scikit_learns_contract(estimator, check):
    check(estimator)
