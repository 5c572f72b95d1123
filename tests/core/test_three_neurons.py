"""The three-neuron model: published values, limits, laws, and slow ways to the same numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from ibcore.estimators import Binning
from ibcore.experiment import FieldError
from ibcore.theory.formulas import entropy, two_points_information
from ibcore.theory.three_neurons import (
    ACTIVATIONS,
    GAINS,
    MEASURES,
    SLIDER_GAINS,
    binned_probabilities,
    bits,
    gain_curve,
    gain_curves,
    information,
    squashed,
)

PHI = {"tanh": np.tanh, "relu": lambda u: np.maximum(u, 0.0), "linear": lambda u: u}
SEVEN = (0.1, 0.5, 1, 2, 5, 10, 20)

every_activation = pytest.mark.parametrize("activation", ACTIVATIONS)


@pytest.mark.parametrize(
    ("activation", "measure", "expected"),
    [
        ("tanh", "limits", (2.644, 4.631, 4.877, 4.157, 2.775, 2.044, 1.594)),
        ("tanh", "width", (2.644, 4.631, 4.877, 4.157, 2.775, 2.044, 1.594)),
        ("relu", "width", (1.144, 2.725, 3.325, 3.888, 4.595, 5.114, 5.625)),
    ],
)
def test_binned_curves_are_the_published_ones(activation, measure, expected):
    assert gain_curve(activation, SEVEN, measure) == pytest.approx(expected, abs=6e-4)


def test_noisy_curves_are_the_published_ones():
    """sigma^2 = 0.01 at w = 1, 5, 10; linear: 1/2 log2(1 + w^2 / sigma^2)."""
    tanh, relu, linear = (gain_curve(a, (1, 5, 10), "noise") for a in ("tanh", "relu", "linear"))
    assert tanh == pytest.approx([2.424, 1.802, 1.490], abs=6e-4)
    assert relu == pytest.approx([1.885, 3.219, 3.759], abs=6e-4)
    assert linear == pytest.approx([0.5 * np.log2(1 + 100 * w**2) for w in (1, 5, 10)])


def test_a_tanh_peaks_at_4_9_bits_and_ends_at_one():
    gains = np.linspace(0.8, 0.95, 151)
    curve = gain_curve("tanh", gains, "limits")
    assert max(curve) == pytest.approx(4.900, abs=5e-4)
    assert gains[np.argmax(curve)] == pytest.approx(0.869, abs=1e-3)
    assert information("tanh", 1000, "limits") == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("measure", ["range", "rank"])
@every_activation
def test_bins_that_follow_the_unit_do_not_see_the_gain(activation, measure):
    """Edges at w times those at w = 1: p_b is the same; rank bins hold 1 / n whatever T is.

    The 0 of a ReLU is half of all: H = 1/2 + 1/2 log2 n with n even.
    """
    curve = gain_curve(activation, (0.2, 1, 20), measure, n_bins=30)
    if (activation, measure) != ("tanh", "range"):
        assert np.ptp(curve) < 1e-12
    if measure == "rank":
        expected = 0.5 + 0.5 * np.log2(30) if activation == "relu" else np.log2(30)
        assert curve == pytest.approx([expected] * 3, abs=1e-12)


def test_the_bins_alone_decide_whether_a_relu_rises_stays_or_falls():
    rises, stays, falls = (
        np.diff(gain_curve("relu", (1, 2, 5, 10, 20), measure))
        for measure in ("width", "range", "limits")
    )
    assert (rises > 0.3).all()
    assert (abs(stays) < 1e-12).all()
    assert (falls < -0.1).all()


@pytest.mark.parametrize(
    ("a", "expected"),
    [(0.5, 3.871), (1.7, 4.899), (5, 3.806), (10, 2.775), (30, 1.753), (100, 1.274)],
)
def test_an_invertible_sigmoid_changes_the_bits_that_bins_show(a, expected):
    table = squashed(a)
    found = bits(table)
    assert found["X"] == pytest.approx(3.958, abs=5e-4)
    assert found["sigmoid"] == pytest.approx(expected, abs=5e-4)
    assert found["rank"] == pytest.approx(4.907, abs=5e-4)
    # p_b = Phi(logit(high) / a) - Phi(logit(low) / a), bin by bin.
    inner = table[(table["variable"] == "sigmoid")].iloc[1:-1]
    logits = [np.log(inner[edge] / (1 - inner[edge])) / a for edge in ("high", "low")]
    expected = norm.cdf(logits[0]) - norm.cdf(logits[1])
    np.testing.assert_allclose(inner["probability"], expected, atol=1e-12)


@pytest.mark.parametrize("measure", ["width", "limits", "rank"])
@every_activation
def test_counting_many_samples_comes_to_the_same(activation, measure):
    """200 000 samples in at most 200 cells: the plug-in's bias is below 0.001 bits."""
    x = np.random.default_rng(1).standard_normal(200_000)
    w, n_bins = 3.0, 10
    binning = {
        "width": Binning(width=2 / n_bins),
        "limits": Binning(n_bins),
        "rank": Binning(n_bins, "rank"),
    }[measure]
    t = PHI[activation](w * x)[:, None]
    found = binning.information(t, (x > 0).astype(int)).h_t
    assert found == pytest.approx(information(activation, w, measure, n_bins=n_bins), abs=0.01)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize(("w", "variance"), [(0.5, 0.05), (3.0, 0.05), (2.0, 1.0)])
def test_noise_by_two_sums(activation, w, variance):
    """h(T~) - h(noise), the density of T~ being a plain sum over a fine grid of x."""
    noise, x = np.sqrt(variance), np.arange(-8, 8, 0.004) + 0.002
    t = PHI[activation](w * x)
    z = np.arange(t.min() - 8 * noise, t.max() + 8 * noise, noise / 3)
    p = norm.pdf(z[:, None], t, noise) @ norm.pdf(x) * 0.004
    h = -np.sum(p * np.log2(np.maximum(p, 1e-300))) * noise / 3
    expected = h - 0.5 * np.log2(2 * np.pi * np.e * variance)
    found = information(activation, w, "noise", variance=variance)
    assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("variance", [0.01, 0.1, 1.0])
def test_a_steep_tanh_in_noise_is_two_points(variance):
    steep = information("tanh", 1000.0, "noise", variance=variance)
    assert steep == pytest.approx(two_points_information(variance), abs=0.03)


@given(
    st.sampled_from(ACTIVATIONS),
    st.sampled_from([measure for measure in MEASURES if measure != "noise"]),
    st.floats(0.05, 50),
    st.integers(1, 40),
)
def test_bins_know_at_most_log2_of_their_number_and_more_when_halved(activation, measure, w, half):
    n_bins = 2 * half
    found, finer = (information(activation, w, measure, n_bins=n) for n in (n_bins, 2 * n_bins))
    assert -1e-12 <= found <= finer + 1e-9
    if measure != "width":
        assert found <= np.log2(n_bins) + 1e-12


@given(st.sampled_from(ACTIVATIONS), st.floats(0.05, 50))
def test_shares_are_those_of_all(activation, w):
    p = binned_probabilities(activation, w, np.array([-0.5, 0.0, 0.5]))
    assert p.sum() == pytest.approx(1, abs=1e-14)
    assert (p >= 0).all()
    assert entropy(p) <= 2


def test_curves_are_a_tidy_table():
    table = gain_curves("width", n_bins=4)
    assert list(table) == ["activation", "w", "i_xt"]
    assert table.groupby("activation").size().tolist() == [len(GAINS)] * 3
    assert set(SEVEN) <= set(SLIDER_GAINS)


@pytest.mark.parametrize(
    ("field", "ask"),
    [
        ("activation", lambda: information("sine", 1.0)),
        ("measure", lambda: information("tanh", 1.0, "eyes")),
        ("w", lambda: information("tanh", 0.0)),
        ("w", lambda: information("tanh", np.nan)),
        ("n_bins", lambda: information("tanh", 1.0, n_bins=1)),
        ("n_bins", lambda: squashed(1.0, 2.5)),
        ("variance", lambda: information("tanh", 1.0, "noise", variance=0.0)),
        ("a", lambda: squashed(np.inf)),
    ],
)
def test_wrong_settings_are_named(field, ask):
    with pytest.raises(FieldError) as caught:
        ask()
    assert str(caught.value).startswith(f"{field}: ")
    assert "\n" not in str(caught.value)
