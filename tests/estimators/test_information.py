import numpy as np
import pytest

from ibcore.estimators import ESTIMATORS, KDE, Binning, label_entropy

BOTH = pytest.mark.parametrize("estimator", [Binning(), KDE()], ids=["binning", "kde"])
RNG = np.random.default_rng(0)
T = np.tanh(RNG.standard_normal((20, 3))).astype(np.float32)
Y = np.arange(20) % 2


def test_label_entropy_of_hard_labels():
    """Three of four labels alike: H = 3/4 log2(4/3) + 1/4 log2 4 = 2 - 3/4 log2 3."""
    expected = 2 - 0.75 * np.log2(3)
    assert label_entropy([5, 5, -1, 5]) == pytest.approx(expected, abs=1e-12)
    batch = label_entropy(np.array([[5, 5, -1, 5], [0, 0, 0, 0], [0, 1, 2, 3]]))
    np.testing.assert_allclose(batch, [expected, 0, 2], atol=1e-12)


def test_label_entropy_of_soft_labels_is_that_of_their_mean():
    """Rows (1/2, 1/2) and (1, 0) have the mean (3/4, 1/4)."""
    soft = np.array([[0.5, 0.5], [1.0, 0.0]])
    assert label_entropy(soft) == pytest.approx(2 - 0.75 * np.log2(3), abs=1e-12)
    np.testing.assert_allclose(label_entropy(soft[None]), [2 - 0.75 * np.log2(3)], atol=1e-12)


@BOTH
def test_a_batch_is_its_replicates(estimator):
    batch = np.stack([T, 0.5 * T, T[::-1]])
    own_labels = np.stack([Y, Y[::-1], np.zeros(20, dtype=int)])
    result = estimator.information(batch, own_labels)
    assert result.saturated.shape == (3,)
    assert result.saturated.dtype == bool
    for r in range(3):
        alone = estimator.information(batch[r], own_labels[r])
        for name in ("i_xt", "i_ty", "h_t", "i_xt_lower", "i_ty_upper", "saturated"):
            one, of_batch = getattr(alone, name), getattr(result, name)
            if one is None:
                assert of_batch is None
            else:
                assert np.ndim(one) == 0
                assert of_batch[r] == pytest.approx(one, abs=1e-12)


@BOTH
def test_labels_are_names_only(estimator):
    by_number = estimator.information(T, Y)
    by_other_number = estimator.information(T, np.where(Y == 0, 70, -3))
    by_truth = estimator.information(T, Y.astype(bool))
    for other in (by_other_number, by_truth):
        assert other.i_ty == pytest.approx(by_number.i_ty, abs=1e-9)


@BOTH
def test_certain_soft_labels_are_hard_labels(estimator):
    hard = estimator.information(np.stack([T, T * T]), Y)
    soft = estimator.information(np.stack([T, T * T]), np.eye(2)[Y])
    np.testing.assert_allclose(soft.i_ty, hard.i_ty, atol=1e-6)
    np.testing.assert_allclose(soft.i_xt, hard.i_xt, atol=1e-6)


@BOTH
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e101])
def test_a_bad_activation_is_named(estimator, bad):
    batch = np.stack([T, T]).astype(np.float64)
    batch[1, 4, 2] = bad
    with pytest.raises(ValueError, match="replicate 1, unit 2") as caught:
        estimator.information(batch, Y)
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="replicate 0, unit 2"):
        estimator.information(batch[1].astype(np.float64), Y)


@BOTH
def test_a_float32_infinity_is_named(estimator):
    bad = T.copy()
    bad[3, 1] = np.inf
    with pytest.raises(ValueError, match="t: inf at replicate 0, unit 1"):
        estimator.information(bad, Y)


@BOTH
@pytest.mark.parametrize(
    ("t", "y", "x"),
    [
        (T[:, 0], Y, None),
        (T[:0], Y[:0], None),
        (T.astype(complex), Y, None),
        (T, Y[:5], None),
        (T, Y[None, :, None], None),
        (T, Y.astype(float), None),
        (T, np.full((20, 2), 0.4), None),
        (T, np.tile([1.5, -0.5], (20, 1)), None),
        (T, np.full((20, 2), np.nan), None),
        (T, np.full((19, 2), 0.5), None),
        (T, Y, np.arange(3)),
        (T, Y, np.arange(20.0)),
    ],
)
def test_misfits_are_refused_in_one_line(estimator, t, y, x):
    with pytest.raises(ValueError) as caught:
        estimator.information(t, y, x)
    assert str(caught.value)[:2] in ("t:", "y:", "x:")
    assert "\n" not in str(caught.value)


def test_label_entropy_refuses_what_it_cannot_count():
    for bad in (3, [], [0.5, 0.5], [["a"]], np.full((2, 2), np.nan)):
        with pytest.raises(ValueError, match=r"^y: "):
            label_entropy(bad)


@BOTH
def test_saturated_within_half_a_bit_of_the_number_of_samples(estimator):
    """16 rows: log2 N = 4. Sixteen far apart give 4 bits, eight twice give 3; one gives 0."""
    far = 2.0 * np.arange(16)[:, None] / 15 - 1
    narrow = KDE(1e-9) if isinstance(estimator, KDE) else estimator
    assert narrow.information(far, np.arange(16) % 2).saturated is True
    assert narrow.information(far[np.arange(16) // 2], np.arange(16) % 2).saturated is False
    assert narrow.information(far[:1], [0]).saturated is False


@BOTH
def test_a_ladder_is_a_list_of_single_results(estimator):
    values = estimator.default_ladder
    rungs = estimator.ladder(T, Y, values)
    assert len(rungs) == len(values)
    for value, rung in zip(values, rungs, strict=True):
        single = type(estimator)(value).information(T, Y)
        assert rung.i_xt == pytest.approx(single.i_xt, abs=1e-5)
        assert rung.i_ty == pytest.approx(single.i_ty, abs=1e-5)
    assert estimator.ladder(T, Y, []) == []


def test_the_registry_names_the_estimators():
    assert ESTIMATORS["binning"] is Binning
    assert ESTIMATORS["kde"] is KDE
    for kind in ESTIMATORS.values():
        assert getattr(kind(), kind().parameter) in kind().default_ladder
