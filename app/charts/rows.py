"""The named data sets of a figure: tables, and lists of JSON values where they are short.

The rows stand apart from the specification, which names them only. So a chart
on a page keeps its epoch while data arrive, because its specification is the same.
"""

import math
from itertools import pairwise

import numpy as np
import pandas as pd

from charts.settings import FigureSettings, PlaneSettings
from charts.spec import Rows
from charts.tables import (
    BOUNDS,
    history_mean,
    mean_table,
    turning_points,
    with_checkpoint,
)

MEAN_COLUMNS = (
    *("layer", "name", "k", "epoch", "i_xt", "i_ty", *BOUNDS, "saturated"),
    *(f"{name}_{end}" for name in ("i_xt", "i_ty") for end in ("low", "high")),
    "tip",
)
TITLES = {"i_xt": "I(X;T)", "i_ty": "I(T;Y)", "h_t": "H(T)"}
SATURATION = {
    True: "× saturated in most replicates: close to the most that the samples allow",
    False: "no estimate is saturated (close to the most that the samples allow)",
}
SINGLE_PATHS = 20
"""More paths of single replicates than these cannot be told apart and slow the chart down."""
A_BEND = 0.003
"""Part of an axis, some 1.4 pixels, by which the path of a replicate bends where one sees it."""
HISTORY_COLUMNS = (
    *("epoch", "split", "loss", "loss_low", "loss_high"),
    *("accuracy", "accuracy_low", "accuracy_high"),
)


def plane_rows(
    table: pd.DataFrame, history: pd.DataFrame, settings: PlaneSettings
) -> dict[str, Rows]:
    """Every data set of the plane figure by name."""
    table = with_checkpoint(table, settings.epochs)
    losses = history if "split" in history else history_mean(history)
    return {
        "means": mean_rows(table, settings),
        "replicates": _replicates(table, settings),
        "checkpoints": _checkpoints(table, settings.epochs),
        "history": losses[list(HISTORY_COLUMNS)].round(5),
        "splits": [{"split": name, "slot": i} for i, name in enumerate(losses["split"].unique())],
        "layers": layer_rows(settings),
        "labels": [_labels(table, settings)],
    }


def key_columns(settings: FigureSettings) -> int:
    """How many layers stand side by side in the key."""
    place = 36 + 7 * max(map(len, settings.layer_names))
    return max(1, min(settings.n_layers, settings.width // place))


def layer_rows(settings: FigureSettings) -> list[dict]:
    """The entries of the key: name and place of each layer."""
    places = enumerate(settings.layer_names)
    columns = key_columns(settings)
    return [
        {"layer": i + 1, "name": name, "column": i % columns, "row": i // columns}
        for i, name in places
    ]


def _labels(table: pd.DataFrame, settings: PlaneSettings) -> dict[str, str]:
    heading = " · ".join(text for text in (settings.title, settings.estimator_label) if text)
    n = table["replicate"].nunique()
    signs = ["hollow: first epoch", "large: epoch shown"]
    some = f"{SINGLE_PATHS} of the {n}" if n > SINGLE_PATHS else "single"
    signs += [f"thin: {some} replicates"] if n > 1 else []
    signs += ["bars: lower to upper bound"] if "i_xt_lower" in table else []
    band = f"mean ± 1 sd of {n} replicates" if n > 1 else "1 replicate"
    return {
        "heading": heading,
        "band": band,
        "signs": " · ".join(signs),
        "saturation": SATURATION[often_saturated(table)],
    }


def often_saturated(table: pd.DataFrame) -> bool:
    """Whether some point is saturated in more than half of its replicates."""
    return bool((table.groupby(["k", "layer"])["saturated"].mean() > 0.5).any())


def mean_rows(table: pd.DataFrame, settings: PlaneSettings, by: str | None = None) -> pd.DataFrame:
    """One row per checkpoint, layer and, if given, value of `by`; `table` has the index `k`.

    Columns that the estimator does not fill are left out.
    """
    extra = [by] if by else []
    means = mean_table(table, by=("k", "epoch", "layer", *extra))
    names = dict(enumerate(settings.layer_names, start=1))
    layer_names = [names[layer] for layer in means["layer"].tolist()]
    often = (2 * means["saturated"] > means["replicates"]).astype(int)
    means = means.assign(name=layer_names, tip=_tips(means, layer_names), saturated=often)
    # A browser takes its time over every cell, so a column without a number stays at home.
    return means[[*extra, *MEAN_COLUMNS]].round(5).dropna(axis="columns", how="all")


def _replicates(table: pd.DataFrame, settings: PlaneSettings) -> Rows:
    """The paths of single replicates, without the points that do not bend them."""
    first = np.unique(table["replicate"])[:SINGLE_PATHS]
    if len(first) < 2:
        return []
    ordered = table[table["replicate"].isin(first)].sort_values(["layer", "replicate", "k"])
    x = (ordered["i_xt"].to_numpy() / settings.h_x).tolist()
    y = (ordered["i_ty"].to_numpy() / settings.h_y).tolist()
    kept = []
    for start, end in _stretches(ordered[["layer", "replicate"]].to_numpy()):
        bends = turning_points(x[start:end], y[start:end], A_BEND)
        kept.extend(start + i for i in bends)
    return ordered[["layer", "replicate", "k", "i_xt", "i_ty"]].iloc[kept].round(4)


def _stretches(keys: np.ndarray) -> list[tuple[int, int]]:
    """First and behind the last index of each stretch of equal rows."""
    changes = np.flatnonzero((keys[1:] != keys[:-1]).any(axis=1)) + 1
    edges = [0, *changes.tolist(), len(keys)]
    return list(pairwise(edges))


def _checkpoints(table: pd.DataFrame, epochs: tuple[int, ...]) -> list[dict]:
    """Every checkpoint there will be, each with the one to show as long as it is missing."""
    there = set(table["k"])
    shown, rows = min(there, default=-1), []
    for k, epoch in enumerate(epochs):
        shown = k if k in there else shown
        rows.append({"k": k, "epoch": epoch, "shown": shown})
    return rows


def _tips(means: pd.DataFrame, layer_names: list[str]) -> list[str]:
    """All numbers of one mean as the lines of one text: drawing a field per number is slow."""
    epochs = [f"epoch {epoch:,}" for epoch in means["epoch"].tolist()]
    numbers = [_with_sd(means, name, title) for name, title in TITLES.items()]
    bounds = [_intervals(means, name, TITLES[name]) for name in ("i_xt", "i_ty")]
    lines = zip(layer_names, epochs, *numbers, *bounds, _replicate_note(means), strict=True)
    return ["\n".join(filter(None, line)) for line in lines]


def _with_sd(means: pd.DataFrame, name: str, title: str) -> list[str]:
    pairs = zip(means[name].tolist(), means[f"{name}_sd"].tolist(), strict=True)
    return [f"{title} {_number(m, sd)}" for m, sd in pairs]


def _number(value: float, sd: float) -> str:
    if not math.isfinite(value):
        return "not estimated"
    return f"{value:.3f}" + (f" ± {sd:.3f}" if math.isfinite(sd) else "") + " bits"


def _intervals(means: pd.DataFrame, name: str, title: str) -> list[str]:
    pairs = zip(means[f"{name}_lower"].tolist(), means[f"{name}_upper"].tolist(), strict=True)
    return [f"{title} from {a:.3f} to {b:.3f}" if math.isfinite(a + b) else "" for a, b in pairs]


def _replicate_note(means: pd.DataFrame) -> list[str]:
    pairs = zip(means["replicates"].tolist(), means["saturated"].tolist(), strict=True)
    return [f"replicates: {n}" + (f", {s} saturated" if s else "") for n, s in pairs]
