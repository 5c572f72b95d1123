import numpy as np
import pytest
from scipy.stats import norm

from ibcore.estimators import BIN_LADDER, WIDTH_LADDER, Binning
from ibcore.estimators import binning as module
from ibcore.estimators._compiled_counts import distinct, joint_counts
from ibcore.estimators.binning import bin_keys, joint_entropies, width_keys
from ibcore.experiment import FieldError
from tests.estimators import twins

RNG = np.random.default_rng(1)
BITS = (np.arange(4096)[:, None] >> np.arange(12)) & 1


def test_distinct_rows_give_all_bits():
    """4096 distinct rows are equally likely: H = log2 4096 = 12."""
    t = 2.0 * BITS - 1
    found = Binning().information(t, BITS[:, 0])
    assert found.i_xt == found.h_t == pytest.approx(12, abs=1e-9)
    assert found.i_ty == pytest.approx(1, abs=1e-9)
    assert found.saturated
    assert found.i_xt_lower is None
    assert found.i_ty_upper is None


def test_hamming_weight_of_twelve_fair_bits():
    """W ~ Binomial(12, 1/2): H = -sum_k p_k log2 p_k with p_k = C(12, k) / 4096, 2.8385 bits.

    The parity of W is a fair bit and a function of W: I(W; parity) = 1.
    """
    weight = BITS.sum(axis=1)
    p = np.array([1, 12, 66, 220, 495, 792, 924, 792, 495, 220, 66, 12, 1]) / 4096
    found = Binning(13, (-0.5, 12.5)).information(weight[:, None] * 1.0, weight % 2)
    assert found.h_t == pytest.approx(-np.sum(p * np.log2(p)), abs=1e-9)
    assert found.h_t == pytest.approx(2.8385, abs=5e-5)
    assert found.i_ty == pytest.approx(1, abs=1e-9)


def test_xor_hides_from_each_of_its_inputs():
    """Y = A xor B of fair bits is independent of A alone and a function of (A, B)."""
    ab = BITS[:, :2]
    y = ab[:, 0] ^ ab[:, 1]
    binning = Binning(2, (0.0, 1.0))
    assert binning.information(ab[:, :1] * 1.0, y).i_ty == pytest.approx(0, abs=1e-9)
    assert binning.information(ab * 1.0, y).i_ty == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("k", [1, 3, 6, 10])
def test_a_uniform_grid_fills_the_bins(k):
    """4096 midpoints spread evenly on [-1, 1] put 4096 / 2^k into each of 2^k bins: k bits."""
    t = (2 * np.arange(4096) + 1) / 4096 - 1
    assert Binning(2**k).information(t[:, None], np.arange(4096) % 2).h_t == pytest.approx(
        k, abs=1e-9
    )


@pytest.mark.parametrize(("w", "published"), [(1, 4.877), (5, 2.775), (20, 1.594)])
def test_tanh_of_a_gaussian(w, published):
    """T = tanh(wX) is in bin [a, b) when X is in [artanh(a)/w, artanh(b)/w)."""
    edges = np.linspace(-1, 1, 31)
    with np.errstate(divide="ignore"):
        p = np.diff(norm.cdf(np.arctanh(edges) / w))
    truth = -np.sum(p * np.log2(p))
    assert truth == pytest.approx(published, abs=5e-4)
    x = RNG.standard_normal((10_000, 1))
    assert Binning().information(np.tanh(w * x), RNG.integers(0, 2, 10_000)).h_t == pytest.approx(
        truth, abs=0.05
    )


def test_binary_symmetric_channel():
    """T is Y with one bit in ten flipped: I = 1 - H(0.1) = 1 + 0.1 log2 0.1 + 0.9 log2 0.9."""
    y = RNG.integers(0, 2, 4096)
    t = y ^ (RNG.random(4096) < 0.1)
    truth = 1 + 0.1 * np.log2(0.1) + 0.9 * np.log2(0.9)
    assert truth == pytest.approx(0.5310, abs=5e-5)
    found = Binning(2, (0, 1)).information(t[:, None] * 1.0, y).i_ty
    assert found == pytest.approx(truth, abs=0.05)


def test_soft_labels_count_with_their_probabilities():
    """T = X is a fair bit and p(Y=1|x) is 0.9 or 0.1: the same channel, without sampling."""
    t = np.array([[-1.0], [1.0]] * 8)
    p_y = np.array([[0.9, 0.1], [0.1, 0.9]] * 8)
    truth = 1 + 0.1 * np.log2(0.1) + 0.9 * np.log2(0.9)
    assert Binning().information(t, p_y).i_ty == pytest.approx(truth, abs=1e-12)


def test_soft_labels_are_a_limit_of_many_hard_ones():
    """Ten samples of each input with 10 p(y|x) of each label are the joint p(t, y) exactly."""
    t = np.round(np.tanh(RNG.standard_normal((30, 2))), 1)
    ones = RNG.integers(0, 11, 30)
    soft = Binning(7).information(t, np.column_stack([ones, 10 - ones]) / 10)
    labels = (np.arange(10)[None, :] >= ones[:, None]).astype(int)
    hard = Binning(7).information(np.repeat(t, 10, axis=0), labels.reshape(-1))
    assert soft.i_ty == pytest.approx(hard.i_ty, abs=1e-9)
    assert soft.h_t == pytest.approx(hard.h_t, abs=1e-9)


@pytest.mark.parametrize("n_bins", [2, 30, 1000])
@pytest.mark.parametrize("d", [1, 2, 3, 5, 10, 40])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_rows_counted_one_by_one(n_bins, d, dtype):
    """Tables, exact keys of 32 and 64 bits and hashes: all are `numpy.unique` of the rows."""
    centres = RNG.uniform(-1.3, 1.3, (200, d))
    t = centres[RNG.integers(0, 200, 1000)].astype(dtype)
    y = RNG.integers(0, 3, 1000)
    found = Binning(n_bins).information(t, y)
    h_t, i_ty = twins.binned(t, y, n_bins)
    assert found.h_t == pytest.approx(h_t, abs=1e-9)
    assert found.i_ty == pytest.approx(i_ty, abs=1e-9)


@pytest.mark.parametrize("width", [0.07, 0.5, 1e-4, 1e-18, 1e-19, 1e-300])
@pytest.mark.parametrize("d", [1, 4, 20])
def test_width_equals_rows_counted_one_by_one(width, d):
    t = (RNG.standard_normal((100, d)) * 5)[RNG.integers(0, 100, 1000)]
    y = RNG.integers(0, 3, 1000)
    found = Binning(width=width, limits="range").information(t, y)
    h_t, i_ty = twins.counted(np.floor(t / width), y)
    assert found.h_t == pytest.approx(h_t, abs=1e-9)
    assert found.i_ty == pytest.approx(i_ty, abs=1e-9)


def test_a_width_below_which_bins_have_no_number_is_named():
    t = np.array([[1e100, 0.0], [-1.0, 1.0]])
    with pytest.raises(FieldError, match="width: 1e-300 is not allowed; use at least 1e-208"):
        Binning(width=1e-300).information(t, [0, 1])
    assert Binning(width=1e-208).information(t, [0, 1]).h_t == 1


def test_hashing_equals_exact_keys(monkeypatch):
    t = RNG.uniform(-1, 1, (300, 6))[RNG.integers(0, 300, 4096)]
    y = RNG.integers(0, 4, 4096)
    exact = bin_keys(t, 30, -1.0, 1.0)
    assert exact.max() < 30**6
    monkeypatch.setattr(module, "_KEY_BITS", 0)
    hashed = bin_keys(t, 30, -1.0, 1.0)
    assert hashed.max() > 2**62
    assert joint_entropies(hashed, y) == joint_entropies(exact, y)


@pytest.mark.parametrize("n", [1, 2, 1000, 4096])
@pytest.mark.parametrize("stride", [1, 2**13, 2**51, 0x9E3779B97F4A7C15])
def test_distinct_keys_are_those_of_unique(n, stride):
    keys = RNG.integers(0, 700, n).astype(np.uint64) * np.uint64(stride)
    y = RNG.integers(0, 3, n)
    kinds, counts = distinct(keys)
    unique, first, expected = np.unique(keys, return_index=True, return_counts=True)
    order = np.argsort(first)
    np.testing.assert_array_equal(unique[order][kinds], keys)
    np.testing.assert_array_equal(counts, expected[order])
    _, of_pairs = np.unique(np.column_stack([kinds, y]), axis=0, return_counts=True)
    found, joint = joint_counts(keys, y)
    np.testing.assert_array_equal(found, counts)
    np.testing.assert_array_equal(np.sort(joint), np.sort(of_pairs))


def test_conditional_on_equal_inputs():
    """Input 0 gives T = -1 or 1 evenly and input 1 gives T = 1: H(T) = H(1/4), H(T|X) = 1/2."""
    t = np.array([[-1.0], [1.0], [1.0], [1.0]])
    found = Binning().information(t, [0, 0, 1, 1], x=[7, 7, 9, 9])
    h_t = 2 - 0.75 * np.log2(3)
    assert found.h_t == pytest.approx(h_t, abs=1e-12)
    assert found.i_xt == pytest.approx(h_t - 0.5, abs=1e-12)


def test_thirty_bins_are_thirty():
    """Midpoints of 30 bins, both ends and values outside: ends and outside fall into end bins."""
    middles = (np.arange(30) + 0.5) / 15 - 1
    keys = bin_keys(middles[:, None], 30, -1.0, 1.0)
    np.testing.assert_array_equal(keys, np.arange(30))
    keys = bin_keys(np.array([[-1.0], [-7.0], [1.0], [7.0]]), 30, -1.0, 1.0)
    np.testing.assert_array_equal(keys, [0, 0, 29, 29])


def test_minus_zero_is_zero():
    t = np.array([[0.0], [-0.0], [0.0], [-0.0]], dtype=np.float32)
    assert Binning(width=0.07).information(t, [0, 1, 0, 1]).h_t == 0
    assert Binning(2, (0.0, 1.0)).information(t, [0, 1, 0, 1]).h_t == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_activations_go_to_the_end_bins(dtype):
    huge = 3e38 if dtype == np.float32 else 1e100
    t = np.array([[-huge], [-0.1], [0.1], [huge]], dtype=dtype)
    keys = bin_keys(t, 4, -1.0, 1.0)
    np.testing.assert_array_equal(keys, [0, 1, 2, 3])
    keys = width_keys(t, 0.5)
    assert len(np.unique(keys)) == 4
    assert Binning(4, (0.0, 1e-300)).information(t, [0, 0, 1, 1]).h_t == pytest.approx(1)


@pytest.mark.parametrize("limits", ["range", "layer"])
def test_measured_limits_are_those_of_all_replicates(limits):
    batch = np.stack([RNG.standard_normal((50, 2)), 10 * RNG.standard_normal((50, 2))])
    y = np.arange(50) % 2
    measured = Binning(8, limits)
    assert measured.needs_range
    given = Binning(8, (batch.min(), batch.max()))
    assert not given.needs_range
    np.testing.assert_array_equal(
        measured.information(batch, y).h_t, given.information(batch, y).h_t
    )


@pytest.mark.parametrize("limits", ["range", "layer"])
def test_a_range_of_no_width_has_no_information(limits):
    found = Binning(limits=limits).information(np.full((2, 40, 3), 0.3), np.arange(40) % 2)
    np.testing.assert_array_equal(found.h_t, [0, 0])
    np.testing.assert_array_equal(found.i_ty, [0, 0])


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("n_bins", 1),
        ("n_bins", 2.5),
        ("n_bins", 65_537),
        ("n_bins", True),
        ("n_bins", "30"),
        ("n_bins", np.nan),
        ("n_bins", np.inf),
        ("width", 0),
        ("width", -1.0),
        ("width", np.inf),
        ("width", np.nan),
        ("width", "1"),
        ("limits", "all"),
        ("limits", (1.0, 1.0)),
        ("limits", (1.0, -1.0)),
        ("limits", (0.0, np.inf)),
        ("limits", (np.nan, 1.0)),
        ("limits", (0.0,)),
        ("limits", None),
        ("limits", ("0", "1")),
    ],
)
def test_fields_are_checked(field, bad):
    with pytest.raises(FieldError) as caught:
        Binning(**{field: bad})
    assert caught.value.field == field
    assert "\n" not in str(caught.value)


def test_ladder_checks_every_value():
    with pytest.raises(FieldError):
        Binning().ladder(np.zeros((2, 1)), [0, 1], [30, 1])


def test_texts_and_ladders():
    assert Binning().label == "Binning, 30 bins on [-1, 1]"
    assert Binning(5, "range").label == "Binning, 5 bins on the range of the run"
    assert Binning(5, "layer").label == "Binning, 5 bins on the range of each layer"
    assert Binning(width=0.07, limits="range").label == "Binning, bin width 0.07"
    assert not Binning(width=0.07, limits="range").needs_range
    assert (Binning().parameter, Binning(width=0.5).parameter) == ("n_bins", "width")
    assert Binning().default_ladder == BIN_LADDER
    assert Binning(width=0.5).default_ladder == WIDTH_LADDER
    assert {5, 10, 20, 30, 50, 100} <= set(BIN_LADDER)
    assert len(BIN_LADDER) == 40
    assert {0.07, 0.5} <= set(WIDTH_LADDER)
    for ladder in (BIN_LADDER, WIDTH_LADDER):
        assert list(ladder) == sorted(set(ladder))


def test_whole_floats_and_lists_become_plain_values():
    assert Binning(30.0, [-1, 1]) == Binning(30, (-1.0, 1.0))
    assert hash(Binning(30.0, [-1, 1])) == hash(Binning())


@pytest.mark.parametrize("binning", [Binning(7), Binning(7, "layer"), Binning(width=0.3)])
@pytest.mark.parametrize("units", [3, 60])
def test_rows_are_counted_in_blocks_as_they_are_together(binning, units, monkeypatch):
    rng = np.random.default_rng(0)
    t = rng.standard_normal((5, units)).astype(np.float32)[rng.integers(0, 5, 200)]
    y = rng.integers(0, 3, 200)
    whole = binning.information(t, y)
    monkeypatch.setattr("ibcore.estimators._rows._BLOCK_NUMBERS", 130)
    assert vars(binning.information(t, y)) == vars(whole)
    assert 1 < whole.h_t < 2.33
