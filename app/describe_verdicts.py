"""Verdict maps in words: robust, dependent on the estimator, or absent."""

from collections.abc import Mapping, Sequence

import pandas as pd

from charts.ladder import value_title
from describe import plain
from ibcore import robustness
from ibcore.verdicts import together


def overall(
    title: str, found: Sequence[Mapping[int, tuple[str, list[float]]]], names: tuple[str, ...]
) -> str:
    """One sentence for a run through several families; `found` is the `robustness` by each."""
    layers = together(found)
    if not layers:
        return f"**{plain(title)}: too few replicates for a verdict, 5 are needed.**"
    words = {
        "robust": "compression by every estimator at every value in",
        "depends": "compression that depends on the estimator or its value in",
        "absent": "no compression by any of them in",
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
        parts.append(f"compression at every value, so robust here, in {_listed(robust)}")
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
    return f"**{plain(title)}**: {'; '.join(parts)}."


def strip(verdicts: pd.DataFrame, names: tuple[str, ...], label: str) -> str:
    """The verdict on every layer by one estimator, in a line; empty without verdicts."""
    if verdicts.empty:
        return ""
    table = verdicts.set_index("layer")
    if (table["verdict"] == "too few replicates").all():
        return f"{plain(label)}: too few replicates for a verdict on compression, 5 are needed."
    sure = [layer for layer, row in table.iterrows() if row["verdict"] == "compresses"]
    if not sure:
        return f"{plain(label)}: **no layer compresses** beyond doubt."
    words = [f"layer {plain(names[i - 1])} {plain(_fall(table.loc[i]))}" for i in sure]
    rest = "; for the others it is not beyond doubt" if len(sure) < len(table) else ""
    return f"{plain(label)}: **{'; '.join(words)}**{rest}."


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
