"""Lines between sensors: published ones by the digit, inverses, and fits to pairs."""

from __future__ import annotations

import numpy as np
import pytest

from landweave.errors import CubeError
from landweave.features.harmonise import fit_line, list_lines, published_line


def test_sentinel_2a_red_follows_the_hls_table() -> None:
    line = published_line("msi-a", "oli", "red")
    assert line is not None
    assert (line.slope, line.intercept) == (0.9765, 0.0009)
    assert "Claverie" in line.source


def test_etm_follows_roys_surface_reflectance_line() -> None:
    line = published_line("etm", "oli", "nir")
    assert line is not None
    assert (line.slope, line.intercept) == (0.8462, 0.0412)


def test_chastains_line_gives_msi_from_oli_at_the_top_of_the_atmosphere() -> None:
    line = published_line("oli", "msi-a", "blue", level="toa")
    assert line is not None
    assert (line.slope, line.intercept) == (1.0946, -0.0107)


@pytest.mark.parametrize("entry", list_lines(), ids=lambda e: "-".join(e[:4]))
def test_every_published_line_comes_back_by_its_inverse(entry: tuple) -> None:
    level, source, target, band, line = entry
    back = published_line(target, source, band, level=level)
    there = line.slope * 0.31 + line.intercept
    assert back is not None
    assert back.slope * there + back.intercept == pytest.approx(0.31, abs=1e-12)


def test_etm_reaches_sentinel_2_through_oli() -> None:
    first, second, whole = (
        published_line(a, b, "green") for a, b in (("etm", "oli"), ("oli", "msi-a"), ("etm", "msi-a"))  # type: ignore[arg-type]
    )
    expected = second.slope * (first.slope * 0.2 + first.intercept) + second.intercept  # type: ignore[union-attr]
    assert whole.slope * 0.2 + whole.intercept == pytest.approx(expected)  # type: ignore[union-attr]


def test_a_band_without_a_published_line_has_none() -> None:
    assert published_line("msi-a", "oli", "rededge071") is None


def test_a_fit_ignores_clouds(rng: np.random.Generator) -> None:
    x = rng.uniform(0.02, 0.4, 2000)
    y = 0.95 * x + 0.01 + rng.normal(0, 0.003, x.size)
    y[:200] += 0.5
    line = fit_line(x, y)
    assert (line.slope, line.intercept) == (pytest.approx(0.95, abs=0.02), pytest.approx(0.01, abs=0.004))
    assert line.n == 2000


def test_too_few_pairs_are_refused() -> None:
    with pytest.raises(CubeError, match=r"12 pairs .* expected 200 .* method: published"):
        fit_line(np.arange(12.0), np.arange(12.0))
