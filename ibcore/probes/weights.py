"""The size of a layer's weights, and how alike its units' incoming weights are."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from ibcore.run import Run


@dataclass(frozen=True)
class WeightProbe:
    """||W|| and the mean absolute cosine between the incoming weights of two units.

    With the rows w_i of W, the mean over pairs i < j of |w_i . w_j| / (||w_i|| ||w_j||):
    1 where all units look at the same direction. NaN for a layer of one unit. The units of
    a convolution are its kernels; layers that pool have no weights and no rows.
    """

    family: ClassVar[str] = "weights"

    def check(self, run: Run) -> None:
        """Every run can answer."""

    def cost(self, run: Run) -> float:
        """Every pair of units."""
        pairs = (w.shape[2] * math.prod(w.shape[2:]) for w in run.weights)
        return float(sum(pairs)) * run.n_replicates

    def rows(self, run: Run, k: int) -> pd.DataFrame:
        """Columns epoch, layer, replicate, weight_norm, cosine."""
        replicates = np.flatnonzero(run.sound(k))
        tables = []
        for layer, weights in zip(run.weighted_layers, run.weights, strict=True):
            incoming = math.prod(weights.shape[3:])
            w = weights[k, replicates].astype(float).reshape(-1, weights.shape[2], incoming)
            columns = {"epoch": run.epochs[k], "layer": layer, "replicate": replicates}
            columns |= {"weight_norm": np.linalg.norm(w, axis=(1, 2))}
            columns |= {"cosine": np.array([mean_cosine(one) for one in w])}
            tables.append(pd.DataFrame(columns))
        return pd.concat(tables, ignore_index=True)


def mean_cosine(w: np.ndarray) -> float:
    """Mean over pairs of rows of the absolute cosine between them; w is (D_out, D_in).

    Rows of zeros have no direction and are left out; NaN where fewer than two remain.
    """
    norms = np.linalg.norm(w, axis=1)
    units = w[norms > 0] / norms[norms > 0, None]
    if len(units) < 2:
        return np.nan
    cosines = np.abs(units @ units.T)
    n = len(units)
    return float((cosines.sum() - np.trace(cosines)) / (n * (n - 1)))
