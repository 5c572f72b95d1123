"""The tuned variance is where the KDE's lower bound of H(Y) begins to fall short."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibcore import KDE, FieldError, tuned_variance
from ibcore.estimators import label_entropy
from ibcore.estimators.tuning import label_bound


def one_hot(y):
    return np.eye(int(y.max()) + 1)[y]


@given(st.lists(st.integers(1, 30), min_size=2, max_size=6), st.floats(0.001, 0.3))
def test_the_kde_of_one_hot_labels_has_exactly_this_lower_bound(counts, tolerance):
    """At the tuned variance the KDE of the labels themselves says (1 - tolerance) H(Y) to H(Y)."""
    y = np.repeat(np.arange(len(counts)), counts)
    variance = tuned_variance(y, tolerance=tolerance)
    found, h_y = KDE(variance).information(one_hot(y), y), label_entropy(y)
    assert found.i_xt_lower == pytest.approx((1 - tolerance) * h_y, rel=1e-4)
    assert (1 - tolerance) * h_y <= found.i_xt_upper + 1e-5 <= h_y + 2e-5


def test_two_equally_frequent_classes_in_closed_form():
    """-log2(1/2 + 1/2 e) = 0.99 with e = exp(-1 / (4 v)): e = 2^0.01 - 1 = 0.006956."""
    y = np.tile([0, 1], 50)
    expected = -1 / (4 * math.log(2**0.01 - 1))
    assert tuned_variance(y) == pytest.approx(expected, rel=1e-9)
    assert tuned_variance(np.full((7, 2), 0.5)) == pytest.approx(expected, rel=1e-9)
    assert tuned_variance(y, distance2=1) == pytest.approx(expected / 2, rel=1e-9)


def test_the_value_of_the_dissertation_in_these_terms():
    """Ten classes: f(v) = log2 10 - log2(1 + 9 exp(-1/v)), the lower bound is f(4 v)."""
    p = np.full(10, 0.1)
    assert math.log2(10) - label_bound(p, 0.0735) == pytest.approx(1.6e-5, rel=0.02)
    assert label_bound(p, 4 * 0.0735) / math.log2(10) == pytest.approx(0.886, abs=0.001)
    assert tuned_variance(np.arange(10)) == pytest.approx(0.042, abs=5e-4)


def test_what_cannot_be_tuned_is_named():
    with pytest.raises(ValueError, match="one class"):
        tuned_variance(np.zeros(5, dtype=int))
    for wrong in (0, 1, -0.1, math.nan, "x", True):
        with pytest.raises(FieldError, match="tolerance"):
            tuned_variance(np.arange(3), tolerance=wrong)
