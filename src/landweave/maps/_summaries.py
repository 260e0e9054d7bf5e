"""Kernel of what is told of every pixel's probabilities: class, quantised probabilities, entropy, margin.

Receives probabilities; fills arrays of whole numbers. Pixels pass class by class in tiles of `LANES`, so that the compiler
fills its vector registers with pixels; the logarithm is our own for the same reason, and gives the same on every machine.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

__all__ = ["summarise"]

LANES = 128
"""Pixels of a tile: what is kept of them fits the first-level cache."""
_ROUND = 6755399441055744.0
"""1.5 * 2**52: adding and taking it away rounds a small number to the nearest whole one, halves to even."""
_LN2 = 0.6931471805599453
_SQRT2 = 1.4142135623730951
_TWO52 = 4503599627370496.0
_MANTISSA, _ONE, _TWO52_BITS = 0x000FFFFFFFFFFFFF, 0x3FF0000000000000, 0x4330000000000000


@numba.njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _log(x, n, whole, logs):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    """Write the natural logarithms of the first `n` of `x` (normal, positive float64).

    x = 2^e m with m in sqrt(1/2)..sqrt(2), log m = 2 artanh s with s = (m - 1) / (m + 1), by its series up to s^17, whose rest
    is below 1e-15 of it. `whole` is memory for as many float64.
    """
    bits, exponents, mantissas = x.view(np.int64), whole.view(np.int64), logs.view(np.int64)
    for i in range(n):  # e as a float64: its bits as those of 2^52 + e
        exponents[i] = (bits[i] >> 52) | _TWO52_BITS
        mantissas[i] = (bits[i] & _MANTISSA) | _ONE
    for i in range(n):
        e, m = whole[i] - (_TWO52 + 1023.0), logs[i]
        is_large = m > _SQRT2
        m = 0.5 * m if is_large else m
        e = e + 1.0 if is_large else e
        s = (m - 1.0) / (m + 1.0)
        z = s * s
        r = 1.0 / 17.0
        r = r * z + 1.0 / 15.0
        r = r * z + 1.0 / 13.0
        r = r * z + 1.0 / 11.0
        r = r * z + 1.0 / 9.0
        r = r * z + 1.0 / 7.0
        r = r * z + 1.0 / 5.0
        r = r * z + 1.0 / 3.0
        r = r * z + 1.0
        logs[i] = e * _LN2 + 2.0 * s * r


@numba.njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _quantise(share):  # type: ignore[no-untyped-def]  # pragma: no cover (compiled)
    return np.uint8(np.int32((250.0 * min(max(share, 0.0), 1.0) + _ROUND) - _ROUND))


@numba.njit(nogil=True, cache=True, error_model="numpy")
def summarise(
    proba: Any, table: Any, log_k: float, codes: Any, quantised: Any, uncertainty: Any
) -> int:  # pragma: no cover (compiled)
    """Fill the products of a block.

    Args:
        proba: float32 (class, pixel), NaN in every class where nodata.
        table: Code of each class, then the code of nodata.
        log_k: Natural logarithm of the number of classes, 1 for a single class.
        codes: (pixel,), written: code of the most probable class, the first among equals.
        quantised: uint8 (class, pixel), written: round(250 p), 255 where nodata; (class, 0) where not wanted.
        uncertainty: uint8 (2, pixel), written: entropy over log_k, and the best probability less the second best, times 250;
            (2, 0) where not wanted.

    Returns:
        Number of pixels with a probability outside 0..1, or with NaN in some classes only.
    """
    n_classes, n_px = proba.shape
    has_proba, has_uncertainty = quantised.shape[1] > 0, uncertainty.shape[1] > 0
    first, second = np.empty(LANES, np.float32), np.empty(LANES, np.float32)
    best, n_nan, is_wrong = np.empty(LANES, np.int32), np.empty(LANES, np.int32), np.empty(LANES, np.int32)
    entropy, share = np.empty(LANES), np.empty(LANES)
    whole, logs = np.empty(LANES), np.empty(LANES)
    low, high, none = np.float32(-1e-4), np.float32(1.0001), np.float32(-1)
    n_wrong = 0
    for x0 in range(0, n_px, LANES):
        n = min(LANES, n_px - x0)
        first[:], second[:], best[:], n_nan[:], is_wrong[:], entropy[:] = none, none, 0, 0, 0, 0.0
        for k in range(n_classes):
            row = proba[k, x0 : x0 + n]
            for i in range(n):
                p = row[i]
                n_nan[i] += np.int32(p != p)
                is_wrong[i] |= np.int32((p < low) | (p > high))
                value = p if p == p else none
                best[i] = np.int32(k) if value > first[i] else best[i]
                second[i] = max(second[i], min(first[i], value))
                first[i] = max(first[i], value)
            if has_uncertainty:
                for i in range(n):
                    share[i] = np.float64(row[i]) if row[i] > np.float32(0) else 1.0
                _log(share, n, whole, logs)
                for i in range(n):
                    entropy[i] -= share[i] * logs[i]
            if has_proba:
                target = quantised[k, x0 : x0 + n]
                for i in range(n):
                    target[i] = _quantise(np.float64(row[i])) if row[i] == row[i] else np.uint8(255)
        for i in range(n):
            is_nodata = n_nan[i] == n_classes
            n_wrong += int(is_wrong[i] != 0 or (n_nan[i] > 0 and not is_nodata))
            codes[x0 + i] = table[n_classes] if is_nodata else table[best[i]]
        if has_uncertainty:
            for i in range(n):
                is_nodata = n_nan[i] == n_classes
                margin = np.float64(first[i]) - np.float64(max(second[i], np.float32(0)))
                uncertainty[0, x0 + i] = np.uint8(255) if is_nodata else _quantise(entropy[i] / log_k)
                uncertainty[1, x0 + i] = np.uint8(255) if is_nodata else _quantise(margin)
    return n_wrong
