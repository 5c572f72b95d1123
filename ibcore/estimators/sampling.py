"""Sample propagation: the information of T seen through Gaussian noise, by drawing the noise.

Goldfeld et al. (2019), Estimating information flow in deep neural networks, the sample
propagation estimator: given the inputs, the output of a noisy network is a mixture of N
known Gaussians, whose entropy is a mean over samples of that mixture. Here the noise is
added to each layer by itself and only by the estimator: the network has none.
"""

import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ibcore.estimators._compiled import Tiles, add_noisy_sums
from ibcore.estimators._kernel_sums import in_fours, occurring, tiled
from ibcore.estimators._rows import distinct_rows
from ibcore.estimators._threads import n_threads, over_replicates, shared
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

_ROWS = 256
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
        ladder = partial(_ladder, noise=noise, variances=variances)
        per_sample = over_replicates(ladder, checked)
        return [stack(results, np.ndim(t) == 3) for results in zip(*per_sample, strict=True)]


def _checked_seed(value: object) -> int:
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or not 0 <= value <= _LARGEST_SEED:
        raise FieldError("seed", value, f"a whole number from 0 to {_LARGEST_SEED}")
    return int(value)


def _ladder(
    s: Sample, threads: int, noise: np.ndarray, variances: Sequence[float]
) -> list[Information]:
    terms = sample_terms(s.t, s.class_weights, noise, variances, threads)
    return [_information(rung) for rung in terms]


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
    t: np.ndarray,
    p_y: np.ndarray,
    noise: np.ndarray,
    variances: Sequence[float],
    threads: int | None = None,
) -> np.ndarray:
    """The terms of I(X;T~) and I(T~;Y) in bits, one of each for every input: (V, N, 2).

    Points t (N, D), weights p(y|x_i) as (N, C), standard normal noise (N, D), any
    variances (V,): z_i = t_i + sqrt(variance) noise_i. The sums behind them are good to
    about 1e-5.
    """
    weights, points = occurring(p_y), t
    columns = weights
    merged = distinct_rows(t)
    if merged is not None:
        first, kinds = merged
        points = points[first]
        columns = np.stack([np.bincount(kinds, column) for column in weights.T], axis=1)
    tiles, _ = tiled(points, columns)
    parts = [slice(start, start + _ROWS) for start in range(0, len(t), _ROWS)]

    def work(rows: slice) -> np.ndarray:
        sums = _sums(tiles, t[rows], noise[rows], variances)
        return _terms(sums, weights[rows], weights.sum(axis=0))

    threads = min(n_threads() if threads is None else threads, len(parts))
    with shared(threads) as mapped:
        return np.concatenate(list(mapped(work, parts)), axis=1)


def _sums(tiles: Tiles, t: np.ndarray, noise: np.ndarray, variances: Sequence[float]) -> np.ndarray:
    """S[v, i, c] = sum_j p(c|x_j) exp((|z_i - t_i|^2 - |z_i - t_j|^2) / (2 v)), (V, B, C).

    With u = t_j - t_i the exponents are (noise_i u) / sqrt(v) - |u|^2 / (2 v).
    """
    sums = np.zeros((len(variances), len(t), len(tiles.weights)))
    rates = np.log2(np.e) / (2 * np.array(variances))
    tilts = np.sqrt(2 * np.log2(np.e) * rates)
    points, draws = in_fours(t), in_fours(noise.astype(t.dtype))
    add_noisy_sums(points, draws, tiles, rates.astype(np.float32), tilts.astype(np.float32), sums)
    return sums


def _terms(sums: np.ndarray, p: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """log2 p(z|t) / p(z) and sum_y p(y|x) log2 p(z|y) / p(z) of sums (V, B, C): (V, B, 2)."""
    known = p > 0
    # A point that has weight in a class is part of its own sum, even where float32 has lost it.
    logs = np.log2(np.where(known, np.maximum(sums, p), 1.0))
    surprise = math.log2(totals.sum()) - np.log2(sums.sum(axis=2))
    likelihood = (p * (logs - np.log2(totals))).sum(axis=2)
    return np.stack([surprise, surprise + likelihood], axis=2)
