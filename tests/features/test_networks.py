"""Sorting networks: the zero-one principle says that a network which sorts all zeros and ones sorts everything."""

from __future__ import annotations

import numpy as np
import pytest

from landweave.features.networks import network


def zeros_and_ones(n: int) -> np.ndarray:
    """All columns of n zeros and ones, or 20,000 of them by chance."""
    if n <= 12:
        return (np.arange(2**n)[None] >> np.arange(n)[:, None]) & 1
    rng = np.random.default_rng(n)
    return (rng.random((n, 20_000)) < rng.random(20_000)).astype(np.int64)


def run(pairs: np.ndarray, columns: np.ndarray) -> np.ndarray:
    made = columns.copy()
    for a, b in pairs:
        made[a], made[b] = np.maximum(made[a], made[b]), np.minimum(made[a], made[b])
    return made


@pytest.mark.parametrize("n", [*range(1, 13), 24, 25, 49])
def test_a_network_sorts_and_its_cuts_do_what_they_promise(n: int) -> None:
    columns = zeros_and_ones(n)
    expected = -np.sort(-columns, axis=0)
    np.testing.assert_array_equal(run(network(n), columns), expected)
    for m in {1, n // 2 + 1, n}:
        np.testing.assert_array_equal(run(network(n, n_ranked=m), columns)[:m], expected[:m])
        np.testing.assert_array_equal(run(network(n, m), columns)[:m].sum(axis=0), expected[:m].sum(axis=0))


def test_a_cut_leaves_comparisons_out() -> None:
    assert len(network(24, n_ranked=13)) < len(network(24))
