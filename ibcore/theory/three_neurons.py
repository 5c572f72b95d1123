"""The three-neuron model: T = phi(wX) of one Gaussian input, and what its bins make of w.

Saxe et al. (2018), On the information bottleneck theory of deep learning, Section 2 and
Appendix B: X ~ N(0, 1) feeds one hidden unit of gain w, T is binned, and
I(X;T) = H(T) = -sum_b p_b log2 p_b with
p_b = Phi(phi^-1(e_{b+1}) / w) - Phi(phi^-1(e_b) / w) for the edges e_b. T stays a
function of X and, but for the flat half of the ReLU, an invertible one: whether the
curve rises, stays or falls with w is the choice of the bins.
"""

import math
import numbers
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import entr, ndtr

from ibcore.experiment import FieldError
from ibcore.theory.formulas import entropy

ACTIVATIONS = ("tanh", "relu", "linear")

MEASURES = ("width", "limits", "range", "rank", "noise")
"""What is done to T before it is measured; `information` defines them."""

SLIDER_GAINS = (
    *(0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 1.7, 2.0, 2.5, 3.0),
    *(4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 70.0, 100.0),
)
"""Gains for a slider, those of published tables among them."""

GAINS = tuple(sorted({*np.geomspace(0.1, 100.0, 61).round(6).tolist(), *SLIDER_GAINS}))
"""Gains w of a curve: twenty to a factor of ten, and those of the slider."""

REACH = 4.0
"""The range of a unit is where |X| <= 4; beyond are 6 samples in 100 000."""

MOST_BINS = 1000
SMALLEST_GAIN, LARGEST_GAIN = 0.01, 1000.0
SMALLEST_VARIANCE, LARGEST_VARIANCE = 0.001, 10.0

_FARTHEST = 9.0
"""Standard deviations beyond which a Gaussian counts as 0."""
_FLAT = 19.0
"""tanh(19) is 1 in double precision."""


def information(
    activation: str, w: float, measure: str = "width", *, n_bins: int = 30, variance: float = 0.01
) -> float:
    """I(X;T) in bits of T = phi(wX), X ~ N(0, 1), exactly, after what `measure` names:

    - `"width"`: bins floor(t / width) of width 2 / n_bins, without limits;
    - `"limits"`: n_bins equal bins on [-1, 1], beyond them the outer bins;
    - `"range"`: n_bins equal bins on the unit's own range, that of |X| <= 4;
    - `"rank"`: n_bins of equal counts, equal values staying together;
    - `"noise"`: T~ = T + N(0, variance), I(X;T~) = h(T~) - 1/2 log2(2 pi e variance).

    `activation` is "tanh", "relu" or "linear". Raises FieldError for another
    activation or measure, w outside [0.01, 1000], n_bins that is not a whole number
    from 2 to 1000, and a variance outside [0.001, 10].
    """
    return gain_curve(activation, [w], measure, n_bins=n_bins, variance=variance)[0]


def gain_curve(
    activation: str,
    gains: Sequence[float],
    measure: str,
    *,
    n_bins: int = 30,
    variance: float = 0.01,
) -> list[float]:
    """`information` for each gain; the integrals of a noisy tanh share their grids."""
    _check(activation=activation, gains=gains, measure=measure, n_bins=n_bins, variance=variance)
    if measure == "noise":
        return _NOISY[activation](np.asarray(gains, dtype=np.float64), float(variance)).tolist()
    if measure == "rank":
        return [entropy(_rank_shares(activation, n_bins))] * len(gains)
    return [
        entropy(binned_probabilities(activation, w, bin_edges(activation, w, measure, n_bins)))
        for w in gains
    ]


def gain_curves(
    measure: str,
    *,
    n_bins: int = 30,
    variance: float = 0.01,
    gains: Sequence[float] = GAINS,
) -> pd.DataFrame:
    """The curves of all three activations: `activation`, `w` and `i_xt` in bits."""
    parts = [
        pd.DataFrame(
            {
                "activation": activation,
                "w": gains,
                "i_xt": gain_curve(activation, gains, measure, n_bins=n_bins, variance=variance),
            }
        )
        for activation in ACTIVATIONS
    ]
    return pd.concat(parts, ignore_index=True)


def bin_edges(activation: str, w: float, measure: str, n_bins: int) -> np.ndarray:
    """The inner edges of the bins of T, rising, for the measures width, limits and range."""
    if measure == "limits":
        return 2 * np.arange(1, n_bins) / n_bins - 1
    top = math.tanh(REACH * w) if activation == "tanh" else REACH * w
    bottom = 0.0 if activation == "relu" else -top
    if measure == "range":
        return bottom + (top - bottom) * np.arange(1, n_bins) / n_bins
    farthest = 1.0 if activation == "tanh" else _FARTHEST * w
    above = np.arange(1, math.ceil(farthest * n_bins / 2)) * 2 / n_bins
    return above if activation == "relu" else np.concatenate([-above[::-1], [0.0], above])


def binned_probabilities(activation: str, w: float, edges: np.ndarray) -> np.ndarray:
    """The shares of phi(wX), X ~ N(0, 1), in the bins between rising inner edges.

    Bin [a, b) holds Phi(phi^-1(b) / w) - Phi(phi^-1(a) / w), the outer edges being at
    -infinity and infinity; a ReLU puts half of all into the bin of 0. E edges make
    E + 1 bins. Raises FieldError for an unknown activation and w outside [0.01, 1000].
    """
    _check(activation=activation, gains=[w])
    below = ndtr((np.arctanh(edges) if activation == "tanh" else edges) / w)
    if activation == "relu":
        below = np.where(edges > 0, below, 0.0)
    return np.diff(below, prepend=0.0, append=1.0)


def tanh_in_bins(w: float, n_bins: int) -> np.ndarray:
    """The shares (n_bins,) of tanh(wX), X ~ N(0, 1), in equal bins on [-1, 1]."""
    return binned_probabilities("tanh", w, bin_edges("tanh", w, "limits", n_bins))


def squashed(a: float, n_bins: int = 30) -> pd.DataFrame:
    """X ~ N(0, 1) before and after the invertible sigma(aX) = 1 / (1 + exp(-aX)), in bins.

    One row for each bin: `variable`, its edges `low` and `high`, and its `probability`.
    The variables are "X" in 30 bins on [-4, 4], of which the outer ones are open;
    "sigmoid", sigma(aX) in n_bins on [0, 1]; and "rank", either of them in n_bins of
    equal counts, the edges being shares of the samples. As
    sigma(u) = (1 + tanh(u / 2)) / 2, the sigmoid's shares are those of tanh(aX / 2) on
    [-1, 1]. Raises FieldError for a outside [0.02, 2000] and n_bins as `information`.
    """
    _check(n_bins=n_bins)
    _check_number("a", a, 2 * SMALLEST_GAIN, 2 * LARGEST_GAIN)
    before = binned_probabilities("linear", 1.0, bin_edges("linear", 1.0, "range", 30))
    parts = [
        ("X", np.linspace(-REACH, REACH, 31), before),
        ("sigmoid", np.linspace(0.0, 1.0, n_bins + 1), tanh_in_bins(a / 2, n_bins)),
        ("rank", np.linspace(0.0, 1.0, n_bins + 1), np.full(n_bins, 1 / n_bins)),
    ]
    tables = [
        pd.DataFrame({"variable": name, "low": at[:-1], "high": at[1:], "probability": p})
        for name, at, p in parts
    ]
    return pd.concat(tables, ignore_index=True)


def bits(table: pd.DataFrame) -> dict[str, float]:
    """H in bits of each variable of the table `squashed`."""
    groups = table.groupby("variable", sort=False)["probability"]
    return {name: entropy(p.to_numpy()) for name, p in groups}


def _rank_shares(activation: str, n_bins: int) -> np.ndarray:
    """Counts are equal but for the half of a ReLU that is 0 and stays together."""
    shares = np.full(n_bins, 1 / n_bins)
    if activation == "relu":
        cuts = np.maximum(np.arange(n_bins + 1) / n_bins, 0.5)
        shares = np.diff(cuts)
        # The mid-rank of the zeros is a quarter of all.
        shares[n_bins // 4] += 0.5
    return shares


def _noisy_linear(gains: np.ndarray, variance: float) -> np.ndarray:
    """1/2 log2(1 + w^2 / variance)."""
    return 0.5 * np.log2(1 + gains**2 / variance)


def _noisy_relu(gains: np.ndarray, variance: float) -> np.ndarray:
    """T~ has the density 1/2 N(z; 0, v) + N(z; 0, s^2) Phi(w z / (s sqrt(v))), s^2 = w^2 + v.

    The second part is int_0^inf N(x; 0, 1) N(z; wx, v) dx, x given z being Gaussian.
    """
    found, noise = [], math.sqrt(variance)
    for w in gains:
        spread = math.hypot(w, noise)
        z = np.arange(-_FARTHEST * noise, _FARTHEST * spread, noise / 4)
        density = 0.5 * _normal(z, noise)
        density += _normal(z, spread) * ndtr(w * z / (spread * noise))
        found.append(_differential_entropy(density) * noise / 4)
    return np.array(found) - _noise_entropy(variance)


def _noisy_tanh(gains: np.ndarray, variance: float) -> np.ndarray:
    """The density of T~ is a sum over u = wx, with the parts where tanh u is -1 or 1 in one.

    The sums over u and z are trapezoidal; z >= 0 is enough, the density being even.
    """
    noise = math.sqrt(variance)
    step = min(0.6 * noise, 0.4 * gains.min(), 0.25)
    u = np.linspace(-_FLAT, _FLAT, 2 * math.ceil(_FLAT / step) + 1)
    z = np.arange(0.0, 1 + _FARTHEST * noise, noise / 4)
    kernel = _normal(z[:, None] - np.tanh(u), noise)
    weights = _normal(u[:, None] / gains, 1.0) / gains * (u[1] - u[0])
    weights[[0, -1]] /= 2
    flat = _normal(z - 1, noise) + _normal(z + 1, noise)
    density = kernel @ weights + flat[:, None] * ndtr(-_FLAT / gains)
    half = _differential_entropy(density, weights=np.where(z > 0, 2.0, 1.0))
    return half * noise / 4 - _noise_entropy(variance)


_NOISY = {"tanh": _noisy_tanh, "relu": _noisy_relu, "linear": _noisy_linear}


def _normal(z: np.ndarray, deviation: float) -> np.ndarray:
    return np.exp(-0.5 * (z / deviation) ** 2) / (deviation * math.sqrt(2 * math.pi))


def _differential_entropy(density: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """-sum_z p log2 p over the first axis, in bits for a grid of step 1."""
    terms = entr(density) / math.log(2)
    return terms.sum(axis=0) if weights is None else weights @ terms


def _noise_entropy(variance: float) -> float:
    return 0.5 * math.log2(2 * math.pi * math.e * variance)


def _check(activation="tanh", gains=(1.0,), measure="width", n_bins=2, variance=1.0) -> None:
    if activation not in ACTIVATIONS:
        raise FieldError("activation", activation, "one of " + ", ".join(ACTIVATIONS))
    if measure not in MEASURES:
        raise FieldError("measure", measure, "one of " + ", ".join(MEASURES))
    for w in gains:
        _check_number("w", w, SMALLEST_GAIN, LARGEST_GAIN)
    whole = isinstance(n_bins, numbers.Integral) and not isinstance(n_bins, bool)
    if not whole or not 2 <= n_bins <= MOST_BINS:
        raise FieldError("n_bins", n_bins, f"a whole number from 2 to {MOST_BINS}")
    _check_number("variance", variance, SMALLEST_VARIANCE, LARGEST_VARIANCE)


def _check_number(name: str, value: object, low: float, high: float) -> None:
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not real or not low <= value <= high:
        raise FieldError(name, value, f"a number from {low:g} to {high:g}")
