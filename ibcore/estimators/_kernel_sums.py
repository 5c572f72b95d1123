"""Sums of Gaussian kernels over all pairs of points, for many widths at once.

The kernel matrix is symmetric and is never held: square tiles of its upper
triangle are made one at a time, and each serves its rows and its columns.
"""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

_TILE = 384
# exp(-d^2 / 2v) below 2^-36 changes a sum over 4096 points, which is 1 or more, by
# less than 6e-8; below 2^-60 it is lost in float32 next to the 1.
_NEGLIGIBLE = -36.0
_SMALLEST, _ZERO = np.float32(-60.0), np.float32(0.0)
# As large as can still be multiplied by the ratio of any two variances, 1e25 at most.
_FARTHEST = np.float32(-1e12)
# Each squaring doubles the relative error of float32; four leave it below 2e-6.
_MAX_SQUARINGS = 4
_MAX_SUMS = 2**24
_FEW_UNITS = 32
# Matrix products below this many multiplications stay on the thread that asked for them.
_ONE_THREAD = 2**17


@dataclass(frozen=True)
class _Chain:
    """Variances `first`, `first` + 1, ...: one exponential, then only squarings.

    `factor` is (largest variance of all) / (first of the chain); `squarings[k]` is
    how often kernel k is squared to give kernel k + 1.
    """

    first: int
    factor: float
    squarings: tuple[int, ...]


def kernel_sums(t: np.ndarray, weights: np.ndarray, variances: Sequence[float]) -> np.ndarray:
    """S[v, i, c] = sum_j weights[j, c] exp(-|t_i - t_j|^2 / (2 variances[v])).

    Points t (N, D) and weights (N, C), not negative; falling variances (V,).
    Returns float64 (V, N, C), to about 1e-6 of values of 1 and more. Halving the
    variance squares the kernel, so variances in ratio 2 share their exponentials.
    """
    n, n_columns = weights.shape
    # Sorted by class, a tile meets few classes; within a class, far points are in far tiles.
    order = np.lexsort((_spread_axis(t), weights.argmax(axis=1)))
    points, columns = t[order] - t.mean(axis=0), weights[order].astype(np.float32)
    left, right = distance_factors(points, variances[0])
    sums = np.empty((len(variances), n, n_columns))
    # A few variances at a time where all at once would need too much memory.
    step = max(1, _MAX_SUMS // (n * n_columns))
    for start in range(0, len(variances), step):
        part = variances[start : start + step]
        chains = _chains(part, variances[0])
        sums[start : start + step, order] = _tiled_sums(left, right, columns, chains, len(part))
    return sums


def _spread_axis(t: np.ndarray) -> np.ndarray:
    """Projections (N,) close to the first principal component of the first units."""
    few = t[:, :_FEW_UNITS]
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


def distance_factors(points: np.ndarray, variance: float) -> tuple[np.ndarray, np.ndarray]:
    """A (N, D + 2) and B (D + 2, N) with A B = -|t_i - t_j|^2 / (2 variance) log2 e.

    In float64, whatever the points are: in float32 the difference of squares loses
    every digit where the spread of T is large against the noise.
    """
    scale = -np.log2(np.e) / (2 * variance)
    norms = np.einsum("nd,nd->n", points, points)
    ones = np.ones(len(points))
    left = np.column_stack([-2 * scale * points, scale * norms, scale * ones])
    right = np.column_stack([points, ones, norms])
    return left, np.ascontiguousarray(right.T)


def _chains(variances: Sequence[float], largest: float) -> list[_Chain]:
    chains: list[_Chain] = []
    first, squarings = 0, []
    for k in range(1, len(variances) + 1):
        times = _doublings(variances[k - 1], variances[k]) if k < len(variances) else None
        if times is not None and sum(squarings) + times <= _MAX_SQUARINGS:
            squarings.append(times)
            continue
        chains.append(_Chain(first, largest / variances[first], tuple(squarings)))
        first, squarings = k, []
    return chains


def _doublings(larger: float, smaller: float) -> int | None:
    """1 or 2 where the ratio of two variances is 2 or 4 up to rounding, else None."""
    return next((k for k in (1, 2) if abs(larger / smaller - 2**k) < 1e-12 * 2**k), None)


def _tiled_sums(left, right, columns, chains, n_variances) -> np.ndarray:
    edges = range(0, len(left), _TILE)
    tiles = [(i, j) for i in edges for j in edges if i <= j]
    n_threads = min(torch.get_num_threads(), len(tiles))
    shares = [tiles[k::n_threads] for k in range(n_threads)]

    def work(share: list[tuple[int, int]]) -> np.ndarray:
        return _sums_over(share, left, right, columns, chains, n_variances)

    if n_threads == 1:
        return work(tiles)
    with ThreadPoolExecutor(n_threads) as pool:
        return np.sum(list(pool.map(work, shares)), axis=0, dtype=np.float64)


def _sums_over(tiles, left, right, columns, chains, n_variances) -> np.ndarray:
    n, n_columns = columns.shape
    sums = np.zeros((n_variances, n_columns, n), dtype=np.float32)
    space = _Workspace.of(min(_TILE, n), max(len(chain.squarings) for chain in chains) + 1)
    classes = {i: _columns_used(columns[i : i + _TILE]) for i in range(0, n, _TILE)}
    for i, j in tiles:
        rows, cols = slice(i, min(i + _TILE, n)), slice(j, min(j + _TILE, n))
        exponents = _exponents(space, left[rows], right[:, cols], diagonal=i == j)
        nearest = float(exponents.max())
        for chain in chains:
            if nearest * chain.factor < _NEGLIGIBLE:
                break
            kernels = _kernels(space, exponents, chain)
            rungs = slice(chain.first, chain.first + len(kernels))
            given = classes[j]
            row_sums = row_products(kernels, columns[cols, given])
            sums[rungs, given, rows] += row_sums.transpose(0, 2, 1)
            if i != j:
                given = classes[i]
                sums[rungs, given, cols] += np.matmul(columns[rows, given].T, kernels)
    return sums.transpose(0, 2, 1)


def _columns_used(weights: np.ndarray) -> slice:
    """From the first to the last column of (n, C) that is not all 0."""
    used = np.flatnonzero(weights.any(axis=0))
    return slice(int(used[0]), int(used[-1]) + 1)


@dataclass(frozen=True, eq=False)
class _Workspace:
    """Memory of one thread, the same for all its tiles: fresh pages cost more than the sums."""

    exact: np.ndarray
    exponents: np.ndarray
    kernels: np.ndarray

    @classmethod
    def of(cls, width: int, n_kernels: int) -> "_Workspace":
        exact, exponents = np.empty(width * width), np.empty(width * width, dtype=np.float32)
        return cls(exact, exponents, np.empty(n_kernels * width * width, dtype=np.float32))


def _exponents(
    space: _Workspace, left: np.ndarray, right: np.ndarray, diagonal: bool
) -> np.ndarray:
    """-d^2 / (2 v) log2 e of one tile for the largest variance, as float32, at most 0."""
    shape = len(left), right.shape[1]
    chunks = _row_chunks(left, shape[1])
    exact = space.exact[: shape[0] * shape[1]]
    np.matmul(chunks, right, out=exact.reshape(*chunks.shape[:-1], shape[1]))
    exponents = space.exponents[: exact.size]
    # Too large for float32 is far enough: the kernel is 0.
    with np.errstate(over="ignore"):
        exponents[:] = exact
    np.clip(exponents, _FARTHEST, _ZERO, out=exponents)
    tile = exponents.reshape(shape)
    if diagonal:
        np.fill_diagonal(tile, 0.0)
    return tile


def _row_chunks(matrix: np.ndarray, n_columns: int) -> np.ndarray:
    """The rows (..., m, k) in equal parts (..., q, m / q, k) for products on one thread.

    BLAS wakes its own threads for larger products, and they would only fight with
    the threads that share out the tiles.
    """
    *stacked, m, k = matrix.shape
    q = 1
    while m // q * k * n_columns > _ONE_THREAD and m % (2 * q) == 0:
        q *= 2
    # Thin parts of a long product would cost more than the fight.
    q = q if m // q >= 16 else 1
    return matrix.reshape(*stacked, q, m // q, k)


def _kernels(space: _Workspace, exponents: np.ndarray, chain: _Chain) -> np.ndarray:
    """The kernels of a chain for one tile, (1 + squarings, m, n)."""
    shape = (len(chain.squarings) + 1, *exponents.shape)
    kernels = space.kernels[: math.prod(shape)].reshape(shape)
    first = np.multiply(exponents, np.float32(chain.factor), out=kernels[0])
    np.exp2(np.clip(first, _SMALLEST, _ZERO, out=first), out=first)
    for k, times in enumerate(chain.squarings):
        narrower = np.multiply(kernels[k], kernels[k], out=kernels[k + 1])
        for _ in range(times - 1):
            np.multiply(narrower, narrower, out=narrower)
    return kernels


def row_products(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(..., m, k) and (k, n) -> (..., m, n) on the thread that asked, as far as that pays."""
    products = np.matmul(_row_chunks(matrix, right.shape[1]), right)
    return products.reshape(*matrix.shape[:-1], right.shape[1])
