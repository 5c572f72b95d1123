"""Sums of Gaussian kernels over all pairs of points, for many widths at once.

The kernel matrix is symmetric and is never held: points are cut into tiles, and a pair of
tiles serves the points of both. Pairs are taken in rounds in which no tile occurs twice, so
that threads never meet and every sum has one order, however many threads there are.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from ibcore.estimators._compiled import (
    CHAIN,
    UNROLLED,
    WIDTH,
    Chains,
    Tiles,
    add_pair_sums,
)
from ibcore.estimators._projections import farthest_counted, projected
from ibcore.estimators._threads import n_threads, shared

_WIDEST = 8 * WIDTH
_FEW_UNITS = 32


def kernel_sums(
    t: np.ndarray, weights: np.ndarray, variances: Sequence[float], threads: int | None = None
) -> np.ndarray:
    """S[v, i, c] = sum_j weights[j, c] exp(-|t_i - t_j|^2 / (2 variances[v])).

    Points t (N, D), float32 or float64, and weights (N, C), not negative; falling variances
    (V,). Returns float64 (V, N, C), to about 1e-6 of values of 1 and more. Halving the
    variance squares the kernel: variances in ratio 2 share their exponentials. Pairs of wide
    layers are measured in all units only where their projections are near enough to count.
    """
    chains, projections = _chains(variances), projected(t)
    tiles, places = tiled(t if projections is None else projections, weights)
    whole, farthest = np.empty((0, t.shape[1]), t.dtype), np.float32(0)
    if projections is not None:
        whole = _in_rows(t, places, tiles.starts[-1])
        farthest = farthest_counted(projections, chains.rates[0])
    sums = np.zeros((len(variances), *tiles.weights.shape))
    n_tiles = len(tiles.classes)
    threads = min(n_threads() if threads is None else threads, (n_tiles + 1) // 2)
    rounds = list(_rounds(n_tiles))
    if threads == 1:
        rounds = [np.concatenate(rounds)]
    with shared(threads) as mapped:
        for pairs in rounds:
            parts = [np.ascontiguousarray(pairs[k::threads]) for k in range(threads)]
            list(mapped(lambda p: add_pair_sums(p, tiles, whole, farthest, chains, sums), parts))
    return sums[:, :, places].transpose(0, 2, 1)


def occurring(p_y: np.ndarray) -> np.ndarray:
    """p(y|x) (N, C) of the classes that occur, in the order in which they do.

    So the numbers of classes are only names, to the last bit.
    """
    order = np.argsort((p_y > 0).argmax(axis=0), kind="stable")
    return p_y[:, order[p_y.any(axis=0)[order]]]


def tiled(t: np.ndarray, weights: np.ndarray) -> tuple[Tiles, np.ndarray]:
    """Points t (N, D) with weights (N, C) in tiles, and the places (N,) of the points there.

    Points of one class have tiles of their own, where far points are in far tiles, and so
    have points of several; but few points do not fill a tile, and share it with the next.
    """
    n_classes = weights.shape[1]
    alone = np.count_nonzero(weights, axis=1) == 1
    group = np.where(alone, weights.argmax(axis=1), n_classes)
    sizes = np.bincount(group, minlength=n_classes + 1)
    few = sizes < WIDTH
    together = -1 - (np.cumsum(sizes * few) - 1) // WIDTH
    order = np.lexsort((_spread_axis(t), group))
    home = np.where(few, together, np.arange(n_classes + 1))[group[order]]
    parts = [
        part
        for members in np.split(order, np.flatnonzero(np.diff(home)) + 1)
        for part in np.array_split(members, -(-len(members) // _WIDEST))
    ]
    starts = np.cumsum([0, *(-(-len(part) // WIDTH) * WIDTH for part in parts)])
    places = np.empty(len(t), dtype=np.int64)
    for part, start in zip(parts, starts, strict=False):
        places[part] = start + np.arange(len(part))
    shares = np.zeros((n_classes, starts[-1]), dtype=np.float32)
    shares[:, places] = weights.T
    used = [np.flatnonzero(weights[part].any(axis=0)) for part in parts]
    tiles = Tiles(
        points=_placed(t, parts, starts),
        starts=starts,
        weights=shares,
        classes=np.array([(columns[0], columns[-1] + 1) for columns in used]),
        even=np.array([np.all(weights[part] == weights[part[0]]) for part in parts]),
    )
    return tiles, places


def _placed(t: np.ndarray, parts: list[np.ndarray], starts: np.ndarray) -> np.ndarray:
    """The points of every part, and the infinitely far ones, in the order of `Tiles`.

    A tile at a time: all points of a wide layer take much memory, and are there once more.
    """
    n_units = t.shape[1] + -t.shape[1] % UNROLLED
    points = np.full(n_units * starts[-1], np.inf, dtype=t.dtype)
    for part, (first, last) in zip(parts, pairwise(starts), strict=True):
        tile = points[n_units * first : n_units * last].reshape(n_units, last - first)
        tile[:, : len(part)] = in_fours(t[part]).T
    return points


def _in_rows(t: np.ndarray, places: np.ndarray, n: int) -> np.ndarray:
    """The points at their places among n, (n, D)."""
    rows = np.zeros((n, t.shape[1]), t.dtype)
    rows[places] = t
    return rows


def in_fours(t: np.ndarray) -> np.ndarray:
    """(N, D) with units of 0 up to a number that compiled loops take."""
    return np.pad(np.ascontiguousarray(t), ((0, 0), (0, -t.shape[1] % UNROLLED)))


def _spread_axis(t: np.ndarray) -> np.ndarray:
    """Projections (N,) close to the first principal component of the first units."""
    few = t[:, :_FEW_UNITS].astype(np.float64)
    centred = few - few.mean(axis=0)
    largest = np.abs(centred).max()
    if largest == 0:
        return np.zeros(len(t))
    centred /= largest
    projection = centred[:, centred.var(axis=0).argmax()]
    for _ in range(3):
        axis = projection @ centred
        projection = centred @ (axis / np.linalg.norm(axis))
    return projection


def _chains(variances: Sequence[float]) -> Chains:
    """Chains that start at the largest variance that no earlier one has reached."""
    firsts, rungs = [], []
    for rung, variance in enumerate(variances):
        k = _halvings(firsts[-1], variance) if firsts else None
        if k is None:
            firsts.append(variance)
            rungs.append([-1] * CHAIN)
            k = 0
        rungs[-1][k] = rung
    rates = np.log2(np.e) / (2 * np.array(firsts))
    return Chains(rates.astype(np.float32), np.array(rungs))


def _halvings(larger: float, smaller: float) -> int | None:
    """k < 5 where the ratio of two variances is 2^k up to rounding, else None."""
    k = round(math.log2(larger / smaller))
    return k if k < CHAIN and abs(larger / smaller - 2**k) < 1e-12 * 2**k else None


def _rounds(n: int) -> Iterator[np.ndarray]:
    """All pairs (a, b) of n tiles, in rounds (.., 2) in which no tile occurs twice.

    First every tile with itself; then a round-robin tournament, where in round r the tiles
    r + k and r - k meet, modulo an odd number. The one left over is tile r, which rests or
    meets the last of an even number of tiles.
    """
    tiles, odd = np.arange(n), n - 1 + n % 2
    k = np.arange(1, (odd + 1) // 2)
    yield np.stack([tiles, tiles], axis=1)
    for r in range(odd):
        pairs = np.stack([(r + k) % odd, (r - k) % odd], axis=1)
        yield pairs if n % 2 else np.concatenate([pairs, [[r, n - 1]]])
