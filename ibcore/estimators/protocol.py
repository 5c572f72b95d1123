"""What every estimator has in common."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from ibcore.estimators.information import Information


class Estimator(Protocol):
    """A frozen dataclass whose fields are all its settings.

    One that takes no more than so many samples has their number as `most_samples`. One
    whose `needs_inputs` is True takes the points X besides, as a keyword of `information`
    and `ladder`: inputs (N, D0), or (R, N, D0) where replicates have their own.
    """

    @property
    def parameter(self) -> str:
        """The field that a ladder varies."""

    @property
    def default_ladder(self) -> tuple[float, ...]:
        """The values offered for `parameter`, rising."""

    @property
    def label(self) -> str:
        """The estimator with its settings, in a few words."""

    def information(self, t: np.ndarray, y: np.ndarray, x: np.ndarray | None = None) -> Information:
        """I(X;T) and I(T;Y) in bits; t (N, D) or (R, N, D)."""

    def ladder(
        self, t: np.ndarray, y: np.ndarray, values: Sequence[float], x: np.ndarray | None = None
    ) -> list[Information]:
        """`information` at each value of `parameter`."""
