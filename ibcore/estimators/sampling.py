"""Sample propagation: the information of T seen through Gaussian noise, by drawing the noise.

Goldfeld et al. (2019), Estimating information flow in deep neural networks, the sample
propagation estimator: given the inputs, the output of a noisy network is a mixture of N
known Gaussians, whose entropy is a mean over samples of that mixture. Here the noise is
added to each layer by itself and only by the estimator: the network has none.
"""

import math
import numbers
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch

from ibcore.estimators._kernel_sums import distance_factors, row_products
from ibcore.estimators._rows import distinct_rows
from ibcore.estimators.information import (
    Information,
    Sample,
    is_saturated,
    require_function,
    samples,
    stack,
)
from ibcore.estimators.kde import VARIANCE_LADDER, checked_variance
from ibcore.experiment import FieldError

_TILE = 384
# Given z_i, the kernel of any other point has the mean 1 over the noise: one above 2^100
# has a probability below 2^-100, so no sum ever needs a shift to stay in float32. Below
# 2^-60 a kernel is lost next to the 1 of the point itself.
_LEAST, _MOST = np.float32(-60.0), np.float32(100.0)
# As large as can still be multiplied by the ratio of any two variances, and the noise
# never outweighs a distance that was cut off.
_FARTHEST, _LOUDEST = 1e12, 1e11
_LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True)
class Sampling:
    """I(X;T~) and I(T~;Y) for T~ = T + noise, N(0, `variance`) in every unit, by sampling.

    With z_i = t_i + sigma eps_i, one draw for each of the N inputs,
    I(X;T~) = mean_i [log N - log sum_j exp((|z_i - t_i|^2 - |z_i - t_j|^2) / (2 sigma^2))]
    and I(T~;Y) = mean_i sum_y p(y|x_i) log p(z_i|y) / p(z_i). Both are unbiased for the
    noisy network on these N inputs, which the bounds of `KDE` enclose. The draws follow
    from `seed` and the shape of T alone: the same for every variance, epoch and
    replicate, so that curves do not jitter.
    """

    variance: float = 0.1
    seed: int = 0

    def __post_init__(self):
        object.__setattr__(self, "variance", checked_variance(self.variance))
        object.__setattr__(self, "seed", _checked_seed(self.seed))

    @property
    def parameter(self) -> str:
        """The field a ladder varies."""
        return "variance"

    @property
    def default_ladder(self) -> tuple[float, ...]:
        return VARIANCE_LADDER

    @property
    def label(self) -> str:
        return f"Sampling, noise variance {self.variance:g}"

    def information(self, t, y, x=None) -> Information:
        """I(X;T~) and I(T~;Y) in bits, with the standard errors `i_xt_se` and `i_ty_se`.

        A mean below 0, which the information cannot be, counts as 0. The standard
        errors are s / sqrt(N) over the N terms; these differ in their own means as
        well, so the errors are rather too large. `h_t` is None: T~ is continuous.

        Arguments: t (N, D) or (R, N, D); y (N,) or (R, N) labels, or p(y|x) as
        (N, C) or (R, N, C); x (N,) or (R, N) ids of equal inputs. Raises ValueError
        for input that does not fit or is not finite, and where equal inputs have
        different activations: T must be a function of X.
        """
        return self.ladder(t, y, [self.variance], x)[0]

    def ladder(self, t, y, values: Sequence[float], x=None) -> list[Information]:
        """`information` for each variance, with the same draws; distances are computed once."""
        variances = [replace(self, variance=value).variance for value in values]
        checked = samples(t, y, x)
        require_function(checked)
        if not variances:
            return []
        noise = np.random.default_rng(self.seed).standard_normal(checked[0].t.shape)
        per_sample = [_ladder(sample, noise, variances) for sample in checked]
        return [stack(results, np.ndim(t) == 3) for results in zip(*per_sample, strict=True)]


def _checked_seed(value: object) -> int:
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or not 0 <= value <= _LARGEST_SEED:
        raise FieldError("seed", value, f"a whole number from 0 to {_LARGEST_SEED}")
    return int(value)


def _ladder(s: Sample, noise: np.ndarray, variances: Sequence[float]) -> list[Information]:
    return [_information(terms) for terms in sample_terms(s.t, s.class_weights, noise, variances)]


def _information(terms: np.ndarray) -> Information:
    n = len(terms)
    i_xt, i_ty = np.maximum(0.0, terms.mean(axis=0)).tolist()
    errors = terms.std(axis=0, ddof=1) / math.sqrt(n) if n > 1 else np.zeros(2)
    return Information(
        i_xt=i_xt,
        i_ty=i_ty,
        i_xt_se=float(errors[0]),
        i_ty_se=float(errors[1]),
        saturated=is_saturated(i_xt, n),
    )


def sample_terms(
    t: np.ndarray, p_y: np.ndarray, noise: np.ndarray, variances: Sequence[float]
) -> np.ndarray:
    """The terms of I(X;T~) and I(T~;Y) in bits, one of each for every input: (V, N, 2).

    Points t (N, D), weights p(y|x_i) as (N, C), standard normal noise (N, D), any
    variances (V,): z_i = t_i + sqrt(variance) noise_i. The sums behind them are good to
    about 1e-5.
    """
    weights, points = p_y[:, p_y.any(axis=0)], t - t[0].astype(np.float64)
    kinds, columns = np.arange(len(t)), weights
    merged = distinct_rows(t)
    if merged is not None:
        first, kinds = merged
        points = points[first]
        columns = np.stack([np.bincount(kinds, column) for column in weights.T], axis=1)
    points -= points.mean(axis=0)
    draws = _Draws.of(points, kinds, noise, variances)
    parts = [slice(start, start + _TILE) for start in range(0, len(t), _TILE)]
    n_threads = min(torch.get_num_threads(), len(parts))

    def work(rows: slice) -> np.ndarray:
        sums = _sums(draws, columns.astype(np.float32), rows)
        return _terms(sums, weights[rows], weights.sum(axis=0))

    if n_threads == 1:
        return np.concatenate([work(rows) for rows in parts], axis=1)
    with ThreadPoolExecutor(n_threads) as pool:
        return np.concatenate(list(pool.map(work, parts)), axis=1)


def _terms(sums: np.ndarray, p: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """log2 p(z|t) / p(z) and sum_y p(y|x) log2 p(z|y) / p(z) of sums (V, B, C): (V, B, 2)."""
    known = p > 0
    # A point that has weight in a class is part of its own sum, even where float32 has lost it.
    logs = np.log2(np.where(known, np.maximum(sums, p), 1.0))
    surprise = math.log2(totals.sum()) - np.log2(sums.sum(axis=2))
    likelihood = (p * (logs - np.log2(totals))).sum(axis=2)
    return np.stack([surprise, surprise + likelihood], axis=2)


@dataclass(frozen=True, eq=False)
class _Draws:
    """Factors of the exponents (|z_i - t_i|^2 - |z_i - t_j|^2) / (2 v), times log2 e.

    With u = t_i - t_j they are -|u|^2 / (2 v) - eps_i u / sqrt(v): two products of
    matrices that serve every variance v. `left` (M, D + 2) and `right` (D + 2, M) give
    the first, `noise` (N, D) and `places` (D, M) the second, both in float64 for the
    largest variance; row i is point `kinds[i]`, and `ratios` are largest / v.
    """

    left: np.ndarray
    right: np.ndarray
    noise: np.ndarray
    places: np.ndarray
    kinds: np.ndarray
    ratios: tuple[float, ...]

    @classmethod
    def of(cls, points, kinds, noise, variances) -> "_Draws":
        largest = max(variances)
        left, right = distance_factors(points, largest)
        scaled = noise * (np.log2(np.e) / math.sqrt(largest))
        places = np.ascontiguousarray(points.T)
        return cls(left, right, scaled, places, kinds, tuple(largest / v for v in variances))


def _sums(draws: _Draws, columns: np.ndarray, rows: slice) -> np.ndarray:
    """S[v, i, c] = sum_j columns[j, c] exp(exponent_ij), float64 (V, B, C), for some rows."""
    own, n_points = draws.kinds[rows], len(columns)
    sums = np.zeros((len(draws.ratios), len(own), columns.shape[1]))
    left, noise = draws.left[own], draws.noise[rows]
    at_home = np.einsum("nd,dn->n", noise, draws.places[:, own])
    space = [np.empty((len(own), min(_TILE, n_points)), dtype=np.float32) for _ in range(4)]
    for start in range(0, n_points, _TILE):
        cols = slice(start, min(start + _TILE, n_points))
        far, tilt, kernel, part = (tile[:, : cols.stop - start] for tile in space)
        itself = (own >= start) & (own < cols.stop)
        _fill(far, row_products(left, draws.right[:, cols]), -_FARTHEST, 0.0)
        away = row_products(noise, draws.places[:, cols]) - at_home[:, None]
        _fill(tilt, away, -_LOUDEST, _LOUDEST)
        far[itself, own[itself] - start] = tilt[itself, own[itself] - start] = 0.0
        for ratio, out in zip(draws.ratios, sums, strict=True):
            np.multiply(far, np.float32(ratio), out=kernel)
            kernel += np.multiply(tilt, np.float32(math.sqrt(ratio)), out=part)
            np.exp2(np.clip(kernel, _LEAST, _MOST, out=kernel), out=kernel)
            out += row_products(kernel, columns[cols])
    return sums


def _fill(tile: np.ndarray, exact: np.ndarray, low: float, high: float) -> None:
    np.clip(exact, low, high, out=exact)
    tile[:] = exact
