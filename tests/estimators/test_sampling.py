import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import logsumexp

from ibcore.estimators import (
    ESTIMATORS,
    KDE,
    VARIANCE_LADDER,
    Sampling,
    from_dict,
    label_entropy,
    to_dict,
)
from ibcore.estimators import sampling as module
from ibcore.estimators.sampling import sample_terms
from ibcore.experiment import FieldError
from tests.estimators.test_laws import VARIANCES, samples, soft_samples

RNG = np.random.default_rng(3)
CUBE = 2.0 * ((np.arange(4096)[:, None] >> np.arange(12)) & 1) - 1
NAMES = ("i_xt", "i_ty", "i_xt_se", "i_ty_se")


def twin(t, p_y, variance, noise):
    """The terms (N, 2) in bits from whole matrices: densities of z under points and classes."""
    t = t.astype(np.float64)
    z = t + np.sqrt(variance) * noise
    log_k = -((z[:, None, :] - t[None, :, :]) ** 2).sum(axis=2) / (2 * variance)
    with np.errstate(divide="ignore"):
        log_w = np.log(p_y / p_y.sum(axis=0))
    log_p = logsumexp(log_k, axis=1) - np.log(len(t))
    i_xt = np.diag(log_k) - log_p
    i_ty = np.zeros(len(t))
    for c in range(p_y.shape[1]):
        given_c = logsumexp(log_k + log_w[:, c], axis=1)
        i_ty += np.where(p_y[:, c] > 0, p_y[:, c] * (given_c - log_p), 0.0)
    return np.column_stack([i_xt, i_ty]) / np.log(2)


def two_points_truth(v):
    """I of +-1 seen through N(0, v): with L = 2 (1 + sqrt(v) e) / v, 1 - E log2(1 + exp(-L)).

    A sample of the point 1 is z = 1 + sqrt(v) e, and the other point is
    exp(((z - 1)^2 - (z + 1)^2) / 2v) = exp(-2 z / v) times as likely.
    """

    def loss(e):
        return np.log2(1 + np.exp(-2 * (1 + np.sqrt(v) * e) / v)) * np.exp(-e * e / 2)

    return 1 - quad(loss, -12, 12)[0] / np.sqrt(2 * np.pi)


def one_hot_truth(n, v):
    """I of n unit vectors seen through N(0, v), in bits.

    Seen from point 1 the likelihood of point j is proportional to exp(e_j / s + [j = 1] / v),
    s = sqrt(v): I = log n + E[e_1 / s + 1 / v] - E log S, S the sum of these n numbers. With
    log S = int_0^inf (exp(-u) - exp(-u S)) du / u and independent terms, only
    L(u) = E exp(-u exp(e / s)) is needed: E exp(-u S) = L(u exp(1 / v)) L(u)^(n - 1).
    """
    e = np.linspace(-9, 9, 1801)
    density = np.exp(-e * e / 2) / np.exp(-e * e / 2).sum()
    r = np.linspace(-45, 45, 4501)

    def transform(log_u):
        return np.exp(-np.exp(log_u[:, None] + e / np.sqrt(v))) @ density

    mean_log_s = np.sum(np.exp(-np.exp(r)) - transform(r + 1 / v) * transform(r) ** (n - 1))
    return (np.log(n) + 1 / v - mean_log_s * (r[1] - r[0])) / np.log(2)


def within(found, truth, errors=4):
    return abs(found.i_xt - truth) <= errors * found.i_xt_se


@pytest.mark.parametrize(("variance", "truth"), [(1.0, 0.4859), (0.25, 0.9128)])
def test_two_points(variance, truth):
    assert two_points_truth(variance) == pytest.approx(truth, abs=1e-4)
    t = np.array([[1.0], [-1.0]] * 2000)
    found = Sampling(variance).information(t, [0, 1] * 2000)
    assert within(found, two_points_truth(variance))
    assert found.i_xt_se < 0.02
    # Y tells the points apart: I(T~;Y) = I(X;T~), draw by draw.
    assert found.i_ty == pytest.approx(found.i_xt, abs=1e-6)
    assert found.h_t is None
    assert found.i_xt_lower is None


def test_ten_one_hot_points():
    truth = one_hot_truth(10, 0.1)
    assert truth == pytest.approx(2.9963, abs=1e-4)
    # Of two points, sqrt 2 apart, the formula is that of +-1 at noise 2 v.
    assert one_hot_truth(2, 0.25) == pytest.approx(two_points_truth(0.5), abs=1e-6)
    found = Sampling(0.1).information(np.tile(np.eye(10), (200, 1)), np.arange(2000) % 10)
    assert within(found, truth)
    assert found.i_xt_se < 0.03
    assert found.i_ty == pytest.approx(found.i_xt, abs=1e-5)


def test_the_cube_is_twelve_times_two_points():
    """Independent coordinates with independent noise: 12 times 0.4859 is 5.8313."""
    truth = 12 * two_points_truth(1.0)
    assert truth == pytest.approx(5.8313, abs=5e-4)
    found = Sampling(1.0).information(CUBE, CUBE[:, 0] > 0)
    assert within(found, truth)
    # The label is one coordinate, and the others say nothing of it.
    assert abs(found.i_ty - two_points_truth(1.0)) <= 4 * found.i_ty_se


def test_gaussian_channel():
    """X ~ N(0, 1) and noise of variance 0.1: I = log2(1 + 1/0.1) / 2 = 1.7297."""
    truth = 0.5 * np.log2(11)
    assert truth == pytest.approx(1.7297, abs=5e-5)
    x = RNG.standard_normal((4096, 1))
    assert Sampling(0.1).information(x, x[:, 0] > 0).i_xt == pytest.approx(truth, abs=0.05)


@pytest.mark.parametrize(("rho", "truth"), [(0.5, 0.2075), (0.9, 1.1980)])
def test_gaussian_pair(rho, truth):
    """X + N(0, v) and X ~ N(0, 1) have correlation rho at v = 1 / rho^2 - 1."""
    assert -0.5 * np.log2(1 - rho**2) == pytest.approx(truth, abs=5e-5)
    x = RNG.standard_normal((4096, 1))
    found = Sampling(1 / rho**2 - 1).information(x, x[:, 0] > 0)
    assert found.i_xt == pytest.approx(truth, abs=0.05)


def test_almost_no_noise_counts_the_rows():
    """4096 distinct rows 12 bits, the weight of 12 fair bits 2.8385 and 1 on its parity.

    With next to no noise T~ is T, and its information that of the distinct rows.
    """
    found = Sampling(1e-9).information(CUBE, CUBE[:, 0] > 0)
    assert (found.i_xt, found.i_ty) == pytest.approx((12, 1), abs=1e-6)
    assert found.saturated
    weight = (CUBE > 0).sum(axis=1)
    p = np.bincount(weight) / 4096
    found = Sampling(1e-9).information(weight[:, None] * 1.0, weight % 2)
    assert found.i_xt == pytest.approx(-np.sum(p * np.log2(p)), abs=1e-6)
    assert found.i_xt == pytest.approx(2.8385, abs=5e-5)
    assert found.i_ty == pytest.approx(1, abs=1e-6)
    assert not found.saturated


def test_xor_hides_from_each_of_its_inputs():
    """Y = A xor B of fair bits is independent of A alone and a function of (A, B)."""
    ab = CUBE[:, :2]
    y = ab[:, 0] * ab[:, 1] > 0
    assert Sampling(1e-6).information(ab[:, :1], y).i_ty == pytest.approx(0, abs=1e-6)
    assert Sampling(1e-6).information(ab, y).i_ty == pytest.approx(1, abs=1e-6)


def test_binary_symmetric_channel():
    """T is Y with one bit in ten flipped: I = 1 - H(0.1); with p(y|x) there is no sampling."""
    truth = 1 + 0.1 * np.log2(0.1) + 0.9 * np.log2(0.9)
    assert truth == pytest.approx(0.5310, abs=5e-5)
    y = RNG.integers(0, 2, 4096)
    t = (y ^ (RNG.random(4096) < 0.1))[:, None] * 1.0
    assert Sampling(1e-3).information(t, y).i_ty == pytest.approx(truth, abs=0.05)
    p_y = np.where(t > 0, [0.1, 0.9], [0.9, 0.1])
    assert Sampling(1e-3).information(t, p_y).i_ty == pytest.approx(truth, abs=0.01)


def test_lies_between_the_bounds_of_kde():
    """200 cases: within 3 standard errors of the KDE's brackets of the same two numbers."""
    rng = np.random.default_rng(7)
    for case in range(200):
        n, d, spread = rng.integers(20, 60), rng.integers(1, 5), rng.choice([0.3, 1, 3])
        t = np.tanh(spread * rng.standard_normal((n, d)))
        y = rng.integers(0, 3, n) if case % 2 else rng.dirichlet([0.5, 0.5, 0.5], n)
        variance = 10 ** rng.uniform(-3, 1)
        found, bounds = (kind(variance).information(t, y) for kind in (Sampling, KDE))
        for name in ("i_xt", "i_ty"):
            slack = 3 * getattr(found, f"{name}_se") + 1e-5
            value = getattr(found, name)
            assert getattr(bounds, f"{name}_lower") - slack <= value, (case, name)
            assert value <= getattr(bounds, f"{name}_upper") + slack, (case, name)


def test_the_standard_error_is_that_of_many_seeds():
    """Over 200 seeds the mean is the truth, and s / sqrt(N) is no less than the true spread."""
    t = np.array([[1.0], [-1.0]] * 20)
    found = [Sampling(1.0, seed).information(t, [0, 1] * 20) for seed in range(200)]
    values, errors = (np.array([getattr(f, name) for f in found]) for name in NAMES[::2])
    assert abs(values.mean() - two_points_truth(1.0)) < 4 * values.std() / np.sqrt(200)
    # The two points are alike, so that here the errors are not too large either.
    assert errors.mean() == pytest.approx(values.std(), rel=0.2)


def networks_like(n, d, kind):
    t = RNG.standard_normal((n, 12)) @ RNG.standard_normal((12, d))
    return {
        "spread": np.tanh(t),
        "saturated": np.sign(t),
        "unbounded": 20 * np.maximum(t, 0),
        "offset": 1e4 + np.tanh(t),
    }[kind]


@pytest.mark.parametrize("kind", ["spread", "saturated", "unbounded", "offset"])
@pytest.mark.parametrize(("n", "d"), [(400, 10), (200, 2), (385, 1), (7, 300)])
@pytest.mark.parametrize("soft", [False, True])
def test_equals_whole_matrices_in_float64(n, d, kind, soft):
    t = networks_like(n, d, kind)
    p_y = RNG.dirichlet([0.3, 0.3, 0.3], n) if soft else np.eye(3)[RNG.integers(0, 3, n)]
    noise = RNG.standard_normal((n, d))
    variances = [3.0, 0.01]
    terms = sample_terms(t, p_y, noise, variances)
    for variance, found in zip(variances, terms, strict=True):
        slow = twin(t, p_y, variance, noise)
        np.testing.assert_allclose(found, slow, rtol=0, atol=5e-5)
        # Rounding errors do not add up.
        np.testing.assert_allclose(found.mean(axis=0), slow.mean(axis=0), rtol=0, atol=5e-6)


def test_draws_come_from_the_seed_and_the_shape():
    t, y = networks_like(60, 3, "spread"), RNG.integers(0, 2, 60)
    found = Sampling(0.5, 11).information(t, y)
    noise = np.random.default_rng(11).standard_normal((60, 3))
    slow = twin(t, np.eye(2)[y], 0.5, noise)
    assert (found.i_xt, found.i_ty) == pytest.approx(slow.mean(axis=0), abs=1e-5)
    errors = np.sqrt(((slow - slow.mean(axis=0)) ** 2).sum(axis=0) / 59 / 60)
    assert (found.i_xt_se, found.i_ty_se) == pytest.approx(errors, abs=1e-5)
    assert Sampling(0.5, 11).information(t, y).i_xt == found.i_xt
    assert Sampling(0.5, 12).information(t, y).i_xt != found.i_xt


@pytest.mark.parametrize("n_threads", [1, 3])
def test_tiles_threads_and_merged_rows_do_not_matter(monkeypatch, n_threads):
    t = np.round(networks_like(210, 2, "spread") * 2)
    p_y, noise = RNG.dirichlet([1, 1], 210), RNG.standard_normal((210, 2))
    expected = sample_terms(t, p_y, noise, [0.3, 2.0])
    monkeypatch.setattr(module, "_ROWS", 32)
    few_rows = sample_terms(t, p_y, noise, [0.3, 2.0], n_threads)
    np.testing.assert_array_equal(few_rows, expected)
    monkeypatch.setattr("ibcore.estimators._kernel_sums._WIDEST", 64)
    np.testing.assert_allclose(sample_terms(t, p_y, noise, [0.3, 2.0]), expected, atol=1e-5)
    monkeypatch.setattr(module, "distinct_rows", lambda t: None)
    np.testing.assert_allclose(sample_terms(t, p_y, noise, [0.3, 2.0]), expected, atol=1e-5)


def test_the_ladder_is_single_calls():
    t, y = networks_like(300, 4, "spread").astype(np.float32), RNG.integers(0, 2, 300)
    values = [*VARIANCE_LADDER, 1e-12, 0.3, 1e12]
    for value, rung in zip(values, Sampling().ladder(t, y, values), strict=True):
        single = Sampling(value).information(t, y)
        for name in NAMES:
            assert getattr(rung, name) == pytest.approx(getattr(single, name), abs=3e-6), name
    assert Sampling().ladder(t, y, []) == []


def test_a_batch_is_its_replicates():
    """Every replicate sees the same draws, so that one alone gives what it gives among others."""
    t, y = networks_like(40, 3, "spread"), RNG.integers(0, 2, (2, 40))
    batch = np.stack([t, t[::-1] * 0.5])
    found = Sampling(0.3, 5).information(batch, y)
    for r in range(2):
        alone = Sampling(0.3, 5).information(batch[r], y[r])
        for name in NAMES:
            assert getattr(found, name)[r] == pytest.approx(getattr(alone, name), abs=1e-12)
    assert found.saturated.shape == (2,)
    assert found.h_t is None


@settings(max_examples=40)
@given(samples(), VARIANCES, st.integers(0, 9))
def test_information_is_bounded(sample, variance, seed):
    """0 <= I(X;T~) <= log2 N and 0 <= I(T~;Y) <= H(Y), whatever the draws."""
    t, y = sample
    found = Sampling(variance, seed).information(t, y)
    assert 0 <= found.i_xt <= np.log2(len(t)) + 1e-5
    assert 0 <= found.i_ty <= label_entropy(y) + 1e-5


@settings(max_examples=40)
@given(soft_samples(), VARIANCES, st.integers(0, 9))
def test_soft_labels_are_bounded(sample, variance, seed):
    """0 <= I(T~;Y) <= H(Y) for class probabilities."""
    t, p_y = sample
    found = Sampling(variance, seed).information(t, p_y)
    assert 0 <= found.i_ty <= label_entropy(p_y) + 1e-5


@settings(max_examples=40)
@given(samples(), VARIANCES, st.integers(0, 99))
def test_the_order_of_samples_does_not_matter(sample, variance, seed):
    """Samples that move together with their draws keep their terms, also in other coordinates."""
    t, y = sample[0].astype(np.float64), np.eye(4)[sample[1]]
    rng = np.random.default_rng(seed)
    noise, order = rng.standard_normal(t.shape), rng.permutation(len(t))
    turn = np.linalg.qr(rng.standard_normal((t.shape[1],) * 2))[0]
    expected = sample_terms(t, y, noise, [variance])[:, order]
    moved = sample_terms((t @ turn + 17)[order], y[order], (noise @ turn)[order], [variance])
    np.testing.assert_allclose(moved, expected, rtol=0, atol=2e-5)


@settings(max_examples=30)
@given(samples(), VARIANCES, st.floats(1e-3, 1e3))
def test_scales_with_its_noise(sample, variance, c):
    """I(cT, c^2 v) = I(T, v), draw by draw."""
    t, y = sample[0].astype(np.float64), sample[1]
    one, other = (
        Sampling(variance).information(t, y),
        Sampling(c * c * variance).information(c * t, y),
    )
    assert other.i_xt == pytest.approx(one.i_xt, abs=1e-5)
    assert other.i_ty == pytest.approx(one.i_ty, abs=1e-5)


@settings(max_examples=20)
@given(st.integers(1, 30), st.integers(1, 4), st.floats(-5, 5, width=32))
def test_constant_activations_carry_nothing(n, d, value):
    """A constant T, and any T of one sample, has no information and no error."""
    found = Sampling().information(np.full((n, d), value, dtype=np.float32), np.arange(n) % 2)
    for name in NAMES:
        assert getattr(found, name) == pytest.approx(0, abs=1e-9)


def test_a_class_of_next_to_no_weight_changes_nothing():
    t, p_y = networks_like(60, 2, "spread"), np.eye(3)[np.zeros(60, dtype=int)]
    p_y[:, 1] = 1e-300
    assert Sampling().information(t, p_y).i_ty == pytest.approx(0, abs=1e-6)


def test_huge_activations_are_merely_far_apart():
    t = np.array([[-3e38], [0.0], [3e38]], dtype=np.float32)
    for values in (VARIANCE_LADDER, [1e12, 1e-12]):
        for found in Sampling().ladder(t, [0, 1, 1], values):
            assert found.i_xt == pytest.approx(np.log2(3), abs=1e-6)
            assert found.i_ty == pytest.approx(label_entropy([0, 1, 1]), abs=1e-6)
    far = Sampling().information(np.array([[-1e100], [1e100]]), [0, 1])
    assert far.i_xt == pytest.approx(1, abs=1e-6)


def test_equal_inputs_must_have_equal_activations():
    t = np.array([[0.0], [1.0], [0.0]])
    named = Sampling().information(t, [0, 1, 0], x=[4, 5, 4])
    assert named.i_xt == Sampling().information(t, [0, 1, 0]).i_xt
    with pytest.raises(ValueError, match="replicate 0") as caught:
        Sampling().information(t, [0, 1, 0], x=[4, 4, 5])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("field", "bad"),
    [("variance", bad) for bad in (0, -0.1, np.nan, np.inf, 1e13, "1", None, True)]
    + [("seed", bad) for bad in (-1, 0.5, 2**32, np.nan, "1", None, True)],
)
def test_fields_are_checked(field, bad):
    with pytest.raises(FieldError) as caught:
        Sampling(**{field: bad})
    assert caught.value.field == field
    assert "\n" not in str(caught.value)
    with pytest.raises(FieldError):
        Sampling().ladder(np.eye(2), [0, 1], [0.1, -1])


def test_texts_and_registry():
    assert Sampling().label == "Sampling, noise variance 0.1"
    assert Sampling().parameter == "variance"
    assert Sampling().default_ladder == VARIANCE_LADDER
    assert ESTIMATORS["sampling"] is Sampling
    assert from_dict(to_dict(Sampling(0.2, 3))) == Sampling(0.2, 3)
