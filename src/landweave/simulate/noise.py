"""Randomness that depends on seed and place alone: named generators, hash noise, fractal fields.

Receives seeds, names and positions; hands on generators and arrays. A pixel's noise is a hash of its absolute position, so
that neither block size nor worker count can change it.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
import scipy.fft
from numpy.typing import NDArray

F = TypeVar("F", bound=Callable[..., Any])

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_LOW_16 = np.uint64(0xFFFF)


def compiled(function: F) -> F:
    """Compile a kernel with numba: cached on disk, without the GIL, without reordering of sums."""
    return cast(F, numba.njit(cache=True, nogil=True)(function))


def make_rng(seed: int, *names: str | int) -> np.random.Generator:
    """Make a Philox generator for one purpose; other purposes of the same seed are independent of it.

    Args:
        seed: The landscape's seed.
        names: What it is for, e.g. `("clouds", 3)`.
    """
    words = [zlib.crc32(str(name).encode()) for name in names]
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, *words])))


def make_key(seed: int, *names: str | int) -> int:
    """Give a 63-bit key for `hash_place` for one purpose."""
    return int(make_rng(seed, "key", *names).integers(0, 2**63 - 1))


@compiled
def hash_place(key: int, a: int, b: int) -> int:
    """Hash a key and two integers to 64 bits (finaliser of SplitMix64, Steele et al. 2014, doi:10.1145/2714064.2660195)."""
    x = np.uint64(0)
    # the key is mixed first: keys of neighbouring bands differ in few bits, as do neighbouring rows
    for word in (np.uint64(key), np.uint64(a), np.uint64(b)):
        x = (x ^ word) + _GOLDEN
        x = (x ^ (x >> np.uint64(30))) * _MIX_1
        x = (x ^ (x >> np.uint64(27))) * _MIX_2
        x = x ^ (x >> np.uint64(31))
    return x  # type: ignore[return-value]


@compiled
def hash_uniform(key: int, a: int, b: int) -> float:
    """Give a uniform number in [0, 1) for a key and two integers."""
    return float(np.uint64(hash_place(key, a, b)) >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@compiled
def hash_normal(key: int, a: int, b: int) -> float:
    """Give a nearly normal number (mean 0, sd 1) for a key and two integers: the sum of four uniform ones, scaled."""
    x = np.uint64(hash_place(key, a, b))
    total = 0.0
    for shift in (0, 16, 32, 48):
        total += float((x >> np.uint64(shift)) & _LOW_16)
    # four uniforms on 0..65535 have mean 131070 and sd 65536 * sqrt(4 / 12)
    return (total - 131070.0) * (1.0 / 37837.2)


def fractal_field(
    shape: tuple[int, int], rng: np.random.Generator, *, beta: float, longest_px: float, shortest_px: float = 0.0
) -> NDArray[np.float32]:
    """Make a random field with a power-law spectrum, mean 0 and sd 1 (spectral synthesis, Peitgen & Saupe 1988, ch. 2).

    Args:
        shape: Rows, columns.
        rng: Generator.
        beta: Exponent of the power spectrum in two dimensions; 2 is rough, 4 smooth.
        longest_px: Wavelength above which the spectrum is flat.
        shortest_px: Wavelength below which there is nothing; 0 for no limit.

    Returns:
        float32 (rows, columns).
    """
    # a field made by Fourier transform is periodic; the margin keeps opposite edges from being alike
    margin = int(min(longest_px, max(shape) * 0.3)) + 8
    rows, cols = (scipy.fft.next_fast_len(n + margin, real=True) for n in shape)
    white = rng.standard_normal((rows, cols), dtype=np.float32)
    spectrum = scipy.fft.rfft2(white)
    fy, fx = np.fft.fftfreq(rows).astype(np.float32), np.fft.rfftfreq(cols).astype(np.float32)
    power = fy[:, None] ** 2 + fx[None, :] ** 2
    gain = (power + np.float32(1.0 / longest_px**2)) ** np.float32(-beta / 4)
    if shortest_px > 0:
        gain *= np.exp(-power * np.float32(shortest_px**2))
    gain[0, 0] = 0.0
    field = scipy.fft.irfft2(spectrum * gain, s=(rows, cols))[: shape[0], : shape[1]]
    field = field - field.mean()
    return np.asarray(field / max(float(field.std()), 1e-12), dtype=np.float32)


def smoothstep(x: NDArray[np.floating[Any]], low: float, high: float) -> NDArray[np.float32]:
    """Rise smoothly from 0 at `low` to 1 at `high`."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), dtype=np.float32)
