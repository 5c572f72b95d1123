"""Points of wide layers seen along a few axes, where no two are farther apart than they are.

Most points of a wide layer are so far apart that their kernel does not count, and a few axes
are enough to see it: what is to be measured in all units is the few pairs that are left.
"""

import math

import numpy as np

from ibcore.estimators._compiled import LOST, kept

_MANY_UNITS = 128
_AXES = 32
# Any number: always the same axes.
_SEED = 20110503
_SOME_POINTS = 512
# Rounding moves larger points too far.
_LARGEST = 1e15
_ROUNDING = 1e-5


def projected(t: np.ndarray) -> np.ndarray | None:
    """Points t (N, D) less their centre, on orthonormal axes along which they spread: (N, 32).

    The axes are those of C Omega for a Gaussian Omega (D, 32), with C the covariance of some of
    the points: the range finder of Halko, Martinsson & Tropp (2011), Finding structure with
    randomness, algorithm 4.1, applied to C. None for narrow layers, where they save nothing.
    """
    if t.shape[1] < _MANY_UNITS or max(t.max(), -t.min()) > _LARGEST:
        return None
    centre = t.mean(axis=0)
    start = np.random.default_rng(_SEED).standard_normal((t.shape[1], _AXES)).astype(t.dtype)
    some = np.ascontiguousarray(t[:: -(-len(t) // _SOME_POINTS)])
    spread = np.zeros_like(start)
    _add_spread(some, centre, _along(some, centre, start), spread)
    return _along(np.ascontiguousarray(t), centre, _orthonormal(spread))


def farthest_counted(projections: np.ndarray, rate: float) -> np.float32:
    """d^2 of projections (N, 32) above which no kernel exp2(-rate d^2) of their points counts."""
    farthest = float(np.sqrt(np.square(projections, dtype=np.float64).sum(axis=1).max()))
    return np.float32((math.sqrt(LOST / rate) + _ROUNDING * farthest) ** 2)


def _orthonormal(vectors: np.ndarray) -> np.ndarray:
    """Gram-Schmidt, twice, of the columns of (D, K); what depends on others becomes 0."""
    axes = np.zeros_like(vectors)
    for k, vector in enumerate(vectors.T.astype(np.float64)):
        size = np.linalg.norm(vector)
        for _ in range(2):
            vector = vector - axes[:, :k] @ (axes[:, :k].T @ vector)
        rest = np.linalg.norm(vector)
        if rest > 1e-6 * size:
            axes[:, k] = vector / rest
    return axes


# Compiled, since the threads of a BLAS would wait, busily, in the way of those of the kernels.
@kept
def _along(t, centre, axes):
    """(t - centre) axes, (N, K)."""
    out = np.zeros((len(t), axes.shape[1]), t.dtype)
    for i in range(len(t)):
        row = out[i]
        for d in range(t.shape[1]):
            u, axis = t[i, d] - centre[d], axes[d]
            for k in range(row.size):
                row[k] += u * axis[k]
    return out


@kept
def _add_spread(t, centre, seen, out):
    """out += (t - centre)' seen, (D, K)."""
    for i in range(len(t)):
        row = seen[i]
        for d in range(t.shape[1]):
            u, sums = t[i, d] - centre[d], out[d]
            for k in range(row.size):
                sums[k] += u * row[k]
