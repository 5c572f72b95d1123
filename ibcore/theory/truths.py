"""Cases with known information, to put an estimator beside the truth it is about.

A continuous T that is a function of X has no finite I(X;T): what a case knows is the
information of T after binning, or after Gaussian noise. Values are computed by
`ibcore.theory.formulas`; nothing here knows an estimator.
"""

import math
import numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ibcore.experiment import FieldError
from ibcore.theory import formulas
from ibcore.theory.three_neurons import tanh_in_bins

MAX_SAMPLES = 10_000_000

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray | None]
Draw = Callable[[int, np.random.Generator], Arrays]

# Between them the noise, in units of T, is within what the formulas take.
_LEAST_CORRELATION, _MOST_CORRELATION = 0.1, 0.99

_COVER_THOMAS = "Cover and Thomas (2006), Elements of Information Theory"


@dataclass(frozen=True)
class Truth:
    """X, Y and T = f(X) whose I(X;T) and I(T;Y) are known, in bits.

    Either T is binned, into `n_bins` equal bins on `limits` in each unit, or noise
    N(0, `variance`) is added to each unit: `i_xt` and `i_ty` are those of T after
    that. `about` is the one that the case is there for. `derivation` says in words
    where the values come from, `source` where to read about it.
    """

    name: str
    title: str
    derivation: str
    source: str
    about: str
    i_xt: float
    i_ty: float
    draw: Draw = field(repr=False, compare=False)
    n_bins: int | None = None
    limits: tuple[float, float] | None = None
    variance: float | None = None

    @property
    def after(self) -> str:
        """What happens to T before it is measured: `"binning"` or `"noise"`."""
        return "binning" if self.variance is None else "noise"

    @property
    def value(self) -> float:
        """The information that the case is about, in bits."""
        return getattr(self, self.about)

    @property
    def label(self) -> str:
        """The quantity the case is about, in the papers' symbols."""
        if self.after == "noise":
            seen, condition = "T~", f"T~ = T + N(0, {self.variance:g})"
        else:
            low, high = self.limits
            seen, condition = "T", f"{self.n_bins} bins on [{low:g}, {high:g}]"
        symbols = {"i_xt": f"I(X;{seen})", "i_ty": f"I({seen};Y)"}
        return f"{symbols[self.about]}, {condition}"

    def sample(self, n: int, seed: int) -> Arrays:
        """n samples: t (n, D) float64, y (n,) int64, and ids of equal inputs x (n,) or None.

        Where X is one of M equally likely values, each is there n / M times, up to one:
        with n a multiple of M the sample is the population itself. Else it is drawn.
        x is None where all inputs count as different.
        Raises FieldError for n that is not a whole number from 1 to 10 million.
        """
        check_samples(n)
        return self.draw(int(n), np.random.default_rng(seed))


def check_samples(n: object) -> None:
    """Raises FieldError for a number of samples that is not a whole one from 1 to 10 million."""
    whole = isinstance(n, numbers.Integral) and not isinstance(n, bool)
    if not whole or not 1 <= n <= MAX_SAMPLES:
        raise FieldError("n", n, f"a whole number from 1 to {MAX_SAMPLES}")


def distinct_rows() -> Truth:
    """4096 patterns of 12 signs."""
    bits = _corners(12)
    joint = np.eye(2)[bits[:, 0]] / len(bits)
    return Truth(
        name="distinct-rows",
        title="4096 distinct rows",
        derivation="T = X takes each of the 2^12 patterns of 12 signs equally often: 12 bits."
        " Y is the first sign, a fair bit that T contains.",
        source=f"{_COVER_THOMAS}, Section 2.1",
        about="i_xt",
        **_of_table(joint),
        draw=_evenly(2 * bits - 1, bits[:, 0]),
        n_bins=30,
        limits=(-1.0, 1.0),
    )


def hamming_weight(n_coins: int = 12) -> Truth:
    """The number of ones among fair bits, and its parity."""
    weight = _corners(n_coins).sum(axis=1)
    p = np.array([math.comb(n_coins, k) for k in range(n_coins + 1)]) / 2**n_coins
    joint = p[:, None] * np.eye(2)[np.arange(n_coins + 1) % 2]
    return Truth(
        name="hamming-weight",
        title=f"Hamming weight of {n_coins} fair bits, with its parity",
        derivation=f"T, the number of ones, is binomial: p_k = C({n_coins}, k) / 2^{n_coins} and"
        " H(T) = -sum p_k log2 p_k. Y is its parity, a fair bit and a function of T.",
        source=f"{_COVER_THOMAS}, Section 2.1",
        about="i_xt",
        **_of_table(joint),
        draw=_evenly(weight[:, None], weight % 2),
        n_bins=n_coins + 1,
        limits=(-0.5, n_coins + 0.5),
    )


def xor_one() -> Truth:
    """Y = A xor B, and T is A alone."""
    bits = _corners(2)
    return Truth(
        name="xor-one",
        title="XOR of two bits, one of them seen",
        derivation="T = A, Y = A xor B of fair bits. Whatever A is, Y is a fair bit: no bit of it"
        " is known.",
        source=f"{_COVER_THOMAS}, Section 2.3",
        about="i_ty",
        **_of_table(np.full((2, 2), 1 / 4)),
        draw=_evenly(bits[:, :1], bits[:, 0] ^ bits[:, 1]),
        n_bins=2,
        limits=(0.0, 1.0),
    )


def xor_both() -> Truth:
    """Y = A xor B, and T is (A, B)."""
    bits = _corners(2)
    y = bits[:, 0] ^ bits[:, 1]
    return Truth(
        name="xor-both",
        title="XOR of two bits, both of them seen",
        derivation="T = (A, B), Y = A xor B of fair bits: a fair bit and a function of T.",
        source=f"{_COVER_THOMAS}, Section 2.3",
        about="i_ty",
        **_of_table(np.eye(2)[y] / 4),
        draw=_evenly(bits, y),
        n_bins=2,
        limits=(0.0, 1.0),
    )


def uniform_grid(k: int) -> Truth:
    """Evenly spread T in 2^k bins."""
    if not 1 <= k <= 16:
        raise FieldError("k", k, "a whole number from 1 to 16")

    def draw(n: int, generator: np.random.Generator) -> Arrays:
        t = (2 * generator.permutation(n) + 1) / n - 1
        return t[:, None], (t > 0).astype(np.int64), None

    joint = np.repeat(np.eye(2), 2 ** (k - 1), axis=0) / 2**k
    return Truth(
        name=f"uniform-grid-{k}",
        title=f"Uniform grid on [-1, 1] in {2**k} bins",
        derivation=f"Each of 2^{k} equal bins holds the same share of an even T: {k} bits. Y is"
        " its sign, and 0 is the edge of a bin.",
        source=f"{_COVER_THOMAS}, Section 2.1",
        about="i_xt",
        **_of_table(joint),
        draw=draw,
        n_bins=2**k,
        limits=(-1.0, 1.0),
    )


def two_points(variance: float) -> Truth:
    """T is -1 or 1, seen through noise."""
    information = formulas.two_points_information(variance)
    return Truth(
        name=f"two-points-{variance:g}",
        title=f"±1 with Gaussian noise, variance {variance:g}",
        derivation="I = 1 - E log2(1 + exp(-2 (1 + sqrt(v) Z) / v)) with Z ~ N(0, 1): what is left"
        " of one bit. Y is the sign of T.",
        source=f"{_COVER_THOMAS}, Section 8.5; one integral",
        about="i_xt",
        i_xt=information,
        i_ty=information,
        draw=_evenly(np.array([[-1], [1]]), np.arange(2)),
        variance=variance,
    )


def one_hot(n_points: int, variance: float) -> Truth:
    """T is one of the unit vectors, seen through noise."""
    information = formulas.one_hot_information(n_points, variance)
    return Truth(
        name=f"one-hot-{n_points}",
        title=f"{n_points} one-hot points with Gaussian noise, variance {variance:g}",
        derivation="I = log2 n - E log2 sum_j exp(-(1 + sqrt(v) (Z_1 - Z_j)) / v), the term of the"
        " true point being 1; the mean is one integral over Laplace transforms of"
        " a log-normal variable. Y is the point.",
        source=f"{_COVER_THOMAS}, Section 8.5; one integral",
        about="i_xt",
        i_xt=information,
        i_ty=information,
        draw=_evenly(np.eye(n_points), np.arange(n_points)),
        variance=variance,
    )


def cube(n_dimensions: int, variance: float) -> Truth:
    """T is a corner of the cube {-1, 1}^n, seen through noise."""
    bits = _corners(n_dimensions)
    return Truth(
        name=f"cube-{n_dimensions}",
        title=f"Corners of the {n_dimensions}-cube with Gaussian noise, variance {variance:g}",
        derivation=f"The {n_dimensions} coordinates are independent, and so is their noise: as many"
        " times the information of ±1. Y is the first coordinate.",
        source=f"{_COVER_THOMAS}, Section 2.5; one integral",
        about="i_xt",
        i_xt=formulas.cube_information(n_dimensions, variance),
        i_ty=formulas.two_points_information(variance),
        draw=_evenly(2 * bits - 1, bits[:, 0]),
        variance=variance,
    )


def tanh_of_gaussian(w: float, n_bins: int = 30) -> Truth:
    """T = tanh(wX) of a Gaussian input, binned; 0 must be the edge of a bin."""
    if n_bins % 2:
        raise FieldError("n_bins", n_bins, "an even number")

    def draw(n: int, generator: np.random.Generator) -> Arrays:
        x = generator.standard_normal(n)
        return np.tanh(w * x)[:, None], (x > 0).astype(np.int64), None

    p = tanh_in_bins(w, n_bins)
    side = np.eye(2)[(np.arange(n_bins) >= n_bins // 2).astype(int)]
    return Truth(
        name=f"tanh-{w:g}",
        title=f"tanh({w:g} X) of a Gaussian X in {n_bins} bins",
        derivation="Bin [a, b) has the probability Phi(artanh(b) / w) - Phi(artanh(a) / w). The"
        " larger w, the more of T lies in the outer bins: a unit that saturates seems to"
        " compress. Y is the sign of X.",
        source="Saxe et al. (2018), On the information bottleneck theory of deep learning, Sect. 2",
        about="i_xt",
        **_of_table(p[:, None] * side),
        draw=draw,
        n_bins=n_bins,
        limits=(-1.0, 1.0),
    )


def symmetric_channel(p: float) -> Truth:
    """T is Y, flipped with probability p."""
    if not 0 <= p <= 1:
        raise FieldError("p", p, "a number from 0 to 1")

    def draw(n: int, generator: np.random.Generator) -> Arrays:
        y = generator.integers(0, 2, n)
        flipped = generator.random(n) < p
        t = y ^ flipped
        return t[:, None].astype(np.float64), y, 2 * y + flipped

    return Truth(
        name="symmetric-channel",
        title=f"Binary symmetric channel, p = {p:g}",
        derivation="T = Y xor E of a fair bit Y and an error E, both part of X:"
        " I(T;Y) = 1 - H(p) and I(X;T) = H(T) = 1.",
        source=f"{_COVER_THOMAS}, Section 7.1.4",
        about="i_ty",
        **_of_table(np.array([[1 - p, p], [p, 1 - p]]) / 2),
        draw=draw,
        n_bins=2,
        limits=(0.0, 1.0),
    )


def shuffled_labels(n_categories: int = 4096) -> Truth:
    """T is one of many categories, Y a fair bit that has nothing to do with it."""

    def draw(n: int, generator: np.random.Generator) -> Arrays:
        t = generator.integers(0, n_categories, n)
        return t[:, None].astype(np.float64), generator.integers(0, 2, n), None

    return Truth(
        name="shuffled-labels",
        title=f"Shuffled labels, {n_categories} categories",
        derivation="T is any of the categories, evenly, and Y a fair bit drawn apart from it:"
        " p(t, y) = p(t) p(y) and I(T;Y) = 0. Where categories are as many as samples, counting"
        " finds most of a bit all the same.",
        source="Paninski (2003), Estimation of entropy and mutual information",
        about="i_ty",
        **_of_table(np.full((n_categories, 2), 0.5 / n_categories)),
        draw=draw,
        n_bins=n_categories,
        limits=(-0.5, n_categories - 0.5),
    )


def gaussian_noise(variance: float) -> Truth:
    """T = X is Gaussian, seen through Gaussian noise."""

    def draw(n: int, generator: np.random.Generator) -> Arrays:
        x = generator.standard_normal(n)
        return x[:, None], (x > 0).astype(np.int64), None

    return Truth(
        name="gaussian-noise",
        title=f"Gaussian X with Gaussian noise, variance {variance:g}",
        derivation="I(X;T~) = 1/2 log2(1 + 1/v) for T = X ~ N(0, 1). Y is the sign of X, and"
        " I(T~;Y) = 1 - E H(Phi(Z / sqrt(v))) with Z ~ N(0, 1).",
        source=f"{_COVER_THOMAS}, Section 9.1",
        about="i_xt",
        i_xt=formulas.gaussian_information(variance),
        i_ty=formulas.gaussian_sign_information(variance),
        draw=draw,
        variance=variance,
    )


def gaussian_pair(correlation: float) -> Truth:
    """X and T~, T seen through noise, are Gaussian with a given correlation."""
    if not _LEAST_CORRELATION <= correlation <= _MOST_CORRELATION:
        allowed = f"a number from {_LEAST_CORRELATION} to {_MOST_CORRELATION}"
        raise FieldError("correlation", correlation, allowed)
    variance = 1 - correlation**2

    def draw(n: int, generator: np.random.Generator) -> Arrays:
        x = generator.standard_normal(n)
        return correlation * x[:, None], (x > 0).astype(np.int64), None

    # In units of T, of variance rho^2, the noise is that much larger.
    relative = variance / correlation**2
    return Truth(
        name=f"gaussian-pair-{correlation:g}",
        title=f"Gaussian pair, correlation {correlation:g}",
        derivation="T = rho X with X ~ N(0, 1), and noise of variance 1 - rho^2: T~ ~ N(0, 1) has"
        " the correlation rho with X, and I(X;T~) = -1/2 log2(1 - rho^2). Y is the sign of X.",
        source=f"{_COVER_THOMAS}, Example 8.5.1",
        about="i_xt",
        i_xt=formulas.gaussian_information(relative),
        i_ty=formulas.gaussian_sign_information(relative),
        draw=draw,
        variance=variance,
    )


def _of_table(joint: np.ndarray) -> dict[str, float]:
    """I(X;T) = H(T), T being a function of X, and I(T;Y) of the table p(t, y)."""
    return {
        "i_xt": formulas.entropy(joint.sum(axis=1)),
        "i_ty": formulas.shared_information(joint),
    }


def _evenly(t: np.ndarray, y: np.ndarray) -> Draw:
    """Draws from M equally likely inputs with T = t (M, D) and Y = y (M,), each as often."""

    def draw(n: int, generator: np.random.Generator) -> Arrays:
        each = generator.permutation(len(t))[np.arange(n) % len(t)]
        x = generator.permutation(each)
        return t[x].astype(np.float64), y[x].astype(np.int64), x

    return draw


def _corners(n_dimensions: int) -> np.ndarray:
    """All rows of n bits, (2^n, n)."""
    return (np.arange(2**n_dimensions)[:, None] >> np.arange(n_dimensions)) & 1


TRUTHS: dict[str, Truth] = {
    truth.name: truth
    for truth in (
        distinct_rows(),
        hamming_weight(),
        xor_one(),
        xor_both(),
        uniform_grid(3),
        uniform_grid(6),
        two_points(1.0),
        two_points(0.25),
        one_hot(10, 0.1),
        cube(12, 1.0),
        tanh_of_gaussian(1.0),
        tanh_of_gaussian(5.0),
        tanh_of_gaussian(20.0),
        symmetric_channel(0.1),
        shuffled_labels(),
        gaussian_noise(0.1),
        gaussian_pair(0.5),
        gaussian_pair(0.9),
    )
}
"""The cases by name."""


def named_truths(names: Sequence[object]) -> list[Truth]:
    """The cases of those names, in their order; FieldError for a name that none has."""
    for name in names:
        if not isinstance(name, str) or name not in TRUTHS:
            raise FieldError("case", name, "one of " + ", ".join(TRUTHS))
    return [TRUTHS[name] for name in names]
