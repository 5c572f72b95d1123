"""Bins by rank, the correction of Miller and Madow, the null of shuffled labels."""

import json
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binom, rankdata

from ibcore.estimators import BIN_LADDER, KDE, Binning, from_dict, label_entropy, to_dict
from ibcore.estimators._bias import miller_madow, occupied_cells, shuffled
from ibcore.estimators.binning import doubled_ranks
from ibcore.experiment import FieldError
from tests.estimators import twins

BINS = st.integers(2, 60)
FEW_VALUES = st.sampled_from([-1.0, -0.5, 0.0, 0.25, 1.0])
VALUES = st.one_of(st.floats(-1, 1, width=32), FEW_VALUES)
RANK = Binning(limits="rank")
MADOW = Binning(correction="miller-madow")
OPTIONS = (
    RANK,
    MADOW,
    Binning(null=5),
    Binning(7, "rank", correction="miller-madow", null=3, seed=4),
    Binning(width=0.2, correction="miller-madow", null=2),
    Binning(limits="range", null=2),
)
WITH_OPTIONS = pytest.mark.parametrize("estimator", OPTIONS, ids=repr)


@st.composite
def samples(draw):
    n, d = draw(st.integers(1, 24)), draw(st.integers(1, 4))
    t = draw(arrays(np.float32, (n, d), elements=VALUES))
    return t, draw(arrays(np.int64, n, elements=st.integers(0, 3)))


def stretched(t, draw):
    """Another strictly increasing map of every unit: its values, in order, become others."""
    units = []
    for unit in t.T:
        values, kind = np.unique(unit, return_inverse=True)
        steps = draw(arrays(np.float64, len(values), elements=st.floats(1e-3, 1e3)))
        units.append(np.cumsum(steps)[kind])
    return np.column_stack(units)


# Bins by rank


@given(samples(), BINS, st.data())
def test_rank_bins_know_the_order_only(sample, n_bins, data):
    """No strictly increasing map of a unit changes H(T) or I(T;Y), in any bit."""
    t, y = sample
    one, other = (
        replace(RANK, n_bins=n_bins).information(a, y) for a in (t, stretched(t, data.draw))
    )
    assert (one.h_t, one.i_xt, one.i_ty) == (other.h_t, other.i_xt, other.i_ty)


@given(st.integers(1, 60), st.integers(1, 4), st.integers(1, 29), st.randoms(use_true_random=False))
def test_odd_rank_bins_of_distinct_values_do_not_know_up_from_down(n, d, half, random):
    """-t has the bins of t in reverse: the middle of a value's rank lies on no edge.

    That is (2r + 1) b = 2 N k, whose left side is odd.
    """
    t = np.array([random.sample(range(n), n) for _ in range(d)]).T.astype(np.float64)
    y = np.array([random.randrange(3) for _ in range(n)])
    signs = np.array([random.choice([-1, 1]) for _ in range(d)])
    rank = replace(RANK, n_bins=2 * half + 1)
    one, other = rank.information(t, y), rank.information(t * signs, y)
    assert other.h_t == pytest.approx(one.h_t, abs=1e-9)
    assert other.i_ty == pytest.approx(one.i_ty, abs=1e-9)


@given(st.integers(1, 200), BINS, st.randoms(use_true_random=False))
def test_rank_bins_of_distinct_values_hold_equal_counts(n, n_bins, random):
    """Each of b bins holds floor(N / b) or ceil(N / b) of N values.

    So H is that of N mod b bins with one more: at most log2 b, and log2 b where b
    divides N; with b >= N every value has its own bin.
    """
    t = np.array(random.sample(range(n), n), dtype=np.float32)[:, None]
    counts = np.full(n_bins, n // n_bins)
    counts[: n % n_bins] += 1
    p = counts[counts > 0] / n
    found = replace(RANK, n_bins=n_bins).information(t, np.zeros(n, dtype=int))
    assert found.h_t == pytest.approx(-np.sum(p * np.log2(p)), abs=1e-9)


@given(samples())
def test_rank_bins_as_many_as_samples_are_the_distinct_rows(sample):
    """Different values lie at least one mid-rank apart, and b >= N bins at most one wide."""
    t, y = sample
    found = Binning(max(2, len(t)), "rank").information(t, y)
    assert (found.h_t, found.i_ty) == pytest.approx(twins.counted(t, y), abs=1e-9)


@given(samples(), BINS)
def test_rank_bins_equal_their_slow_twin(sample, n_bins):
    """Bin floor(m b / N) of the mid-rank m, by scipy's average ranks, which count from 1."""
    t, y = sample
    doubled = np.round(2 * rankdata(t, axis=0) - 1).astype(int)
    np.testing.assert_array_equal(doubled_ranks(t), doubled)
    cells = doubled * n_bins // (2 * len(t))
    found = replace(RANK, n_bins=n_bins).information(t, y)
    assert (found.h_t, found.i_ty) == pytest.approx(twins.counted(cells, y), abs=1e-9)


def test_rank_bins_by_hand():
    """Of 0, 0, 0, 0, 0, 5, 7, 9 in 2 bins the zeros have the mid-rank 2.5 of 8, the first bin.

    Bins hold 5 and 3: H = 5/8 log2 8/5 + 3/8 log2 8/3. Bins of equal width hold the
    same, but not after t -> t^9, where 9 is alone.
    """
    t = np.array([0, 0, 5, 0, 9, 0, 7, 0])[:, None]
    expected = 3 - 5 / 8 * np.log2(5) - 3 / 8 * np.log2(3)
    y = np.arange(8) % 2
    for exponent in (1, 9):
        found = Binning(2, "rank").information(t**exponent * 1.0, y)
        assert found.h_t == pytest.approx(expected, abs=1e-12)
    assert Binning(2, "layer").information(t**9 * 1.0, y).h_t < 0.6


def test_rank_bins_see_through_saturation_until_values_are_equal():
    """tanh(20 t) of distinct doubles keeps its order, and single precision does not."""
    t = np.linspace(-0.8, 0.8, 256)[:, None]
    y = np.arange(256) % 2
    rank = Binning(16, "rank")
    assert rank.information(np.tanh(20 * t), y).h_t == pytest.approx(4, abs=1e-12)
    assert Binning(16).information(np.tanh(20 * t), y).h_t < 2
    assert rank.information(np.tanh(20 * t).astype(np.float32), y).h_t < 4


def test_zero_of_either_sign_has_one_rank():
    t = np.array([[0.0], [-0.0], [1.0], [-1.0]], dtype=np.float32)
    np.testing.assert_array_equal(doubled_ranks(t)[:, 0], [4, 4, 7, 1])


def test_ranks_are_those_within_a_replicate_and_need_no_limits():
    rng = np.random.default_rng(11)
    batch = np.stack([rng.standard_normal((64, 1)), 100 + rng.standard_normal((64, 1))])
    found = Binning(8, "rank").information(batch, np.arange(64) % 2)
    np.testing.assert_allclose(found.h_t, [3, 3], atol=1e-12)
    assert not RANK.needs_range
    assert RANK.by_rank
    assert not Binning(width=0.1, limits="rank").by_rank
    t, y = rng.standard_normal((64, 2)), np.arange(64) % 2
    with_width = Binning(width=0.1, limits="rank").information(t, y)
    assert with_width.h_t == Binning(width=0.1).information(t, y).h_t


# Miller and Madow


@given(samples(), BINS)
def test_the_correction_by_hand(sample, n_bins):
    """H + (K - 1) / (2 N ln 2) for T, Y and (T, Y), K the number of distinct rows."""
    t, y = sample
    cells = np.clip(np.floor((t.astype(np.float64) + 1) / 2 * n_bins), 0, n_bins - 1)

    def corrected(rows):
        excess = (len(np.unique(rows, axis=0)) - 1) / (2 * len(rows) * np.log(2))
        return twins.row_entropy(rows) + excess

    h_t, h_y, h_ty = (corrected(r) for r in (cells, y[:, None], np.column_stack([cells, y])))
    found = replace(MADOW, n_bins=n_bins).information(t, y)
    assert found.h_t == found.i_xt == pytest.approx(h_t, abs=1e-9)
    assert found.i_ty == pytest.approx(max(0, h_t + h_y - h_ty), abs=1e-9)


@given(samples(), BINS, st.booleans())
def test_the_correction_only_adds_to_entropies(sample, n_bins, by_rank):
    """H <= H_MM <= log2 N + 1 / (2 ln 2), as 1 <= K <= N."""
    t, y = sample
    plain = Binning(n_bins, "rank" if by_rank else (-1.0, 1.0))
    found = replace(plain, correction="miller-madow").information(t, y)
    assert plain.information(t, y).h_t <= found.h_t <= np.log2(len(t)) + 0.5 / np.log(2)
    assert plain.information(t, y).i_xt <= found.i_xt


@given(samples(), BINS)
def test_the_corrected_information_is_bounded(sample, n_bins):
    """0 <= I_MM(T;Y) <= min(H_MM(T), H_MM(Y)): pairs occupy no fewer cells than T or Y do."""
    t, y = sample
    found = replace(MADOW, n_bins=n_bins).information(t, y)
    h_y = label_entropy(y) + miller_madow(len(np.unique(y)), len(y))
    assert 0 <= found.i_ty <= min(found.h_t, h_y) + 1e-9


@given(samples(), BINS)
def test_distinct_inputs_named_or_not_have_the_same_corrected_information(sample, n_bins):
    """With an id for each input K_X = K_TX = N: what is left is (K_T - 1) / (2 N ln 2)."""
    t, y = sample
    madow = replace(MADOW, n_bins=n_bins)
    named = madow.information(t, y, x=np.arange(len(t)))
    assert named.i_xt == pytest.approx(madow.information(t, y).i_xt, abs=1e-9)


def test_the_correction_takes_most_of_the_bias_from_a_die():
    """100 throws of a fair die: plug-in H lies (6 - 1) / (2 N ln 2) = 0.036 bits low on average."""
    rng = np.random.default_rng(11)
    throws = rng.integers(0, 6, (2000, 100, 1)).astype(np.float64)
    y = np.zeros(100, dtype=int)
    truth = np.log2(6)
    plain = Binning(6, (-0.5, 5.5)).information(throws, y).h_t
    corrected = Binning(6, (-0.5, 5.5), correction="miller-madow").information(throws, y).h_t
    error = plain.std() / np.sqrt(len(plain))
    assert truth - plain.mean() == pytest.approx(5 / (200 * np.log(2)), abs=4 * error + 0.001)
    assert corrected.mean() == pytest.approx(truth, abs=4 * error + 0.001)


def test_the_correction_takes_most_of_the_bias_from_soft_labels():
    """20 draws of X in 0..3 with known p(y|x); T = X, and the truth is the table's own.

    A soft pair varies less than a hard one: K as if labels were hard, 4 + 2 - 8 - 1
    over 2 N ln 2, would move I(T;Y) by ten times its bias.
    """
    rng = np.random.default_rng(11)
    p_y = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.5, 0.5]])
    x = rng.integers(0, 4, (4000, 20))
    t = x[..., None].astype(np.float64)

    def entropy(p):
        return -np.sum(p * np.log2(p))

    truth = entropy(np.full(4, 1 / 4)) + entropy(p_y.mean(axis=0)) - entropy(p_y / 4)
    errors = {}
    for correction in ("none", "miller-madow"):
        binning = Binning(4, (-0.5, 3.5), correction=correction)
        found = binning.information(t, p_y[x]).i_ty
        errors[correction] = found.mean() - truth
        error = found.std() / np.sqrt(len(found))
    assert errors["none"] < -8 * error
    assert abs(errors["miller-madow"]) < 4 * error
    assert 3 / (40 * np.log(2)) > 10 * abs(errors["none"])


def test_soft_cells_by_hand():
    """Two samples in one cell with p = (1, 0), (1/2, 1/2): pairs count (1 + 1/4) / 1.5 and 1/2."""
    soft = np.array([[1.0, 0.0], [0.5, 0.5]])
    k_t, k_y, k_ty = occupied_cells(np.array([7, 7], dtype=np.uint64), soft)
    assert (k_t, k_y, k_ty) == pytest.approx((1, 5 / 6 + 1 / 2, 5 / 6 + 1 / 2), abs=1e-12)
    k_t, k_y, k_ty = occupied_cells(np.array([7, 9], dtype=np.uint64), soft)
    assert (k_t, k_y, k_ty) == pytest.approx((2, 5 / 6 + 1 / 2, 1 + 1 / 2 + 1 / 2), abs=1e-12)


# The null


@given(samples(), BINS, st.integers(1, 6), st.integers(0, 99), st.booleans())
def test_the_null_only_takes_away(sample, n_bins, null, seed, by_rank):
    """0 <= I(T;Y) less its null <= I(T;Y); H(T) and I(X;T) are as they were."""
    t, y = sample
    plain = Binning(n_bins, "rank" if by_rank else (-1.0, 1.0))
    without = plain.information(t, y)
    found = replace(plain, null=null, seed=seed).information(t, y)
    assert 0 <= found.i_ty <= without.i_ty
    assert (found.h_t, found.i_xt) == (without.h_t, without.i_xt)


@pytest.mark.parametrize("plain", [Binning(3), Binning(3, "rank"), replace(MADOW, n_bins=3)])
@pytest.mark.parametrize("soft", [False, True])
def test_the_null_is_the_mean_over_shuffles(plain, soft):
    rng = np.random.default_rng(11)
    t = rng.uniform(-1, 1, (50, 2))
    y = (t[:, 0] > 0).astype(int)
    y = 0.1 + 0.8 * np.eye(2)[y] if soft else y
    generator = np.random.default_rng(8)
    orders = [generator.permutation(50) for _ in range(7)]
    null = np.mean([plain.information(t, y[order]).i_ty for order in orders])
    found = replace(plain, null=7, seed=8).information(t, y).i_ty
    assert null > 0
    assert found == pytest.approx(plain.information(t, y).i_ty - null, abs=1e-9)
    assert found > 0.1


def test_independent_labels_are_found_to_be_so():
    """4096 samples of 4096 categories and a fair bit: plug-in 0.62 bits, the truth 0.

    A category with n samples, n ~ Binomial(4096, 1 / 4096), leaves a doubt of H(k / n)
    about the bit, k ~ Binomial(n, 1/2), so that the plug-in value is on average
    about 1 - E (n / E n) E H(k / n), with a standard deviation of 0.008 over draws.
    """

    def doubt(n):
        k = np.arange(n + 1)
        p = np.clip(k / n, 1e-300, 1)
        q = np.clip(1 - k / n, 1e-300, 1)
        return binom.pmf(k, n, 0.5) @ -(p * np.log2(p) + q * np.log2(q))

    expected = 1 - sum(n * binom.pmf(n, 4096, 1 / 4096) * doubt(n) for n in range(1, 20))
    assert expected == pytest.approx(0.625, abs=0.001)
    plain = Binning(4096, (-0.5, 4095.5))
    for seed in range(3):
        rng = np.random.default_rng(seed)
        t = rng.integers(0, 4096, (4096, 1)).astype(np.float64)
        y = rng.integers(0, 2, 4096)
        assert plain.information(t, y).i_ty == pytest.approx(expected, abs=0.032)
        assert replace(plain, null=20).information(t, y).i_ty == pytest.approx(0, abs=0.032)


def test_the_null_keeps_what_is_there_and_loses_it_where_all_rows_differ():
    """T is Y, 500 times each: shuffled labels share next to nothing with two cells.

    In 1000 cells of one sample each, they share all of H(Y), like the real ones.
    """
    y = np.arange(1000) % 2
    assert Binning(2, null=5).information(2.0 * y[:, None] - 1, y).i_ty > 0.99
    alone = (2.0 * np.arange(1000) / 999 - 1)[:, None]
    assert Binning(5000).information(alone, y).i_ty == pytest.approx(1, abs=1e-9)
    assert Binning(5000, null=5).information(alone, y).i_ty == pytest.approx(0, abs=1e-9)


def test_shuffles_keep_the_labels_and_follow_the_seed():
    rng = np.random.default_rng(11)
    y = np.arange(30) % 4
    orders = list(shuffled(y, 3, 1))
    assert len(orders) == 3
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), np.sort(y))
    assert len({order.tobytes() for order in orders}) == 3
    for one, other in zip(orders, shuffled(y, 3, 1), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(orders[0], next(shuffled(y, 3, 2)))
    t = rng.uniform(-1, 1, (30, 1))
    y = (t[:, 0] > 0).astype(int)
    one, other = (Binning(5, null=3, seed=s).information(t, y).i_ty for s in (1, 2))
    assert Binning(5, null=3, seed=1).information(t, y).i_ty == one
    assert one != other


# All of them


@WITH_OPTIONS
@pytest.mark.parametrize("soft", [False, True])
def test_a_batch_is_its_replicates_and_a_ladder_its_rungs(estimator, soft):
    rng = np.random.default_rng(11)
    batch = np.round(np.tanh(rng.standard_normal((3, 40, 2))), 1)
    y = rng.dirichlet(np.ones(3), 40) if soft else rng.integers(0, 3, 40)
    fixed = replace(estimator, limits=(-1.0, 1.0)) if estimator.needs_range else estimator
    values = fixed.default_ladder[3:9:2]
    for value, rung in zip(values, fixed.ladder(batch, y, values), strict=True):
        single = replace(fixed, **{fixed.parameter: value})
        for r in range(3):
            alone = single.information(batch[r], y)
            for name in ("i_xt", "i_ty", "h_t", "saturated"):
                assert getattr(rung, name)[r] == getattr(alone, name)


@WITH_OPTIONS
def test_certain_soft_labels_are_hard_labels(estimator):
    rng = np.random.default_rng(11)
    t, y = np.round(np.tanh(rng.standard_normal((60, 2))), 1), rng.integers(0, 3, 60)
    hard, soft = estimator.information(t, y), estimator.information(t, np.eye(3)[y])
    assert soft.h_t == pytest.approx(hard.h_t, abs=1e-9)
    assert soft.i_ty == pytest.approx(hard.i_ty, abs=1e-9)


@WITH_OPTIONS
def test_a_constant_and_a_single_sample_tell_nothing(estimator):
    for t, y in ((np.full((40, 3), 0.3), np.arange(40) % 2), (np.ones((1, 2)), [1])):
        found = estimator.information(t, y)
        assert found.h_t == found.i_xt == 0
        assert found.i_ty == pytest.approx(0, abs=0.05)


def test_tables_keep_the_names_they_have():
    """Shipped and cached tables are named by these texts."""
    assert repr(Binning()) == "Binning(n_bins=30, limits=(-1.0, 1.0), width=None)"
    assert repr(Binning(9, "range")) == "Binning(n_bins=9, limits='range', width=None)"
    assert repr((Binning(width=0.07),)) == ("(Binning(n_bins=30, limits=(-1.0, 1.0), width=0.07),)")


@WITH_OPTIONS
def test_options_are_in_the_name(estimator):
    assert eval(repr(estimator), {"Binning": Binning}) == estimator
    others = {repr(other) for other in (*OPTIONS, Binning(), replace(estimator, seed=77))}
    assert len(others) == len(OPTIONS) + 2


def test_only_options_that_are_used_are_in_the_name():
    assert repr(Binning(null=3)) == "Binning(n_bins=30, limits=(-1.0, 1.0), width=None, null=3)"
    assert repr(Binning(5, "rank", correction="miller-madow", seed=2)) == (
        "Binning(n_bins=5, limits='rank', width=None, correction='miller-madow', seed=2)"
    )


@WITH_OPTIONS
def test_options_travel_as_json(estimator):
    content = json.loads(json.dumps(to_dict(estimator)))
    assert content.keys() == {"family", *(f.name for f in fields(Binning))}
    assert from_dict(content) == estimator
    assert hash(from_dict(content)) == hash(estimator)


def test_a_description_from_before_the_options_is_still_read():
    old = {"family": "binning", "n_bins": 7, "limits": [-1.0, 1.0], "width": None}
    assert from_dict(old) == Binning(7)
    assert from_dict(to_dict(KDE(0.3))) == KDE(0.3)


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("limits", "ranks"),
        ("correction", "madow"),
        ("correction", None),
        ("correction", 1),
        ("null", -1),
        ("null", 1001),
        ("null", 2.5),
        ("null", True),
        ("null", np.nan),
        ("null", None),
        ("seed", -1),
        ("seed", 2**32),
        ("seed", np.inf),
        ("seed", "0"),
    ],
)
def test_options_are_checked(field, bad):
    with pytest.raises(FieldError) as caught:
        Binning(**{field: bad})
    assert caught.value.field == field
    assert "\n" not in str(caught.value)


def test_texts():
    assert RANK.label == "Binning, 30 bins of equal counts in each unit"
    assert MADOW.label == "Binning, 30 bins on [-1, 1], Miller-Madow"
    assert Binning(width=0.07, null=20).label == (
        "Binning, bin width 0.07, less the mean of 20 label shuffles"
    )
    assert RANK.parameter == "n_bins"
    assert RANK.default_ladder == BIN_LADDER
    assert Binning(null=3.0, seed=1.0) == Binning(null=3, seed=1)
