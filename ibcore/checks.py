"""What an estimate of mutual information cannot be true of: checks of an information plane.

Layers form a Markov chain Y - X - T_1 - ... - T_L, so that I(X;T_l) and I(T_l;Y) cannot
rise with l (data processing inequality: Cover and Thomas 2006, Theorem 2.8.1), and
I(X;T) <= H(X), I(T;Y) <= H(Y). An estimator that bins every layer, or adds noise to
every layer, measures other variables than T_1 .. T_L, which form no chain: it may
break all of these, and then the number is a property of the estimator.
"""

import numpy as np
import pandas as pd

from ibcore.tables import by_layer

TOLERANCE = 0.05
"""Bits by which the mean over replicates must break a law to be named."""

KINDS = ("i_xt rises", "i_ty rises", "i_xt beyond H(X)", "i_ty beyond H(Y)", "saturated")
COLUMNS = ("kind", "layer", "epoch", "bits", "share")


def violations(plane: pd.DataFrame, h_x: float, h_y: float) -> pd.DataFrame:
    """The laws that the means over replicates break, one row for each kind and layer.

    `plane` is the table of `information_plane`; h_x, h_y in bits. Columns: kind (of
    KINDS), layer (of a rise: the later of the two), epoch where it is worst, `bits`
    beyond the law there, and the share of the checkpoints that break it by more than
    0.05 bits. For "saturated", layer and epoch are those where most replicates are
    within half a bit of the most that the samples allow; `bits` is NaN.
    """
    layers, epochs, columns = by_layer(plane, "i_xt", "i_ty", "saturated")
    i_xt, i_ty, saturated = (_mean(column) for column in columns.values())
    often = (saturated > 0.5).astype(float)
    rows = [
        *_rows(KINDS[0], layers[1:], epochs, _rises(i_xt)),
        *_rows(KINDS[1], layers[1:], epochs, _rises(i_ty)),
        *_rows(KINDS[2], layers, epochs, i_xt - h_x),
        *_rows(KINDS[3], layers, epochs, i_ty - h_y),
        *({**row, "bits": np.nan} for row in _rows(KINDS[4], layers, epochs, often)),
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _mean(values: np.ndarray) -> np.ndarray:
    """Of the replicates that have a value, (L, R, K) -> (L, K); NaN where none has."""
    there = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(there, values, 0).sum(axis=1) / there.sum(axis=1)


def _rises(means: np.ndarray) -> np.ndarray:
    """From each layer to the next, (L, K) -> (L - 1, K); NaN between two infinities."""
    with np.errstate(invalid="ignore"):
        return np.diff(means, axis=0)


def _rows(kind: str, layers: np.ndarray, epochs: np.ndarray, excess: np.ndarray) -> list[dict]:
    """One for each layer of which the excess (layers, epochs) is somewhere above the tolerance."""
    return [
        {"kind": kind, "layer": layer, "epoch": epochs[np.nanargmax(row)], "bits": np.nanmax(row)}
        | {"share": np.mean(row > TOLERANCE)}
        for layer, row in zip(layers, excess, strict=True)
        if (row > TOLERANCE).any()
    ]
