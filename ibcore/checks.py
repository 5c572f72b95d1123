"""What an estimate of mutual information cannot be true of: checks of an information plane.

Layers form a Markov chain Y - X - T_1 - ... - T_L, so that I(X;T_l) and I(T_l;Y) cannot
rise with l (data processing inequality: Cover and Thomas 2006, Theorem 2.8.1), and
I(X;T) <= H(X), I(T;Y) <= H(Y). An estimator that bins every layer, or adds noise to
every layer, measures other variables than T_1 .. T_L, which form no chain: it may
break all of these, and then the number is a property of the estimator.
"""

import pandas as pd

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
    means = plane.groupby(["layer", "epoch"])[["i_xt", "i_ty", "saturated"]].mean()
    i_xt, i_ty = (means[name].unstack("epoch") for name in ("i_xt", "i_ty"))
    beyond = {
        KINDS[0]: i_xt.diff().iloc[1:],
        KINDS[1]: i_ty.diff().iloc[1:],
        KINDS[2]: i_xt - h_x,
        KINDS[3]: i_ty - h_y,
    }
    rows = [row for kind, excess in beyond.items() for row in _rows(kind, excess)]
    often = means["saturated"].unstack("epoch") > 0.5
    rows += [
        {"kind": KINDS[4], "layer": layer, "epoch": row.idxmax(), "bits": float("nan")}
        | {"share": row.mean()}
        for layer, row in often.iterrows()
        if row.any()
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows(kind: str, excess: pd.DataFrame) -> list[dict]:
    return [
        {"kind": kind, "layer": layer, "epoch": row.idxmax(), "bits": row.max()}
        | {"share": (row > TOLERANCE).mean()}
        for layer, row in excess.iterrows()
        if (row > TOLERANCE).any()
    ]
