"""A network before and after its training: how far each layer moved, and what was said of it.

A dissertation of 2019 on the information bottleneck in convolutional networks compared
the information plane of a network with 32 and 64 kernels on MNIST before and after
training, by the KDE's bounds. Read as three sentences: convolutional layers sit at the
maximum of the information when their channels are one vector (`concat`), they move when
the channels are averaged (`mean`), and the prediction layer's I(T;Y) rises. The outcomes
by which each sentence is judged here are ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from ibcore.plane import CHANNELS, View
from ibcore.run import Run

HOLDS, FAILS, UNTOLD = "holds", "does not hold", "cannot be told"

NEAR = 0.5
"""Bits from H(X) within which a layer counts as being at the maximum."""

STILL = 0.05
"""Bits below which a layer has not moved."""

QUANTITIES = ("i_xt", "i_ty")


@dataclass(frozen=True)
class Statement:
    """One sentence of the dissertation and what a run says of it.

    `outcome` is one of HOLDS, FAILS, UNTOLD; `layers` are those that it is about,
    `telling` those of them that speak against it or leave it open.
    """

    name: str
    outcome: str
    layers: tuple[int, ...]
    telling: tuple[int, ...]


def definitions(run: Run, view: View) -> dict[str, View]:
    """The view of the run for each way to join channels; one where it has no images."""
    names = CHANNELS if run.experiment.network.filters else CHANNELS[:1]
    return {name: replace(view, channels=name) for name in names}


def compared(plane: pd.DataFrame, first: int, last: int) -> pd.DataFrame:
    """Every layer at two epochs of a plane, one row per layer and epoch that the plane has.

    Columns: layer, epoch, moment ("before" or "after"), and for I(X;T) and I(T;Y) the mean
    over replicates with `_low` and `_high`, all in bits: where the estimator has bounds,
    their means over replicates; else the mean -+ 2 standard errors over replicates, which
    for a single replicate is the mean itself. `bounded` says which.
    """
    parts = [
        _summary(plane[plane["epoch"] == epoch]).assign(epoch=epoch, moment=moment)
        for epoch, moment in ((first, "before"), (last, "after"))
        if len(plane) and (plane["epoch"] == epoch).any()
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _summary(plane: pd.DataFrame) -> pd.DataFrame:
    layers = plane.groupby("layer")
    columns: dict[str, pd.Series | bool] = {}
    bounded = "i_xt_lower" in plane
    for name in QUANTITIES:
        mean = columns[name] = layers[name].mean()
        if bounded:
            ends = layers[f"{name}_lower"].mean(), layers[f"{name}_upper"].mean()
        else:
            error = layers[name].sem(ddof=1).fillna(0)
            ends = mean - 2 * error, mean + 2 * error
        columns[f"{name}_low"], columns[f"{name}_high"] = ends
    return pd.DataFrame(columns).reset_index().assign(bounded=bounded)


def statements(
    concat: pd.DataFrame, mean: pd.DataFrame, images: Sequence[int], h_x: float
) -> tuple[Statement, ...]:
    """The dissertation's three sentences, judged by the `compared` tables of both definitions.

    The tables must have both moments. `images` are the layers, from 1, whose activations
    are images; h_x is H(X) in bits.

    - maximum: holds where the lower end of I(X;T) is within half a bit of H(X) for all of
      them, before and after; fails where the upper end of one is farther away.
    - movement: holds where the intervals of I(X;T) or of I(T;Y) before and after do not
      meet for any of them; fails where one moves less than 0.05 bits in both.
    - prediction: holds where the interval of the last layer's I(T;Y) lies higher after than
      before, fails where it lies lower or moves less than 0.05 bits.

    In all other cases it cannot be told. Networks without images have the last one only.
    """
    prediction = _prediction(concat[concat["layer"] == concat["layer"].max()])
    if not images:
        return (prediction,)
    return (
        _maximum(concat[concat["layer"].isin(images)], tuple(images), h_x),
        _movement(mean[mean["layer"].isin(images)], tuple(images)),
        prediction,
    )


def _maximum(table: pd.DataFrame, images: tuple[int, ...], h_x: float) -> Statement:
    below = _layers(table, table["i_xt_high"] < h_x - NEAR)
    open_ones = _layers(table, table["i_xt_low"] < h_x - NEAR)
    return _stated("maximum", images, below, open_ones)


def _movement(table: pd.DataFrame, images: tuple[int, ...]) -> Statement:
    moves = {layer: _moves(rows) for layer, rows in table.groupby("layer")}
    still = tuple(layer for layer, outcome in moves.items() if outcome == FAILS)
    unsure = tuple(layer for layer, outcome in moves.items() if outcome == UNTOLD)
    return _stated("movement", images, still, unsure)


def _moves(rows: pd.DataFrame) -> str:
    before, after = (rows[rows["moment"] == m].iloc[0] for m in ("before", "after"))
    if any(_apart(before, after, name) for name in QUANTITIES):
        return HOLDS
    shifts = [abs(after[name] - before[name]) for name in QUANTITIES]
    return FAILS if max(shifts) < STILL else UNTOLD


def _apart(before: pd.Series, after: pd.Series, name: str) -> bool:
    low, high = f"{name}_low", f"{name}_high"
    gap = max(after[low] - before[high], before[low] - after[high])
    return bool(gap > 0 and abs(after[name] - before[name]) >= STILL)


def _prediction(rows: pd.DataFrame) -> Statement:
    layer = int(rows["layer"].iloc[0])
    before, after = (rows[rows["moment"] == m].iloc[0] for m in ("before", "after"))
    rise = after["i_ty"] - before["i_ty"]
    if _apart(before, after, "i_ty"):
        outcome = HOLDS if rise > 0 else FAILS
    else:
        outcome = FAILS if abs(rise) < STILL else UNTOLD
    return Statement("prediction", outcome, (layer,), () if outcome == HOLDS else (layer,))


def _layers(table: pd.DataFrame, rows: pd.Series) -> tuple[int, ...]:
    return tuple(sorted({int(layer) for layer in table.loc[rows, "layer"]}))


def _stated(
    name: str, layers: tuple[int, ...], against: tuple[int, ...], unsure: tuple[int, ...]
) -> Statement:
    """It fails where one layer speaks against it, and is untold where one leaves it open."""
    if against:
        return Statement(name, FAILS, layers, against)
    return Statement(name, UNTOLD, layers, unsure) if unsure else Statement(name, HOLDS, layers, ())
