"""SHAP values of trees, against the package shap and against the definition."""

from __future__ import annotations

from itertools import combinations
from math import factorial

import numpy as np
import pytest
from catboost import CatBoostClassifier
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

from landweave.errors import ModelError
from landweave.models.families.catboost import export as export_catboost
from landweave.models.families.random_forest import export
from landweave.models.tree_shap import explain_trees


@pytest.fixture
def rows(rng):
    x = rng.normal(size=(200, 5)).astype(np.float32)
    return x, ((x[:, 0] + x[:, 1] * x[:, 2] > 0).astype(int) + (x[:, 3] > 0.8))


def test_values_are_those_of_the_package_shap(rows):
    shap = pytest.importorskip("shap")
    x, y = rows
    # without bootstrap the rows that a node was grown from are the training rows that reach it
    forest = ExtraTreesClassifier(12, max_depth=7, random_state=0).fit(x, y)
    expected = shap.TreeExplainer(forest, feature_perturbation="tree_path_dependent").shap_values(x[:30])
    found = explain_trees(export(forest), x[:30], x)
    np.testing.assert_allclose(found.values, expected, atol=1e-6)


def fit_catboost(x, y, depth):
    return CatBoostClassifier(iterations=15, depth=depth, loss_function="MultiClass", bootstrap_type="No", random_seed=0,
                              verbose=False, allow_writing_files=False).fit(x, y)  # fmt: skip


def test_catboost_values_add_up_to_its_raw_scores(rows):
    x, y = rows
    model = fit_catboost(x, y, 4)
    found = explain_trees(export_catboost(model), x, x)
    raw = model.predict(x, prediction_type="RawFormulaVal")
    assert found.unit == "score"
    np.testing.assert_allclose(found.base + found.values.sum(axis=1), raw, atol=1e-6)


def test_catboost_values_are_its_own_where_rows_stand_in_every_leaf(rng):
    from catboost import Pool

    x = rng.normal(size=(3000, 5)).astype(np.float32)
    y = (x[:, 0] > 0).astype(int) + (x[:, 1] > 0.5)
    model = fit_catboost(x, y, 2)
    found = explain_trees(export_catboost(model), x[:20], x)
    own = model.get_feature_importance(Pool(x[:20], y[:20]), type="ShapValues")
    np.testing.assert_allclose(found.values, own[:, :, :-1].transpose(0, 2, 1), atol=1e-5)


@pytest.mark.parametrize("gaps", [False, True])
def test_values_add_up_to_the_answer(rows, gaps):
    x, y = rows
    if gaps:
        x[::7, 1] = np.nan
    engine = export(RandomForestClassifier(15, random_state=0).fit(x, y))
    found = explain_trees(engine, x, x)
    np.testing.assert_allclose(found.base + found.values.sum(axis=1), engine.predict_proba(x), atol=1e-9)
    np.testing.assert_allclose(found.values.sum(axis=2), 0, atol=1e-9)


def mean_answer(node, tree, x, known, rows):
    """Answer of a tree of which only the features `known` are given, by the definition."""
    if tree.children_left[node] < 0:
        return tree.value[node, 0]
    left, right = tree.children_left[node], tree.children_right[node]
    f, t = tree.feature[node], tree.threshold[node]
    go = rows[:, f] <= t
    if f in known:
        return mean_answer(left, tree, x, known, rows[go]) if x[f] <= t else mean_answer(right, tree, x, known, rows[~go])
    share = go.mean()
    parts = ((left, rows[go], share), (right, rows[~go], 1 - share))
    return sum(w * mean_answer(n, tree, x, known, r) for n, r, w in parts)


def test_values_are_shapleys_by_the_definition(rows):
    x, y = rows
    forest = RandomForestClassifier(1, max_depth=5, bootstrap=False, random_state=1).fit(x, y)
    tree, one, d = forest.estimators_[0].tree_, x[0], x.shape[1]
    found = explain_trees(export(forest), x[:1], x).values[0]
    for i in range(d):
        others = [j for j in range(d) if j != i]
        total = 0.0
        for size in range(d):
            weight = factorial(size) * factorial(d - size - 1) / factorial(d)
            for known in combinations(others, size):
                total = total + weight * (mean_answer(0, tree, one, {*known, i}, x) - mean_answer(0, tree, one, {*known}, x))
        np.testing.assert_allclose(found[i], total, atol=1e-9)


def test_an_unused_feature_gets_nothing_and_a_tree_of_one_leaf_explains_nothing(rows):
    x, y = rows
    used = x.copy()
    used[:, 4] = 0
    found = explain_trees(export(ExtraTreesClassifier(5, random_state=0).fit(used, y)), used[:5], used)
    assert (found.values[:, 4] == 0).all()
    stump = explain_trees(export(RandomForestClassifier(2, max_depth=1, min_samples_split=500).fit(x, y)), x[:3], x)
    assert (stump.values == 0).all()


def test_models_without_trees_are_named(rows):

    class Other:
        kind = "svm"

    with pytest.raises(ModelError, match=r"kind 'svm' has no trees .* Permutation importance serves every model"):
        explain_trees(Other(), rows[0], rows[0])
    with pytest.raises(ModelError, match="no background rows"):
        explain_trees(Other(), rows[0], rows[0][:0])
