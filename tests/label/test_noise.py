from __future__ import annotations

import numpy as np
import pytest

from landweave.errors import SampleError
from landweave.label import confusable_classes, plant_noise


@pytest.mark.parametrize("share", [0, 0.1, 0.3])
def test_every_class_gets_its_share_and_no_label_stays_itself(truth, rng, share):
    noisy, wrong = plant_noise(truth, share, rng, n_classes=3)
    for c in range(3):
        assert wrong[truth == c].sum() == round(share * 60)
    assert np.array_equal(noisy != truth, wrong)


def test_noise_follows_the_confusions(truth, rng):
    predicted = np.where(truth == 0, 1, truth)
    chances = confusable_classes(truth, predicted)
    assert chances.sum(axis=1) == pytest.approx(1)
    assert (np.diag(chances) == 0).all()
    noisy, wrong = plant_noise(truth, 0.5, rng, n_classes=3, chances=chances)
    assert (noisy[wrong & (truth == 0)] == 1).all()


def test_impossible_noise_is_refused(truth, rng):
    with pytest.raises(SampleError, match=r"noise on 1\.5 of the rows"):
        plant_noise(truth, 1.5, rng, n_classes=3)
