from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from landweave.errors import ModelError
from landweave.models import ModelOptions, load_model, save_model, train_model
from landweave.models.applicability import Applicability
from landweave.models.applicability_fit import fit_applicability, permutation_weights
from landweave.models.applicability_kernels import build_leaves, nearest_distance
from landweave.models.uncertainty import add_uncertainty

OPTIONS = ModelOptions(name="logistic-regression", applicability=True)


def _nearest(rows, pixels):
    out, one = np.empty(len(pixels), np.float32), np.ones(rows.shape[1], np.float32)
    nearest_distance(pixels, np.zeros_like(one), one, *build_leaves(rows), out)
    return out


@pytest.mark.parametrize(("n", "width"), [(1, 1), (64, 5), (700, 3), (1000, 12)])
def test_distances_are_those_to_the_nearest_row(rng, n, width):
    rows, pixels = (rng.standard_normal((m, width)).astype(np.float32) for m in (n, 300))
    np.testing.assert_allclose(_nearest(rows, pixels), cKDTree(rows).query(pixels)[0], rtol=2e-5, atol=1e-6)


def test_a_distance_does_not_depend_on_the_pixels_beside_it(rng):
    rows, pixels = (rng.standard_normal((900, 7)).astype(np.float32) for _ in range(2))
    whole = _nearest(rows, pixels)
    np.testing.assert_array_equal(whole[13:57], _nearest(rows, np.ascontiguousarray(pixels[13:57])))


def test_the_index_is_the_distance_over_the_mean_distance(make_samples, deal_folds):
    samples = make_samples(n_steps=None)
    found = fit_applicability(samples, deal_folds(120)[0], options=OPTIONS)
    x = samples.to_features()
    z = (x - x.mean(axis=0, dtype=np.float64)) * found.factor
    distance = np.linalg.norm(z[:, None] - z[None], axis=2)
    assert found.mean_distance == pytest.approx(distance[np.triu_indices(120, 1)].mean(), rel=1e-4)
    pixel = np.array([[0.3, 0.9]], np.float32)
    expected = np.linalg.norm((pixel - x.mean(axis=0)) * found.factor - z, axis=1).min() / found.mean_distance
    assert found.dissimilarity(pixel)[0] == pytest.approx(expected, rel=1e-4)


def test_the_threshold_is_the_upper_whisker_of_held_out_rows(make_samples, deal_folds):
    samples, folds = make_samples(n_steps=None), deal_folds(120)[0]
    found = fit_applicability(samples, folds, options=OPTIONS)
    z = samples.to_features() * found.factor
    held = np.concatenate([cKDTree(z[f.train]).query(z[f.test])[0] for f in folds]) / found.mean_distance
    q1, q3 = np.quantile(held, [0.25, 0.75])
    assert found.threshold == pytest.approx(held[held <= q3 + 1.5 * (q3 - q1)].max(), rel=1e-3)


def test_features_that_do_not_help_get_no_weight(make_samples, deal_folds, rng):
    samples = make_samples(n_steps=None, bands=("red", "nir", "noise"), noise=0.02)
    samples.frame["noise"] = rng.standard_normal(120).astype(np.float32)
    weight = permutation_weights(samples, deal_folds(120)[0], options=OPTIONS)
    assert weight.sum() == pytest.approx(1)
    assert weight[2] < 0.1 * weight.max()


def test_training_rows_are_inside_and_strange_pixels_outside(make_samples, deal_folds):
    samples = make_samples()
    found = fit_applicability(samples, deal_folds(120)[0], options=OPTIONS)
    assert found.dissimilarity(samples.to_features()).max() == pytest.approx(0, abs=1e-3)
    assert found.dissimilarity(samples.to_features() + 1)[0] > found.threshold


def test_prototypes_state_an_error_that_holds(make_samples, deal_folds, rng):
    samples = make_samples()
    whole = fit_applicability(samples, deal_folds(120)[0], options=OPTIONS)
    few = fit_applicability(samples, deal_folds(120)[0], options=OPTIONS, max_rows=30)
    pixels = rng.uniform(0, 0.7, (500, 8)).astype(np.float32)
    more = few.dissimilarity(pixels) - whole.dissimilarity(pixels)
    assert (len(few.rows), whole.error) == (30, 0)
    assert more.min() >= -1e-5
    assert more.max() <= few.error + 1e-5


def test_saved_models_keep_it(make_samples, make_block, deal_folds, tmp_path, rng):
    samples = make_samples(gaps=0.1)
    model = add_uncertainty(train_model(samples, options=OPTIONS), samples, deal_folds(120), options=OPTIONS)
    block = {"main": make_block(rng.uniform(0, 0.6, (4, 2, 9, 11)))}
    block["main"].values[:, :, 0, 0] = np.nan
    ratio = model.predict_dissimilarity(block)
    assert np.isnan(ratio[0, 0])
    assert np.isfinite(ratio).sum() == 98
    again = load_model(save_model(model, tmp_path / "model"))
    np.testing.assert_array_equal(again.predict_dissimilarity(block), ratio)
    assert again.card.metrics["applicability"]["threshold"] == model.applicability.threshold


def test_a_model_without_it_says_how_to_get_it(make_samples, make_block, rng):
    model = train_model(make_samples(), options=ModelOptions(name="nearest-centroid"))
    with pytest.raises(ModelError, match=r"train it with model\.applicability: true"):
        model.predict_dissimilarity({"main": make_block(rng.random((4, 2, 3, 3)))})


def test_broken_files_are_refused():
    with pytest.raises(ModelError, match=r"applicability\.npz does not hold what it should"):
        Applicability.from_arrays({"numbers": np.zeros(4)})


@pytest.mark.parametrize("kind", ["bunched", "doubled", "far", "missing"])
def test_skipped_boxes_never_hold_the_nearest_row(rng, kind):
    rows = rng.standard_normal((900, 10)).astype(np.float32)
    pixels = rng.standard_normal((400, 10)).astype(np.float32)
    if kind == "bunched":  # boxes of no width in half of the features
        rows[:, ::2] = np.round(rows[:, ::2])
    if kind == "doubled":  # pixels on the rows, on the corners of boxes
        rows[450:], pixels = rows[:450], rows[:400].copy()
    pixels = pixels * np.float32(1000) if kind == "far" else pixels
    expected = cKDTree(rows).query(np.zeros_like(pixels) if kind == "missing" else pixels)[0]
    found = _nearest(rows, np.full_like(pixels, np.nan) if kind == "missing" else pixels)
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-6)
