"""Compiled sums of kernels against whole matrices in float64."""

import itertools

import numpy as np
import pytest
from numba.core import caching

from ibcore.estimators import KDE, VARIANCE_LADDER
from ibcore.estimators import _compiled as compiled
from ibcore.estimators import _kernel_sums as module
from ibcore.estimators._kernel_sums import kernel_sums

RNG = np.random.default_rng(11)
# Ratios of 2, 4, 16 and 32, and one that is no power of 2.
VARIANCES = [12.8, 6.4, 1.6, 0.1, 0.1 / 32, 0.002]


def twin(t, weights, variances):
    """S (V, N, C) from all differences, one unit at a time."""
    t = t.astype(np.float64)
    d2 = sum((unit[:, None] - unit) ** 2 for unit in t.T)
    return np.stack([np.exp(-d2 / (2 * v)) @ weights for v in variances])


def weighted(kind, n):
    """Weights (n, C): one class each, counts in one class each, or any."""
    labels = np.eye(3)[RNG.integers(0, 3, n)]
    return {
        "hard": labels,
        "counts": labels * RNG.integers(1, 9, (n, 1)),
        "soft": RNG.dirichlet([0.3, 0.3, 0.3], n),
        "many": np.eye(100)[RNG.integers(0, 100, n)],
    }[kind]


def points(n, d, kind):
    t = np.tanh(RNG.standard_normal((n, 12)) @ RNG.standard_normal((12, d)) / 2)
    return {"spread": t, "offset": 1e4 + t, "equal": np.round(t)}[kind]


@pytest.mark.parametrize("kind", ["spread", "offset", "equal"])
@pytest.mark.parametrize("weights", ["hard", "counts", "soft", "many"])
@pytest.mark.parametrize(("n", "d"), [(1, 3), (67, 1), (331, 10), (1100, 2), (150, 200)])
def test_equals_whole_matrices_in_float64(n, d, kind, weights):
    for dtype in (np.float32, np.float64):
        t, w = points(n, d, kind).astype(dtype), weighted(weights, n)
        found, slow = kernel_sums(t, w, VARIANCES), twin(t, w, VARIANCES)
        # Sums over what is no smaller than 1: a point's own weight is in the sum over classes.
        np.testing.assert_allclose(found.sum(axis=2), slow.sum(axis=2), rtol=1.5e-6)
        np.testing.assert_allclose(found, slow, rtol=1.5e-6, atol=1e-6)


@pytest.mark.parametrize("variance", [0.1, 1.0, 10.0])
def test_rounding_errors_of_equal_kernels_do_not_add_up(variance):
    """On the simplex all kernels are the same, exp(-1 / v): S = 1 + (N - 1) exp(-1 / v)."""
    sums = kernel_sums(np.eye(1000, dtype=np.float32), np.ones((1000, 1)), [variance])
    np.testing.assert_allclose(sums, 1 + 999 * np.exp(-1 / variance), rtol=1e-6)


def test_threads_do_not_change_a_bit():
    """Every sum has one order, whatever shares the tiles among however many threads."""
    t, y = points(1300, 3, "spread").astype(np.float32), RNG.integers(0, 2, 1300)
    for weights in (np.eye(2)[y], RNG.dirichlet([1, 1], 1300)):
        one, two, five = (kernel_sums(t, weights, VARIANCES, threads=n) for n in (1, 2, 5))
        np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(one, five)
    batch = np.stack([t, t[::-1]])
    found = KDE().ladder(batch, np.stack([y, y[::-1]]), VARIANCE_LADDER)
    for rung, alone in zip(found, KDE().ladder(t, y, VARIANCE_LADDER), strict=True):
        assert rung.i_xt[0] == alone.i_xt
        assert rung.i_ty[0] == alone.i_ty


@pytest.mark.parametrize("n", range(1, 10))
def test_every_pair_of_tiles_meets_once(n):
    """And no tile twice in a round, so that threads share rounds without meeting."""
    rounds = list(module._rounds(n))
    for pairs in rounds[1:]:
        assert len(np.unique(pairs)) == pairs.size
    met = sorted(tuple(sorted(pair)) for pairs in rounds for pair in pairs.tolist())
    assert met == list(itertools.combinations_with_replacement(range(n), 2))


def test_narrow_tiles_do_not_matter(monkeypatch):
    t, weights = points(331, 3, "spread"), RNG.dirichlet([1, 1, 1], 331)
    expected = kernel_sums(t, weights, VARIANCES)
    monkeypatch.setattr(module, "_WIDEST", compiled.WIDTH)
    np.testing.assert_allclose(kernel_sums(t, weights, VARIANCES), expected, rtol=1e-6, atol=1e-6)


def test_a_ladder_in_parts_is_the_same_ladder(monkeypatch):
    t, y = points(200, 3, "spread").astype(np.float32), RNG.integers(0, 2, 200)
    whole = KDE().ladder(t, y, VARIANCE_LADDER)
    monkeypatch.setattr("ibcore.estimators.kde._MAX_SUMS", 5 * 400)
    for rung, part in zip(whole, KDE().ladder(t, y, VARIANCE_LADDER), strict=True):
        assert rung.i_xt == pytest.approx(part.i_xt, abs=3e-6)
        assert rung.i_ty == pytest.approx(part.i_ty, abs=3e-6)


def test_compiles_where_nothing_can_be_written(monkeypatch):
    """From the beginning, or not any more when the machine code is there."""

    def refuse(self):
        raise OSError("read-only")

    before = compiled.kept(lambda x: x + 1)
    monkeypatch.setattr(caching._CacheLocator, "ensure_cache_path", refuse)
    after = compiled.kept(lambda x: x + 2)
    assert (before(1), after(1)) == (2, 3)
