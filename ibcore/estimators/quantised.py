"""Exact counting for quantised networks: the entropies of activations on a grid.

Lorenzen, Igel and Nielsen (2022), Information bottleneck: exact analysis of (quantized)
neural networks. The activations of a quantised network take finitely many
values, so that their entropies are counted without an estimate.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ibcore.estimators.binning import Binning, binned, checked_pair, checked_whole, measured
from ibcore.estimators.information import Information, samples, stack
from ibcore.experiment import MAX_BITS

BITS_LADDER = tuple(range(1, MAX_BITS + 1))


@dataclass(frozen=True)
class Quantised:
    """T rounded to the nearest of 2^bits evenly spaced levels, halves up, and counted.

    On limits (lo, hi) the levels are lo + k s for k = 0 .. 2^bits - 1 with the step
    s = (hi - lo) / (2^bits - 1); what lies beyond the limits goes to the outer levels. This
    is `Binning` into 2^bits bins on [lo - s/2, hi + s/2]. Limits `"grid"` are, for the
    layers of a run, the range of their activation, see
    `ibcore.plane.with_measured_limits`; of activations alone, their own least and
    greatest.

    Activations on a grid of b bits are counted exactly by every bits >= b on the same
    limits: numbers that round to one level of the finer grid lie less than its step s
    apart, and levels of the coarser one at least (hi - lo) / (2^b - 1) >= s. So no two of
    them become one, rounding is one-to-one on them, and I is the network's own, with
    no choice left to make. (In floating point too: the levels of b = bits lie half a
    step from the next edge, those of b < bits at least 2s apart, and single precision
    moves them by less than s/100.) Where activations are not on a grid, or on a finer
    one, I is that of a rounded copy. See `ibcore.plane.exactness`.
    """

    bits: int = 8
    limits: tuple[float, float] | str = "grid"

    def __post_init__(self):
        object.__setattr__(self, "bits", checked_whole("bits", self.bits, 1, MAX_BITS))
        if not isinstance(self.limits, str) or self.limits != "grid":
            pair = checked_pair(self.limits, 'a pair of finite numbers lo < hi, or "grid"')
            object.__setattr__(self, "limits", pair)

    @property
    def parameter(self) -> str:
        return "bits"

    @property
    def default_ladder(self) -> tuple[float, ...]:
        return BITS_LADDER

    @property
    def needs_range(self) -> bool:
        """Whether the limits are still to be found."""
        return self.limits == "grid"

    @property
    def label(self) -> str:
        where = "" if self.needs_range else f" on [{self.limits[0]:g}, {self.limits[1]:g}]"
        return f"Quantised, {self.bits}-bit grid{where}"

    def information(self, t, y, x=None) -> Information:
        """I(X;T) = H(T) - H(T|X), I(T;Y) = H(T) + H(Y) - H(T,Y) and H(T) of the rounded T, bits.

        H(T|X) is 0 unless rows of equal id in `x` are rounded to different levels.

        Arguments: t (N, D) or (R, N, D); y (N,) or (R, N) labels, or p(y|x) as
        (N, C) or (R, N, C); x (N,) or (R, N) ids of equal inputs, None where all
        differ. Raises ValueError for input that does not fit or is not finite.
        """
        return self.ladder(t, y, [self.bits], x)[0]

    def ladder(self, t, y, values: Sequence[float], x=None) -> list[Information]:
        """`information` for each number of bits."""
        rungs = [replace(self, bits=value) for value in values]
        checked = samples(t, y, x)
        limits = measured(checked) if self.needs_range else self.limits
        return [
            stack([_counted(rung.bits, *limits, s) for s in checked], np.ndim(t) == 3)
            for rung in rungs
        ]


def _counted(bits, low, high, sample) -> Information:
    """The levels are the middles of bins that reach half a step beyond the limits."""
    half = (high - low) / (2**bits - 1) / 2
    return binned(Binning(2**bits), (low - half, high + half), sample)
