import numpy as np
import pytest
from scipy.integrate import quad

from ibcore.estimators import KDE, VARIANCE_LADDER, label_entropy
from ibcore.estimators import _rows as rows
from ibcore.experiment import FieldError
from tests.estimators import twins

RNG = np.random.default_rng(2)
NAMES = ("i_xt", "i_xt_lower", "i_xt_upper", "i_ty", "i_ty_lower", "i_ty_upper")
CUBE = 2.0 * ((np.arange(4096)[:, None] >> np.arange(12)) & 1) - 1


def two_points_f(v):
    """f of +1 and -1, d^2 = 4: 1 - log2(1 + exp(-2/v))."""
    return 1 - np.log2(1 + np.exp(-2 / v))


def two_points_truth(v):
    """h of the equal mixture of N(+-1, v), less h of N(0, v) = log2(2 pi e v) / 2."""

    def surprise(z):
        p = (np.exp(-((z - 1) ** 2) / (2 * v)) + np.exp(-((z + 1) ** 2) / (2 * v))) / 2
        p /= np.sqrt(2 * np.pi * v)
        return -p * np.log2(p)

    reach = 1 + 12 * np.sqrt(v)
    return quad(surprise, -reach, reach)[0] - 0.5 * np.log2(2 * np.pi * np.e * v)


@pytest.mark.parametrize(
    ("variance", "truth", "lower", "upper"),
    [(1.0, 0.4859, 0.3161, 0.8169), (0.25, 0.9128, 0.8169, 0.9995)],
)
def test_two_points(variance, truth, lower, upper):
    found = KDE(variance).information([[1.0], [-1.0]] * 8, [0, 1] * 8)
    assert found.i_xt_lower == pytest.approx(two_points_f(4 * variance), abs=1e-6)
    assert found.i_xt_upper == pytest.approx(two_points_f(variance), abs=1e-6)
    assert (found.i_xt_lower, found.i_xt_upper) == pytest.approx((lower, upper), abs=1e-4)
    assert two_points_truth(variance) == pytest.approx(truth, abs=1e-4)
    assert found.i_xt_lower <= two_points_truth(variance) <= found.i_xt_upper
    # Y tells the points apart: I(T~;Y) = I(X;T~), and given Y there is one point, f = 0.
    assert found.i_ty == pytest.approx(found.i_xt, abs=1e-9)
    assert found.i_ty_lower <= two_points_truth(variance) <= found.i_ty_upper
    assert found.h_t is None


def test_ten_one_hot_points():
    """All distances are sqrt 2: f(v) = log2 10 - log2(1 + 9 exp(-1/v)); the truth is 2.9963."""
    found = KDE(0.1).information(np.eye(10), np.arange(10) % 2)
    for value, v, published in ((found.i_xt_lower, 0.4, 2.5239), (found.i_xt_upper, 0.1, 3.3213)):
        assert value == pytest.approx(np.log2(10) - np.log2(1 + 9 * np.exp(-1 / v)), abs=1e-6)
        assert value == pytest.approx(published, abs=1e-4)
    assert found.i_xt_lower <= 2.9963 <= found.i_xt_upper


def test_the_cube_is_twelve_times_two_points():
    """The sum over the corners of a product is a product of sums: f is 12 times that of +-1."""
    found = KDE(1.0).information(CUBE, CUBE[:, 0] > 0)
    assert found.i_xt_lower == pytest.approx(12 * two_points_f(4), abs=1e-5)
    assert found.i_xt_upper == pytest.approx(12 * two_points_f(1), abs=1e-5)
    assert (found.i_xt_lower, found.i_xt_upper) == pytest.approx((3.7926, 9.8026), abs=1e-4)
    assert found.i_xt_lower <= 12 * two_points_truth(1.0) <= found.i_xt_upper
    # The label is one coordinate: given it eleven are left.
    assert found.i_ty == pytest.approx(two_points_f(1), abs=1e-5)
    assert found.i_ty_lower <= two_points_truth(1.0) <= found.i_ty_upper


def test_gaussian_channel_is_bracketed():
    """X ~ N(0, 1) and noise of variance 0.1: I = log2(1 + 1/0.1) / 2 = 1.7297."""
    x = RNG.standard_normal((4096, 1))
    truth = 0.5 * np.log2(11)
    assert truth == pytest.approx(1.7297, abs=5e-5)
    found = KDE(0.1).information(x, x[:, 0] > 0)
    assert found.i_xt_lower <= truth <= found.i_xt_upper


def networks_like(n, d, kind):
    t = RNG.standard_normal((n, 12)) @ RNG.standard_normal((12, d))
    return {
        "spread": np.tanh(t),
        "saturated": np.sign(t),
        "unbounded": 20 * np.maximum(t, 0),
        "narrow": 1e-3 * t,
        "offset": 1e4 + np.tanh(t),
    }[kind]


@pytest.mark.parametrize("kind", ["spread", "saturated", "unbounded", "narrow", "offset"])
@pytest.mark.parametrize(("n", "d"), [(900, 10), (500, 2), (385, 1), (7, 3)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_whole_matrices_in_float64(n, d, kind, dtype):
    t = networks_like(n, d, kind).astype(dtype)
    y = RNG.integers(0, 3, n)
    for variance in (0.001, 0.1, 3.0):
        found = KDE(variance).information(t, y)
        slow = twins.kde(t, np.eye(3)[y], variance)
        for name in NAMES:
            assert getattr(found, name) == pytest.approx(slow[name], abs=2e-6), name


@pytest.mark.parametrize("kind", ["spread", "saturated"])
def test_soft_labels_equal_whole_matrices_in_float64(kind):
    t = networks_like(700, 2, kind)
    p_y = RNG.dirichlet([0.3, 0.3, 0.3], 700)
    p_y[:50] = [0, 1, 0]
    found = KDE(0.1).information(t, p_y)
    slow = twins.kde(t, p_y, 0.1)
    for name in NAMES:
        assert getattr(found, name) == pytest.approx(slow[name], abs=2e-6), name


def test_a_class_of_next_to_no_weight_changes_nothing():
    """Weights too small for float32 are still weights: p log p tends to 0."""
    t, p_y = networks_like(60, 2, "spread"), np.eye(2)[np.zeros(60, dtype=int)]
    p_y[:, 1] = 1e-300
    assert KDE().information(t, p_y).i_ty == pytest.approx(0, abs=1e-6)


def test_a_class_that_never_occurs_changes_nothing():
    t = networks_like(60, 2, "spread")
    p_y = RNG.dirichlet([1, 1], 60)
    wider = np.column_stack([p_y[:, :1], np.zeros(60), p_y[:, 1:]])
    assert KDE().information(t, wider).i_ty == KDE().information(t, p_y).i_ty


@pytest.mark.parametrize("kind", ["spread", "saturated", "unbounded", "narrow"])
@pytest.mark.parametrize("d", [2, 10])
def test_the_ladder_equals_single_calls_and_whole_matrices(d, kind):
    t = networks_like(800, d, kind).astype(np.float32)
    y = RNG.integers(0, 2, 800)
    d2 = twins.squared_distances(t)
    for value, rung in zip(VARIANCE_LADDER, KDE().ladder(t, y, VARIANCE_LADDER), strict=True):
        single = KDE(value).information(t, y)
        for name in NAMES:
            assert getattr(rung, name) == pytest.approx(getattr(single, name), abs=3e-6), name
        assert rung.i_xt == pytest.approx(twins.kde_term(d2, value, np.ones(800)), abs=3e-6)


def test_the_ladder_keeps_its_digits_where_errors_add_up():
    """All kernels of the simplex are equal, so no rounding error averages out."""
    found = KDE().ladder(np.eye(64) / 8, np.zeros(64, dtype=int), VARIANCE_LADDER)
    for v, rung in zip(VARIANCE_LADDER, found, strict=True):
        exact = 6 - np.log2(1 + 63 * np.exp(-1 / (64 * v)))
        assert rung.i_xt == pytest.approx(exact, abs=5e-6)


def test_any_values_in_any_order():
    t, y = networks_like(300, 3, "spread"), RNG.integers(0, 2, 300)
    values = [0.3, 0.1, 0.7, 0.1, 0.05, 1.2, 1e-12, 1e12, 0.1 * (1 + 1e-15)]
    for value, rung in zip(values, KDE().ladder(t, y, values), strict=True):
        slow = twins.kde(t, np.eye(2)[y], value)
        for name in NAMES:
            assert getattr(rung, name) == pytest.approx(slow[name], abs=2e-6), name


def test_the_lower_bound_is_the_upper_bound_at_four_times_the_variance():
    t, y = networks_like(200, 3, "spread"), RNG.integers(0, 2, 200)
    rungs = KDE().ladder(t, y, [0.01 * 2.0**k for k in range(8)])
    for narrow, wide in zip(rungs, rungs[2:], strict=False):
        assert narrow.i_xt_lower == wide.i_xt_upper


def test_an_offset_does_not_cost_digits():
    """Rows that float32 Gram matrices cannot tell apart: 1024 points 1 apart around 1e5."""
    t = (1e5 + np.arange(1024.0))[:, None] * np.ones(4)
    found = KDE(1e-3).information(t.astype(np.float32), np.arange(1024) % 2)
    assert found.i_xt_lower == pytest.approx(10, abs=1e-6)


def test_merging_equal_rows_changes_nothing(monkeypatch):
    t = np.sign(networks_like(400, 4, "spread"))
    p_y = RNG.dirichlet([1, 1], 400)
    merged = KDE().information(t, p_y)
    assert rows.distinct_rows(t) is not None
    monkeypatch.setattr("ibcore.estimators.kde.distinct_rows", lambda t: None)
    apart = KDE().information(t, p_y)
    for name in NAMES:
        assert getattr(apart, name) == pytest.approx(getattr(merged, name), abs=1e-6)


def test_distinct_rows():
    t = np.array([[0.0, 1.0], [-0.0, 1.0], [1.0, 0.0], [0.0, 1.0]], dtype=np.float32)
    first, kind = rows.distinct_rows(t)
    np.testing.assert_array_equal(t[first[kind]], t)
    assert len(first) == 2
    assert rows.distinct_rows(t[1:3]) is None
    assert rows.distinct_rows(CUBE) is None
    assert len(rows.distinct_rows(np.repeat(CUBE, 2, axis=0))[0]) == 4096


def test_rows_that_share_a_key_stay_apart(monkeypatch):
    monkeypatch.setattr(rows, "float_keys", lambda t: np.zeros(len(t), dtype=np.uint64))
    assert rows.distinct_rows(np.array([[1.0], [2.0]])) is None
    found = KDE(0.25).information([[1.0], [-1.0]], [0, 1])
    assert found.i_xt == pytest.approx(two_points_f(0.25), abs=1e-6)


def test_equal_inputs_must_have_equal_activations():
    t = np.array([[0.0], [1.0], [0.0]])
    named = KDE().information(t, [0, 1, 0], x=[4, 5, 4])
    assert named.i_xt == KDE().information(t, [0, 1, 0]).i_xt
    with pytest.raises(ValueError, match="replicate 0"):
        KDE().information(t, [0, 1, 0], x=[4, 4, 5])


@pytest.mark.parametrize("bad", [0, -0.1, np.nan, np.inf, 1e13, 1e-13, "1", None, True])
def test_variance_is_checked(bad):
    with pytest.raises(FieldError) as caught:
        KDE(bad)
    assert caught.value.field == "variance"


def test_texts_and_ladder():
    assert KDE().label == "KDE, noise variance 0.1"
    assert KDE().parameter == "variance"
    assert KDE().default_ladder == VARIANCE_LADDER
    assert len(VARIANCE_LADDER) == 17
    assert {0.0735, 0.1} < set(VARIANCE_LADDER)
    assert list(VARIANCE_LADDER) == sorted(VARIANCE_LADDER)
    assert (VARIANCE_LADDER[0], VARIANCE_LADDER[-1]) == (0.1 / 1024, 0.1 * 32)


def test_huge_activations_are_merely_far_apart():
    t = np.array([[-3e38], [0.0], [3e38]], dtype=np.float32)
    found = KDE().information(t, [0, 1, 1])
    assert found.i_xt_lower == pytest.approx(np.log2(3), abs=1e-6)
    assert found.i_ty_lower == pytest.approx(label_entropy([0, 1, 1]), abs=1e-6)
    far = KDE().information(np.array([[-1e100], [1e100]]), [0, 1])
    assert far.i_xt == pytest.approx(1, abs=1e-6)
