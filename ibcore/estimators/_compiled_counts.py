"""Compiled loops over one network's activations: which cells they fall into, and how often."""

import numpy as np
from numba import njit

from ibcore.estimators._compiled import kept

# 2^64 over the golden ratio (Knuth 1998, The art of computer programming, Section 6.4).
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@kept
def bin_sums(units, n_bins, lo, hi, multipliers):
    """sum_d multipliers[d] bin(units[d, i]) mod 2^64 for every i, as uint64; units (D, N).

    The bin is clip(floor((t - lo) / (hi - lo) n_bins), 0, n_bins - 1).
    """
    sums = np.zeros(units.shape[1], np.uint64)
    span, last = hi - lo, n_bins - 1.0
    for d in range(units.shape[0]):
        for i in range(units.shape[1]):
            scaled = (np.float64(units[d, i]) - lo) / span * n_bins
            # Clipped before it becomes an integer: a huge activation has none. What is left
            # is not negative, so cutting off its fraction is the floor.
            sums[i] += multipliers[d] * np.uint64(np.int32(min(max(scaled, 0.0), last)))
    return sums


@njit(nogil=True)
def _distinct(keys):
    # Open addressing: a table of at least twice as many places as keys, and a search from
    # place to place that begins at the high bits of a product.
    n, bits = keys.size, 1
    while 1 << bits < 2 * n:
        bits += 1
    last, shift = np.int64((1 << bits) - 1), np.uint64(64 - bits)
    table, kinds = np.full(1 << bits, -1, np.int32), np.empty(n, np.int64)
    firsts, counts, n_kinds = np.empty_like(keys), np.zeros(n, np.int64), 0
    for i in range(n):
        place = np.int64((keys[i] * _GOLDEN) >> shift)
        while table[place] >= 0 and firsts[table[place]] != keys[i]:
            place = (place + 1) & last
        if table[place] < 0:
            table[place] = n_kinds
            firsts[n_kinds] = keys[i]
            n_kinds += 1
        kinds[i] = table[place]
        counts[kinds[i]] += 1
    return kinds, counts[:n_kinds]


@kept
def distinct(keys):
    """Every key's number (N,), in the order in which they first appear, and their counts."""
    return _distinct(keys)


@kept
def joint_counts(keys, y):
    """The counts of the distinct keys (N,), and those of keys and labels y (N,) together."""
    kinds, counts = _distinct(keys)
    _, joint = _distinct((kinds * (y.max() + 1) + y).view(np.uint64))
    return counts, joint
