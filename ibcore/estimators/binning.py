"""Binning: count the distinct rows of the quantised activations.

Shwartz-Ziv and Tishby (2017), Opening the black box of deep neural networks
via information, Section 3; Saxe et al. (2018), On the information bottleneck
theory of deep learning, Section 2. It is exact for the quantised network, and
never more than log2 N.

Options beside: bins of equal counts (`limits="rank"`), the correction of Miller and
Madow for few samples, and a null of shuffled labels.
"""

import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np

from ibcore.estimators._bias import miller_madow, occupied_cells, shuffled
from ibcore.estimators._compiled_counts import bin_sums, distinct, joint_counts
from ibcore.estimators._rows import float_keys, odd_multipliers, row_blocks, weighted_sums
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
    *range(2, 22),
    *(23, 26, 28, 30, 32, 35, 38, 40, 43, 46, 50, 55, 60, 65, 70, 75, 80, 85, 92, 100),
)
"""Forty numbers of bins for a slider: each one up to 21, then in ratio 1.13 or less."""

WIDTH_LADDER = (
    *(0.005, 0.007, 0.01, 0.015, 0.02, 0.03, 0.045, 0.07, 0.1, 0.15),
    *(0.22, 0.33, 0.5, 0.75, 1.1, 1.7, 2.5),
)
"""Bin widths for a slider, in ratio 1.5 or so."""

MEASURED_LIMITS = ("range", "layer")
CORRECTIONS = ("none", "miller-madow")
MAX_SHUFFLES = 1000
_MAX_BINS = 65_536
_MAX_SEED = 2**32 - 1
_KEY_BITS = 59
_LARGEST_CELL = 2.0**61
_LARGEST_FLOAT = float(np.finfo(np.float64).max)


@dataclass(frozen=True)
class Binning:
    """Bins of equal width in every unit: `n_bins` on `limits`, or of a given `width`.

    With limits (lo, hi) a unit at t falls into bin
    clip(floor((t - lo) / (hi - lo) n_bins), 0, n_bins - 1); with a width, which
    goes before limits, into bin floor(t / width). Limits `"range"` and `"layer"`
    are measured, as the least and greatest of the activations at hand.

    Limits `"rank"` give every unit of every network quantile bins: with m the mid-rank
    of t among the unit's N values, which is the number below it and half of those
    equal to it, bin floor(m / N n_bins). Bins hold equal counts up to one where no
    values are equal; equal values stay together. No strictly increasing map of a
    unit changes anything (a falling one only what lies on the edge of a bin): what is
    seen is how units depend on each other and on Y. The bins move with the epoch, and
    a single unit without equal values holds log2 n_bins bits, less the effect of N, at
    every epoch.

    `correction="miller-madow"` adds (K - 1) / (2 N ln 2) bits to each entropy of K
    occupied cells: H(T), and I(X;T) where T is a function of X, grow by
    (K_T - 1) / (2 N ln 2), to at most log2 N + 0.73, and I(T;Y) changes by
    (K_T + K_Y - K_TY - 1) / (2 N ln 2): up where T determines Y, mostly down where it
    does not, and never beyond the corrected H(T) or H(Y). It is for inputs
    drawn from a larger population; where they are all there are, entropies have no
    such bias and the correction is wrong. Soft cells count as `occupied_cells` says.

    `null` is a number of label shuffles, whose mean I(T;Y) is subtracted from I(T;Y);
    what falls below 0 is 0. That takes away what independent labels seem to share with
    T. Where all rows of T differ, shuffled labels share all of H(Y) too and nothing is
    left, whatever T knows. `seed` says which shuffles.
    """

    n_bins: int = 30
    limits: tuple[float, float] | str = (-1.0, 1.0)
    width: float | None = None
    correction: str = field(default="none", repr=False)
    null: int = field(default=0, repr=False)
    seed: int = field(default=0, repr=False)

    def __post_init__(self):
        object.__setattr__(self, "n_bins", checked_whole("n_bins", self.n_bins, 2, _MAX_BINS))
        object.__setattr__(self, "limits", _checked_limits(self.limits))
        if self.width is not None:
            object.__setattr__(self, "width", _checked_width(self.width))
        if not isinstance(self.correction, str) or self.correction not in CORRECTIONS:
            raise FieldError("correction", self.correction, "one of " + ", ".join(CORRECTIONS))
        object.__setattr__(self, "null", checked_whole("null", self.null, 0, MAX_SHUFFLES))
        object.__setattr__(self, "seed", checked_whole("seed", self.seed, 0, _MAX_SEED))

    def __repr__(self) -> str:
        # Tables are named by this text: an option that is not used must not rename them.
        shown = [f.name for f in fields(self) if f.repr or getattr(self, f.name) != f.default]
        return f"Binning({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

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
        return self.width is None and self.limits in MEASURED_LIMITS

    @property
    def by_rank(self) -> bool:
        """Whether the bins are quantiles of each unit."""
        return self.width is None and self.limits == "rank"

    @property
    def label(self) -> str:
        corrected = ", Miller-Madow" if self.correction == "miller-madow" else ""
        null = f", less the mean of {self.null} label shuffles" if self.null else ""
        return f"Binning, {self._bins_text}{corrected}{null}"

    @property
    def _bins_text(self) -> str:
        if self.width is not None:
            return f"bin width {self.width:g}"
        if isinstance(self.limits, str):
            return f"{self.n_bins} bins {_NAMED_LIMITS_TEXT[self.limits]}"
        return f"{self.n_bins} bins on [{self.limits[0]:g}, {self.limits[1]:g}]"

    def information(self, t, y, x=None) -> Information:
        """I(X;T), I(T;Y) and H(T) of the binned T, in bits.

        I(T;Y) = H(T) + H(Y) - H(T,Y) and I(X;T) = H(T) - H(T|X), where H(T|X) is
        0 unless rows of equal id in `x` fall into different cells. Each is at least 0,
        after the `correction` of its entropies; I(T;Y) also after its `null`.

        Arguments: t (N, D) or (R, N, D); y (N,) or (R, N) labels, or p(y|x) as
        (N, C) or (R, N, C); x (N,) or (R, N) ids of equal inputs, None where all
        differ. Raises ValueError for input that does not fit or is not finite.
        """
        return self.ladder(t, y, [getattr(self, self.parameter)], x)[0]

    def ladder(self, t, y, values: Sequence[float], x=None) -> list[Information]:
        """`information` for each value of `parameter`."""
        rungs = [replace(self, **{self.parameter: value}) for value in values]
        checked = samples(t, y, x)
        limits = measured(checked) if self.needs_range else self.limits
        if self.by_rank:
            checked = [replace(s, t=doubled_ranks(s.t)) for s in checked]
        # Every rung takes the units one after the other.
        checked = [replace(s, t=np.asfortranarray(s.t)) for s in checked]
        return [
            stack([binned(rung, limits, s) for s in checked], np.ndim(t) == 3) for rung in rungs
        ]


_NAMED_LIMITS_TEXT = {
    "range": "on the range of the run",
    "layer": "on the range of each layer",
    "rank": "of equal counts in each unit",
}


def checked_whole(name: str, value: object, low: int, high: int) -> int:
    """The value as an int; FieldError for what is no whole number from `low` to `high`."""
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not real or not low <= value <= high or value != int(value):
        raise FieldError(name, value, f"a whole number from {low} to {high}")
    return int(value)


def _checked_width(value: object) -> float:
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not real or not 0 < value <= LARGEST:
        raise FieldError("width", value, f"a number above 0 and at most {LARGEST:g}")
    return float(value)


def _checked_limits(value: object) -> tuple[float, float] | str:
    if isinstance(value, str) and value in _NAMED_LIMITS_TEXT:
        return value
    return checked_pair(value, 'a pair of finite numbers lo < hi, "range", "layer" or "rank"')


def checked_pair(value: object, allowed: str) -> tuple[float, float]:
    """Limits as two floats lo < hi; FieldError, saying what is `allowed`, for any others."""
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


def measured(checked: Sequence[Sample]) -> tuple[float, float]:
    """The least and the greatest activation of all replicates."""
    return (
        float(min(s.t.min() for s in checked)),
        float(max(s.t.max() for s in checked)),
    )


def binned(binning: Binning, limits: tuple[float, float] | str, s: Sample) -> Information:
    """The information of one network whose sample is checked; `limits` are those measured."""
    keys = _cell_keys(binning, limits, s.t)
    entropies = _entropies(binning.correction, keys, s.y)
    h_t, i_ty = entropies[0], _shared(*entropies)
    if binning.null:
        i_ty = max(0.0, i_ty - _shuffled_information(binning, keys, s.y))
    i_xt = h_t if s.x is None else _shared(*_entropies(binning.correction, keys, s.x))
    saturated = is_saturated(i_xt, len(s.t))
    return Information(i_xt=i_xt, i_ty=i_ty, h_t=h_t, saturated=saturated)


def _cell_keys(binning: Binning, limits: tuple[float, float] | str, t: np.ndarray) -> np.ndarray:
    if binning.width is not None:
        return width_keys(t, binning.width)
    if binning.by_rank:
        return rank_keys(t, binning.n_bins)
    return bin_keys(t, binning.n_bins, *limits)


def _entropies(correction: str, keys: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """H(T), H(Y) and H(T,Y) in bits."""
    h_t, h_ty = joint_entropies(keys, y)
    h_y = dense_label_entropy(y)
    if correction == "none":
        return h_t, h_y, h_ty
    in_t, in_y, in_ty = (miller_madow(k, len(keys)) for k in occupied_cells(keys, y))
    return h_t + in_t, h_y + in_y, h_ty + in_ty


def _shared(h_t: float, h_y: float, h_ty: float) -> float:
    return max(0.0, h_t + h_y - h_ty)


def _shuffled_information(binning: Binning, keys: np.ndarray, y: np.ndarray) -> float:
    orders = shuffled(y, binning.null, binning.seed)
    found = [_shared(*_entropies(binning.correction, keys, order)) for order in orders]
    return sum(found) / len(found)


def doubled_ranks(t: np.ndarray) -> np.ndarray:
    """Twice the mid-rank of every value in its unit, whole numbers; (N, D) -> (N, D).

    The number of values below, and below or equal, added up.
    """
    # Half the memory of the counts, which fit as long as there are fewer than 2^30 rows.
    ranks = np.empty(t.shape, dtype=np.int32)
    for d, unit in enumerate(t.T):
        _, kind, counts = np.unique(unit, return_inverse=True, return_counts=True)
        ranks[:, d] = (2 * np.cumsum(counts) - counts)[kind]
    return ranks


def rank_keys(ranks: np.ndarray, n_bins: int) -> np.ndarray:
    """As `bin_keys`, for bins of equal counts and `doubled_ranks` (N, D)."""
    sizes = [n_bins] * ranks.shape[1]

    def keys(rows: slice) -> np.ndarray:
        cells = ranks[rows].astype(np.int64) * n_bins // (2 * len(ranks))
        return _keys(cells.astype(np.uint64), sizes)

    return np.concatenate([keys(rows) for rows in row_blocks(ranks)])


def bin_keys(t: np.ndarray, n_bins: int, lo: float, hi: float) -> np.ndarray:
    """One key for each row of `t` (N, D), equal where all units fall into equal bins.

    The keys (N,), uint64, are the digits of the row in base `n_bins` where these fit
    into 59 bits, and a hash where they do not.
    """
    if not lo < hi:
        return np.zeros(len(t), dtype=np.uint64)
    multipliers = _multipliers([n_bins] * t.shape[1])
    return bin_sums(np.ascontiguousarray(t.T), n_bins, lo, hi, multipliers)


def width_keys(t: np.ndarray, width: float) -> np.ndarray:
    """As `bin_keys`, for bins floor(t / width) without end.

    Raises FieldError where that is no finite number.
    """
    ends = _width_cells(np.stack([t.min(axis=0), t.max(axis=0)]), width)
    if not np.isfinite(ends).all():
        least = 2 * float(np.abs(t).max()) / _LARGEST_FLOAT
        raise FieldError("width", width, f"at least {least:.1g}, for activations of this size")
    if np.abs(ends).max() > _LARGEST_CELL:
        # Too many bins for whole numbers of 64 bits.
        return np.concatenate([float_keys(_width_cells(t[rows], width)) for rows in row_blocks(t)])
    lowest, highest = ends.astype(np.int64)
    sizes = [int(high) - int(low) + 1 for low, high in zip(lowest, highest, strict=True)]
    blocks = (_width_cells(t[rows], width).astype(np.int64) - lowest for rows in row_blocks(t))
    return np.concatenate([_keys(cells.astype(np.uint64), sizes) for cells in blocks])


def _width_cells(t: np.ndarray, width: float) -> np.ndarray:
    """floor(t / width) as floats, which are whole numbers of any size."""
    with np.errstate(over="ignore"):
        scaled = np.divide(t, width, dtype=np.float64)
    return np.floor(scaled, out=scaled)


def _keys(cells: np.ndarray, sizes: list[int]) -> np.ndarray:
    return weighted_sums(cells, _multipliers(sizes))


def _multipliers(sizes: list[int]) -> np.ndarray:
    if math.prod(sizes) >= 2**_KEY_BITS:
        return odd_multipliers(len(sizes))
    return np.array([math.prod(sizes[:d]) for d in range(len(sizes))], dtype=np.uint64)


def joint_entropies(keys: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """H(T) and H(T,Y) in bits for keys of T (N,) and labels Y.

    H = log N - (1/N) sum_n n log n over the counts n of the distinct values. Soft
    labels (N, C) weigh p(t, y) = (1/N) sum_i [t = t_i] p(y|x_i).
    """
    if y.ndim == 2:
        cells, counts = distinct(keys)
        return binned_entropy(counts), _soft_entropy(cells, counts, y)
    counts, joint = joint_counts(keys, y)
    return binned_entropy(counts), binned_entropy(joint)


def _soft_entropy(cells: np.ndarray, counts: np.ndarray, p_y: np.ndarray) -> float:
    order = np.argsort(cells, kind="stable")
    starts = np.cumsum(counts) - counts
    return entropy_bits(np.add.reduceat(p_y[order], starts, axis=0) / len(cells))


def binned_entropy(counts: np.ndarray) -> float:
    """H = log N - (1/N) sum n log n in bits, for counts n that sum to N; zeros do not count."""
    n = int(counts.sum())
    repeated = counts[counts > 1].astype(np.float64)
    return max(0.0, math.log2(n) - float(np.dot(repeated, np.log2(repeated))) / n)
