"""Entropies and informations in bits, from closed forms or one integral each.

Integrals over the whole line are sums on an even grid: for a smooth integrand that
vanishes at both ends the error of that sum falls exponentially with the step
(Trefethen and Weideman 2014, The exponentially convergent trapezoidal rule,
Section 5), so that double precision is reached without adaptive rules.
"""

import math
from collections.abc import Callable

import numpy as np
from scipy.special import entr, ndtr

from ibcore.experiment import FieldError

SMALLEST_VARIANCE, LARGEST_VARIANCE = 0.01, 100.0
"""Noise variances for which the grids below are fine and wide enough."""

_REACH = 12.0
_STEP = 1 / 32
_LOG_STEP = 1 / 4


def entropy(p: np.ndarray) -> float:
    """H = -sum p log2 p of probabilities (M,); 0 log 0 is 0 (Cover and Thomas 2006, 2.1)."""
    p = np.asarray(p, dtype=np.float64)
    p = p[p > 0]
    return max(0.0, -float(p @ np.log2(p)))


def shared_information(joint: np.ndarray) -> float:
    """I = H(T) + H(Y) - H(T,Y) of a table p(t, y) (M, C) (Cover and Thomas 2006, 2.4)."""
    h_t, h_y = entropy(joint.sum(axis=1)), entropy(joint.sum(axis=0))
    return max(0.0, h_t + h_y - entropy(joint.reshape(-1)))


def gaussian_mean(f: Callable[[np.ndarray], np.ndarray]) -> float:
    """E f(Z) for Z ~ N(0, 1) and a smooth f that maps (M,) to (M,)."""
    z, weights = _gaussian_grid()
    return float(weights @ f(z))


def two_points_information(variance: float) -> float:
    """I(X;X~) for X = -1 or 1 evenly and X~ = X + N(0, v).

    Where X = 1, p(X = 1 | x~) = 1 / (1 + exp(-2 x~ / v)); by symmetry
    I = 1 - E log2(1 + exp(-2 (1 + sqrt(v) Z) / v)). Raises FieldError for a variance
    below 0.01 or above 100.
    """
    v = _checked_variance(variance)
    missing = gaussian_mean(lambda z: np.logaddexp(0.0, -2 * (1 + math.sqrt(v) * z) / v))
    return 1 - missing / math.log(2)


def one_hot_information(n_points: int, variance: float) -> float:
    """I(X;X~) for X evenly one of n unit vectors of R^n and X~ = X + N(0, v I).

    I = log2 n - E log2(1 + S / A) with A = exp((1 + s Z_1) / v) for the true point and
    S = sum_{j=2..n} exp(s Z_j / v) for the others, s = sqrt(v). E ln A = 1/v, and
    Frullani's integral, ln w = int_0^inf (exp(-u) - exp(-uw)) du/u, splits E ln(A + S)
    into Laplace transforms phi(u) = E exp(-u exp(Z / s)) of one log-normal variable:
    E ln(A + S) = int (exp(-e^r) - phi(e^(r + 1/v)) phi(e^r)^(n-1)) dr, with u = e^r.

    Raises FieldError for fewer than 2 points, and a variance below 0.01 or above 100.
    """
    v = _checked_variance(variance)
    if n_points < 2:
        raise FieldError("n_points", n_points, "at least 2")
    reach = _REACH / math.sqrt(v)
    # Below, u (A + S) is under e^-40 on the whole grid; above, exp(-u (A + S)) is 0.
    low, high = -(1 / v + reach) - math.log(n_points) - 40.0, reach + 5.0
    r = np.arange(low, high, _LOG_STEP)
    others = _log_normal_transform(r, v) ** (n_points - 1)
    product = _log_normal_transform(r + 1 / v, v) * others
    log_sum = _LOG_STEP * float(np.sum(np.exp(-np.exp(r)) - product))
    return math.log2(n_points) - (log_sum - 1 / v) / math.log(2)


def cube_information(n_dimensions: int, variance: float) -> float:
    """I(X;X~) for X evenly one of the corners {-1, 1}^n and X~ = X + N(0, v I).

    Coordinates are independent: n times `two_points_information`.
    """
    return n_dimensions * two_points_information(variance)


def gaussian_information(variance: float) -> float:
    """I(X;X~) = 1/2 log2(1 + 1/v), X ~ N(0, 1), X~ = X + N(0, v) (Cover and Thomas 2006, 9.1)."""
    return 0.5 * math.log2(1 + 1 / _checked_variance(variance))


def gaussian_sign_information(variance: float) -> float:
    """I(X~;sign X) for X ~ N(0, 1) and X~ = X + N(0, v).

    X given x~ is N(x~ / (1 + v), v / (1 + v)), so that p(X > 0 | x~) = Phi(Z / sqrt(v))
    with Z = x~ / sqrt(1 + v) ~ N(0, 1): I = 1 - E H(Phi(Z / sqrt(v))).
    """
    v = _checked_variance(variance)

    def doubt(z: np.ndarray) -> np.ndarray:
        return entr(ndtr(z / math.sqrt(v))) + entr(ndtr(-z / math.sqrt(v)))

    return 1 - gaussian_mean(doubt) / math.log(2)


def _gaussian_grid() -> tuple[np.ndarray, np.ndarray]:
    z = np.arange(-_REACH, _REACH + _STEP / 2, _STEP)
    weights = np.exp(-z * z / 2)
    return z, weights / weights.sum()


def _log_normal_transform(r: np.ndarray, variance: float) -> np.ndarray:
    """E exp(-e^r exp(Z / sqrt(v))) for each r, (M,) -> (M,)."""
    z, weights = _gaussian_grid()
    # Beyond e^6 the exponential is 0 anyway, and its argument must not overflow.
    exponents = np.minimum(r[:, None] + z / math.sqrt(variance), 6.0)
    return np.exp(-np.exp(exponents)) @ weights


def _checked_variance(variance: float) -> float:
    if not SMALLEST_VARIANCE <= variance <= LARGEST_VARIANCE:
        allowed = f"a number from {SMALLEST_VARIANCE:g} to {LARGEST_VARIANCE:g}"
        raise FieldError("variance", variance, allowed)
    return float(variance)
