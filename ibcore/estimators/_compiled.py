"""Compiled loops over pairs of points: distances, Gaussian kernels and their sums.

Numba makes machine code of these functions when they are first called and keeps it on disk
for later processes. An inner loop runs over a few hundred points j that lie side by side,
does one thing, and takes whole rows of contiguous arrays: only so do vector instructions
come of it. Kernels are float32; differences of points have the precision of the points, and
sums are float64 from some dozens of kernels on.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import NamedTuple

import numpy as np
from numba import njit

UNROLLED = 4
"""Units are taken four at a time: their number must be a multiple of this."""
CHAIN = 5
"""Kernels in a chain: an exponential, and the four that repeated squaring makes of it."""
WIDTH = 64
"""Tiles have multiples of this number of points: whole vectors, and few sums in float32."""

_BLOCK = 16
# Squares of so many units are added up by themselves: with hundreds of units one by one, the
# errors of float32 would reach 1e-6.
_UNITS = 32
_ZERO, _ONE = np.float32(0.0), np.float32(1.0)
# 2^r = 1 + r (P1 + P2 r + ... + P6 r^5) for |r| <= 1/2, to 2e-9: the least squares fit of
# (2^r - 1) / r in Chebyshev nodes.
_P1, _P2, _P3 = np.float32(6.93147206e-01), np.float32(2.40226485e-01), np.float32(5.55032904e-02)
_P4, _P5, _P6 = np.float32(9.61837325e-03), np.float32(1.33998483e-03), np.float32(1.53707048e-04)
# A float32 below 2^22 that is added to this leaves the nearest whole number in its last bits.
_ROUNDING, _FRACTION_BITS = np.float32(1.5 * 2**23), np.int32(23)
# A kernel below 2^-36 changes a sum over 4096 points, which is 1 or more, by less than
# 6e-8; one below 2^-60 is lost in float32 next to the 1.
_NEGLIGIBLE, _LEAST = np.float32(36.0), np.float32(-60.0)
LOST = 40.0
"""A kernel below 2^-LOST may be left out pair by pair: 10^5 of them are less than 1e-7."""
# Given z_i, the tilted kernel of any other point has the mean 1 over the noise: one above
# 2^100 has a probability below 2^-100, so no sum needs a shift to stay in float32.
_MOST = np.float32(100.0)
# No kernel is left at this square of a distance, whatever the variance.
_FARTHEST = np.float32(1e30)
# tilt / sqrt(rate)
_STEEPEST = np.sqrt(2 * np.log2(np.e))
# Multiplications may join the additions after them; the order of a sum may be any.
_ORDERED, _UNORDERED = {"contract", "nsz"}, {"contract", "nsz", "reassoc"}


def _compiled(flags: set[str]) -> Callable:
    return njit(fastmath=flags, error_model="numpy", nogil=True)


def kept(function: Callable) -> Callable:
    """`function` compiled, and kept on disk where Numba finds a place that it may write to."""
    compiled = _compiled(_ORDERED)(function)
    with suppress(RuntimeError):
        compiled.enable_caching()

    @wraps(function)
    def call(*arguments):
        try:
            return compiled(*arguments)
        except OSError:
            # The machine code is there; only its file could not be written.
            return compiled(*arguments)

    return call


class Tiles(NamedTuple):
    """Points, or projections of them, cut into T tiles.

    Each is filled up with infinitely far points of weight 0. `points` holds (D, width) of
    one tile after the other, `starts` (T + 1,) where each begins in `weights` (C, P).
    Outside `classes` (T, 2), from the first up to the last, all weights of a tile are 0;
    where `even` (T,), all its points have the weights of its first.
    """

    points: np.ndarray
    starts: np.ndarray
    weights: np.ndarray
    classes: np.ndarray
    even: np.ndarray


class Chains(NamedTuple):
    """Kernels exp2(-rates[c] 2^k d^2), k < 5; `rungs[c, k]` is where its sum goes, or -1."""

    rates: np.ndarray
    rungs: np.ndarray


@_compiled(_ORDERED)
def _exp2(x):
    shifted = x + _ROUNDING
    r = x - (shifted - _ROUNDING)
    p = r * _P6 + _P5
    p = p * r + _P4
    p = p * r + _P3
    p = p * r + _P2
    p = p * r + _P1
    p = p * r + _ONE
    # A whole number added to the exponent of a float multiplies it by that power of 2.
    bits = np.float32(p).view(np.int32) + (np.float32(shifted).view(np.int32) << _FRACTION_BITS)
    return np.int32(bits).view(np.float32)


@_compiled(_UNORDERED)
def _squared_distances(own, first, tile, part, out):
    """d^2 of the points `first`, ... of `own` (D, ..) from all of `tile` (D, W): (B, W)."""
    for i in range(out.shape[0]):
        at = first + i
        for d in range(0, tile.shape[0], UNROLLED):
            p0, p1, p2, p3 = own[d, at], own[d + 1, at], own[d + 2, at], own[d + 3, at]
            for j in range(out.shape[1]):
                u0, u1 = tile[d, j] - p0, tile[d + 1, j] - p1
                u2, u3 = tile[d + 2, j] - p2, tile[d + 3, j] - p3
                square = np.float32((u0 * u0 + u1 * u1) + (u2 * u2 + u3 * u3))
                part[j] = square if d % _UNITS == 0 else part[j] + square
            if (d + UNROLLED) % _UNITS == 0 or d + UNROLLED == tile.shape[0]:
                for j in range(out.shape[1]):
                    out[i, j] = part[j] if d < _UNITS else out[i, j] + part[j]


@_compiled(_ORDERED)
def _least(squares):
    # Floats that are not negative are in the order of their bits, and whole numbers need no
    # rule for NaN, which would stand in the way of vector instructions.
    bits = squares.view(np.int32)
    least = bits[0]
    for j in range(bits.size):
        least = min(least, bits[j])
    return np.int32(least).view(np.float32)


@_compiled(_UNORDERED)
def _squared_distance(p, q):
    total = _ZERO
    for d in range(p.size):
        u = p[d] - q[d]
        total += np.float32(u * u)
    return total


@_compiled(_ORDERED)
def _measure_near(rows, first, start, farthest, squares):
    """Make `squares` (B, W), which are no larger than d^2, d^2 itself up to `farthest`.

    Those above it are put out of reach. They are of the points `first`, ... of `rows` (P, D)
    from the points `start`, ....
    """
    # So many points at a time stay in the caches.
    for stretch in range(0, squares.shape[1], WIDTH):
        for i in range(squares.shape[0]):
            bounds = squares[i, stretch : stretch + WIDTH]
            if _least(bounds) > farthest:
                bounds[:] = _FARTHEST
                continue
            for j in range(bounds.size):
                if bounds[j] <= farthest:
                    bounds[j] = _squared_distance(rows[first + i], rows[start + stretch + j])
                else:
                    bounds[j] = _FARTHEST


@_compiled(_ORDERED)
def _kernels(squares, rate, out):
    for j in range(out.size):
        out[j] = _exp2(max(-rate * squares[j], _LEAST))


@_compiled(_UNORDERED)
def _chain_sums(kernels, i, weights):
    """sum_j w_j kernels[i, j]^(2^k) for k < 5, with w_j = 1 for None."""
    s0 = s1 = s2 = s3 = s4 = _ZERO
    for j in range(kernels.shape[1]):
        k = kernels[i, j]
        w = _ONE if weights is None else weights[j]
        s0 += w * k
        k *= k
        s1 += w * k
        k *= k
        s2 += w * k
        k *= k
        s3 += w * k
        k *= k
        s4 += w * k
    return s0, s1, s2, s3, s4


@_compiled(_ORDERED)
def _add_row_sums(kernels, weights, even, rungs, out):
    """out[rungs[k], i] += sum_j w_j kernels[i, j]^(2^k)."""
    for i in range(kernels.shape[0]):
        sums = _chain_sums(kernels, i, None) if even else _chain_sums(kernels, i, weights)
        scale = np.float64(weights[0]) if even else 1.0
        for k in range(CHAIN):
            if rungs[k] >= 0:
                out[rungs[k], i] += scale * sums[k]


@_compiled(_UNORDERED)
def _add_column_sums(kernels, weights, out):
    """out[k, j] += sum_i w_i kernels[i, j]^(2^k), with w_i = 1 for None."""
    for i in range(0, kernels.shape[0], 4):
        wa = wb = wc = wd = _ONE
        if weights is not None:
            wa, wb, wc, wd = weights[i], weights[i + 1], weights[i + 2], weights[i + 3]
        for j in range(kernels.shape[1]):
            a, b, c, d = kernels[i, j], kernels[i + 1, j], kernels[i + 2, j], kernels[i + 3, j]
            out[0, j] += (wa * a + wb * b) + (wc * c + wd * d)
            a, b, c, d = a * a, b * b, c * c, d * d
            out[1, j] += (wa * a + wb * b) + (wc * c + wd * d)
            a, b, c, d = a * a, b * b, c * c, d * d
            out[2, j] += (wa * a + wb * b) + (wc * c + wd * d)
            a, b, c, d = a * a, b * b, c * c, d * d
            out[3, j] += (wa * a + wb * b) + (wc * c + wd * d)
            a, b, c, d = a * a, b * b, c * c, d * d
            out[4, j] += (wa * a + wb * b) + (wc * c + wd * d)


@_compiled(_ORDERED)
def _move(found, scale, rungs, c, start, sums):
    """sums[rungs[k], c, start + j] += scale found[k, j], and nothing is left in `found`."""
    for k in range(CHAIN):
        if rungs[k] >= 0:
            row, out = found[k], sums[rungs[k], c, start : start + found.shape[1]]
            for j in range(row.size):
                out[j] += scale * np.float64(row[j])
    found[:] = _ZERO


@_compiled(_ORDERED)
def _tile(tiles, k):
    depth = tiles.points.size // tiles.starts[-1]
    start, stop = tiles.starts[k], tiles.starts[k + 1]
    return tiles.points[depth * start : depth * stop].reshape((depth, stop - start))


@kept
def add_pair_sums(pairs, tiles, whole, farthest, chains, sums):
    """sums[rung, c, i] += sum_j weights[c, j] kernel_ij for pairs (a, b) of tiles, (n, 2).

    For i in tile a and j in tile b and, where a is not b, the other way round as well.
    Where there are points `whole` (P, D), the tiles hold projections of these, no farther from
    each other: points whose projections are more than `farthest`, squared, apart do not count.
    """
    starts, weights, classes, even = tiles.starts, tiles.weights, tiles.classes, tiles.even
    widest, n_chains = np.diff(starts).max(), chains.rates.size
    space = np.empty((2, _BLOCK * widest), np.float32)
    # Sums over rows wait here, in float32 and for few rows: few kernels meet in one number.
    most = (classes[:, 1] - classes[:, 0]).max()
    waiting = np.zeros(n_chains * most * CHAIN * widest, np.float32)
    for pair in range(len(pairs)):
        a, b = pairs[pair]
        own, other = _tile(tiles, a), _tile(tiles, b)
        width = other.shape[1]
        squares, kernels = space[0, : _BLOCK * width], space[1, : _BLOCK * width]
        block = kernels.reshape((_BLOCK, width))
        shape = n_chains, most, CHAIN, width
        columns = waiting[: n_chains * most * CHAIN * width].reshape(shape)
        for row in range(0, own.shape[1], _BLOCK):
            first = starts[a] + row
            last = first + _BLOCK
            _squared_distances(own, row, other, kernels[:width], squares.reshape((_BLOCK, width)))
            if len(whole):
                _measure_near(whole, first, starts[b], farthest, squares.reshape((_BLOCK, width)))
            nearest = _least(squares)
            for k in range(n_chains):
                if nearest * chains.rates[k] > _NEGLIGIBLE:
                    break
                _kernels(squares, chains.rates[k], kernels)
                for c in range(classes[b, 0], classes[b, 1]):
                    given = weights[c, starts[b] : starts[b + 1]]
                    _add_row_sums(block, given, even[b], chains.rungs[k], sums[:, c, first:last])
                if a != b:
                    for c in range(classes[a, 0], classes[a, 1]):
                        out = columns[k, c - classes[a, 0]]
                        if even[a]:
                            _add_column_sums(block, None, out)
                        else:
                            _add_column_sums(block, weights[c, first:last], out)
            if a != b and (row + _BLOCK) % WIDTH == 0:
                for k in range(n_chains):
                    for c in range(classes[a, 0], classes[a, 1]):
                        scale = np.float64(weights[c, starts[a]]) if even[a] else 1.0
                        out = columns[k, c - classes[a, 0]]
                        _move(out, scale, chains.rungs[k], c, starts[b], sums)


@_compiled(_UNORDERED)
def _squares_and_slopes(point, noise, tile, squares, slopes):
    """|u|^2 and noise u, with u the way from `point` (D,) to each of `tile` (D, W)."""
    for d in range(0, tile.shape[0], UNROLLED):
        p0, p1, p2, p3 = point[d], point[d + 1], point[d + 2], point[d + 3]
        e0, e1, e2, e3 = noise[d], noise[d + 1], noise[d + 2], noise[d + 3]
        for j in range(squares.size):
            u0, u1 = tile[d, j] - p0, tile[d + 1, j] - p1
            u2, u3 = tile[d + 2, j] - p2, tile[d + 3, j] - p3
            square = np.float32((u0 * u0 + u1 * u1) + (u2 * u2 + u3 * u3))
            slope = np.float32((e0 * u0 + e1 * u1) + (e2 * u2 + e3 * u3))
            squares[j] = square if d == 0 else squares[j] + square
            slopes[j] = slope if d == 0 else slopes[j] + slope
    for j in range(squares.size):
        slopes[j] = slopes[j] if squares[j] < _FARTHEST else _ZERO
        squares[j] = min(squares[j], _FARTHEST)


@_compiled(_ORDERED)
def _tilted_kernels(squares, slopes, rate, tilt, out):
    for j in range(out.size):
        out[j] = _exp2(min(max(tilt * slopes[j] - rate * squares[j], _LEAST), _MOST))


@_compiled(_UNORDERED)
def _dot(kernels, weights):
    total = _ZERO
    for j in range(kernels.size):
        total += weights[j] * kernels[j]
    return total


@kept
def add_noisy_sums(points, noise, tiles, rates, tilts, sums):
    """sums[v, i, c] += sum_j weights[c, j] exp2(tilts[v] noise_i u_ij - rates[v] |u_ij|^2).

    For points i (n, D), each with its noise (n, D), and points j of all tiles; u_ij is the
    way from i to j, and tilts are sqrt(2 log2(e) rates).
    """
    widest = np.diff(tiles.starts).max()
    space = np.empty((3, widest), np.float32)
    for k in range(tiles.starts.size - 1):
        tile = _tile(tiles, k)
        width = tile.shape[1]
        squares, slopes, kernels = space[0, :width], space[1, :width], space[2, :width]
        for i in range(len(points)):
            _squares_and_slopes(points[i], noise[i], tile, squares, slopes)
            nearest, size = np.float64(_least(squares)), np.sqrt(np.sum(noise[i] * noise[i]))
            for v in range(rates.size):
                # The largest exponent at this distance or, from here on, at any larger one.
                way, steepest = np.sqrt(nearest * rates[v]), size * _STEEPEST
                if way > steepest and (steepest - way) * way < -_NEGLIGIBLE:
                    continue
                _tilted_kernels(squares, slopes, rates[v], tilts[v], kernels)
                for c in range(tiles.classes[k, 0], tiles.classes[k, 1]):
                    given = tiles.weights[c, tiles.starts[k] : tiles.starts[k + 1]]
                    sums[v, i, c] += _dot(kernels, given)
