"""Cluster, post-stratified and regression estimates as the R package survey prints them for its data set `apiclus1`.

183 Californian schools of 2000 in 15 of 757 districts (type, score 2000, score 1999; the public Academic Performance Index).
Means and errors are those of T. Lumley's examples (r-survey.r-forge.r-project.org/survey/example-summary.html: api00
644.169399, SE 23.5422; api99 606.978142, 24.2250; stypeE .786885, .0463; stypeH .076503, .0268; stypeM .136612,
.0296); the post-stratified and calibrated ones are those of survey 4.5 as the tests of the Python package
svy record them (tests/svy/weighting/test_calibration_variance.py).
"""

from __future__ import annotations

import numpy as np
import pytest

from landweave.metrics import UnitSample, estimate_ratio, estimate_regression, make_shares

DISTRICTS = {
    637: "H608,562 E684,554 E612,528 E710,669 E729,660 E714,673 E759,693 E585,567 E625,576 M664,598 M669,619",
    437: "H443,414 E467,420 M482,404 E496,365", 778: "M411,408 E494,404", 406: "E561,508 E555,496", 413: "E551,502",
    197: "E493,469 M592,601 E550,464 M689,679 M598,594 E628,560 E652,608 E628,565 E832,779 E777,739 E709,645 E709,716 E736,710",
    815: "H696,706 M631,641 E564,545 E602,587", 178: "H529,469 E491,423 E510,454 M547,575",
    255: "E814,762 E806,785 E715,682 E785,779 M720,700 E905,890 M617,591 E630,599 E629,615 E696,648 E476,454 E757,750 E825,802 "
    "E595,534 E552,553 M847,827",
    568: "H714,696 H724,715 H687,687 H723,693 E662,601 E699,730 E807,805 M679,662 E691,664",
    135: "E622,609 E754,748 E655,632 E764,664 E795,758 E505,452 E638,632 E733,688 E523,441 E511,480 E710,692 E657,579 E602,586 "
    "E490,431 E664,669 E651,621 E603,520 E698,680 E511,493 E814,801 E669,658 E711,745 E538,502 E705,655 E595,555 E551,484 "
    "E762,744 E521,473 E709,701 E780,747 E780,769 E722,684 E828,806 E737,698",
    510: "H595,593 H661,648 E502,413 M614,607 E585,465 E582,512 M642,618 E536,515 E746,669 E667,648 E629,631 E745,637 E674,657 "
    "E637,566 E696,662 E632,553 E639,593 E745,710 E789,759 M656,615 E789,712",
    716: "H517,495 H478,443 H582,551 E592,556 E587,518 E553,490 E516,433 E535,509 E566,541 E481,469 E472,386 E559,512 E610,520 "
    "E599,549 E551,531 E554,513 E561,550 E505,505 E492,494 E504,451 E487,443 E627,582 E465,440 E529,482 E625,578 E436,415 "
    "E542,525 E515,526 M461,427 M528,499 M512,479 M508,479 E670,650 E760,736 E652,613 E546,452 E717,659",
    61: "E701,691 E748,718 E735,695 M699,701 E685,668 E827,812 M711,669 E677,639 M759,764 E697,668 E742,725 E691,660 E700,635",
    448: "H703,668 E676,644 E714,617 E842,790 E824,801 E717,687 E836,785 M733,703 E719,619 M817,755 E749,676 E781,733",
}  # fmt: skip
ROWS = [(d, "EHM".index(s[0]), *map(float, s[1:].split(","))) for d, schools in DISTRICTS.items() for s in schools.split()]
PSU, TYPE, API00, API99 = (np.array(column) for column in zip(*ROWS, strict=True))


def make_sample(weight=None, **post):
    """One-stage cluster sample of 15 of 757 districts, 6194 / 183 schools per school."""
    n = len(PSU)
    weight = np.full(n, 6194 / n) if weight is None else weight
    blank = np.zeros(n, dtype=np.int64)
    return UnitSample(blank, make_shares(TYPE, 3), weight, blank, PSU, fraction=np.array([15 / 757]), **post)


def mean(y, sample):
    return estimate_ratio(y[:, None], np.ones((len(y), 1)), sample)


@pytest.mark.parametrize(("y", "value", "se"), [(API00, 644.169399, 23.5422), (API99, 606.978142, 24.2250)])
def test_means_of_a_cluster_sample(y, value, se):
    made = mean(y, make_sample())
    assert (round(float(made.value[0]), 6), round(float(made.se[0]), 4)) == (value, se)


def test_shares_of_classes_in_a_cluster_sample():
    made = estimate_ratio(make_shares(TYPE, 3), np.ones((len(TYPE), 3)), make_sample())
    assert made.value.round(6).tolist() == [0.786885, 0.076503, 0.136612]
    assert made.se.round(4).tolist() == [0.0463, 0.0268, 0.0296]


def test_a_post_stratified_mean_of_a_cluster_sample():
    known = np.array([4421, 755, 1018])
    made = mean(API00, make_sample((known / np.bincount(TYPE))[TYPE], post=TYPE))
    assert float(made.value[0]) == pytest.approx(642.310788211584, rel=1e-12)
    assert float(made.se[0]) == pytest.approx(23.9204864450905, rel=1e-9)


def test_a_regression_estimate_from_a_cluster_sample():
    x = np.column_stack([np.ones(len(API99)), API99])
    made = estimate_regression(make_sample(), API00[:, None], x, np.array([1, 3914069 / 6194]))
    assert float(made.value[0]) == pytest.approx(666.717736250273, rel=1e-9)
    assert float(made.se[0]) == pytest.approx(3.29588091215716, rel=1e-6)
