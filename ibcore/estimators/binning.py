"""Binning: count the distinct rows of the quantised activations.

Shwartz-Ziv and Tishby (2017), Opening the black box of deep neural networks
via information, Section 3; Saxe et al. (2018), On the information bottleneck
theory of deep learning, Section 2. It is exact for the quantised network, and
never more than log2 N.
"""

import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ibcore.estimators._rows import odd_multipliers, weighted_sums
from ibcore.estimators.information import (
    LARGEST,
    Information,
    Sample,
    dense_label_entropy,
    entropy_bits,
    is_saturated,
    samples,
    stack,
)
from ibcore.experiment import FieldError

BIN_LADDER = (
    *(2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 18, 20),
    *(23, 26, 30, 35, 40, 50, 60, 70, 85, 100),
)
"""Numbers of bins for a slider, even in log as far as whole numbers allow."""

WIDTH_LADDER = (
    *(0.005, 0.007, 0.01, 0.015, 0.02, 0.03, 0.045, 0.07, 0.1, 0.15),
    *(0.22, 0.33, 0.5, 0.75, 1.1, 1.7, 2.5),
)
"""Bin widths for a slider, in ratio 1.5 or so."""

MEASURED_LIMITS = ("range", "layer")
_MAX_BINS = 65_536
_KEY_BITS = 59
_LARGEST_CELL = 2.0**62


@dataclass(frozen=True)
class Binning:
    """Bins of equal width in every unit: `n_bins` on `limits`, or of a given `width`.

    With limits (lo, hi) a unit at t falls into bin
    clip(floor((t - lo) / (hi - lo) n_bins), 0, n_bins - 1); with a width, which
    goes before limits, into bin floor(t / width). Limits `"range"` and `"layer"`
    are measured, as the least and greatest of the activations at hand.
    """

    n_bins: int = 30
    limits: tuple[float, float] | str = (-1.0, 1.0)
    width: float | None = None

    def __post_init__(self):
        object.__setattr__(self, "n_bins", _checked_bins(self.n_bins))
        object.__setattr__(self, "limits", _checked_limits(self.limits))
        if self.width is not None:
            object.__setattr__(self, "width", _checked_width(self.width))

    @property
    def parameter(self) -> str:
        """The field a ladder varies: `"width"` where one is given, else `"n_bins"`."""
        return "n_bins" if self.width is None else "width"

    @property
    def default_ladder(self) -> tuple[float, ...]:
        return BIN_LADDER if self.width is None else WIDTH_LADDER

    @property
    def needs_range(self) -> bool:
        """Whether the limits are still to be measured."""
        return self.width is None and isinstance(self.limits, str)

    @property
    def label(self) -> str:
        if self.width is not None:
            return f"Binning, bin width {self.width:g}"
        if self.needs_range:
            return f"Binning, {self.n_bins} bins on the {_MEASURED_TEXT[self.limits]}"
        return f"Binning, {self.n_bins} bins on [{self.limits[0]:g}, {self.limits[1]:g}]"

    def information(self, t, y, x=None) -> Information:
        """I(X;T), I(T;Y) and H(T) of the binned T, in bits.

        I(T;Y) = H(T) + H(Y) - H(T,Y) and I(X;T) = H(T) - H(T|X), where H(T|X) is
        0 unless rows of equal id in `x` fall into different cells.

        Arguments: t (N, D) or (R, N, D); y (N,) or (R, N) labels, or p(y|x) as
        (N, C) or (R, N, C); x (N,) or (R, N) ids of equal inputs, None where all
        differ. Raises ValueError for input that does not fit or is not finite.
        """
        return self.ladder(t, y, [getattr(self, self.parameter)], x)[0]

    def ladder(self, t, y, values: Sequence[float], x=None) -> list[Information]:
        """`information` for each value of `parameter`."""
        rungs = [replace(self, **{self.parameter: value}) for value in values]
        checked = samples(t, y, x)
        limits = _measured(self.limits, checked) if self.needs_range else self.limits
        return [
            stack([_information(rung, limits, s) for s in checked], np.ndim(t) == 3)
            for rung in rungs
        ]


_MEASURED_TEXT = {"range": "range of the run", "layer": "range of each layer"}


def _checked_bins(value: object) -> int:
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not real or not 2 <= value <= _MAX_BINS or value != int(value):
        raise FieldError("n_bins", value, f"a whole number from 2 to {_MAX_BINS}")
    return int(value)


def _checked_width(value: object) -> float:
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not real or not 0 < value <= LARGEST:
        raise FieldError("width", value, f"a number above 0 and at most {LARGEST:g}")
    return float(value)


def _checked_limits(value: object) -> tuple[float, float] | str:
    if isinstance(value, str) and value in MEASURED_LIMITS:
        return value
    allowed = 'a pair of finite numbers lo < hi, "range" or "layer"'
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise FieldError("limits", value, allowed)
    for edge in value:
        real = isinstance(edge, numbers.Real) and not isinstance(edge, bool)
        if not real or not abs(edge) <= LARGEST:
            raise FieldError("limits", value, allowed)
    lo, hi = map(float, value)
    if not lo < hi:
        raise FieldError("limits", value, allowed)
    return lo, hi


def _measured(limits: str, checked: Sequence[Sample]) -> tuple[float, float]:
    return (
        float(min(s.t.min() for s in checked)),
        float(max(s.t.max() for s in checked)),
    )


def _information(binning: Binning, limits: tuple[float, float], s: Sample) -> Information:
    if binning.width is not None:
        keys, n_keys = width_keys(s.t, binning.width)
    else:
        keys, n_keys = bin_keys(s.t, binning.n_bins, *limits)
    h_t, h_ty = joint_entropies(keys, n_keys, s.y)
    i_ty = h_t + dense_label_entropy(s.y) - h_ty
    i_xt = h_t if s.x is None else _input_information(keys, n_keys, s.x, h_t)
    saturated = is_saturated(i_xt, len(s.t))
    return Information(i_xt=i_xt, i_ty=max(0.0, i_ty), h_t=h_t, saturated=saturated)


def _input_information(keys: np.ndarray, n_keys: int | None, x: np.ndarray, h_t: float) -> float:
    _, h_tx = joint_entropies(keys, n_keys, x)
    return max(0.0, h_t + dense_label_entropy(x) - h_tx)


def bin_keys(t: np.ndarray, n_bins: int, lo: float, hi: float) -> tuple[np.ndarray, int | None]:
    """One key for each row of `t` (N, D), equal where all units fall into equal bins.

    Returns the keys (N,) as uint64 and a bound they stay below: they are the
    digits of the row in base `n_bins` where these fit into 59 bits, and a hash
    (bound None) where they do not.
    """
    if not lo < hi:
        return np.zeros(len(t), dtype=np.uint64), 1
    scaled = np.subtract(t, lo, dtype=np.float64)
    # An overflow to infinity is undone by the clip.
    with np.errstate(over="ignore"):
        scaled /= hi - lo
        scaled *= n_bins
    # Clipped before it becomes an integer: a huge activation has no int64. What is
    # left is not negative, so cutting off its fraction is the floor.
    cells = np.clip(scaled, 0.0, n_bins - 1.0, out=scaled).astype(np.uint64)
    return _keys(cells, [n_bins] * t.shape[1])


def width_keys(t: np.ndarray, width: float) -> tuple[np.ndarray, int | None]:
    """As `bin_keys`, for bins floor(t / width) without end."""
    with np.errstate(over="ignore"):
        scaled = np.divide(t, width, dtype=np.float64)
    np.floor(scaled, out=scaled)
    cells = np.clip(scaled, -_LARGEST_CELL, _LARGEST_CELL, out=scaled).astype(np.int64)
    cells -= cells.min(axis=0)
    return _keys(cells.astype(np.uint64), [int(top) + 1 for top in cells.max(axis=0)])


def _keys(cells: np.ndarray, sizes: list[int]) -> tuple[np.ndarray, int | None]:
    n_keys = math.prod(sizes)
    if n_keys >= 2**_KEY_BITS:
        return weighted_sums(cells, odd_multipliers(len(sizes))), None
    places = [math.prod(sizes[:d]) for d in range(len(sizes))]
    return weighted_sums(cells, np.array(places, dtype=np.uint64)), n_keys


def joint_entropies(keys: np.ndarray, n_keys: int | None, y: np.ndarray) -> tuple[float, float]:
    """H(T) and H(T,Y) in bits for keys of T (N,) below `n_keys` and labels Y.

    H = log N - (1/N) sum_n n log n over the counts n of the distinct values. Soft
    labels (N, C) weigh p(t, y) = (1/N) sum_i [t = t_i] p(y|x_i).
    """
    if y.ndim == 2:
        return _soft_entropies(keys, y)
    n_classes = int(y.max()) + 1
    if n_keys is not None and n_keys * n_classes <= 4 * len(keys):
        return _tabulated_entropies(keys, n_keys, y, n_classes)
    return _sorted_entropies(keys, n_keys, y, n_classes)


def _tabulated_entropies(keys, n_keys, y, n_classes) -> tuple[float, float]:
    joint = keys.astype(np.int64) * n_classes + y
    table = np.bincount(joint, minlength=n_keys * n_classes).reshape(n_keys, n_classes)
    return binned_entropy(table.sum(axis=1)), binned_entropy(table.reshape(-1))


def _sorted_entropies(keys, n_keys, y, n_classes) -> tuple[float, float]:
    # With the label in the low bits one sort serves both entropies: the runs of the
    # whole key are the values of (T, Y) and the runs of its high bits those of T.
    bits = np.uint64((n_classes - 1).bit_length())
    joint = (keys << bits) | y.astype(np.uint64)
    if n_keys is not None and n_keys << int(bits) <= 2**32:
        joint = joint.astype(np.uint32)
    joint.sort()
    return binned_entropy(_run_lengths(joint >> bits.astype(joint.dtype))), binned_entropy(
        _run_lengths(joint)
    )


def _run_lengths(ordered: np.ndarray) -> np.ndarray:
    edges = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    return np.diff(edges, prepend=0, append=len(ordered))


def _soft_entropies(keys: np.ndarray, p_y: np.ndarray) -> tuple[float, float]:
    _, cell = np.unique(keys, return_inverse=True)
    order = np.argsort(cell, kind="stable")
    counts = np.bincount(cell)
    starts = np.cumsum(counts) - counts
    joint = np.add.reduceat(p_y[order], starts, axis=0)
    return binned_entropy(counts), entropy_bits(joint / len(keys))


def binned_entropy(counts: np.ndarray) -> float:
    """H = log N - (1/N) sum n log n in bits, for counts n that sum to N; zeros do not count."""
    n = int(counts.sum())
    repeated = counts[counts > 1].astype(np.float64)
    return max(0.0, math.log2(n) - float(np.dot(repeated, np.log2(repeated))) / n)
