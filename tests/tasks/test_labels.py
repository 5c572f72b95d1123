"""Labels as people have them: what they become, and what is refused with a way out."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ibcore.experiment import FieldError
from ibcore.tasks.labels import class_labels, read_labels

Y = np.array([0, 1, 2, 1, 0, 2])


def read(y, bin_y=None):
    return read_labels(y, 6, bin_y)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=2, max_size=20))
def test_classes_are_ranks_of_distinct_labels(labels):
    """Label l becomes the number of distinct labels below l; C is their number."""
    distinct = set(labels)
    if len(distinct) < 2:
        with pytest.raises(FieldError, match="2 classes"):
            class_labels(np.array(labels))
        return
    found = class_labels(np.array(labels))
    assert found.y.tolist() == [sum(d < label for d in distinct) for label in labels]
    assert found.classes == tuple(map(str, sorted(distinct)))


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.uint64, np.float16, np.float64])
def test_labels_of_any_real_type_serve(dtype):
    found = class_labels(np.array([1, 0, 1], dtype))
    assert (found.y.tolist(), found.y.dtype) == ([1, 0, 1], np.int64)
    assert found.classes == (("False", "True") if dtype is bool else ("0", "1"))


@pytest.mark.parametrize(
    ("y", "note"),
    [
        (Y, ""),
        (Y[:, None], "y is a column"),
        (Y[None], "y is a row"),
        (np.eye(3)[Y], "y is one-hot"),
        (np.eye(3, dtype=bool)[Y], "y is one-hot"),
        (np.eye(3, dtype=np.uint8, order="F")[Y], "y is one-hot"),
    ],
)
def test_a_column_a_row_and_one_hot_rows_say_the_same(y, note):
    found = read(y)
    assert found.y.tolist() == Y.tolist()
    assert (found.classes, found.note) == (("0", "1", "2"), note)


def test_labels_keep_their_names():
    assert read(Y - 1).classes == ("-1", "0", "1")
    assert read(np.array([-1.0, 1.0] * 3)).classes == ("-1", "1")
    assert read(np.array(["b", "a", "c"])[Y]).classes == ("a", "b", "c")
    assert read(np.array([b"\xff", b"a", b"c"])[Y]).classes == ("a", "c", "\\xff")


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.array(3), "shape \\(6,\\)"),
        (Y[:5], "shape \\(6,\\)"),
        (Y[:5, None], "shape \\(6,\\)"),
        (Y * 0, "2 classes"),
        (Y / 2, "0.5 .* whole numbers or text as labels, or bin y"),
        (np.where(Y, Y, np.nan), "nan .* finite"),
        (np.where(Y, Y, np.inf), "inf .* finite"),
        (np.eye(3)[Y] * 0.5, "row 0"),
        (1 - np.eye(3)[Y], "row 0"),
        (Y.astype("M8[s]"), "numbers or text"),
        (Y * 1j, "numbers or text"),
    ],
)
def test_other_labels_are_refused(y, message):
    with pytest.raises(FieldError, match=message) as caught:
        read(y)
    assert caught.value.field == "y"


def test_too_many_distinct_labels_are_refused_with_a_way_out():
    """More than 10 classes need 3 samples each on average."""
    with pytest.raises(FieldError, match=r"'11 distinct labels of 32 samples' .* bin y into"):
        read_labels(np.arange(32) % 11, 32)
    assert len(read_labels(np.arange(33) % 11, 33).classes) == 11
    assert len(read_labels(np.arange(10), 10).classes) == 10
    with pytest.raises(FieldError, match=r"use fewer classes$"):
        read_labels(np.arange(32).astype(str), 32)


@given(
    hnp.arrays(np.float64, st.integers(2, 60), elements=st.integers(-9, 9).map(lambda k: k / 4)),
    st.integers(2, 100),
)
def test_quantile_classes_rise_with_y_and_keep_ties_together(y, count):
    assume(np.quantile(y, 1 / count) > y.min())
    found = read_labels(y, len(y), count)
    assert 2 <= len(found.classes) <= count
    assert set(found.y) == set(range(len(found.classes)))
    order = np.lexsort((found.y, y))
    assert (np.diff(found.y[order]) >= 0).all()
    assert all(len(set(found.y[y == value])) == 1 for value in y)


@given(hnp.arrays(np.float64, 60, elements=st.floats(-1e3, 1e3, width=32), unique=True))
def test_quantile_classes_without_ties_are_equally_large(y):
    assert np.bincount(read_labels(y, 60, 6).y).tolist() == [10] * 6


def test_quantile_classes_are_named_by_their_edges():
    """The quartiles of 0..8 are 0, 2, 4, 6 and 8."""
    y = np.arange(9)
    found = read_labels(y[:, None], 9, 4)
    assert found.classes == ("[0, 2)", "[2, 4)", "[4, 6)", "[6, 8]")
    assert found.y.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 3]
    assert found.note == "y is a column; 4 quantile classes"
    assert read_labels(y > 3, 9, 8).note == "2 quantile classes of the 8 asked for"


@pytest.mark.parametrize(
    ("y", "field", "message"),
    [
        (Y.astype(str), "bin_y", "none: y holds classes, not numbers"),
        (np.eye(3)[Y], "bin_y", "none: y holds classes, not numbers"),
        (np.array([0, 1, 1, 1, 1, 1]) * -1, "bin_y", "a larger number"),
        (Y * 0.5 + np.nan, "y", "finite numbers"),
        (np.array([0, 1, 2, 1, 0, 1e300]), "y", "finite numbers"),
        (Y * 0 + 0.5, "y", "2 classes"),
    ],
)
def test_what_cannot_be_binned_is_refused(y, field, message):
    with pytest.raises(FieldError, match=message) as caught:
        read(y, 2)
    assert caught.value.field == field
