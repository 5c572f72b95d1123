"""Estimators on trial and the three neurons in words."""

import math
from collections.abc import Sequence

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

LESSONS = {
    "width": "The bins stay as wide while the unit's range grows: **ReLU and linear rise** without"
    " end, and **tanh rises, then falls** to 1 bit, as its range ends at ±1 and the outer bins"
    " fill.",
    "limits": "What lies beyond [−1, 1] shares the outer bins, and now **all three rise, then"
    " fall** to 1 bit: a ReLU seems to compress like a tanh, and so does a linear unit.",
    "range": "The bins grow with the unit's range, so **ReLU and linear stay the same** whatever w"
    " is; **tanh rises, then falls**, as more and more of it lies at the ends of its range.",
    "rank": "Bins of equal counts follow any rising map: **all three stay the same**. The ReLU is"
    " lower because half of it is 0, which is information that is really gone.",
    "noise": "Noise of fixed variance is a resolution too: **ReLU and linear rise**, as the noise"
    " becomes small beside the signal, and **tanh rises, then falls** towards the one bit that its"
    " sign can tell.",
}


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
        return f"{name}: bounds {row.lower:.4f} to {row.upper:.4f} {found}{limited}."
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
