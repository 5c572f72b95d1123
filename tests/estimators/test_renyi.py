import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ibcore.estimators import ALPHA_LADDER, ESTIMATORS, Renyi, from_dict, to_dict
from ibcore.estimators.renyi import MOST_ROWS, renyi_entropy, scott_width
from ibcore.experiment import FieldError
from tests.estimators.test_laws import samples, soft_samples

RNG = np.random.default_rng(5)
BITS = (np.arange(4096)[:, None] >> np.arange(12)) & 1
ORDERS = st.sampled_from([0.5, 0.75, 1.0, 1.01, 1.5, 2.0, 3.0, 5.0])
WIDTHS = st.one_of(st.none(), st.floats(0.05, 5))
CLOSE = 1e-5
# Square roots of eigenvalues that are 0 up to rounding.
CLOSE_AT_HALF = 1e-4


def entropy(matrix, alpha):
    """S of a matrix, by all its eigenvalues."""
    eigenvalues = np.maximum(np.linalg.eigvalsh(matrix / np.trace(matrix)), 0)
    return classical(eigenvalues, alpha)


def classical(p, alpha):
    """Rényi's entropy of probabilities, Shannon's at order 1."""
    p = p[p > 0]
    if alpha == 1:
        return -np.sum(p * np.log2(p))
    return np.log2(np.sum(p**alpha)) / (1 - alpha)


def scott(t):
    n, d = t.shape
    spread = np.sqrt(np.mean([np.var(unit) for unit in t.T]))
    return n ** (-1 / (4 + d)) * spread


def kernel(t, width):
    t = t.astype(np.float64)
    return np.exp(-((t[:, None, :] - t[None, :, :]) ** 2).sum(axis=2) / (2 * width**2))


def equal(ids):
    return (np.asarray(ids)[:, None] == np.asarray(ids)[None, :]) * 1.0


def twin(t, y, alpha, width, x=None):
    """I(X;T), I(T;Y) and H(T) by whole matrices and Hadamard products."""
    k_t, k_y = kernel(t, width), equal(y)
    k_x = np.eye(len(t)) if x is None else equal(x)
    s_t, s_y, s_x = (entropy(k, alpha) for k in (k_t, k_y, k_x))
    i_xt = s_t + s_x - entropy(k_t * k_x, alpha)
    i_ty = s_t + s_y - entropy(k_t * k_y, alpha)
    return max(0, i_xt), max(0, i_ty), s_t


def close(alpha):
    return CLOSE_AT_HALF if alpha < 0.75 else CLOSE


def values(found):
    return found.i_xt, found.i_ty, found.h_t


@pytest.mark.parametrize("alpha", [*ALPHA_LADDER, 1.0])
def test_two_points(alpha):
    """K = (1 k; k 1) has eigenvalues 1 +- k, and A = K / 2 has (1 +- k) / 2.

    At distance 2 and width 1, k = exp(-2). A label of each point leaves the identity as
    the joint matrix, S = 1, so that I(T;Y) = S(T) + 1 - 1.
    """
    found = Renyi(alpha, 1.0).information([[1.0], [-1.0]], [0, 1])
    s = classical((1 + np.array([-1, 1]) * np.exp(-2)) / 2, alpha)
    assert values(found) == pytest.approx((s, s, s), abs=1e-6)
    if alpha == 2:
        assert s == pytest.approx(1 - np.log2(1 + np.exp(-4)), abs=1e-12)


@pytest.mark.parametrize("alpha", [*ALPHA_LADDER, 1.0])
def test_orthonormal_rows(alpha):
    """All distances are sqrt 2: eigenvalues (1 - k) / N, N - 1 times, and (1 + (N - 1) k) / N.

    Where the width is small, k = exp(-1 / width^2) is 0 and S = log2 N at every order.
    """
    n, k = 32, np.exp(-1 / 0.8**2)
    t, y = np.eye(n), np.arange(n) % 2
    exact = classical(np.array([1 - k] * (n - 1) + [1 + (n - 1) * k]) / n, alpha)
    assert Renyi(alpha, 0.8).information(t, y).i_xt == pytest.approx(exact, abs=1e-5)
    narrow = Renyi(alpha, 0.1).information(t, y)
    assert values(narrow) == pytest.approx((5, 1, 5), abs=1e-6)
    assert narrow.saturated is True


@pytest.mark.parametrize("alpha", [*ALPHA_LADDER, 1.0])
def test_almost_no_width_is_the_entropy_of_the_rows(alpha):
    """XOR: T one bit and T both bits, of Y = A xor B. Even cells have S = log2 of their number
    at every order, so that I(A;Y) = 1 + 1 - 2 = 0 and I(A,B;Y) = 2 + 1 - 2 = 1."""
    ab = BITS[:400, :2]
    y = ab[:, 0] ^ ab[:, 1]
    one = Renyi(alpha, 1e-3).information(ab[:, :1] * 1.0, y)
    both = Renyi(alpha, 1e-3).information(ab * 1.0, y)
    assert values(one) == pytest.approx((1, 0, 1), abs=1e-6)
    assert values(both) == pytest.approx((2, 1, 2), abs=1e-6)


def test_weight_of_twelve_fair_bits():
    """Order 2 of Binomial(12, 1/2) is -log2 sum_k C(12, k)^2 / 4^12 = 24 - log2 C(24, 12).

    The parity is a fair bit and a function of the weight: I = S(T) + 1 - S(T) = 1.
    """
    weight = BITS.sum(axis=1)
    found = Renyi(2.0, 1e-3).information(weight[:, None] * 1.0, weight % 2)
    exact = 24 - np.log2(2_704_156)
    assert values(found) == pytest.approx((exact, 1, exact), abs=1e-6)


def test_distinct_rows_far_apart():
    """4096 rows: order 2 sees all, 12 bits; other orders see 1000 of them, log2 1000 bits."""
    t, y = 2.0 * BITS - 1, BITS[:, 0]
    all_rows = Renyi(2.0, 0.1).information(t, y)
    some_rows = Renyi(1.01, 0.1).information(t, y)
    assert (all_rows.i_xt, all_rows.i_ty) == pytest.approx((12, 1), abs=1e-6)
    assert some_rows.i_xt == pytest.approx(np.log2(1000), abs=1e-9)
    assert all_rows.saturated
    assert some_rows.saturated


def test_binary_symmetric_channel():
    """T is Y with one bit in ten flipped: cells 0.45, 0.05, 0.05, 0.45.

    Order 1 is Shannon's, I = 1 - H(0.1) = 0.5310; order 2 gives 2 + log2(2 0.45^2 + 2 0.05^2).
    """
    t, p_y = np.array([[0.0], [1.0]] * 8), np.array([[0.9, 0.1], [0.1, 0.9]] * 8)
    shannon = 1 + 0.1 * np.log2(0.1) + 0.9 * np.log2(0.9)
    assert shannon == pytest.approx(0.5310, abs=5e-5)
    assert Renyi(1.0, 0.01).information(t, p_y).i_ty == pytest.approx(shannon, abs=1e-9)
    second = 2 + np.log2(2 * 0.45**2 + 2 * 0.05**2)
    assert Renyi(2.0, 0.01).information(t, p_y).i_ty == pytest.approx(second, abs=1e-6)


def test_order_one_is_the_limit_of_the_others():
    """(log2 tr A^alpha) / (1 - alpha) tends to -tr A log2 A."""
    t, y = RNG.standard_normal((60, 3)), RNG.integers(0, 3, 60)
    at_one = Renyi(1.0, 1.0).information(t, y)
    for alpha in (1 - 1e-5, 1 + 1e-5, 1 + 1e-8):
        assert values(Renyi(alpha, 1.0).information(t, y)) == pytest.approx(
            values(at_one), abs=1e-4
        )


@pytest.mark.parametrize("alpha", [*ALPHA_LADDER, 1.0, 100.0])
@pytest.mark.parametrize("d", [1, 3, 20])
@pytest.mark.parametrize("ids", [False, True])
def test_equals_whole_matrices(alpha, d, ids):
    """Blocks, merged rows and squared norms are Hadamard products and eigenvalues.

    Some rows are equal, and equal inputs need not have equal activations.
    """
    t = np.round(RNG.standard_normal((120, d)), 1).astype(np.float32)
    t[60:70] = t[:10]
    y, x = RNG.integers(0, 3, 120), RNG.integers(0, 60, 120) if ids else None
    for width in (0.3, 2.0):
        found = Renyi(alpha, width).information(t, y, x)
        assert values(found) == pytest.approx(twin(t, y, alpha, width, x), abs=close(alpha))


def test_without_a_width_there_is_scotts_rule():
    t, y = RNG.standard_normal((90, 4)) * [1, 2, 3, 0], RNG.integers(0, 2, 90)
    assert scott_width(t) == pytest.approx(scott(t), rel=1e-12)
    for alpha in (1.5, 2.0):
        found = Renyi(alpha).information(t, y)
        assert values(found) == pytest.approx(twin(t, y, alpha, scott(t)), abs=CLOSE)
        # The kernel grows with the activations: their size means nothing.
        assert values(Renyi(alpha).information(1e-6 * t, y)) == pytest.approx(
            values(found), abs=CLOSE
        )


def test_the_fast_path_is_the_eigenvalues():
    """-log2 ||A||^2 in blocks, and by the eigenvalues of order 2 + 1e-9, for 1000 samples."""
    t = np.tanh(RNG.standard_normal((MOST_ROWS, 5))).astype(np.float32)
    y = RNG.integers(0, 2, MOST_ROWS)
    fast, slow = (Renyi(alpha, 0.7).information(t, y) for alpha in (2.0, 2 + 1e-9))
    assert values(fast) == pytest.approx(values(slow), abs=CLOSE)


def test_order_two_takes_all_samples_and_others_a_thousand():
    """Equal rows beyond 1000 change nothing but shares: 3000 copies of 4 points.

    Other orders take the same 1000 samples for every T of that many rows.
    """
    points, y = np.tile(np.arange(4.0)[:, None], (750, 1)), np.arange(3000) % 2
    fast = Renyi(2.0, 1.0).information(points, y)
    assert values(fast) == pytest.approx(twin(points[:4], y[:4], 2.0, 1.0), abs=CLOSE)
    slow = Renyi(3.0, 1.0)
    assert values(slow.information(points, y)) == values(slow.information(points, y))
    assert values(slow.information(points, y)) == pytest.approx(
        twin(points[:4], y[:4], 3.0, 1.0), abs=0.05
    )
    by_soft_labels = slow.information(points, np.eye(2)[y], x=np.arange(3000))
    assert values(by_soft_labels) == pytest.approx(values(slow.information(points, y)), abs=1e-9)


@pytest.mark.parametrize("alpha", [0.75, 1.0, 2.0, 5.0])
def test_soft_labels_are_a_limit_of_many_hard_ones(alpha):
    """Ten samples of each input with 10 p(y|x) of each label have the same spectra."""
    t, ones = RNG.standard_normal((30, 2)), RNG.integers(0, 11, 30)
    soft = Renyi(alpha, 0.5).information(t, np.column_stack([ones, 10 - ones]) / 10)
    labels = (np.arange(10)[None, :] >= ones[:, None]).astype(int)
    hard = Renyi(alpha, 0.5).information(np.repeat(t, 10, axis=0), labels.reshape(-1))
    assert (soft.i_ty, soft.h_t) == pytest.approx((hard.i_ty, hard.h_t), abs=CLOSE)


def test_equal_inputs_have_a_block_kernel():
    """X is a fair bit and T one bit of its own beside it: S(X) = 1, S(T) = 1, S(X, T) = 2."""
    t, x = np.array([[0.0], [1.0], [0.0], [1.0]]), [7, 7, 9, 9]
    for alpha in (0.5, 2.0):
        apart = Renyi(alpha, 0.01).information(t, [0, 0, 1, 1], x)
        assert apart.i_xt == pytest.approx(0, abs=1e-6)
        same = Renyi(alpha, 0.01).information(t, [0, 1, 0, 1], x=[7, 9, 7, 9])
        assert same.i_xt == pytest.approx(1, abs=1e-6)


def test_differences_below_zero_count_as_zero():
    """T = Y = 0 twice, and 1 once each where the other is 0. At order 2 S(T) = S(Y) =
    -log2(10/16) and S(T, Y) = -log2(6/16): the difference is log2(96/100), below 0."""
    t, y = np.array([[0.0], [0.0], [0.0], [1.0]]), [0, 0, 1, 0]
    assert 2 * np.log2(16 / 10) - np.log2(16 / 6) == pytest.approx(np.log2(0.96))
    assert Renyi(2.0, 0.01).information(t, y).i_ty == 0
    # At order 1 it is Shannon's, above 0: 2 H(1/4) - 3/2.
    shannon = 2 * (2 - 0.75 * np.log2(3)) - 1.5
    assert Renyi(1.0, 0.01).information(t, y).i_ty == pytest.approx(shannon, abs=1e-9)


@settings(max_examples=40)
@given(samples(), ORDERS, WIDTHS)
def test_information_is_bounded(sample, alpha, width):
    """0 <= I(X;T) = S(T) <= log2 N and 0 <= I(T;Y) <= min(S(T), S(Y))."""
    t, y = sample
    found, h_y = Renyi(alpha, width).information(t, y), classical(np.bincount(y) / len(y), alpha)
    assert 0 <= found.i_xt == found.h_t <= np.log2(len(t)) + 1e-9
    assert 0 <= found.i_ty <= min(found.h_t, h_y) + close(alpha)


@settings(max_examples=40)
@given(soft_samples(), ORDERS, WIDTHS)
@example((np.zeros((1, 1)), np.full((1, 3), 1 / 3)), 2.0, None)
def test_soft_labels_are_bounded(sample, alpha, width):
    """0 <= I(T;Y) <= min(S(T), S(Y)) for class probabilities."""
    t, p_y = sample
    found, h_y = Renyi(alpha, width).information(t, p_y), classical(p_y.mean(axis=0), alpha)
    assert 0 <= found.i_ty <= min(found.h_t, h_y) + close(alpha)


@settings(max_examples=40)
@given(samples(), ORDERS, st.floats(0.05, 5), st.integers(0, 99))
def test_sees_distances_only(sample, alpha, width, seed):
    """Permuted samples, a rotation, a shift and a dead unit change nothing at a given width."""
    t, y = sample[0].astype(np.float64), sample[1]
    rng = np.random.default_rng(seed)
    order, d = rng.permutation(len(t)), t.shape[1]
    turn = np.linalg.qr(rng.standard_normal((d, d)))[0]
    moved = np.column_stack([t @ turn + 17, np.full(len(t), -4.0)])[order]
    one, other = (
        Renyi(alpha, width).information(t, y),
        Renyi(alpha, width).information(moved, y[order]),
    )
    assert values(other) == pytest.approx(values(one), abs=close(alpha))


@settings(max_examples=40)
@given(samples(), ORDERS, st.floats(1e-3, 1e3), st.integers(0, 99))
def test_scotts_rule_sees_shape_only(sample, alpha, c, seed):
    """Permuted samples, a rotation, a shift and another scale change nothing under the rule."""
    # Far from the rounding of the shift.
    t, y = np.round(sample[0].astype(np.float64) * 64) / 64, sample[1]
    rng = np.random.default_rng(seed)
    order, d = rng.permutation(len(t)), t.shape[1]
    turn = np.linalg.qr(rng.standard_normal((d, d)))[0]
    moved = c * (t @ turn + (17 if np.ptp(t, axis=0).any() else 0))[order]
    one, other = Renyi(alpha).information(t, y), Renyi(alpha).information(moved, y[order])
    assert values(other) == pytest.approx(values(one), abs=close(alpha))


@settings(max_examples=40)
@given(samples(), WIDTHS)
def test_entropy_falls_with_the_order(sample, width):
    """S_alpha(T) never rises with alpha."""
    t, y = sample
    rungs = Renyi(width=width).ladder(t, y, [0.5, 1.0, 1.5, 2.0, 5.0, 50.0])
    assert np.all(np.diff([rung.h_t for rung in rungs]) <= CLOSE)


@settings(max_examples=40)
@given(samples(), ORDERS, st.floats(0.05, 5))
def test_equals_its_slow_twin(sample, alpha, width):
    """The estimator is three matrices and their eigenvalues."""
    t, y = sample
    found = Renyi(alpha, width).information(t, y)
    assert values(found) == pytest.approx(twin(t, y, alpha, width), abs=close(alpha))


@settings(max_examples=20)
@given(st.integers(1, 30), st.integers(1, 4), st.floats(-1e6, 1e6), ORDERS, WIDTHS)
def test_constant_activations_carry_nothing(n, d, value, alpha, width):
    """Identical rows: A = 1/N everywhere has the one eigenvalue 1, S = 0; so has one sample."""
    found = Renyi(alpha, width).information(np.full((n, d), value), np.arange(n) % 2)
    assert values(found) == pytest.approx((0, 0, 0), abs=1e-6)
    assert found.saturated is False


@pytest.mark.parametrize("n", [70, 1100])
def test_the_ladder_is_single_calls(n):
    t, y = RNG.standard_normal((n, 3)), RNG.integers(0, 3, n)
    t[n // 2 :] = t[: n - n // 2]
    orders = (2.0, 3.0) if n > MOST_ROWS else (*ALPHA_LADDER, 1.0, 2)
    for alpha, rung in zip(orders, Renyi().ladder(t, y, orders), strict=True):
        assert values(rung) == pytest.approx(values(Renyi(alpha).information(t, y)), abs=1e-12)
    assert Renyi().ladder(t, y, []) == []


@pytest.mark.parametrize("alpha", [1.5, 2.0])
def test_a_batch_is_its_replicates(alpha):
    """Every replicate has its own width under the rule."""
    batch = RNG.standard_normal((2, 40, 3)) * np.array([1, 5])[:, None, None]
    y = RNG.integers(0, 2, (2, 40))
    found = Renyi(alpha).information(batch, y)
    for r in range(2):
        alone = Renyi(alpha).information(batch[r], y[r])
        assert (found.i_xt[r], found.i_ty[r], found.h_t[r]) == pytest.approx(values(alone))
    assert found.saturated.shape == (2,)


@pytest.mark.parametrize("size", [1e100, 3e38, 1e-40, 1e-160, 1e-200])
def test_huge_and_tiny_activations(size):
    """Under the rule the size does not matter, until squares are lost: then T is constant."""
    t = size * np.array([[-1.0], [0.0], [1.0]])
    expected = twin(t / size, [0, 1, 1], 2.0, scott(t / size)) if size > 1e-100 else (0, 0, 0)
    for alpha in (2.0, 2 + 1e-9):
        assert values(Renyi(alpha).information(t, [0, 1, 1])) == pytest.approx(expected, abs=1e-6)
    far = Renyi(2.0, 1e-12).information(np.array([[-1e100], [1e100]]), [0, 1])
    assert values(far) == pytest.approx((1, 1, 1), abs=1e-6)


def test_misfits_are_refused_in_one_line():
    for t, y in ((np.full((2, 1), np.nan), [0, 1]), (np.eye(2), [0]), (np.eye(2), [[0.5], [0.4]])):
        with pytest.raises(ValueError) as caught:
            Renyi().information(t, y)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("field", "bad"),
    [("alpha", bad) for bad in (0, -1, 0.49, 101, np.nan, np.inf, "2", None, True)]
    + [("width", bad) for bad in (0, -1.0, 1e-13, 1e13, np.nan, np.inf, "1", True)],
)
def test_fields_are_checked(field, bad):
    with pytest.raises(FieldError) as caught:
        Renyi(**{field: bad})
    assert caught.value.field == field
    assert "\n" not in str(caught.value)


def test_the_ladder_checks_every_value():
    with pytest.raises(FieldError, match="alpha"):
        Renyi().ladder(np.eye(2), [0, 1], [2, 0])


def test_texts_and_registry():
    assert Renyi().label == (
        "Matrix-based Rényi, α = 2, kernel width by Scott's rule; not Shannon information"
    )
    assert Renyi(1.01, 0.5).label == (
        "Matrix-based Rényi, α = 1.01, width 0.5, on at most 1000 samples; not Shannon information"
    )
    assert Renyi().parameter == "alpha"
    assert Renyi().default_ladder == ALPHA_LADDER == tuple(sorted(ALPHA_LADDER))
    assert Renyi(2) == Renyi(2.0)
    assert ESTIMATORS["renyi"] is Renyi
    assert from_dict(to_dict(Renyi(3.0, 0.2))) == Renyi(3.0, 0.2)


def test_entropy_of_probabilities():
    """Far orders do not underflow: 1000 even shares have log2 1000 at order 100."""
    even = np.full(1000, 1e-3)
    for alpha in (0.5, 1.0, 2.0, 100.0):
        assert renyi_entropy(even, alpha) == pytest.approx(np.log2(1000), abs=1e-9)
    assert renyi_entropy(np.array([0.75, 0.25]), 2.0) == pytest.approx(-np.log2(0.625))


def test_rounding_never_lifts_the_entropy_above_that_of_distinct_rows():
    """N shares of 1 / N, most of them not float32 numbers: at most log2 N, to the last digit."""
    for n in range(1, 60):
        t, y = 10.0 * np.arange(n)[:, None], np.arange(n) % 2
        for alpha in (2.0, 3.0):
            found = Renyi(alpha, 0.1).information(t, y)
            assert found.h_t <= np.log2(n)
            assert found.i_xt == pytest.approx(np.log2(n), abs=1e-6)
