"""KDE: the bounds of Kolchinsky and Tracey for T seen through Gaussian noise.

Kolchinsky and Tracey (2017), Estimating mixture entropy with pairwise
distances, Sections 3 and 4; used on networks by Saxe et al. (2018), On the
information bottleneck theory of deep learning. The noise is part of the
estimator: the network has none.
"""

import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ibcore.estimators._kernel_sums import kernel_sums, occurring
from ibcore.estimators._rows import distinct_rows
from ibcore.estimators._threads import over_replicates
from ibcore.estimators.information import (
    Information,
    Sample,
    dense_label_entropy,
    is_saturated,
    require_function,
    samples,
    stack,
)
from ibcore.experiment import FieldError

DISSERTATION_VARIANCE = 0.0735
"""What a dissertation of 2019 on convolutional networks tuned to H(Y) on MNIST."""

VARIANCE_LADDER = tuple(sorted((*(0.1 * 2.0**k for k in range(-10, 6)), DISSERTATION_VARIANCE)))
"""Noise variances for a slider, in ratio 2, through 0.1, and the dissertation's."""

_SMALLEST, _LARGEST = 1e-12, 1e12
_MAX_SUMS = 2**22


def checked_variance(value: object) -> float:
    """The variance of a noise as a float; FieldError where it is not allowed."""
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not real or not _SMALLEST <= value <= _LARGEST:
        raise FieldError("variance", value, f"a number from {_SMALLEST:g} to {_LARGEST:g}")
    return float(value)


@dataclass(frozen=True)
class KDE:
    """I(X;T~) and I(T~;Y) for T~ = T + noise, N(0, `variance`) in every unit.

    With d_ij the distances of the N activations and
    f(v) = log N - (1/N) sum_i log sum_j exp(-d_ij^2 / (2 v)),
    f(4 variance) <= I(X;T~) <= f(variance).
    """

    variance: float = 0.1

    def __post_init__(self):
        object.__setattr__(self, "variance", checked_variance(self.variance))

    @property
    def parameter(self) -> str:
        """The field a ladder varies."""
        return "variance"

    @property
    def default_ladder(self) -> tuple[float, ...]:
        return VARIANCE_LADDER

    @property
    def label(self) -> str:
        return f"KDE, noise variance {self.variance:g}"

    def information(self, t, y, x=None) -> Information:
        """I(X;T~) and I(T~;Y) in bits, with bounds; `i_xt` is the upper bound.

        `i_ty` is the upper bound of the entropy of T~ less the upper bounds given
        each class, as papers plot it: it is not a bound. `i_ty_lower` and
        `i_ty_upper` are: [lower - sum_y p(y) upper_y, upper - sum_y p(y) lower_y],
        clipped to [0, H(Y)]. `h_t` is None: T~ is continuous.

        Arguments: t (N, D) or (R, N, D); y (N,) or (R, N) labels, or p(y|x) as
        (N, C) or (R, N, C); x (N,) or (R, N) ids of equal inputs. Raises ValueError
        for input that does not fit or is not finite, and where equal inputs have
        different activations: T must be a function of X.
        """
        return self.ladder(t, y, [self.variance], x)[0]

    def ladder(self, t, y, values: Sequence[float], x=None) -> list[Information]:
        """`information` for each variance; those in ratio 2 cost little more than one."""
        variances = [replace(self, variance=value).variance for value in values]
        checked = samples(t, y, x)
        require_function(checked)
        if not variances:
            return []
        per_sample = over_replicates(partial(_ladder, variances=variances), checked)
        return [stack(results, np.ndim(t) == 3) for results in zip(*per_sample, strict=True)]


def _ladder(s: Sample, threads: int, variances: Sequence[float]) -> list[Information]:
    wanted = _falling([v for value in variances for v in (4 * value, value)])
    bounds = entropy_terms(s.t, s.class_weights, wanted, threads)
    h_y = dense_label_entropy(s.y)
    return [
        _information(bounds[_nearest(wanted, v)], bounds[_nearest(wanted, 4 * v)], h_y, len(s.t))
        for v in variances
    ]


def _falling(values: Sequence[float]) -> list[float]:
    """The distinct values, largest first; values equal up to rounding count once."""
    kept: list[float] = []
    for value in sorted(values, reverse=True):
        if not kept or value < kept[-1] * (1 - 1e-12):
            kept.append(value)
    return kept


def _nearest(values: Sequence[float], value: float) -> int:
    return int(np.argmin(np.abs(np.array(values) / value - 1)))


def _information(upper: np.ndarray, lower: np.ndarray, h_y: float, n: int) -> Information:
    (all_upper, given_upper), (all_lower, given_lower) = upper, lower
    return Information(
        i_xt=float(all_upper),
        i_ty=float(all_upper - given_upper),
        i_xt_lower=float(all_lower),
        i_xt_upper=float(all_upper),
        i_ty_lower=float(np.clip(all_lower - given_upper, 0, h_y)),
        i_ty_upper=float(np.clip(all_upper - given_lower, 0, h_y)),
        saturated=is_saturated(all_upper, n),
    )


def entropy_terms(
    t: np.ndarray, p_y: np.ndarray, variances: Sequence[float], threads: int | None = None
) -> np.ndarray:
    """f(v) of all points, and sum_y p(y) f(v | y), in bits: (V, 2).

    Points t (N, D), weights p(y|x_i) as (N, C), falling variances (V,). Given y
    the points weigh p(y|x_i) / sum_j p(y|x_j). The entropy of T~ is these terms,
    at v = variance and v = 4 variance, plus that of the noise, which cancels.
    """
    weights, points = occurring(p_y), t
    merged = distinct_rows(t)
    if merged is not None:
        first, kind = merged
        points = points[first]
        weights = np.stack([np.bincount(kind, column) for column in weights.T], axis=1)
    # A few variances at a time where all at once would need too much memory.
    step = max(1, _MAX_SUMS // weights.size)
    parts = [variances[k : k + step] for k in range(0, len(variances), step)]
    terms = [_terms(kernel_sums(points, weights, part, threads), weights) for part in parts]
    return np.maximum(0.0, np.concatenate(terms))


def _terms(sums: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The terms (V, 2) from the sums (V, N, C) of weighted kernels."""
    each, totals = weights.sum(axis=1), weights.sum(axis=0)
    n = totals.sum()
    together = (np.log2(sums.sum(axis=2)) * each).sum(axis=1) / n
    # A point without weight in a class adds nothing to it; one with weight is part of
    # its own sum, even where float32 has lost it.
    point, label = np.nonzero(weights)
    own = weights[point, label]
    by_class = (np.log2(np.maximum(sums[:, point, label], own)) * own).sum(axis=1) / n
    f_given = float(totals @ np.log2(totals)) / n - by_class
    return np.stack([math.log2(n) - together, f_given], axis=1)
