from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landweave.errors import CubeError
from landweave.features.texture import TEXTURE_MEASURES, compute_texture, quantise

PEER = {"contrast": "contrast", "dissimilarity": "dissimilarity", "homogeneity": "homogeneity", "asm": "ASM",
        "energy": "energy", "correlation": "correlation",
        "mean": "mean", "variance": "variance", "std": "std", "entropy": "entropy"}  # fmt: skip


def patchy(seed: int, shape: tuple[int, int] = (19, 23), levels: int = 8) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, levels, (7, 8)).repeat(3, axis=0).repeat(3, axis=1)[: shape[0], : shape[1]]
    return np.where(rng.random(shape) < 0.4, rng.integers(0, levels, shape), coarse).astype(np.int16)


def test_levels_are_steps_of_equal_width_and_nodata_stays() -> None:
    made = quantise(np.array([-1.0, 0.0, 0.24, 0.25, 0.99, 1.0, 7.0, np.nan]), low=0, high=1, levels=4)
    assert made.tolist() == [0, 0, 0, 1, 3, 3, 3, -1]


@pytest.mark.parametrize("symmetric", [True, False])
def test_measures_are_those_of_scikit_image(symmetric: bool) -> None:
    feature = pytest.importorskip("skimage.feature", reason="scikit-image, the peer of this test, is not installed")
    q = patchy(1)
    ours = compute_texture(q, n_levels=8, measures=tuple(PEER), combine="none", symmetric=symmetric, directions=(0, 45, 90))
    for row, col in ((3, 3), (9, 11), (15, 19)):
        window = q[row - 3 : row + 4, col - 3 : col + 4].astype(np.uint8)
        # its angles turn with the clock, as its rows count down: upside down the window has ours
        matrix = feature.graycomatrix(window[::-1], [1], np.radians([0, 45, 90]), levels=8, symmetric=symmetric, normed=True)
        theirs = [feature.graycoprops(matrix, name)[0] for name in PEER.values()]
        np.testing.assert_allclose(ours[:, :, row, col], theirs, rtol=2e-6, atol=1e-7)


def plain(window: np.ndarray) -> dict[str, float]:
    """Measures that scikit-image lacks, from the matrix of the horizontal pairs, straight from the definitions."""
    p = np.zeros((8, 8))
    np.add.at(p, (window[:, :-1], window[:, 1:]), 1)
    p = (p + p.T) / (p + p.T).sum()
    i, j = np.indices(p.shape)
    s, d = np.bincount((i + j).ravel(), p.ravel()), np.bincount(abs(i - j).ravel(), p.ravel())

    def entropy(v: np.ndarray) -> float:
        return float(-(v[v > 0] * np.log(v[v > 0])).sum())

    def moment(v: np.ndarray, k: int) -> float:
        at = np.arange(len(v))
        return float(((at - (at * v).sum()) ** k * v).sum())

    h, hx = entropy(p.ravel()), entropy(p.sum(axis=0))
    return {"max_probability": p.max(), "sum_average": float((np.arange(15) * s).sum()), "sum_variance": moment(s, 2),
            "sum_entropy": entropy(s), "difference_variance": moment(d, 2), "difference_entropy": entropy(d),
            "cluster_shade": moment(s, 3), "cluster_prominence": moment(s, 4), "imc1": (h - 2 * hx) / hx,
            "imc2": float(np.sqrt(1 - np.exp(-2 * (2 * hx - h))))}  # fmt: skip


def test_the_other_measures_follow_haralicks_definitions() -> None:
    q = patchy(2)
    wanted = plain(q[6:13, 8:15])
    made = compute_texture(q, n_levels=8, measures=tuple(wanted), directions=(0,))[:, 9, 11]
    np.testing.assert_allclose(made, list(wanted.values()), rtol=1e-5)


def test_an_even_window_has_no_texture() -> None:
    names = ("contrast", "entropy", "asm", "correlation", "imc1", "imc2")
    made = compute_texture(np.full((9, 9), 3), n_levels=8, measures=names)
    np.testing.assert_allclose(made[:, 4, 4], [0, 0, 1, 1, 0, 0], atol=1e-9)


def test_mean_and_range_are_over_the_directions() -> None:
    q = patchy(3)
    each = compute_texture(q, n_levels=8, measures=("contrast",), combine="none")
    np.testing.assert_allclose(compute_texture(q, n_levels=8, measures=("contrast",)), each.mean(axis=1), rtol=1e-6)
    spread = compute_texture(q, n_levels=8, measures=("contrast",), combine="range")
    np.testing.assert_array_equal(spread, each.max(axis=1) - each.min(axis=1))


def test_stripes_have_contrast_across_and_none_along() -> None:
    stripes = np.tile(np.array([0, 7], dtype=np.int16), (11, 6))
    across, _, along, _ = compute_texture(stripes, n_levels=8, measures=("contrast",), combine="none")[0, :, 5, 5]
    assert (across, along) == (49.0, 0.0)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999), row=st.integers(0, 15), col=st.integers(0, 20), size=st.integers(1, 9),
       window=st.sampled_from([3, 7]), distance=st.integers(1, 2))  # fmt: skip
def test_a_block_with_its_halo_gives_the_bytes_of_the_whole(
    seed: int, row: int, col: int, size: int, window: int, distance: int
) -> None:  # fmt: skip
    q = patchy(seed)
    q[np.random.default_rng(seed).random(q.shape) < 0.15] = -1
    options = {"n_levels": 8, "measures": TEXTURE_MEASURES, "window_px": window, "distance_px": distance}
    whole = compute_texture(q, **options)
    h = window // 2
    top, left = max(row - h, 0), max(col - h, 0)
    part = compute_texture(q[top : row + size + h, left : col + size + h], **options)
    cut = part[:, row - top :, col - left :][:, :size, :size]
    np.testing.assert_array_equal(cut, whole[:, row : row + size, col : col + size])
    assert np.isnan(whole[:, q < 0]).all()


@pytest.mark.parametrize(("more", "says"), [
    ({"measures": ("contrst",)}, r"no texture measure named 'contrst'; did you mean 'contrast'\?"),
    ({"directions": (30,)}, r"directions are \[30\] .* among 0, 45, 90, 135 degrees"),
    ({"window_px": 6}, "texture window is 6 px with pairs 1 px apart"),
    ({"distance_px": 7}, "pairs 7 px apart; .* less than the window"),
    ({"n_levels": 4}, r"levels are an array of \(19, 23\) up to 7; expected \(y, x\) up to 3"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(more: dict[str, object], says: str) -> None:
    options: dict[str, object] = {"n_levels": 8, "measures": ("contrast",), **more}
    with pytest.raises(CubeError, match=says):
        compute_texture(patchy(0), **options)


@pytest.mark.parametrize(("more", "says"), [({"levels": 1}, "texture has 1 grey levels"), ({"high": 0}, r"levels is 0\.\.0")])
def test_levels_without_a_range_are_refused(more: dict[str, float], says: str) -> None:
    with pytest.raises(CubeError, match=says):
        quantise(np.zeros(3), **{"low": 0, "high": 1, "levels": 8, **more})
