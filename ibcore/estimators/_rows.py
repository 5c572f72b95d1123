"""Rows of a matrix: 64-bit keys that tell equal ones, and a choice among too many."""

from collections.abc import Iterator

import numpy as np

_MULTIPLIER_SEED = 20170302
_CHOICE_SEED = 20190101
_FEW_UNITS = 16
_BLOCK_NUMBERS = 2**23


def odd_multipliers(n: int) -> np.ndarray:
    """`n` odd 64-bit numbers, always the same ones, to hash a row as sum_d m_d c_d mod 2^64.

    Two given rows that differ by less than 2^s collide with probability at most
    2^(s - 64) over the choice of multipliers (Dietzfelbinger et al. 1997, A
    reliable randomized algorithm for the closest-pair problem, Section 2).
    """
    generator = np.random.default_rng(_MULTIPLIER_SEED)
    return generator.integers(0, 2**64, n, dtype=np.uint64) | np.uint64(1)


def weighted_sums(cells: np.ndarray, multipliers: np.ndarray) -> np.ndarray:
    """sum_d cells[..., d] multipliers[d] mod 2^64, (..., D) and (D,) -> (...)."""
    return np.einsum("...d,d->...", cells, multipliers)


def row_blocks(t: np.ndarray) -> Iterator[slice]:
    """The rows of t (N, D) in parts that take a bounded amount of memory as 64-bit numbers."""
    step = max(1, _BLOCK_NUMBERS // max(1, t.shape[1]))
    return (slice(start, start + step) for start in range(0, len(t), step))


def float_keys(t: np.ndarray) -> np.ndarray:
    """One 64-bit key for each row of floats (N, D); -0.0 counts as 0.0."""
    return np.concatenate([_float_keys(t[rows]) for rows in row_blocks(t)])


def _float_keys(t: np.ndarray) -> np.ndarray:
    positive_zero = np.ascontiguousarray(t + t.dtype.type(0))
    bits = positive_zero.view(f"u{t.dtype.itemsize}").astype(np.uint64)
    # A multiply and a shift bring the high bits of a float, where its exponent and
    # its sign live, down to where a product mod 2^64 can still spread them.
    bits *= np.uint64(0x9E3779B97F4A7C15)
    bits ^= bits >> np.uint64(32)
    return weighted_sums(bits, odd_multipliers(t.shape[1]))


def distinct_rows(t: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Positions (M,) of one row of each kind in `t` (N, D), and the kind (N,) of every row.

    None where all rows differ. Rows of a kind are compared, not only their keys:
    should two different rows ever share a key, the answer is None as well.
    """
    # A few units mostly tell all rows apart, if anything does.
    if _all_differ(float_keys(t[:, :_FEW_UNITS])):
        return None
    _, first, kind = np.unique(float_keys(t), return_index=True, return_inverse=True)
    if len(first) == len(t):
        return None
    same = all(np.array_equal(t[first[kind[rows]]], t[rows]) for rows in row_blocks(t))
    return (first, kind) if same else None


def _all_differ(keys: np.ndarray) -> bool:
    ordered = np.sort(keys)
    return bool(np.all(ordered[1:] != ordered[:-1]))


def some_rows(n: int, most: int) -> np.ndarray:
    """The positions of at most `most` of n rows: for given numbers always the same ones."""
    if n <= most:
        return np.arange(n)
    return np.random.default_rng(_CHOICE_SEED).choice(n, most, replace=False)
