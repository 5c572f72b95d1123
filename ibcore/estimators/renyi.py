"""Matrix-based Rényi entropy: the spectrum of a kernel matrix in the place of probabilities.

Giraldo, Rao and Principe (2015), Measures of entropy from data using infinitely divisible
kernels, Section III; used on networks by Yu and Principe (2019), Understanding
autoencoders with information theoretic concepts, and Wickstrøm et al. (2019), Information
plane analysis of deep neural networks via matrix-based Rényi's entropy and tensor kernels.
It is not Shannon's information: the values depend on the kernel, however large N is.
"""

import math
import numbers
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import eigh

from ibcore.estimators._kernel_sums import kernel_sums
from ibcore.estimators._rows import distinct_rows, some_rows
from ibcore.estimators.information import (
    Information,
    Sample,
    entropy_bits,
    is_saturated,
    samples,
    stack,
)
from ibcore.experiment import FieldError

ALPHA_LADDER = (0.5, 0.75, 1.01, 1.5, 2.0, 3.0, 5.0)
"""Orders for a slider; 1.01 stands for the limit 1 in the literature."""

MOST_ROWS = 1000
"""Samples whose eigenvalues are taken at most, for every alpha but 2."""

# Below 1/2 the rounding errors of 1000 eigenvalues, 1e-16 each, would count.
_LEAST_ALPHA, _MOST_ALPHA = 0.5, 100.0
_NEAR_ONE = 1e-7
_LEAST_WIDTH, _MOST_WIDTH = 1e-12, 1e12
# Squares of anything smaller are lost in float64.
_NO_SPREAD = 1e-100


@dataclass(frozen=True)
class Renyi:
    """S_alpha(A) = log2(tr A^alpha) / (1 - alpha) of kernel matrices A of trace 1, in bits.

    A_T = K / N with K_ij = exp(-|t_i - t_j|^2 / (2 width^2)); the kernels of X and of Y
    are 1 where inputs or labels are equal and 0 elsewhere. A joint matrix is the product
    element by element, of trace 1 again, and I = S(A) + S(B) - S(A, B). With all inputs
    distinct I(X;T) = S(A_T). Order 1 is the limit, -tr A log2 A.

    Order 2 is -log2 of the sum of all A_ij^2 and takes all samples; other orders take
    eigenvalues, of 1000 samples drawn once and for all where there are more.

    `width` is in units of the activations. None is Scott's rule,
    N^(-1/(4 + D)) sqrt(mean variance of the D units), for each layer by itself
    (Yu and Principe use this power of N with a factor chosen by hand).
    """

    alpha: float = 2.0
    width: float | None = None

    def __post_init__(self):
        object.__setattr__(self, "alpha", _checked_alpha(self.alpha))
        if self.width is not None:
            object.__setattr__(self, "width", _checked_width(self.width))

    @property
    def most_samples(self) -> int | None:
        """Of more samples, so many are taken; all of them for order 2."""
        return None if self.alpha == 2 else MOST_ROWS

    @property
    def parameter(self) -> str:
        """The field a ladder varies."""
        return "alpha"

    @property
    def default_ladder(self) -> tuple[float, ...]:
        return ALPHA_LADDER

    @property
    def label(self) -> str:
        width = "kernel width by Scott's rule" if self.width is None else f"width {self.width:g}"
        rows = "" if self.alpha == 2 else f", on at most {MOST_ROWS} samples"
        return f"Matrix-based Rényi, α = {self.alpha:g}, {width}{rows}; not Shannon information"

    def information(self, t, y, x=None) -> Information:
        """I(X;T), I(T;Y) and H(T) = S(A_T) in bits of this order.

        I(T;Y) is at most S(Y) = log2(sum_y p(y)^alpha) / (1 - alpha), which is H(Y)
        only for even classes or order 1. Rényi's entropies allow differences
        below 0; they count as 0. Class probabilities count as that share of a sample:
        the limit of many samples of equal activation with labels of these frequencies.
        Equal ids in `x` give X the kernel of these groups. `saturated` refers to the
        number of samples taken.

        Arguments: t (N, D) or (R, N, D); y (N,) or (R, N) labels, or p(y|x) as
        (N, C) or (R, N, C); x (N,) or (R, N) ids of equal inputs, None where all
        differ. Raises ValueError for input that does not fit or is not finite.
        """
        return self.ladder(t, y, [self.alpha], x)[0]

    def ladder(self, t, y, values: Sequence[float], x=None) -> list[Information]:
        """`information` for each order; the eigenvalues serve all of them."""
        orders = [replace(self, alpha=value).alpha for value in values]
        checked = samples(t, y, x)
        if not orders:
            return []
        per_sample = [_ladder(s, self.width, orders) for s in checked]
        return [stack(results, np.ndim(t) == 3) for results in zip(*per_sample, strict=True)]


def _checked_alpha(value: object) -> float:
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not real or not _LEAST_ALPHA <= value <= _MOST_ALPHA:
        raise FieldError("alpha", value, f"a number from {_LEAST_ALPHA:g} to {_MOST_ALPHA:g}")
    return float(value)


def _checked_width(value: object) -> float:
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not real or not _LEAST_WIDTH <= value <= _MOST_WIDTH:
        allowed = f"a number from {_LEAST_WIDTH:g} to {_MOST_WIDTH:g}, or None for Scott's rule"
        raise FieldError("width", value, allowed)
    return float(value)


def scott_width(t: np.ndarray) -> float:
    """N^(-1/(4 + D)) times the root of the mean variance of the units of t (N, D).

    A constant T, whose kernel is 1 at any width, has width 1. Scott (1992),
    Multivariate density estimation, Section 6.3.
    """
    n, d = t.shape
    spread = math.sqrt((t - t[0].astype(np.float64)).var(axis=0).mean())
    return n ** (-1 / (4 + d)) * spread if spread > _NO_SPREAD else 1.0


def renyi_entropy(p: np.ndarray, alpha: float) -> float:
    """log2(sum p^alpha) / (1 - alpha) in bits of probabilities or eigenvalues that sum to 1."""
    if abs(alpha - 1) < _NEAR_ONE:
        return entropy_bits(p)
    largest = p.max()
    power = alpha * math.log2(largest) + math.log2(np.sum((p / largest) ** alpha))
    return max(0.0, power / (1 - alpha))


@dataclass(frozen=True, eq=False)
class _Weighted:
    """The points (M, D) that differ, their kernel's width, and what each stands for.

    `classes` (M, C) is the share of all samples that point and class have together;
    `groups` the shares of points in each group of equal inputs that holds several
    points, as (positions, shares); `inputs` the shares of all groups, None where all
    inputs differ. `n` is the number of samples.
    """

    points: np.ndarray
    width: float
    classes: np.ndarray
    groups: tuple[tuple[np.ndarray, np.ndarray], ...]
    inputs: np.ndarray | None
    n: int

    @property
    def shares(self) -> np.ndarray:
        return self.classes.sum(axis=1)


def _ladder(s: Sample, width: float | None, orders: Sequence[float]) -> list[Information]:
    width = scott_width(s.t) if width is None else width
    found = {}
    if 2 in orders:
        found[2.0] = _of_norms(_weighted(s, width))
    others = set(orders) - {2.0}
    if others:
        found |= _of_spectra(_weighted(_some_rows(s), width), others)
    return [found[alpha] for alpha in orders]


def _some_rows(s: Sample) -> Sample:
    """At most 1000 samples: for a given N always the same ones."""
    rows = some_rows(len(s.t), MOST_ROWS)
    return Sample(s.t[rows], s.y[rows], None if s.x is None else s.x[rows])


def _weighted(s: Sample, width: float) -> _Weighted:
    weights, n = _present_classes(s) / len(s.t), len(s.t)
    first, kinds = distinct_rows(s.t) or (np.arange(n), np.arange(n))
    classes = np.stack([np.bincount(kinds, column) for column in weights.T], axis=1)
    points = s.t[first] - s.t[0].astype(np.float64)
    if s.x is None or len(np.unique(s.x)) == n:
        return _Weighted(points, width, classes, (), None, n)
    groups = tuple(_mixed_groups(kinds, s.x, n))
    _, sizes = np.unique(s.x, return_counts=True)
    return _Weighted(points, width, classes, groups, sizes / n, n)


def _present_classes(s: Sample) -> np.ndarray:
    weights = s.class_weights
    return weights[:, weights.any(axis=0)]


def _mixed_groups(kinds: np.ndarray, x: np.ndarray, n: int) -> Iterator[tuple]:
    """Every group of equal inputs, as the points it holds and their shares of all samples."""
    order = np.argsort(x, kind="stable")
    for members in np.split(kinds[order], np.flatnonzero(np.diff(x[order])) + 1):
        positions, counts = np.unique(members, return_counts=True)
        yield positions, counts / n


def _of_norms(w: _Weighted) -> Information:
    """Order 2: -log2 of the squared norms, from sums over blocks of the squared kernel."""
    h_t, h_ty = map(_of_norm, _squared_norms(w, w.classes))
    h_y = renyi_entropy(w.classes.sum(axis=0), 2.0)
    if w.inputs is None:
        return _information(h_t, h_y, h_ty, h_t, w.n)
    joint = sum(
        _squared_norms(replace(w, points=w.points[at]), shares[:, None])[0]
        for at, shares in w.groups
    )
    i_xt = h_t + renyi_entropy(w.inputs, 2.0) - _of_norm(joint)
    return _information(h_t, h_y, h_ty, i_xt, w.n)


def _of_norm(norm: float) -> float:
    # Sums in float32 may pass 1 by their rounding.
    return max(0.0, -math.log2(norm))


def _squared_norms(w: _Weighted, classes: np.ndarray) -> tuple[float, float]:
    """||A||^2 of all points with their shares, and the sum of ||A_y||^2 over classes y."""
    # The square of the kernel is that of half the variance; widths may be beyond float32.
    (sums,) = kernel_sums(w.points / w.width, classes, [0.5])
    return float(classes.sum(axis=1) @ sums.sum(axis=1)), float(np.sum(classes * sums))


def _of_spectra(w: _Weighted, orders: set[float]) -> dict[float, Information]:
    kernel = _kernel(w)
    of_t = _eigenvalues(kernel, w.shares)
    of_ty = np.concatenate([_eigenvalues(kernel, column) for column in w.classes.T])
    of_tx = of_x = None
    if w.inputs is not None:
        blocks = [_eigenvalues(kernel[np.ix_(at, at)], shares) for at, shares in w.groups]
        of_x, of_tx = w.inputs, np.concatenate(blocks)
    found = {}
    for alpha in orders:
        h_t, h_ty = renyi_entropy(of_t, alpha), renyi_entropy(of_ty, alpha)
        i_xt = h_t
        if of_x is not None:
            i_xt += renyi_entropy(of_x, alpha) - renyi_entropy(of_tx, alpha)
        h_y = renyi_entropy(w.classes.sum(axis=0), alpha)
        found[alpha] = _information(h_t, h_y, h_ty, i_xt, w.n)
    return found


def _kernel(w: _Weighted) -> np.ndarray:
    """K (M, M) in float64, where the difference of squares has digits to lose."""
    points = w.points - w.points.mean(axis=0)
    norms = np.einsum("nd,nd->n", points, points)
    squares = np.maximum(norms[:, None] + norms - 2 * points @ points.T, 0.0)
    np.fill_diagonal(squares, 0.0)
    return np.exp(-squares / (2 * w.width**2))


def _eigenvalues(kernel: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Of the matrix sqrt(p_i) K_ij sqrt(p_j), which has those of K / N with p_i N equal rows."""
    present = shares > 0
    roots = np.sqrt(shares[present])
    matrix = kernel[np.ix_(present, present)] * (roots[:, None] * roots)
    # Divide and conquer: half the time of the default here.
    found = eigh(matrix, eigvals_only=True, driver="evd", check_finite=False, overwrite_a=True)
    return np.maximum(found, 0.0)


def _information(h_t: float, h_y: float, h_ty: float, i_xt: float, n: int) -> Information:
    most = math.log2(n)
    return Information(
        i_xt=min(max(0.0, i_xt), most),
        i_ty=max(0.0, h_t + h_y - h_ty),
        h_t=min(h_t, most),
        saturated=is_saturated(i_xt, n),
    )
