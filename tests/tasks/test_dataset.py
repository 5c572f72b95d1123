from collections import Counter
from dataclasses import FrozenInstanceError
from math import log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ibcore.experiment import FieldError
from ibcore.tasks import Dataset


def dataset(**changes) -> Dataset:
    fields = {
        "x": np.arange(8.0).reshape(4, 2),
        "y": np.array([0, 1, 1, 0]),
        "n_classes": 2,
        "p_y_given_x": None,
        "train": np.array([3, 0, 2]),
        "test": np.array([1]),
    }
    return Dataset(**(fields | changes))


P = np.array([[0.5, 0.5], [0.25, 0.75], [0.0, 1.0], [1.0, 0.0]])


def test_types_and_shapes():
    data = dataset(p_y_given_x=P, test=[])
    assert data.x.dtype == np.float32
    assert data.y.dtype == data.train.dtype == data.test.dtype == np.int64
    assert data.p_y_given_x.dtype == np.float64
    assert data.test.shape == (0,)
    assert data.fixed_split is False


@pytest.mark.parametrize("name", ["x", "y", "p_y_given_x", "train", "test", "x_ids"])
def test_arrays_are_read_only(name):
    with pytest.raises(ValueError, match="read-only"):
        getattr(dataset(p_y_given_x=P), name)[0] = 1


def test_dataset_is_frozen_and_owns_its_arrays():
    x = np.arange(8, dtype=np.float32).reshape(4, 2)
    data = dataset(x=x)
    x[0, 0] = 99
    assert data.x[0, 0] == 0
    with pytest.raises(FrozenInstanceError):
        data.x = x


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("x", np.arange(4.0)),
        ("x", np.zeros((1, 2))),
        ("x", np.zeros((4, 0))),
        ("x", np.full((4, 2), np.nan)),
        ("x", np.full((4, 2), -np.inf)),
        ("x", np.full((4, 2), 1e39)),
        ("x", np.full((4, 2), 1j)),
        ("x", np.full((4, 2), "one")),
        ("x", np.full((4, 2), None)),
        ("y", [0, 1, 1]),
        ("y", [[0], [1], [1], [0]]),
        ("y", [0, 1, 2, 0]),
        ("y", [0, -1, 1, 0]),
        ("y", [0.0, 1.0, 1.0, 0.0]),
        ("n_classes", 1),
        ("n_classes", 2.5),
        ("n_classes", 10**6),
        ("p_y_given_x", P[:3]),
        ("p_y_given_x", P * 2),
        ("p_y_given_x", P * np.nan),
        ("p_y_given_x", P + np.array([0.5, -0.5])),
        ("train", []),
        ("train", [0, 0]),
        ("train", [4]),
        ("train", [-1]),
        ("train", [0.0]),
        ("train", [[0]]),
        ("test", [0]),
        ("test", [1, 1]),
        ("fixed_split", 1),
    ],
)
def test_fields_are_checked(field, value):
    with pytest.raises(FieldError) as caught:
        dataset(**{field: value})
    assert caught.value.field == field
    assert len(str(caught.value).splitlines()) == 1


def test_p_y_given_x_is_a_function_of_x():
    x = np.array([[0.0], [1.0], [2.0], [-0.0]])
    with pytest.raises(FieldError, match="p_y_given_x: 'sample 3'"):
        dataset(x=x, p_y_given_x=P)
    assert dataset(x=x, p_y_given_x=P[[0, 1, 2, 0]]).i_xy > 0


def test_x_ids_name_the_first_equal_input():
    x = np.array([[0.0, 1.0], [-0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    assert dataset(x=x).x_ids.tolist() == [0, 0, 2, 0]


def test_information_of_soft_labels_is_that_of_its_channel():
    # p(y=1) = (1/2 + 3/4 + 1 + 0) / 4 = 9/16; H(Y|X) = (1 + H(1/4)) / 4.
    h_y = -(9 / 16) * log2(9 / 16) - (7 / 16) * log2(7 / 16)
    h_quarter = 0.25 * 2 + 0.75 * log2(4 / 3)
    data = dataset(p_y_given_x=P)
    assert data.h_y == pytest.approx(h_y, abs=1e-14)
    assert data.i_xy == pytest.approx(h_y - (1 + h_quarter) / 4, abs=1e-14)


def test_equal_inputs_with_different_labels_leave_uncertainty():
    # Two of four samples share x and differ in y: H(Y|X) = 1/2 of one bit.
    x = np.array([[0.0], [0.0], [1.0], [2.0]])
    data = dataset(x=x)
    assert data.h_y == pytest.approx(1)
    assert data.i_xy == pytest.approx(0.5)


samples = st.integers(2, 30).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.int64, (n, 2), elements=st.integers(0, 2)),
        hnp.arrays(np.int64, n, elements=st.integers(0, 3)),
    )
)


def hard(x: np.ndarray, y: np.ndarray, p: np.ndarray | None = None) -> Dataset:
    return dataset(x=x, y=y, n_classes=4, p_y_given_x=p, train=[0], test=[1])


@given(samples)
def test_information_bounds(sample):
    """0 <= I(X;Y) <= H(Y) <= log2 C."""
    data = hard(*sample)
    assert 0 <= data.i_xy <= data.h_y + 1e-12 <= 2 + 2e-12


@given(samples)
def test_information_equals_the_sum_over_the_joint_table(sample):
    """I(X;Y) = Σ p(x,y) log2 [p(x,y) / (p(x) p(y))]."""
    x, y = (values.tolist() for values in sample)
    n = len(y)
    p_x, p_y = Counter(map(tuple, x)), Counter(y)
    joint = Counter((tuple(a), b) for a, b in zip(x, y, strict=True))
    slow = sum(k / n * log2(k * n / (p_x[a] * p_y[b])) for (a, b), k in joint.items())
    assert hard(*sample).i_xy == pytest.approx(slow, abs=1e-12)


@given(samples)
def test_certain_soft_labels_are_hard_labels(sample):
    """p(y|x) in {0, 1} gives the entropies of the labels it points at."""
    x, y = sample
    y = y[hard(x, y).x_ids]
    soft = hard(x, y, np.eye(4)[y])
    assert soft.h_y == pytest.approx(hard(x, y).h_y, abs=1e-12)
    assert soft.i_xy == pytest.approx(soft.h_y, abs=1e-12)


def test_fingerprint_names_the_data():
    prints = [
        data.fingerprint
        for data in (
            dataset(),
            dataset(x=np.arange(8.0).reshape(4, 2) + 1),
            dataset(x=np.arange(8.0).reshape(4, 2, 1)),
            dataset(y=[1, 1, 1, 0]),
            dataset(n_classes=3),
            dataset(p_y_given_x=P),
            dataset(p_y_given_x=P[:, ::-1]),
        )
    ]
    assert len(set(prints)) == len(prints)
    assert all(len(name) == 16 and int(name, 16) >= 0 for name in prints)


def test_fingerprint_leaves_out_the_split():
    other = dataset(train=[1], test=[0], fixed_split=True)
    assert other.fingerprint == dataset().fingerprint


def test_fingerprint_leaves_out_the_last_digits_of_probabilities():
    near = P + 1e-13 * np.array([[1, -1]]) * (P[:, :1] == 0.5)
    assert (near != P).any()
    assert dataset(p_y_given_x=near).fingerprint == dataset(p_y_given_x=P).fingerprint


def test_names_of_classes_do_not_name_the_data():
    """Runs are found by the fingerprint."""
    named = dataset(classes=("cat", "dog"), labels_note="y is a column")
    assert named.fingerprint == dataset().fingerprint
    assert dataset().classes == ("0", "1")
    with pytest.raises(FieldError, match="classes: 3 is not allowed; use 2 names"):
        dataset(classes=("a", "b", "c"))


def test_the_line_on_labels_is_short_and_printable():
    assert dataset().labels_line == "Labels: 0 -> 0, 1 -> 1"
    named = dataset(classes=("\x1b[31m\ud800", "dog" * 100), labels_note="y is a row")
    assert named.labels_line.startswith("Labels: \\x1b[31m\\ud800 -> 0, dogdog")
    assert named.labels_line.endswith("... -> 1 (y is a row)")
    assert len(named.labels_line) < 100
    many = dataset(n_classes=26, classes=tuple("abcdefghijklmnopqrstuvwxyz"))
    assert many.labels_line == "Labels: a -> 0, b -> 1, c -> 2, d -> 3, ..., z -> 25"
