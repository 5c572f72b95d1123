"""Doubts about an estimate in words: broken laws of information, too few samples."""

import re

import pandas as pd

from describe import plain
from ibcore.checks import KINDS, worst
from ibcore.sample_size import SETTLED

RISE_X, RISE_Y, BEYOND_X, BEYOND_Y, SATURATED = KINDS

_REASONS = {
    RISE_X: "**Inequality broken for X.** Every layer is computed from the one before it, so it"
    " cannot know more about X (data processing inequality). What the estimator makes of each"
    " layer (bins, noise, kernels, neighbours) is made for each by itself and need not obey: the"
    " rise is the estimator's, not the network's.",
    RISE_Y: "**Inequality broken for Y.** No layer can know more about Y than the one before it;"
    " where the estimate says so, it lost more of the earlier layer.",
    BEYOND_X: "**Above H(X).** No layer can tell more of X than H(X), the entropy of these"
    " samples; this estimator knows no such limit.",
    BEYOND_Y: "**Above H(Y).** No layer can tell more of Y than H(Y), or I(X;Y) where labels are"
    " noisy. A difference of two bounds can, draws of noise can, and so can an entropy that is not"
    " Shannon's.",
    SATURATED: "**Saturated.** Within half a bit of the most that the samples allow (log2 N for"
    " most estimators) nearly all of them are told apart: their number decides, and differences"
    " between layers or epochs mean little.",
}


_EXACTNESS = {
    "exact": (
        ":green-badge[exact]",
        "**Exact.** This network computes with activations on a grid that is no finer than the"
        " estimator's: what is counted is its own information about these inputs, and there is no"
        " choice to make.",
    ),
    "rounded": (
        ":gray-badge[a rounded copy]",
        "**A rounded copy.** This network does not compute on this grid: the numbers are those of"
        " a copy whose activations were rounded to be counted.",
    ),
}


def badges(broken: pd.DataFrame, exact: str | None = None) -> str:
    """One line of Markdown: a badge for each kind of `ibcore.violations`, the worst of it.

    `exact` is what `ibcore.exactness` says of run and estimator.
    """
    words = [] if exact is None else [_EXACTNESS[exact][0]]
    for kind in KINDS:
        rows = broken[broken["kind"] == kind]
        if kind == SATURATED and len(rows):
            layers = ", ".join(str(layer) for layer in rows["layer"])
            words.append(f":gray-badge[saturated: layer {layers}]")
        elif len(rows):
            words.append(f":orange-badge[{plain(worst(kind, rows))}]")
    return " ".join(words)


def spoken(signs: str) -> str:
    """What `badges` says, as it stands in a caption."""
    return "; ".join(re.findall(r"-badge\[((?:\\.|[^\]\\])*)\]", signs))


def reasons(broken: pd.DataFrame, exact: str | None = None) -> list[str]:
    """What each badge means."""
    there = set(broken["kind"])
    known = [] if exact is None else [_EXACTNESS[exact][1]]
    return known + [text for kind, text in _REASONS.items() if kind in there]


def settled(change: pd.DataFrame, names: tuple[str, ...], *, whole: bool = False) -> str:
    """Which layers the last doubling of the samples still moves; `change` is of `growth`.

    `whole`: these samples are all inputs that there are.
    """
    if change.empty:
        return "At least two sizes are needed."
    moving = change[~change["settled"]]
    if moving.empty:
        return "**Settled**: the last doubling of N moves no layer by 0.05 bits or more."
    moved = [
        f"{plain(names[row.layer - 1])} (I(X;T) {row.i_xt:+.2f}, I(T;Y) {row.i_ty:+.2f} bits)"
        for row in moving.itertuples()
    ]
    rest = "; the others have settled" if len(moving) < len(change) else ""
    all_there = (
        " These are all inputs that the task has: the values at this N are complete for it, and"
        " would grow with a larger one."
    )
    return (
        f"**Not settled**: the last doubling of N moves {', '.join(moved)} by {SETTLED} bits or"
        f" more{rest}.{all_there if whole else ''}"
    )
