"""KSG and Ross against closed forms, scikit-learn, and loops over samples."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import digamma
from scipy.stats import norm
from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

from ibcore.estimators import (
    ESTIMATORS,
    K_LADDER,
    KSG,
    Binning,
    from_dict,
    label_entropy,
    to_dict,
)
from ibcore.estimators import ksg as module
from ibcore.experiment import FieldError
from ibcore.theory import TRUTHS

RNG = np.random.default_rng(6)
KS = st.integers(1, 12)


@st.composite
def cases(draw):
    """T, Y and X on a coarse grid, where many distances tie; k."""
    n = draw(st.integers(1, 20))
    t, x = (
        draw(arrays(np.float64, (n, draw(st.integers(1, 3))), elements=st.integers(-2, 2)))
        for _ in range(2)
    )
    return t, draw(arrays(np.int64, n, elements=st.integers(0, 3))), x, draw(KS)


@st.composite
def smooth(draw):
    """T, Y and X without ties; k."""
    rng, n = np.random.default_rng(draw(st.integers(0, 999))), draw(st.integers(1, 40))
    t, x = (rng.standard_normal((n, draw(st.integers(1, 4)))) for _ in range(2))
    return t + x[:, :1], (x[:, 0] > 0) + (t[:, 0] > 1), x, draw(KS)


def bits(found):
    return found.i_xt, found.i_ty


def most(n, k):
    """(psi(N) - psi(k)) / ln 2, with at most N - 1 neighbours."""
    return (digamma(n) - digamma(min(k, n - 1))) / np.log(2)


def twin(t, y, x, k):
    """I(X;T) and I(T;Y) in bits, sample by sample."""
    d_t, d_x = (scaled_distances(points) for points in (t, x))
    i_xt = neighbour_information(d_x, d_t, k)
    kept = [i for i in range(len(y)) if (y == y[i]).sum() > 1]
    apart = np.where(y[:, None] == y[None, :], 0.0, np.inf)[np.ix_(kept, kept)]
    i_ty = neighbour_information(apart, d_t[np.ix_(kept, kept)], k)
    return max(0, i_xt), np.clip(i_ty, 0, label_entropy(y))


def scaled_distances(points):
    scale = np.sqrt((points - points[0]).var(axis=0).sum())
    d = np.array([[np.sqrt(sum((a - b) ** 2)) for b in points] for a in points])
    return (d / scale if scale > 0 else d).astype(np.float32)


def neighbour_information(d_x, d_t, k):
    n, terms = len(d_x), []
    for i in range(n):
        together = np.maximum(d_x[i], d_t[i])
        others = sorted(d for j, d in enumerate(together) if j != i and np.isfinite(d))
        neighbours = min(k, len(others))
        radius = others[neighbours - 1] if others else 0.0
        if neighbours and (together < radius).sum() == neighbours:
            held, in_x, in_t = ((d < radius).sum() for d in (together, d_x[i], d_t[i]))
        else:
            held, in_x, in_t = ((d <= radius).sum() for d in (together, d_x[i], d_t[i]))
        terms.append(digamma(n) + digamma(held) - digamma(in_x) - digamma(in_t))
    return np.mean(terms) / np.log(2) if terms else 0.0


# Closed forms


@pytest.mark.parametrize(("rho", "truth"), [(0.5, 0.2075), (0.9, 1.1980)])
def test_gaussian_pair(rho, truth):
    """I = -log2(1 - rho^2) / 2; Y is the sign of X, and its information that of the case.

    N = 10 000, half of which are taken.
    """
    assert -0.5 * np.log2(1 - rho**2) == pytest.approx(truth, abs=5e-5)
    case = TRUTHS[f"gaussian-pair-{rho}"]
    t, y, _ = case.sample(10_000, 1)
    seen = t + np.sqrt(case.variance) * RNG.standard_normal(t.shape)
    found = KSG(rows=5000).information(seen, y, inputs=t)
    assert found.i_xt == pytest.approx(truth, abs=0.06)
    assert found.i_ty == pytest.approx(case.i_ty, abs=0.06)
    assert not found.saturated


def tanh_deficit(k):
    """How far below log2 N the estimate for X ~ N(0, 1) and T = tanh(X) lies, in bits.

    Near x distances in T, both in units of their deviation, are f'(x) sigma_X / sigma_T times
    those in X. The larger of the two ends its ball at the k-th neighbour: psi(k) there. The
    ball in the other variable is R times as wide as that distance, R the larger of that
    ratio and 1 / ratio. Uniform points beyond the k-th neighbour turn k into a negative binomial
    number S of trials until k successes of probability 1 / R, and with the sample itself it
    is psi(1 + S) = psi(S) + 1 / S. E psi(S) = psi(k) + ln R, and E 1 / S =
    int_0^1 E z^S dz / z with E z^S = (z / (R - (R - 1) z))^k. psi(N) is ln N for large N.
    """
    x, z = np.linspace(-8, 8, 2001), (np.arange(2000) + 0.5) / 2000
    weights = norm.pdf(x) / norm.pdf(x).sum()
    slope = (1 - np.tanh(x) ** 2) / np.sqrt(weights @ np.tanh(x) ** 2)
    r = np.maximum(slope, 1 / slope)
    inverse = ((z / (r[:, None] - (r[:, None] - 1) * z)) ** k / z).mean(axis=1)
    return weights @ (digamma(k) + np.log(r) + inverse) / np.log(2)


@pytest.mark.parametrize(("k", "published"), [(3, 2.5), (5, 3.2)])
def test_deterministic_maps_diverge_like_log_n(k, published):
    assert tanh_deficit(k) == pytest.approx(published, abs=0.05)
    for n in (500, 2000):
        x = RNG.standard_normal((n, 1))
        found = KSG(k, rows=n).information(np.tanh(x), x[:, 0] > 0, inputs=x)
        assert found.i_xt == pytest.approx(np.log2(n) - tanh_deficit(k), abs=0.15)


@pytest.mark.parametrize("k", [1, 3, 30, 70])
def test_the_inputs_themselves_are_the_most_there_is(k):
    """Shifted, scaled and turned: all three balls are the same, and hold k."""
    x = RNG.standard_normal((60, 2))
    turn = np.array([[0.6, 0.8], [-0.8, 0.6]])
    found = KSG(k).information(3 * x @ turn - 7.7, x[:, 0] > 0, inputs=x)
    assert found.i_xt == pytest.approx(most(60, k), abs=1e-12)
    assert found.saturated is bool(most(60, k) > 0.5)


def test_equal_points_are_counted():
    """T of m values, each c times, from inputs each of which comes b > k times.

    r_i is 0: ball and its part in X hold b samples, that in T c, so psi(N) - psi(c). With
    Y a channel that flips T's bit one time in ten, 1000 samples and T = 0, 1 evenly: a ball
    holds the 450 or 50 samples of this T and Y, of 500 with that T and 500 with that Y.
    """
    x = np.repeat(np.arange(12.0), 5)[:, None]
    found = KSG().information(x // 4, np.arange(60) % 2, inputs=x)
    assert found.i_xt == pytest.approx((digamma(60) - digamma(20)) / np.log(2), abs=1e-12)
    t, flipped = np.arange(1000) % 2, np.arange(1000) < 100
    found = KSG().information(t[:, None], t ^ flipped, inputs=RNG.standard_normal((1000, 1)))
    mean = 0.9 * digamma(450) + 0.1 * digamma(50)
    expected = (digamma(1000) - 2 * digamma(500) + mean) / np.log(2)
    assert found.i_ty == pytest.approx(expected, abs=1e-12)
    assert found.i_ty == pytest.approx(TRUTHS["symmetric-channel"].i_ty, abs=0.05)


def test_labels_that_have_nothing_to_do_with_t_share_next_to_nothing():
    """Without a null: counting in 4096 categories says over half a bit of such labels.

    No other estimator than the bins claims a null of its own.
    """
    t, y = RNG.standard_normal((1000, 2)), RNG.integers(0, 2, 1000)
    assert KSG().information(t, y, inputs=t).i_ty < 0.05
    claiming = [k for k in ESTIMATORS.values() if "null" in {f.name for f in fields(k)}]
    assert claiming == [Binning]


# Twins


@pytest.mark.parametrize("k", K_LADDER)
def test_equals_scikit_learn(k):
    """In one dimension, where all norms are one; its noise of 1e-10 reorders nothing.

    It counts the neighbours of Ross by squares of distances, whose rounding lets a few at
    the edge in.
    """
    x = RNG.standard_normal((300, 1))
    t = 0.6 * x + 0.8 * RNG.standard_normal((300, 1))
    y = (t[:, 0] > 0) * 1 + (x[:, 0] > 1)
    y[:2] = 7, 8  # labels of one sample, and of a few
    y[2:7] = 9
    i_xt = mutual_info_regression(x, t[:, 0], n_neighbors=k, random_state=0)[0] / np.log(2)
    i_ty = mutual_info_classif(t, y, n_neighbors=k, random_state=0)[0] / np.log(2)
    found = KSG(k).information(t, y, inputs=x)
    assert found.i_xt == pytest.approx(i_xt, abs=1e-9)
    assert found.i_ty == pytest.approx(i_ty, abs=2e-3)


@settings(max_examples=80)
@given(cases())
def test_equals_loops_over_samples_with_ties(case):
    """Blocks, partitions and nudged radii are the definition, also where distances tie."""
    t, y, x, k = case
    found = KSG(k).information(t, y, inputs=x)
    assert bits(found) == pytest.approx(twin(t, y, x, k), abs=1e-9)


@settings(max_examples=20)
@given(smooth())
def test_equals_loops_over_samples(case):
    t, y, x, k = case
    found = KSG(k).information(t, y, inputs=x)
    assert bits(found) == pytest.approx(twin(t, y, x, k), abs=1e-9)


# Laws


@settings(max_examples=60)
@given(cases())
def test_information_is_bounded(case):
    """0 <= I(X;T) <= (psi(N) - psi(k)) / ln 2 and 0 <= I(T;Y) <= H(Y): balls hold k at least."""
    t, y, x, k = case
    found = KSG(k).information(t, y, inputs=x)
    assert 0 <= found.i_xt <= (most(len(t), k) if len(t) > 1 else 0) + 1e-9
    assert 0 <= found.i_ty <= label_entropy(y)


@settings(max_examples=40)
@given(cases(), st.integers(0, 99), st.integers(-3, 3))
def test_is_symmetric_and_blind_to_order_and_scale(case, seed, power):
    """I(X;T) = I(T;X); permuted samples and c T with c = 2^m change nothing."""
    t, y, x, k = case
    order = np.random.default_rng(seed).permutation(len(t))
    one = KSG(k).information(t, y, inputs=x)
    # Sums in another order end in other last digits, which decide where X and T tie.
    other = KSG(k).information(2.0**power * x, y, inputs=t)
    assert other.i_xt == pytest.approx(one.i_xt, abs=1e-9)
    other = KSG(k).information(2.0**power * t[order], y[order], inputs=x[order])
    assert other.i_ty == pytest.approx(one.i_ty, abs=1e-9)


@settings(max_examples=40)
@given(smooth(), st.integers(0, 99))
def test_sees_distances_only(case, seed):
    """A permutation, rotations of T and of X, shifts and a dead unit change nothing."""
    t, y, x, k = case
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(t))
    moved = [
        np.column_stack([p @ np.linalg.qr(rng.standard_normal((p.shape[1],) * 2))[0] + 5, 0 * p])
        for p in (t[order], x[order])
    ]
    one = KSG(k).information(t, y, inputs=x)
    other = KSG(k).information(moved[0], y[order], inputs=moved[1])
    assert bits(other) == pytest.approx(bits(one), abs=1e-9)


@settings(max_examples=30)
@given(cases(), st.floats(-5, 5))
def test_constant_activations_carry_nothing(case, value):
    """A constant T, and any T of one sample: balls reach all samples by T."""
    t, y, x, k = case
    for found in (
        KSG(k).information(np.full_like(t, value), y, inputs=x),
        KSG(k).information(t[:1], y[:1], inputs=x[:1]),
    ):
        assert bits(found) == pytest.approx((0, 0), abs=1e-12)
        assert not found.saturated


# What it is given


def test_certain_soft_labels_are_hard_labels_and_others_are_drawn():
    """An even p(y|x) says nothing; a p(y|x) of 0.1 and 0.9 is a symmetric channel."""
    t, y = RNG.standard_normal((1000, 1)), RNG.integers(0, 3, 1000)
    hard, soft = (KSG().information(t, labels, inputs=t) for labels in (y, np.eye(3)[y]))
    assert bits(soft) == bits(hard)
    even = KSG().information(t, np.full((1000, 2), 0.5), inputs=t)
    assert even.i_ty < 0.05
    side = np.where(t > 0, [[0.9, 0.1]], [[0.1, 0.9]])
    found = KSG().information(t, side, inputs=t)
    assert found.i_ty == pytest.approx(TRUTHS["symmetric-channel"].i_ty, abs=0.1)


def test_beyond_its_rows_it_takes_the_same_ones_always():
    t, y = np.tanh(RNG.standard_normal((300, 3))), RNG.integers(0, 2, 300)
    x = RNG.standard_normal((300, 4))
    taken = module.some_rows(300, 80)
    assert len(set(taken.tolist())) == 80
    np.testing.assert_array_equal(module.some_rows(80, 80), np.arange(80))
    found = KSG(rows=80).information(t, y, inputs=x)
    assert bits(found) == bits(KSG().information(t[taken], y[taken], inputs=x[taken]))
    assert bits(found) != bits(KSG().information(t, y, inputs=x))


@pytest.mark.parametrize("shared", [False, True])
def test_a_batch_is_its_replicates_and_a_ladder_its_rungs(shared, monkeypatch):
    batch, y = RNG.standard_normal((3, 50, 2)), RNG.integers(0, 4, (3, 50))
    x = RNG.standard_normal((50, 5) if shared else (3, 50, 5))
    expected = [
        [KSG(k).information(batch[r], y[r], inputs=x if shared else x[r]) for r in range(3)]
        for k in K_LADDER
    ]
    monkeypatch.setattr(module, "_BLOCK", 7 * 50)
    for rung, alone in zip(KSG().ladder(batch, y, K_LADDER, inputs=x), expected, strict=True):
        np.testing.assert_allclose(rung.i_xt, [a.i_xt for a in alone], atol=1e-12)
        np.testing.assert_allclose(rung.i_ty, [a.i_ty for a in alone], atol=1e-12)
        assert rung.saturated.shape == (3,)
    assert KSG().ladder(batch, y, [], inputs=x) == []


def test_huge_and_tiny_activations():
    """Distances count in units of their own spread."""
    t, y = RNG.standard_normal((40, 2)), RNG.integers(0, 2, 40)
    plain = KSG().information(t, y, inputs=t)
    for size in (2.0**330, 2.0**-400):
        assert bits(KSG().information(size * t, y, inputs=t)) == bits(plain)


@pytest.mark.parametrize(
    "inputs",
    [
        None,
        np.zeros(20),
        np.zeros((19, 2)),
        np.zeros((20, 0)),
        np.zeros((2, 20, 3)),
        np.full((20, 1), np.nan),
        np.full((20, 1), np.inf),
        np.full((20, 1), 1e101),
        np.full((20, 1), "a"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_in_one_line(inputs):
    with pytest.raises(ValueError, match=r"^inputs: ") as caught:
        KSG().information(RNG.standard_normal((20, 2)), np.arange(20) % 2, inputs=inputs)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        *(("k", bad) for bad in (0, 1001, 2.5, True, np.nan, None, "3")),
        *(("rows", bad) for bad in (1, 10**6, np.inf)),
    ],
)
def test_fields_are_checked(field, bad):
    with pytest.raises(FieldError) as caught:
        KSG(**{field: bad})
    assert caught.value.field == field
    assert "\n" not in str(caught.value)
    if field == "k":
        with pytest.raises(FieldError):
            KSG().ladder(np.eye(2), [0, 1], [3, bad], inputs=np.eye(2))


def test_texts_and_registry():
    assert KSG().label == (
        "KSG, 3 nearest neighbours, on at most 1000 samples; diverges where T = f(X)"
    )
    assert KSG(1).label.startswith("KSG, nearest neighbour,")
    assert (KSG().parameter, KSG().default_ladder) == ("k", K_LADDER)
    assert ESTIMATORS["ksg"] is KSG
    assert KSG.needs_inputs
    assert from_dict(to_dict(KSG(5, 200))) == KSG(5.0, 200.0)
    assert repr(replace(KSG(), k=2)) == "KSG(k=2, rows=1000)"
