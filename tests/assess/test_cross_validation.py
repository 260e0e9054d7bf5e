"""Random folds beside spatial folds."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from landweave.assess import AssessOptions, make_baselines, summarise_cross_validation
from landweave.errors import AssessmentError
from landweave.metrics.accuracy import score_matrix
from landweave.metrics.confusion import count_confusion
from landweave.samples.options import SplitOptions

NAMES = ("soy", "cotton", "forest", "rare")
SPLIT = SplitOptions(n_folds=5, block_size_m=20_000, buffer_m=500)


@pytest.fixture
def folds(rng) -> SimpleNamespace:
    """300 samples in 30 blocks; forest stands in block 0 alone, and spatial folds never get it right."""
    blocks = np.repeat(np.arange(30), 10)
    truth = np.where(blocks == 0, 2, rng.integers(0, 2, 300))
    random = np.where(rng.random((2, 300)) < 0.9, truth, (truth + 1) % 2)
    return SimpleNamespace(blocks=blocks, truth=truth, random=random, spatial=np.where(truth == 2, 0, random))


def test_plain_scores_are_means_over_the_repeats(folds):
    scores = summarise_cross_validation(folds.truth, NAMES, random=folds.random, blocks=folds.blocks, split=SPLIT).random
    matrices = [count_confusion(p, folds.truth, 4) for p in folds.random]
    assert scores.overall_accuracy == pytest.approx(np.mean([score_matrix(m, "overall_accuracy") for m in matrices]))
    assert scores.macro_f1 == pytest.approx(np.mean([score_matrix(m, "macro_f1") for m in matrices]))
    assert (scores.n_folds, scores.n_repeats, scores.n_samples, scores.n_tested, scores.n_blocks) == (5, 2, 300, 300, 30)
    np.testing.assert_allclose(scores.counts, np.mean(matrices, axis=0))


def test_a_class_in_one_block_is_named_kept_in_the_plain_score_and_left_out_of_the_learnable_one(folds):
    s = summarise_cross_validation(folds.truth, NAMES, spatial=folds.spatial, blocks=folds.blocks, split=SPLIT).spatial
    assert s.classes_in_one_block == ["forest"]
    others = folds.truth != 2
    assert s.overall_accuracy == pytest.approx((folds.spatial == folds.truth).mean())
    assert s.overall_accuracy_learnable == pytest.approx((folds.spatial == folds.truth)[:, others].mean())
    matrices = [count_confusion(p[others], folds.truth[others], 4)[:2, :2] for p in folds.spatial]
    assert s.macro_f1_learnable == pytest.approx(np.mean([score_matrix(m, "macro_f1") for m in matrices]))
    assert s.macro_f1 < 0.7 < s.macro_f1_learnable
    assert [c.is_learnable for c in s.classes] == [True, True, False, True]


def test_mistaking_a_sample_for_a_class_in_one_block_still_counts_as_an_error(folds):
    spatial = folds.spatial.copy()
    spatial[:, 100:130] = 2
    s = summarise_cross_validation(folds.truth, NAMES, spatial=spatial, blocks=folds.blocks, split=SPLIT).spatial
    assert s.overall_accuracy_learnable == pytest.approx((spatial == folds.truth)[:, folds.truth != 2].mean())


def test_errors_that_share_blocks_widen_the_standard_error(folds):
    spatial = np.where(np.isin(folds.blocks, [3, 4, 5]), 1 - folds.truth, folds.truth)
    with_blocks, without = (
        summarise_cross_validation(folds.truth, NAMES, spatial=spatial, blocks=b, split=SPLIT).spatial
        for b in (folds.blocks, None)
    )
    assert with_blocks.overall_accuracy_se > 2 * without.overall_accuracy_se
    assert (without.n_blocks, without.classes_in_one_block) == (None, [])


def test_learnable_scores_equal_the_plain_ones_where_every_class_spreads(folds):
    truth = np.where(folds.truth == 2, 0, folds.truth)
    s = summarise_cross_validation(truth, NAMES, spatial=folds.random, blocks=folds.blocks, split=SPLIT).spatial
    assert (s.macro_f1_learnable, s.macro_f1_learnable_se) == (s.macro_f1, s.macro_f1_se)


def test_each_kind_says_what_it_answers(folds):
    cv = summarise_cross_validation(
        folds.truth, NAMES, random=folds.random, spatial=folds.spatial, blocks=folds.blocks, split=SPLIT
    )
    assert "between the samples" in cv.random.answers
    assert "new places" in cv.spatial.answers
    assert (cv.random.buffer_m, cv.spatial.buffer_m, cv.spatial.block_size_m) == (None, 500, 20_000)


def test_blocks_in_degrees_are_told_in_metres(folds):
    split = SplitOptions(block_size_deg=0.25)
    s = summarise_cross_validation(folds.truth, NAMES, spatial=folds.spatial, blocks=folds.blocks, split=split).spatial
    assert s.block_size_m == pytest.approx(27_830)


def test_samples_never_tested_count_nowhere(folds):
    random = folds.random.copy()
    random[:, 290:] = -1
    s = summarise_cross_validation(folds.truth, NAMES, random=random, blocks=folds.blocks, split=SPLIT).random
    assert (s.n_samples, s.n_tested) == (300, 290)
    assert s.overall_accuracy == pytest.approx((random == folds.truth)[:, :290].mean())


def test_one_block_has_no_standard_error_and_nothing_learnable(folds):
    s = summarise_cross_validation(folds.truth, NAMES, spatial=folds.spatial, blocks=np.zeros(300), split=SPLIT).spatial
    assert s.overall_accuracy_se is None
    assert s.overall_accuracy_learnable is None
    assert s.classes_in_one_block == ["soy", "cotton", "forest"]


def test_perfect_predictions_have_no_standard_error_rather_than_zero(folds):
    s = summarise_cross_validation(folds.truth, NAMES, random=folds.truth, blocks=folds.blocks, split=SPLIT).random
    assert (s.overall_accuracy, s.overall_accuracy_se) == (1.0, None)


def test_the_seed_is_an_option(folds):
    a, b, c = (
        summarise_cross_validation(folds.truth, NAMES, random=folds.random, split=SPLIT, options=AssessOptions(seed=s))
        for s in (1, 1, 2)
    )
    assert a == b != c


def test_baselines_of_the_samples(folds):
    baselines = make_baselines(folds.truth, 4)
    assert set(baselines) == {"majority", "prior"}
    assert baselines["majority"].overall_accuracy == pytest.approx(np.bincount(folds.truth).max() / 300)


def test_shapes_that_do_not_fit_are_named(folds):
    with pytest.raises(AssessmentError, match=r"predictions have shape \(1, 5\), truth \(300,\) and blocks None"):
        summarise_cross_validation(folds.truth, NAMES, random=np.zeros(5, int), split=SPLIT)


def test_an_index_without_a_name_is_refused(folds):
    with pytest.raises(AssessmentError, match="class indices run up to 2 over 300 samples but there are 2 class"):
        summarise_cross_validation(folds.truth, NAMES[:2], random=folds.random, split=SPLIT)


def test_a_repeat_that_tested_nothing_is_refused(folds):
    with pytest.raises(AssessmentError, match=r"tested no sample .*check the split"):
        summarise_cross_validation(folds.truth, NAMES, random=np.full(300, -1), split=SPLIT)
