"""Estimators on trial and the three neurons in words."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from describe import plain, versions
from families import FAMILIES
from ibcore.estimators import Binning, Estimator, to_dict
from ibcore.theory import TRUTHS, Truth
from ibcore.trials import CONTENDERS, contender

MEASURES = {
    "width": "bins of width 2/n, without limits",
    "limits": "n bins on [−1, 1]",
    "range": "n bins on the range of the unit",
    "rank": "n bins of equal counts",
    "noise": "Gaussian noise instead of bins",
}
"""What is done to T in the model of three neurons, by the names of the theory."""

_REASONS = {
    "width": "The bins stay as wide while the range of the unit grows.",
    "limits": "What lies beyond [−1, 1] shares the outer bins: there a ReLU seems to compress like"
    " a tanh, and so does a linear unit.",
    "range": "The bins grow with the range of the unit; more and more of a tanh lies at its ends.",
    "rank": "Bins of equal counts follow any rising map. The ReLU is lower because half of it is 0,"
    " which is information that is really gone.",
    "noise": "Noise of fixed variance is a resolution too: it is small beside a large signal, and"
    " of a tanh that saturates it leaves the sign.",
}
_SAME = 0.02
"""Bits that a curve may move by and be said to stay."""


def lesson(measure: str, curves: pd.DataFrame) -> str:
    """What the curves do as the gain grows, and why; `curves` are those of `gain_curves`."""
    names = {"tanh": "tanh", "relu": "ReLU", "linear": "linear"}
    ways = [
        f"**{names[activation]} {_way(rows.sort_values('w')['i_xt'].to_numpy())}**"
        for activation, rows in curves.groupby("activation", sort=False)
    ]
    return f"{_REASONS[measure]} As the gain grows, {', '.join(ways)}."


def _way(bits: np.ndarray) -> str:
    first, most, last = bits[0], bits.max(), bits[-1]
    if most - bits.min() < _SAME:
        return f"stays at {last:.2f} bits"
    if most - last < _SAME:
        return f"rises from {first:.2f} to {last:.2f} bits"
    if most - first < _SAME:
        return f"falls from {first:.2f} to {last:.2f} bits"
    return f"rises to {most:.2f}, then falls to {last:.2f} bits"


def contender_names() -> dict[str, str]:
    """The contenders as the page names them, by their names in tables."""
    return {contender(estimator): _name(estimator) for estimator in CONTENDERS}


def _name(estimator: Estimator) -> str:
    family = to_dict(estimator)["family"]
    short = FAMILIES[family].short if family in FAMILIES else family
    if not isinstance(estimator, Binning):
        return short
    corrected = ", Miller-Madow" if estimator.correction != "none" else ""
    return short + corrected + (f", less {estimator.null} shuffles" if estimator.null else "")


def case_lines(truth: Truth) -> list[str]:
    """What the case is, what of it is known and from where, as Markdown."""
    what = "the case's bins" if truth.after == "binning" else "the case's noise"
    return [
        f"**{plain(truth.title)}.** {plain(truth.derivation)}",
        f"Known exactly: **{plain(truth.label)}: {truth.value:.4f} bits**. Estimators that can be"
        f" set to {what} are; the others answer with their own settings, to another question."
        f" Source: {plain(truth.source)}.",
    ]


def verdict_lines(summary: pd.DataFrame) -> list[str]:
    """What the answers of one case amount to, as lines of Markdown."""
    asked = summary[summary["target"]]
    lines = [_line(row) for row in asked.itertuples()]
    others = summary[~summary["target"]]
    if len(others):
        lines.append(
            f"{plain('; '.join(others['name']))}: asked for another quantity, so how far they are"
            " from the line is no error of theirs."
        )
    return lines


def _line(row) -> str:
    name = f"**{plain(row.name)}**"
    if not math.isfinite(row.estimate):
        return f"{name} refuses: {plain(row.note)}"
    spread = f" ± {row.sd:.4f}" if math.isfinite(row.sd) else ""
    limited = "; the number of samples limits it" if row.saturated else ""
    if math.isfinite(row.lower) and math.isfinite(row.upper):
        holds = row.lower <= row.truth <= row.upper
        found = "hold the truth" if holds else "**miss the truth**"
        drawn = f"the value itself, {row.estimate:.4f}, is {row.error:+.4f} bits off"
        return f"{name}: bounds {row.lower:.4f} to {row.upper:.4f} {found}; {drawn}{limited}."
    return f"{name}: {row.estimate:.4f}{spread}, error {row.error:+.4f} bits{limited}."


def trial_caption(seen: str, n: int, count: int, command: str) -> list[str]:
    """The lines below an exported figure of trials."""
    return [f"{seen}. {n:,} samples, {seed_words(count)}.", versions(command)]


def seed_words(count: int) -> str:
    """The number of seeds, with what there is to say of it."""
    return "one seed, so no spread is known" if count == 1 else f"{count} seeds"


def case_titles() -> dict[str, str]:
    """The cases as the page names them."""
    return {name: truth.title for name, truth in TRUTHS.items()}


def trial_command(n: int, count: int, cases: Sequence[str] = ()) -> str:
    """The command that makes the table of trials again."""
    chosen = "".join(f" --case {name}" for name in cases)
    return f"python -m ibcore trials --n {n} --seeds {count}{chosen} --out trials.csv"
