"""A published planning sheet: sample size for a target standard error of an area (Olofsson et al. 2014, eq. 13).

The sheet "Calculating Ideal Total Sample Size" of the Nepal forest degradation study that cites Aryal et al. 2021
(docs.google.com/spreadsheets/d/1ENNBiiJgPEEVji4zkOoqFLEq5mr6znsKNEPsk1OF_fI): pixel counts of six strata, the share of
degradation expected in each, target standard error 0.01; it prints n = 1508.009278.
"""

from __future__ import annotations

import numpy as np

from landweave.samples.design_size import expect_areas_se, share_out, size_for_areas, size_for_overall

PIXELS = np.array([2809258, 326996, 6140120, 22526445, 96047970, 65990510])
EXPECTED = np.array([0.6, 0.15, 0.2, 0.4, 0.1, 0.35])


def test_the_total_of_the_sheet():
    # the same formula serves any share: accuracy or a class
    assert size_for_overall(PIXELS, EXPECTED, 1.96 * 0.01) == 1509  # 1508.009 rounded up


def test_the_optimal_allocation_reaches_the_target_with_that_total():
    shares = np.column_stack([EXPECTED, 1 - EXPECTED])
    n = size_for_areas(PIXELS, shares, {0: 0.01})
    assert 1509 <= n.sum() <= 1509 + len(n)  # each stratum is rounded up
    assert expect_areas_se(PIXELS, shares, n)[0] <= 0.01
    weights = PIXELS / PIXELS.sum() * np.sqrt(EXPECTED * (1 - EXPECTED))
    assert np.abs(n - share_out(1508, weights)).max() <= 1
