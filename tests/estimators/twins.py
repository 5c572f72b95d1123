"""Slow twins: the formulas written down once more, in the most obvious way."""

import numpy as np
from scipy.special import logsumexp


def row_entropy(rows):
    """H in bits of the distinct rows of (N, D)."""
    counts = np.unique(rows, axis=0, return_counts=True)[1]
    p = counts / len(rows)
    return -np.sum(p * np.log2(p))


def binned(t, y, n_bins=30, lo=-1.0, hi=1.0):
    """I(X;T) and I(T;Y) of one network by rows of bins, with and without the label."""
    scaled = np.floor((t.astype(np.float64) - lo) / (hi - lo) * n_bins)
    return counted(np.clip(scaled, 0, n_bins - 1), y)


def counted(cells, y):
    joint = np.column_stack([cells, y])
    h_t = row_entropy(cells)
    return h_t, h_t + row_entropy(y[:, None]) - row_entropy(joint)


def squared_distances(t):
    t = t.astype(np.float64) - t.mean(axis=0, dtype=np.float64)
    norms = np.sum(t * t, axis=1)
    d2 = np.maximum(norms[:, None] + norms[None, :] - 2 * t @ t.T, 0)
    np.fill_diagonal(d2, 0)
    return d2


def kde_term(d2, v, weights):
    """-sum_i w_i log2 sum_j w_j exp(-d2_ij / 2v), with w the weights over their sum."""
    p = weights / weights.sum()
    with np.errstate(divide="ignore"):
        log_p = np.log(p)
    inside = logsumexp(-d2 / (2 * v) + log_p[None, :], axis=1)
    return -np.sum(p[p > 0] * inside[p > 0]) / np.log(2)


def kde(t, p_y, variance):
    """All numbers of `KDE` from whole N by N matrices; `p_y` (N, C)."""
    d2 = squared_distances(t)
    everything, p = np.ones(len(t)), p_y.mean(axis=0)
    up, lo = (kde_term(d2, v, everything) for v in (variance, 4 * variance))
    given = [
        sum(p[c] * kde_term(d2, v, p_y[:, c]) for c in range(len(p)) if p[c] > 0)
        for v in (variance, 4 * variance)
    ]
    h_y = -np.sum(p[p > 0] * np.log2(p[p > 0]))
    return {
        "i_xt": up,
        "i_xt_upper": up,
        "i_xt_lower": lo,
        "i_ty": up - given[0],
        "i_ty_lower": np.clip(lo - given[0], 0, h_y),
        "i_ty_upper": np.clip(up - given[1], 0, h_y),
    }
