"""Verdict maps in words: robust, dependent on the estimator, or absent."""

from collections.abc import Mapping, Sequence

import pandas as pd

from charts.ladder import value_title
from describe import plain
from ibcore import robustness
from ibcore.verdicts import together

Robustness = Mapping[int, tuple[str, list[float]]]


def known(title: str, exact: Robustness, names: tuple[str, ...]) -> str:
    """One sentence for a run whose information is counted exactly, by that alone."""
    sure = ("robust", "depends")
    falls = [names[i - 1] for i, (kind, _) in exact.items() if kind in sure]
    stays = [names[i - 1] for i, (kind, _) in exact.items() if kind not in sure]
    parts = [f"compression in {_listed(falls)}"] if falls else []
    parts += [f"none beyond doubt in {_listed(stays)}"] if stays else []
    return (
        f"**{plain(title)}: its activations are on a grid, so that its information is known"
        f" exactly: {'; '.join(parts)}.** Other maps show what estimators would have said."
    )


def overall(
    title: str, found: Sequence[Robustness], names: tuple[str, ...], *, so_far: bool = False
) -> str:
    """One sentence for a run through several families; `found` is the `robustness` by each."""
    layers = together(found)
    title = f"{title}, so far" if so_far else title
    if not layers:
        return f"**{plain(title)}: too few replicates for a verdict, 5 are needed.**"
    words = {
        "robust": "compression by every estimator at every value in",
        "depends": "compression that depends on the estimator or its value in",
        "absent": "no compression by any of them in",
        "untold": "saturated, so that nothing can be told, in",
    }
    by_kind = {kind: [names[i - 1] for i in layers if layers[i] == kind] for kind in words}
    parts = [f"{words[kind]} {_listed(some)}" for kind, some in by_kind.items() if some]
    return f"**{plain(title)}: {'; '.join(parts)}.**"


def summary(title: str, verdicts: pd.DataFrame, parameter: str, names: tuple[str, ...]) -> str:
    """One sentence for a run through one family of estimators."""
    found = robustness(verdicts, parameter)
    if not found:
        return f"**{plain(title)}**: too few replicates for a verdict, 5 are needed."
    ladder = sorted(verdicts[parameter].unique())
    parts = []
    robust = [names[layer - 1] for layer, (kind, _) in found.items() if kind == "robust"]
    absent = [names[layer - 1] for layer, (kind, _) in found.items() if kind == "absent"]
    if robust:
        whole = all(
            len(values) == len(ladder) for kind, values in found.values() if kind == "robust"
        )
        where = "every value" if whole else "every value that is not saturated"
        parts.append(f"compression at {where}, so robust here, in {_listed(robust)}")
    depends = [
        f"{plain(names[layer - 1])} ({_where(values, ladder, parameter)})"
        for layer, (kind, values) in found.items()
        if kind == "depends"
    ]
    if depends:
        parts.append(f"compression that depends on the value in {', '.join(depends)}")
    if absent:
        everywhere = len(absent) == len(found)
        parts.append("absent in every layer" if everywhere else f"absent in {_listed(absent)}")
    untold = [names[layer - 1] for layer, (kind, _) in found.items() if kind == "untold"]
    if untold:
        parts.append(f"not to be told, because saturated, in {_listed(untold)}")
    return f"**{plain(title)}**: {'; '.join(parts)}."


def strip(
    verdicts: pd.DataFrame, names: tuple[str, ...], label: str, *, exact: bool = False
) -> str:
    """The verdict on every layer by one estimator, in a line; empty without verdicts.

    Where counting is `exact`, a layer that is saturated keeps what there is.
    """
    if verdicts.empty:
        return ""
    table = verdicts.set_index("layer")
    if (table["verdict"] == "too few replicates").all():
        return f"{plain(label)}: too few replicates for a verdict on compression, 5 are needed."
    sure = [layer for layer, row in table.iterrows() if row["verdict"] == "compresses"]
    untold = [layer for layer in table.index if table.loc[layer, "saturated"] and layer not in sure]
    words = [f"layer {plain(names[i - 1])} {plain(_fall(table.loc[i]))}" for i in sure]
    parts = [f"**{'; '.join(words)}**" if words else "**no layer compresses** beyond doubt"]
    if untold:
        numbers = ", ".join(map(str, untold))
        keeps = f"layer {numbers} keep all but half a bit of what these inputs have"
        blind = f"of layer {numbers} it cannot be told, because they are saturated"
        parts.append(keeps if exact else blind)
    if words and len(sure) + len(untold) < len(table):
        parts.append("for the others it is not beyond doubt")
    return f"{plain(label)}: {'; '.join(parts)}."


def _fall(row: pd.Series) -> str:
    ends = f"[{row['drop_lower']:.1f}, {row['drop_upper']:.1f}]"
    return f"compresses by {row['drop']:.1f} bits {ends}"


def _listed(names: list[str]) -> str:
    return plain(", ".join(names))


def _where(values: list[float], ladder: list[float], parameter: str) -> str:
    """The values as a stretch of the ladder where they are one, else how many they are."""
    n = len(values)
    if values == ladder[-n:]:
        return f"from {value_title(parameter, values[0])} on"
    if values == ladder[:n]:
        return f"up to {value_title(parameter, values[-1])}"
    return f"at {n} of {len(ladder)} values"
