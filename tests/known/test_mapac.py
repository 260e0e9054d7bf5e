"""Examples of the reference pages of the R package mapac (D. Pflugmacher): aa_card, which follows Card 1982 and Olofsson 2013.

pages.cms.hu-berlin.de/pflugmad/mapac/reference/aa_card.html; its matrix has the reference in columns of `matrix(c(410, 67, 26,
369), nrow = 2)` and the areas 828837 and 33067283.
"""

from __future__ import annotations

import numpy as np
import pytest

from landweave.metrics import UnitSample, estimate_stratified, estimate_units, make_shares

COUNTS = np.array([[410, 26], [67, 369]])
AREAS = np.array([828837, 33067283])


def by_units():
    row, column = (np.repeat(i, COUNTS.ravel()) for i in np.indices(COUNTS.shape).reshape(2, -1))
    return estimate_units(UnitSample(row, make_shares(column, 2), (AREAS / COUNTS.sum(axis=1))[row], row))


@pytest.mark.parametrize("made", [estimate_stratified(COUNTS, AREAS), by_units()], ids=["counts", "units"])
def test_the_printed_figures_of_aa_card(made):
    np.testing.assert_allclose(made.users.value, [0.9403670, 0.8463303], atol=5e-8)
    np.testing.assert_allclose(made.producers.value, [0.132986, 0.998237], atol=5e-7)
    # the package divides the variance of user's accuracies by n as Card did, where Olofsson et al. (eq. 6) divide by n - 1
    n = COUNTS.sum(axis=1)
    np.testing.assert_allclose(made.users.se * np.sqrt((n - 1) / n), [0.01134094, 0.01727113], atol=5e-9)
    np.testing.assert_allclose(made.area.value, [0.1729063, 0.8270937], atol=5e-8)
    np.testing.assert_allclose(made.area.se, [0.01687046, 0.01687046], atol=5e-9)
    np.testing.assert_allclose(1.96 * made.area.se, [0.03306609, 0.03306609], atol=1e-8)
    assert (round(float(made.overall.value), 8), round(float(made.overall.se), 8)) == (0.84862969, 0.01687046)
