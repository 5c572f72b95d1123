import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibcore.estimators import (
    ESTIMATORS,
    KDE,
    VARIANCE_LADDER,
    Gaussian,
    from_dict,
    label_entropy,
    to_dict,
)
from ibcore.estimators.gaussian import covariance_spectrum
from ibcore.experiment import FieldError
from tests.estimators.test_laws import VARIANCES, samples, soft_samples

RNG = np.random.default_rng(4)
CUBE = 2.0 * ((np.arange(4096)[:, None] >> np.arange(12)) & 1) - 1


def log_det(t, weights, variance):
    """1/2 log2 det of a weighted covariance by `numpy.cov`."""
    d = t.shape[1]
    covariance = np.cov(t.T, bias=True, aweights=weights).reshape(d, d)
    return 0.5 * np.linalg.slogdet(np.eye(d) + covariance / variance)[1] / np.log(2)


def twin(t, p_y, variance):
    t = t.astype(np.float64)
    i_xt = log_det(t, np.ones(len(t)), variance)
    given = sum(p.mean() * log_det(t, p, variance) for p in p_y.T if p.sum() > 0)
    return i_xt, np.clip(i_xt - given, 0, label_entropy(p_y))


@pytest.mark.parametrize(("rho", "truth"), [(0.5, 0.2075), (0.9, 1.1980)])
def test_gaussian_pair(rho, truth):
    """I = -log2(1 - rho^2) / 2, and X + N(0, v) and X ~ N(0, 1) correlate by rho at
    v = 1 / rho^2 - 1."""
    assert -0.5 * np.log2(1 - rho**2) == pytest.approx(truth, abs=5e-5)
    x = RNG.standard_normal((10_000, 1))
    found = Gaussian(1 / rho**2 - 1).information(x, x[:, 0] > 0)
    assert found.i_xt == pytest.approx(truth, abs=0.08)


def test_gaussian_channel():
    """X ~ N(0, 1) and noise of variance 0.1: I = log2(1 + 1/0.1) / 2 = 1.7297."""
    x = RNG.standard_normal((10_000, 1))
    truth = 0.5 * np.log2(11)
    assert truth == pytest.approx(1.7297, abs=5e-5)
    assert Gaussian(0.1).information(x, x[:, 0] > 0).i_xt == pytest.approx(truth, abs=0.03)


def test_a_linear_layer():
    """T = X W of X ~ N(0, 1): the channels are the singular values s of W, log2(1 + s^2/v) / 2."""
    w = RNG.standard_normal((6, 4))
    truth = 0.5 * np.log2(1 + np.linalg.svd(w, compute_uv=False) ** 2 / 0.1).sum()
    x = RNG.standard_normal((20_000, 6))
    found = Gaussian(0.1).information(x @ w, x[:, 0] > 0)
    assert found.i_xt == pytest.approx(truth, abs=0.05)


@pytest.mark.parametrize(
    ("t", "variance", "formula", "truth"),
    [
        # Variance 1 of +-1; the truth is that of the two points, below the formula.
        ([[1.0], [-1.0]], 1.0, 0.5 * np.log2(2), 0.4859),
        ([[1.0], [-1.0]], 0.25, 0.5 * np.log2(5), 0.9128),
        # The covariance of ten unit vectors is I / 10 less the mean's 1 / 100: nine
        # eigenvalues of 1 / 10, and 0 along the diagonal.
        (np.eye(10), 0.1, 9 * 0.5 * np.log2(2), 2.9963),
        (CUBE, 1.0, 12 * 0.5 * np.log2(2), 5.8313),
    ],
)
def test_is_above_the_truth_of_other_variables(t, variance, formula, truth):
    """Of all T with its covariance the Gaussian tells most."""
    found = Gaussian(variance).information(t, np.arange(len(t)) % 2)
    assert found.i_xt == pytest.approx(formula, abs=1e-9)
    assert found.i_xt > truth
    assert found.h_t is None
    assert found.i_xt_upper is None


def test_labels_of_gaussian_classes():
    """Classes of covariance S_y: 1/2 log2 det(1 + S / v) less its mean over the classes.

    At +-m with variance s each, S is s + m^2: I = log2((v + s + m^2) / (v + s)) / 2, and
    at most H(Y) = 1.
    """
    y = np.arange(4000) % 2
    spread = np.repeat([-0.5, 0.5], 2000)[:, None]  # variance 1/4, in both classes alike
    for m in (0.1, 1.0, 100.0):
        found = Gaussian(0.25).information(spread + m * (2 * y - 1)[:, None], y)
        assert found.i_ty == pytest.approx(min(1.0, 0.5 * np.log2(1 + m**2 / 0.5)), abs=1e-9)


def test_soft_labels_are_a_limit_of_many_hard_ones():
    """Ten samples of each input with 10 p(y|x) of each label have the same covariances."""
    t, ones = RNG.standard_normal((30, 2)), RNG.integers(0, 11, 30)
    soft = Gaussian().information(t, np.column_stack([ones, 10 - ones]) / 10)
    labels = (np.arange(10)[None, :] >= ones[:, None]).astype(int)
    hard = Gaussian().information(np.repeat(t, 10, axis=0), labels.reshape(-1))
    assert soft.i_ty == pytest.approx(hard.i_ty, abs=1e-9)
    assert soft.i_xt == pytest.approx(hard.i_xt, abs=1e-9)


@pytest.mark.parametrize(("n", "d"), [(500, 10), (20, 60), (2, 5), (50, 1)])
@pytest.mark.parametrize("soft", [False, True])
def test_equals_covariances_of_numpy(n, d, soft):
    """Also with more units than samples, where the smaller Gram matrix serves."""
    t = (1e3 + RNG.standard_normal((n, d))).astype(np.float32)
    p_y = RNG.dirichlet([0.5, 0.5, 0.5], n) if soft else np.eye(3)[np.arange(n) % 3]
    y = p_y if soft else np.arange(n) % 3
    for variance in (0.01, 1.0):
        found = Gaussian(variance).information(t, y)
        assert (found.i_xt, found.i_ty) == pytest.approx(twin(t, p_y, variance), abs=1e-7)


def test_the_spectrum_of_more_units_than_samples():
    """Three points on a line along (1, ..., 1) have one variance, 2/3 per unit: 2/3 D in all."""
    points = np.array([-1.0, 0.0, 1.0])[:, None] * np.ones(50)
    found = covariance_spectrum(points, np.ones(3))
    np.testing.assert_allclose(found, [0, 0, 100 / 3], atol=1e-12)
    assert found[0] == 0


def test_copies_of_a_unit_carry_no_bits_of_rounding():
    """Units repeated ten times are one unit of ten times the variance, at any noise."""
    t, y = RNG.standard_normal((200, 1)), np.arange(200) % 2
    for variance in (1e-12, 1.0):
        copies = Gaussian(variance).information(np.repeat(t, 10, axis=1), y)
        one = Gaussian(variance).information(np.sqrt(10) * t, y)
        assert copies.i_xt == pytest.approx(one.i_xt, abs=1e-9)


@settings(max_examples=60)
@given(samples(), VARIANCES)
def test_is_never_below_the_truth(sample, variance):
    """The Gaussian bounds I(X;T~) from above, so it lies above the lower bound of the KDE."""
    t, y = sample
    found, bounds = (kind(variance).information(t, y) for kind in (Gaussian, KDE))
    assert found.i_xt >= bounds.i_xt_lower - 3e-6
    assert 0 <= found.i_ty <= min(found.i_xt, label_entropy(y)) + 1e-9


@settings(max_examples=60)
@given(soft_samples(), VARIANCES)
def test_soft_labels_are_bounded(sample, variance):
    """0 <= I(T~;Y) <= min(I(X;T~), H(Y)): log det is concave."""
    t, p_y = sample
    found = Gaussian(variance).information(t, p_y)
    assert 0 <= found.i_ty <= min(found.i_xt, label_entropy(p_y)) + 1e-9


@settings(max_examples=60)
@given(samples(), VARIANCES, st.integers(0, 99))
def test_sees_distances_only(sample, variance, seed):
    """Permuted samples, a rotation, a shift and a dead unit change nothing."""
    t, y = sample[0].astype(np.float64), sample[1]
    rng = np.random.default_rng(seed)
    order, d = rng.permutation(len(t)), t.shape[1]
    turn = np.linalg.qr(rng.standard_normal((d, d)))[0]
    moved = np.column_stack([t @ turn + 17, np.full(len(t), -4.0)])[order]
    one, other = (
        Gaussian(variance).information(t, y),
        Gaussian(variance).information(moved, y[order]),
    )
    assert other.i_xt == pytest.approx(one.i_xt, abs=1e-8)
    assert other.i_ty == pytest.approx(one.i_ty, abs=1e-8)


@settings(max_examples=60)
@given(samples(), VARIANCES, st.floats(1e-3, 1e3))
def test_scales_with_its_noise_and_falls_with_it(sample, variance, c):
    """I(cT, c^2 v) = I(T, v), and more noise never tells more."""
    t, y = sample[0].astype(np.float64), sample[1]
    one, noisier = Gaussian().ladder(t, y, [variance, 2 * variance])
    assert noisier.i_xt <= one.i_xt
    other = Gaussian(c * c * variance).information(c * t, y)
    assert other.i_xt == pytest.approx(one.i_xt, abs=1e-8)
    assert other.i_ty == pytest.approx(one.i_ty, abs=1e-8)


@settings(max_examples=20)
@given(st.integers(1, 30), st.integers(1, 4), st.floats(-1e6, 1e6))
def test_constant_activations_carry_nothing(n, d, value):
    """A constant T, and any T of one sample, has no information at any noise."""
    for found in Gaussian().ladder(np.full((n, d), value), np.arange(n) % 2, [1e-12, 1.0]):
        assert (found.i_xt, found.i_ty, found.saturated) == (0, 0, False)


def test_the_ladder_is_single_calls():
    t, y = RNG.standard_normal((50, 4)), RNG.integers(0, 2, 50)
    values = [*VARIANCE_LADDER, 1e-12, 0.3, 1e12]
    for value, rung in zip(values, Gaussian().ladder(t, y, values), strict=True):
        single = Gaussian(value).information(t, y)
        assert (rung.i_xt, rung.i_ty) == pytest.approx((single.i_xt, single.i_ty), abs=1e-12)
    assert Gaussian().ladder(t, y, []) == []


def test_a_batch_is_its_replicates():
    batch, y = RNG.standard_normal((3, 40, 3)), RNG.integers(0, 2, (3, 40))
    found = Gaussian().information(batch, y)
    for r in range(3):
        alone = Gaussian().information(batch[r], y[r])
        assert (found.i_xt[r], found.i_ty[r]) == pytest.approx((alone.i_xt, alone.i_ty), abs=1e-12)
    assert found.saturated.shape == (3,)


def test_beyond_the_number_of_samples_it_is_marked():
    """Four samples tell at most 2 bits; +-1 at variance 1e-6 is log2(1 + 1e6) / 2, nearly 10."""
    t = [[1.0], [-1.0], [1.0], [-1.0]]
    found = Gaussian(1e-6).information(t, [0, 1, 0, 1])
    assert found.i_xt == pytest.approx(0.5 * np.log2(1 + 1e6), abs=1e-9)
    assert found.saturated is True
    assert Gaussian(1.0).information(t, [0, 1, 0, 1]).saturated is False


def test_huge_activations_are_finite():
    found = Gaussian().information(np.array([[-1e100, 0.0], [1e100, 1.0]]), [0, 1])
    assert found.i_xt == pytest.approx(0.5 * np.log2(1e200 / 0.1), abs=1e-6)
    assert found.i_ty == pytest.approx(1)


def test_equal_inputs_must_have_equal_activations():
    t = np.array([[0.0], [1.0], [0.0]])
    named = Gaussian().information(t, [0, 1, 0], x=[4, 5, 4])
    assert named.i_xt == Gaussian().information(t, [0, 1, 0]).i_xt
    with pytest.raises(ValueError, match="replicate 0"):
        Gaussian().information(t, [0, 1, 0], x=[4, 4, 5])


@pytest.mark.parametrize("bad", [0, -0.1, np.nan, np.inf, 1e13, 1e-13, "1", None, True])
def test_variance_is_checked(bad):
    with pytest.raises(FieldError) as caught:
        Gaussian(bad)
    assert caught.value.field == "variance"
    assert "\n" not in str(caught.value)
    with pytest.raises(FieldError):
        Gaussian().ladder(np.eye(2), [0, 1], [0.1, bad])


def test_texts_and_registry():
    assert Gaussian().label == "Gaussian formula, noise variance 0.1"
    assert Gaussian().parameter == "variance"
    assert Gaussian().default_ladder == VARIANCE_LADDER
    assert ESTIMATORS["gaussian"] is Gaussian
    assert from_dict(to_dict(Gaussian(0.2))) == Gaussian(0.2)
