"""What was claimed of convolutional networks, judged on a run.

A dissertation of 2019 on the information bottleneck in convolutional networks compared
the information plane of a network with 32 and 64 kernels on MNIST before and after
training, by the KDE's bounds. Read as three sentences: convolutional layers sit at the
maximum of the information when their channels are one vector (`concat`), they move when
the information of single channels is averaged (`mean`), and the prediction layer's I(T;Y)
rises. The criteria by which each sentence is judged here are ours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from ibcore.comparison import QUANTITIES

HOLDS, FAILS, UNTOLD = "holds", "does not hold", "cannot be told"

NEAR = 0.5
"""Bits from H(X) within which a layer counts as being at the maximum."""

STILL = 0.05
"""Bits below which a layer has not moved."""


@dataclass(frozen=True)
class Claim:
    """One sentence of the dissertation and what a run says of it.

    `outcome` is one of HOLDS, FAILS, UNTOLD; `layers` are those that it is about,
    `doubtful` those of them that speak against it or, where none does, leave it open.
    """

    name: str
    outcome: str
    layers: tuple[int, ...]
    doubtful: tuple[int, ...]


def claims(
    tables: Mapping[str, pd.DataFrame], images: Sequence[int], h_x: float
) -> tuple[Claim, ...]:
    """The three sentences, judged by the tables of `compared` for "concat" and "mean".

    The tables must have both moments. `images` are the layers, from 1, whose activations
    are images, convolutional or pooled; h_x is H(X) in bits. Of each layer's interval from
    `_low` to `_high`, before and after:

    - maximum: holds where for all of them, at both moments, the interval of I(X;T) lies within
      half a bit of H(X), which must be more than one bit; fails where one lies wholly more than
      half a bit below.
    - movement: holds where each of them moves, fails where one stays.
    - prediction: holds where the last layer moves up in I(T;Y), fails where it moves down or
      stays.

    To move is to have intervals of I(X;T) or I(T;Y) that lie apart, and means that differ by
    0.05 bits or more; to stay is to have means and both ends of the intervals that differ by less,
    in both quantities. In all other cases it cannot be told, nor is it by a single replicate
    without bounds. Networks without images have the last sentence only.
    """
    concat = tables["concat"]
    last = int(concat["layer"].max())
    prediction = _claim("prediction", {last: _rising(concat, last)})
    if not images:
        return (prediction,)
    maximum = {layer: _at_maximum(concat, layer, h_x) for layer in images}
    movement = {layer: _moving(tables["mean"], layer) for layer in images}
    return (_claim("maximum", maximum), _claim("movement", movement), prediction)


def _claim(name: str, by_layer: Mapping[int, str]) -> Claim:
    """It fails where one layer speaks against it, and is untold where one leaves it open."""
    for outcome in (FAILS, UNTOLD):
        doubtful = tuple(layer for layer, found in by_layer.items() if found == outcome)
        if doubtful:
            return Claim(name, outcome, tuple(by_layer), doubtful)
    return Claim(name, HOLDS, tuple(by_layer), ())


def _at_maximum(table: pd.DataFrame, layer: int, h_x: float) -> str:
    if h_x <= 2 * NEAR:
        # All of so short an axis is near its end.
        return UNTOLD
    rows = table[table["layer"] == layer]
    if (rows["i_xt_high"] < h_x - NEAR).any():
        return FAILS
    within = (rows["i_xt_low"] >= h_x - NEAR) & (rows["i_xt_high"] <= h_x + NEAR)
    return HOLDS if within.all() else UNTOLD


def _moving(table: pd.DataFrame, layer: int) -> str:
    if any(_shift(table, layer, name) for name in QUANTITIES):
        return HOLDS
    return FAILS if all(_stays(table, layer, name) for name in QUANTITIES) else UNTOLD


def _rising(table: pd.DataFrame, layer: int) -> str:
    shift = _shift(table, layer, "i_ty")
    if shift > 0:
        return HOLDS
    return FAILS if shift < 0 or _stays(table, layer, "i_ty") else UNTOLD


def _moments(table: pd.DataFrame, layer: int) -> tuple[pd.Series, pd.Series]:
    rows = table[table["layer"] == layer].set_index("moment")
    return rows.loc["before"], rows.loc["after"]


def _shift(table: pd.DataFrame, layer: int, name: str) -> float:
    """By how many bits the mean moved, 0 where the intervals meet or it hardly moved."""
    before, after = _moments(table, layer)
    low, high, shift = f"{name}_low", f"{name}_high", after[name] - before[name]
    # With NaN for an end both comparisons are false.
    apart = after[low] > before[high] or before[low] > after[high]
    return float(shift) if apart and abs(shift) >= STILL else 0.0


def _stays(table: pd.DataFrame, layer: int, name: str) -> bool:
    before, after = _moments(table, layer)
    places = [name, f"{name}_low", f"{name}_high"]
    return bool((abs(after[places] - before[places]).astype(float) < STILL).all())
