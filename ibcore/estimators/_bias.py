"""What a finite sample adds to plug-in entropies, and what takes it away again.

Miller (1955), Note on the bias of information estimates; Paninski (2003), Estimation
of entropy and mutual information, which also shows how little such a correction
mends where there are as many cells as samples.
"""

import math
from collections.abc import Iterator

import numpy as np


def miller_madow(cells: float, n: int) -> float:
    """(K - 1) / (2 N ln 2) bits: how far N samples in K cells lie below the entropy they are of.

    The first order of the bias, -(1 / 2N) sum_c Var(w_c) / p_c, for the weight w_c of
    a sample in cell c: 0 or 1, so that Var(w_c) = p_c (1 - p_c).
    """
    return (cells - 1) / (2 * n * math.log(2))


def occupied_cells(keys: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """K of T, of Y and of (T, Y) for keys of T (N,) and labels (N,) or p(y|x) (N, C).

    A cell with the soft weights w_i counts as sum_i w_i^2 / sum_i w_i <= 1: with
    this K the first order of the bias is that of weights between 0 and 1 as well.
    """
    _, kind, sizes = np.unique(keys, return_inverse=True, return_counts=True)
    if y.ndim == 1:
        pairs = kind.reshape(-1) * (int(y.max()) + 1) + y
        return len(sizes), len(np.unique(y)), len(np.unique(pairs))
    per_cell = np.argsort(kind.reshape(-1), kind="stable")
    starts = np.cumsum(sizes) - sizes
    sums, squares = (np.add.reduceat(w[per_cell], starts, axis=0) for w in (y, y * y))
    return len(sizes), _weighed(sums.sum(axis=0), squares.sum(axis=0)), _weighed(sums, squares)


def _weighed(sums: np.ndarray, squares: np.ndarray) -> float:
    held = sums > 0
    return float(np.sum(squares[held] / sums[held]))


def shuffled(y: np.ndarray, times: int, seed: int) -> Iterator[np.ndarray]:
    """The labels in `times` random orders: independent of T, with the same entropy.

    The orders are the same wherever `seed` and N are: what differs between two
    epochs or two numbers of bins is not the luck of the shuffle.
    """
    generator = np.random.default_rng(seed)
    for _ in range(times):
        yield y[generator.permutation(len(y))]
