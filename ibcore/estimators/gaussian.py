"""Gaussian: the information of T seen through Gaussian noise, were T itself Gaussian.

Cover and Thomas (2006), Elements of information theory, Section 9.4 (parallel Gaussian
channels) and Theorem 8.6.5 (of all variables with a given covariance the Gaussian has the
largest entropy). Chechik et al. (2005), Information bottleneck for Gaussian variables,
Section 3, for linear maps. The noise is part of the estimator: the network has none.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ibcore.estimators.information import (
    Information,
    Sample,
    dense_label_entropy,
    is_saturated,
    require_function,
    samples,
    stack,
)
from ibcore.estimators.kde import VARIANCE_LADDER, checked_variance


@dataclass(frozen=True)
class Gaussian:
    """I(X;T~) and I(T~;Y) for T~ = T + noise, N(0, `variance`) in every unit, by covariances.

    I(X;T~) = 1/2 log2 det(1 + Cov(T) / variance): exact for Gaussian T, so for a linear
    network with Gaussian input, and an upper bound for any T with this covariance.
    I(T~;Y) = I(X;T~) - sum_y p(y) 1/2 log2 det(1 + Cov(T|y) / variance): neither exact
    nor a bound, as a mixture of Gaussian classes is not Gaussian.
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
        return f"Gaussian formula, noise variance {self.variance:g}"

    def information(self, t, y, x=None) -> Information:
        """I(X;T~) and I(T~;Y) in bits from covariances with denominator N.

        I(T~;Y) is clipped to [0, H(Y)]. I(X;T~) is not: a Gaussian may tell more than
        log2 N. `saturated` then says that N inputs could not. `h_t` is None: T~ is
        continuous. Class probabilities weigh the samples in the covariance of a class.

        Arguments: t (N, D) or (R, N, D); y (N,) or (R, N) labels, or p(y|x) as
        (N, C) or (R, N, C); x (N,) or (R, N) ids of equal inputs. Raises ValueError
        for input that does not fit or is not finite, and where equal inputs have
        different activations: T must be a function of X.
        """
        return self.ladder(t, y, [self.variance], x)[0]

    def ladder(self, t, y, values: Sequence[float], x=None) -> list[Information]:
        """`information` for each variance; the eigenvalues of the covariances serve all."""
        variances = [replace(self, variance=value).variance for value in values]
        checked = samples(t, y, x)
        require_function(checked)
        if not variances:
            return []
        per_sample = [_ladder(sample, np.array(variances)) for sample in checked]
        return [stack(results, np.ndim(t) == 3) for results in zip(*per_sample, strict=True)]


def _ladder(s: Sample, variances: np.ndarray) -> list[Information]:
    # Less the first row, constant units are 0 exactly.
    points = s.t - s.t[0].astype(np.float64)
    together = _half_log_det(points, np.ones(len(points)), variances)
    given = sum(
        column.mean() * _half_log_det(points[column > 0], column[column > 0], variances)
        for column in s.class_weights.T
        if column.any()
    )
    h_y, n = dense_label_entropy(s.y), len(points)
    return [
        Information(
            i_xt=i_xt,
            i_ty=float(np.clip(i_xt - i_given, 0.0, h_y)),
            saturated=is_saturated(i_xt, n),
        )
        for i_xt, i_given in zip(together.tolist(), given.tolist(), strict=True)
    ]


def _half_log_det(points: np.ndarray, weights: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """1/2 log2 det(1 + Cov / v) of weighted points (N, D), for every variance v: (V,)."""
    eigenvalues = covariance_spectrum(points, weights)
    return 0.5 * np.log2(1 + eigenvalues / variances[:, None]).sum(axis=1)


def covariance_spectrum(points: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The eigenvalues of the covariance of points (N, D) with weights (N,): min(N, D) of them.

    The others are 0. Those below the rounding error of the largest count as 0 too.
    """
    shares = weights / weights.sum()
    centred = (points - shares @ points) * np.sqrt(shares)[:, None]
    gram = centred.T @ centred if centred.shape[1] <= len(centred) else centred @ centred.T
    eigenvalues = np.linalg.eigvalsh(gram)
    floor = eigenvalues[-1] * max(centred.shape) * np.finfo(np.float64).eps
    return np.where(eigenvalues > floor, eigenvalues, 0.0)
