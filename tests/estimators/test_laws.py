"""Laws of the estimators; each docstring is the theorem."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ibcore.estimators import KDE, Binning, label_entropy
from tests.estimators import twins

CLOSE = 3e-6
COORDINATES = st.one_of(st.floats(-1, 1, width=32), st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0]))
VARIANCES = st.floats(1e-3, 10)
BINS = st.integers(2, 60)


@st.composite
def samples(draw, largest=24):
    n, d = draw(st.integers(1, largest)), draw(st.integers(1, 5))
    t = draw(arrays(np.float32, (n, d), elements=COORDINATES))
    return t, draw(arrays(np.int64, n, elements=st.integers(0, 3)))


@st.composite
def soft_samples(draw):
    t, _ = draw(samples())
    rows = draw(arrays(np.float64, (len(t), 3), elements=st.floats(0, 1)))
    rows[:, 0] += 1e-3
    return t, rows / rows.sum(axis=1, keepdims=True)


@given(samples(), BINS)
def test_binned_information_is_bounded(sample, n_bins):
    """0 <= I(T;Y) <= min(H(T), H(Y)) and I(X;T) = H(T) <= log2 N."""
    t, y = sample
    found = Binning(n_bins).information(t, y)
    assert 0 <= found.i_ty <= min(found.h_t, label_entropy(y)) + 1e-9
    assert found.i_xt == found.h_t
    assert 0 <= found.h_t <= np.log2(len(t)) + 1e-9


@given(soft_samples(), BINS)
def test_binned_information_of_soft_labels_is_bounded(sample, n_bins):
    """0 <= I(T;Y) <= min(H(T), H(Y)) for class probabilities."""
    t, p_y = sample
    found = Binning(n_bins).information(t, p_y)
    assert 0 <= found.i_ty <= min(found.h_t, label_entropy(p_y)) + 1e-9


@given(samples(), st.integers(2, 20), st.integers(2, 6))
def test_finer_bins_hold_no_less(sample, n_bins, k):
    """Cutting every bin into k never lowers H(T): the coarse bin is a function of the fine one."""
    # Multiples of 2^-6 in bins of 2^-m: no value is moved across an edge by rounding.
    t, y = np.round(sample[0] * 64) / 64, sample[1]
    b, kb = 2 ** (n_bins % 5 + 1), 2 ** (n_bins % 5 + 1 + k % 4)
    assert Binning(kb).information(t, y).h_t >= Binning(b).information(t, y).h_t - 1e-9


@given(samples(), BINS, st.randoms(use_true_random=False))
def test_the_order_of_samples_does_not_matter_to_bins(sample, n_bins, random):
    """H and I are functions of the multiset of rows."""
    t, y = sample
    order = list(range(len(t)))
    random.shuffle(order)
    one, other = (Binning(n_bins).information(a, b) for a, b in ((t, y), (t[order], y[order])))
    assert other.h_t == pytest.approx(one.h_t, abs=1e-9)
    assert other.i_ty == pytest.approx(one.i_ty, abs=1e-9)


@given(samples(), BINS)
def test_bins_equal_their_slow_twin(sample, n_bins):
    """Counting keys is counting rows."""
    t, y = sample
    found = Binning(n_bins).information(t, y)
    assert (found.h_t, found.i_ty) == pytest.approx(twins.binned(t, y, n_bins), abs=1e-9)


@given(samples(), BINS)
def test_units_that_never_vary_carry_nothing_to_bins(sample, n_bins):
    """A dead unit adds no information."""
    t, y = sample
    dead = np.column_stack([t, np.full(len(t), 0.3, dtype=t.dtype)])
    assert Binning(n_bins).information(dead, y).h_t == pytest.approx(
        Binning(n_bins).information(t, y).h_t, abs=1e-9
    )


@given(samples(), VARIANCES)
def test_kde_bounds_are_ordered(sample, variance):
    """0 <= lower <= upper <= log2 N; the bracket of I(T~;Y) lies within [0, H(Y)]."""
    t, y = sample
    found = KDE(variance).information(t, y)
    assert 0 <= found.i_xt_lower <= found.i_xt_upper + CLOSE
    assert found.i_xt_upper == found.i_xt <= np.log2(len(t)) + CLOSE
    assert 0 <= found.i_ty_lower <= found.i_ty_upper + CLOSE
    assert found.i_ty_upper <= label_entropy(y) + CLOSE
    assert found.i_ty_upper <= found.i_xt_upper + CLOSE


@given(samples(), VARIANCES)
def test_kde_label_information_is_at_most_the_label_entropy(sample, variance):
    """Upper minus upper is H(Y) + mean log2 of a share of each kernel sum: never above H(Y)."""
    t, y = sample
    assert KDE(variance).information(t, y).i_ty <= label_entropy(y) + CLOSE


@given(samples(), st.lists(VARIANCES, min_size=2, max_size=6))
def test_kde_falls_with_the_noise(sample, variances):
    """More noise never leaves more information: f falls with the variance."""
    found = KDE().ladder(*sample, sorted(variances))
    for narrow, wide in pairwise(found):
        assert narrow.i_xt >= wide.i_xt - CLOSE
        assert narrow.i_xt_lower >= wide.i_xt_lower - CLOSE


@given(samples(), VARIANCES, st.randoms(use_true_random=False))
def test_kde_knows_distances_only(sample, variance, random):
    """Permuting samples, rotating, translating and adding dead units change nothing."""
    t, y = sample[0].astype(np.float64), sample[1]
    order = list(range(len(t)))
    random.shuffle(order)
    d = t.shape[1]
    rotation = np.linalg.qr(np.random.default_rng(random.randrange(99)).normal(size=(d, d)))[0]
    moved = np.column_stack([t @ rotation + 17, np.full(len(t), -4.0)])[order]
    one, other = KDE(variance).information(t, y), KDE(variance).information(moved, y[order])
    for name in ("i_xt", "i_xt_lower", "i_ty", "i_ty_lower", "i_ty_upper"):
        assert getattr(other, name) == pytest.approx(getattr(one, name), abs=CLOSE)


@given(samples(), VARIANCES, st.floats(1e-3, 1e3))
def test_kde_scales_with_its_noise(sample, variance, c):
    """I(cT, c^2 v) = I(T, v)."""
    t, y = sample[0].astype(np.float64), sample[1]
    one, other = (
        KDE(variance).information(t, y),
        KDE(c * c * variance).information(c * t, y),
    )
    assert other.i_xt == pytest.approx(one.i_xt, abs=CLOSE)
    assert other.i_ty == pytest.approx(one.i_ty, abs=CLOSE)


@given(samples())
def test_kde_between_no_noise_and_all_noise(sample):
    """Noise to 0 leaves the entropy of the distinct rows and of (T, Y); noise without end, 0."""
    t, y = np.round(sample[0] * 8) / 8, sample[1]
    none, much = KDE().ladder(t, y, [1e-9, 1e9])
    h_t, i_ty = twins.counted(t, y)
    assert none.i_xt_lower == pytest.approx(h_t, abs=CLOSE)
    assert none.i_xt_upper == pytest.approx(h_t, abs=CLOSE)
    assert none.i_ty == pytest.approx(i_ty, abs=CLOSE)
    assert none.i_ty_lower == pytest.approx(i_ty, abs=CLOSE)
    assert much.i_xt == pytest.approx(0, abs=CLOSE)
    assert much.i_ty == pytest.approx(0, abs=CLOSE)


@given(samples(), VARIANCES)
def test_kde_equals_its_slow_twin(sample, variance):
    """Tiles, float32 kernels and merged rows are whole float64 matrices."""
    t, y = sample
    found, slow = KDE(variance).information(t, y), twins.kde(t, np.eye(4)[y], variance)
    for name, value in slow.items():
        assert getattr(found, name) == pytest.approx(value, abs=CLOSE)


@given(soft_samples(), VARIANCES)
def test_kde_of_soft_labels_equals_its_slow_twin(sample, variance):
    """Class weights take the place of classes."""
    t, p_y = sample
    found, slow = KDE(variance).information(t, p_y), twins.kde(t, p_y, variance)
    for name, value in slow.items():
        assert getattr(found, name) == pytest.approx(value, abs=CLOSE)


@settings(max_examples=20)
@given(st.integers(1, 30), st.integers(1, 4), st.floats(-5, 5, width=32))
def test_constant_activations_carry_nothing(n, d, value):
    """A constant T, and any T of one sample, has I(X;T) = I(T;Y) = 0."""
    t, y = np.full((n, d), value, dtype=np.float32), np.arange(n) % 2
    for estimator in (Binning(), Binning(limits="layer"), Binning(width=0.07), KDE()):
        found = estimator.information(t, y)
        assert found.i_xt == pytest.approx(0, abs=1e-9)
        assert found.i_ty == pytest.approx(0, abs=1e-6)
