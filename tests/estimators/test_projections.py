"""Projections of wide layers: never farther apart than the points, and no sum depends on them."""

import numpy as np
import pytest

from ibcore.estimators import _projections as module
from ibcore.estimators._kernel_sums import kernel_sums
from ibcore.estimators._projections import farthest_counted, projected

RNG = np.random.default_rng(5)


def wide(n, d, scale, offset=0.0):
    """Points (n, d) of low rank and noise; the last two are the same."""
    t = RNG.standard_normal((n, 20)) @ RNG.standard_normal((20, d)) / 20**0.5
    t = offset + scale * (t + 0.1 * RNG.standard_normal((n, d)))
    return np.concatenate([t, t[-1:]])


def squared_distances(t):
    t = t.astype(np.float64)
    return np.square(t[:, None] - t).sum(axis=2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("scale", "offset"), [(1e-3, 0.0), (1.0, 0.0), (1.0, 1e3), (1e6, 0.0)])
def test_no_two_are_farther_apart(dtype, scale, offset):
    t = wide(90, 130, scale, offset).astype(dtype)
    true, seen = squared_distances(t), squared_distances(projected(t))
    assert np.all(seen <= true * (1 + 1e-4) + (1e-5 * scale) ** 2)
    assert seen.mean() > true.mean() / 2


def test_points_without_spread_and_narrow_layers():
    assert np.all(projected(np.ones((5, 200), np.float32)) == 0)
    assert projected(np.ones((5, 3), np.float32)) is None
    assert projected(np.full((5, 200), 1e30, np.float32)) is None


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [0.01, 0.1, 0.2, 0.3, 0.4, 1.0])
def test_sums_are_those_of_all_units(monkeypatch, dtype, scale):
    """Where most pairs count, where some do, and where none does."""
    t, weights = wide(400, 150, scale).astype(dtype), RNG.dirichlet([0.3] * 3, 401)
    variances = [0.4, 0.1, 0.001]
    found = kernel_sums(t, weights, variances)
    if scale == 0.3:
        limit = farthest_counted(projected(t), np.log2(np.e) / (2 * variances[0]))
        share = (squared_distances(projected(t)) > limit).mean()
        assert 0.1 < share < 0.9, "where some do"
    monkeypatch.setattr(module, "_MANY_UNITS", 10**6)
    expected = kernel_sums(t, weights, variances)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
