"""Counting on a grid of 2^bits levels, against binning and against looking at every level."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibcore.estimators import Binning, Quantised
from ibcore.experiment import FieldError
from tests.estimators import twins
from tests.estimators.test_laws import samples, soft_samples

PAIRS = st.sampled_from([(-1.0, 1.0), (0.0, 1.0), (0.0, 6.0), (-0.3, 0.4)])


def step(bits, limits):
    return (limits[1] - limits[0]) / (2**bits - 1)


@given(samples() | soft_samples(), st.integers(1, 16), PAIRS)
def test_it_is_binning_around_the_levels(sample, bits, limits):
    """2^bits bins on limits half a step wider on both sides have the levels for their middles."""
    half = step(bits, limits) / 2
    found = Quantised(bits, limits).information(*sample)
    binned = Binning(2**bits, (limits[0] - half, limits[1] + half)).information(*sample)
    for name in ("i_xt", "i_ty", "h_t"):
        assert getattr(found, name) == pytest.approx(getattr(binned, name), abs=1e-9)
    assert found.saturated == binned.saturated


@settings(max_examples=40)
@given(samples(), st.integers(1, 8), PAIRS)
def test_it_counts_the_nearest_levels(sample, bits, limits):
    """H and I are those of the levels found by looking at all of them."""
    t, y = sample
    s = step(bits, limits)
    # Levels, some of them beyond the limits, and what lies not quite halfway to the next.
    t = limits[0] + s * (np.round(t * 5) + 0.49 * np.sign(t))
    grid = limits[0] + s * np.arange(2**bits)
    cells = np.abs(t[..., None] - grid).argmin(axis=-1)
    found = Quantised(bits, limits).information(t, y)
    assert (found.h_t, found.i_ty) == pytest.approx(twins.counted(cells, y), abs=1e-9)


@pytest.mark.parametrize("bits", [1, 2, 3, 8])
def test_every_level_takes_what_lies_within_half_a_step_of_it(bits):
    """Three rows on each of 2^b levels, H = b bits; any edge that is moved would mix them."""
    limits = (0.0, 6.0)
    grid = np.linspace(*limits, 2**bits)
    t = grid[:, None] + 0.499 * step(bits, limits) * np.array([-1, 0, 1])
    found = Quantised(bits, limits).information(t.reshape(-1, 1), np.zeros(t.size, int))
    assert found.h_t == pytest.approx(bits, abs=1e-9)


@given(samples(), st.integers(1, 16), st.integers(0, 15), PAIRS)
def test_a_finer_grid_keeps_all_levels_apart(sample, bits, more, limits):
    """H of levels of b bits, in single precision, is counted exactly by any bits >= b."""
    t, y = sample
    k = np.round((t + 1) / 2 * (2**bits - 1))
    on_grid = (limits[0] + k * step(bits, limits)).astype(np.float32)
    found = Quantised(min(16, bits + more), limits).information(on_grid, y)
    assert (found.h_t, found.i_ty) == pytest.approx(twins.counted(k, y), abs=1e-9)


@pytest.mark.parametrize("limits", [(-1.0, 1.0), (0.0, 6.0)])
def test_neighbouring_levels_of_every_grid_stay_apart_on_every_finer_one(limits):
    """All 2^b levels in single precision are 2^b different rows: b bits."""
    for b in range(1, 17):
        t = np.linspace(*limits, 2**b, dtype=np.float32)[:, None]
        found = Quantised(limits=limits).ladder(t, np.zeros(2**b, int), range(b, 17))
        assert [f.h_t for f in found] == pytest.approx([b] * len(found), abs=1e-9)


def test_the_limits_of_activations_alone_are_their_own():
    rng = np.random.default_rng(0)
    t, y = rng.normal(size=(3, 200, 2)), rng.integers(0, 2, 200)
    found = Quantised(3).information(t, y)
    given = Quantised(3, (t.min(), t.max())).information(t, y)
    np.testing.assert_array_equal(found.i_xt, given.i_xt)
    np.testing.assert_array_equal(found.i_ty, given.i_ty)
    assert found.i_xt.shape == (3,)


def test_inputs_that_occur_twice_tell_what_they_tell_once():
    """I(X;T) = H(T) - H(T|X): equal inputs on different levels take H(T|X) away."""
    t, y = np.array([[-1.0], [1.0], [-1.0], [1.0]]), np.zeros(4, int)
    assert Quantised(1, (-1, 1)).information(t, y).i_xt == pytest.approx(1)
    noisy = Quantised(1, (-1, 1)).information(t, y, np.array([0, 0, 1, 1]))
    assert noisy.i_xt == pytest.approx(0, abs=1e-9)


@given(samples(), st.integers(1, 16))
def test_a_constant_layer_and_a_single_sample_tell_nothing(sample, bits):
    """H of one row is 0."""
    t, y = sample
    for activations, labels in ((t[:1], y[:1]), (np.full_like(t, 0.3), y)):
        found = Quantised(bits).information(activations, labels)
        assert (found.h_t, found.i_xt, found.i_ty) == pytest.approx((0, 0, 0), abs=1e-9)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("bits", value) for value in (0, 17, 2.5, "8", None, float("nan"))),
        *(("limits", value) for value in ("range", (1, 1), (0, float("inf")), 3, None)),
    ],
)
def test_wrong_settings_are_named(name, value):
    with pytest.raises(FieldError) as caught:
        Quantised(**{name: value})
    assert caught.value.field == name
    assert "\n" not in str(caught.value)
