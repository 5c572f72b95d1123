"""Speed of the estimators against obvious alternatives; `-m benchmark -s` prints the ratios."""

import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from ibcore.estimators import KDE, VARIANCE_LADDER, Binning
from tests.estimators import twins

pytestmark = pytest.mark.benchmark


def layer(n_replicates: int, units: int) -> tuple[np.ndarray, np.ndarray]:
    """Last layer (R, 4096, units) of random tanh networks on all twelve-bit inputs, with labels."""
    rng = np.random.default_rng(0)
    x = 2.0 * ((np.arange(4096)[:, None] >> np.arange(12)) & 1) - 1
    widths = {10: [12, 10], 3: [12, 10, 7, 5, 4, 3]}[units]
    t = np.broadcast_to(x, (n_replicates, *x.shape))
    for fan_in, fan_out in pairwise(widths):
        t = np.tanh(t @ rng.normal(0, 1.5 / fan_in**0.5, (n_replicates, fan_in, fan_out)))
    return t.astype(np.float32), (x.sum(axis=1) > 0).astype(np.int64)


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def ratio(slow: Callable, fast: Callable, pairs: int) -> tuple[float, float, float]:
    """Medians over pairs of runs side by side: slow / fast, and the seconds of each."""
    fast()
    times = np.array([(seconds(slow), seconds(fast)) for _ in range(pairs)])
    return np.median(times[:, 0] / times[:, 1]), *np.median(times, axis=0)


def show(what: str, found: tuple[float, float, float]) -> None:
    times, slow, fast = found
    print(f"\n{what}: {times:.1f} times ({1e3 * slow:.1f} ms against {1e3 * fast:.1f} ms)")


def test_binning_against_row_wise_unique():
    t, y = layer(10, 10)
    twin = [twins.binned(one, y) for one in t]
    found = Binning().information(t, y)
    np.testing.assert_allclose(np.transpose([found.h_t, found.i_ty]), twin, atol=1e-9)
    speed = ratio(
        lambda: [twins.binned(one, y) for one in t], lambda: Binning().information(t, y), 5
    )
    show("binning against row-wise numpy.unique, N = 4096, D = 10, R = 10", speed)
    assert speed[0] > 4


def whole_matrices(t: np.ndarray, y: np.ndarray, variance: float) -> tuple[float, float]:
    """I(X;T~) and I(T~;Y), upper forms, and the sums of the lower ones, without any waste."""
    d2, onehot = twins.squared_distances(t), np.eye(2)[y]
    wide = np.exp(-d2 / (8 * variance)) @ onehot
    sums = np.exp(-d2 / (2 * variance)) @ onehot
    everything, own = sums.sum(axis=1), sums[np.arange(len(y)), y]
    assert np.all(wide >= sums)
    i_xt = np.log2(len(y)) - np.log2(everything).mean()
    sizes = onehot.sum(axis=0)[y]
    return i_xt, i_xt - (np.log2(sizes) - np.log2(own)).mean()


def test_kde_against_whole_matrices():
    for units in (10, 3):
        (t,), y = layer(1, units)
        found = KDE(0.1).information(t, y)
        assert whole_matrices(t, y, 0.1) == pytest.approx((found.i_xt, found.i_ty), abs=2e-6)
        speed = ratio(
            lambda t=t, y=y: whole_matrices(t, y, 0.1),
            lambda t=t, y=y: KDE(0.1).information(t, y),
            3,
        )
        show(f"KDE against whole-matrix NumPy float64, N = 4096, D = {units}", speed)
        assert speed[0] > 3


def test_ladder_against_single_calls():
    for units in (10, 3):
        (t,), y = layer(1, units)
        speed = ratio(
            lambda t=t, y=y: [KDE(v).information(t, y) for v in VARIANCE_LADDER],
            lambda t=t, y=y: KDE().ladder(t, y, VARIANCE_LADDER),
            7,
        )
        show(f"ladder of 16 against 16 single calls, N = 4096, D = {units}", speed)
        assert speed[0] > 2
