"""The named data sets of a figure, as plain JSON rows.

The rows stand apart from the specification, which names them only. So a chart
on a page keeps its epoch while data arrive, because its specification is the same.
"""

import math

import numpy as np
import pandas as pd

from charts.settings import PlaneSettings
from charts.tables import (
    BOUNDS,
    QUANTITIES,
    history_mean,
    mean_table,
    records,
    turning_points,
    with_checkpoint,
)

MEAN_COLUMNS = (
    *("layer", "name", "k", "epoch", "i_xt", "i_ty", *BOUNDS, "saturated"),
    *(f"{name}_{end}" for name in ("i_xt", "i_ty") for end in ("low", "high")),
    *(f"{name}_text" for name in QUANTITIES),
    *("bounds", "note"),
)
TITLES = {"i_xt": "I(X;T)", "i_ty": "I(T;Y)"}
SATURATION = {
    True: "× saturated in most replicates: close to log2 N, the samples limit the estimate",
    False: "no estimate is saturated (close to log2 N)",
}
SINGLE_PATHS = 20
"""More paths of single replicates than these cannot be told apart and slow the chart down."""
HALF_A_PIXEL = 0.001
"""Of an axis of some 500 pixels."""
HISTORY_COLUMNS = (
    *("epoch", "split", "loss", "loss_low", "loss_high"),
    *("accuracy", "accuracy_low", "accuracy_high"),
)


def plane_rows(
    table: pd.DataFrame, history: pd.DataFrame, settings: PlaneSettings
) -> dict[str, list[dict]]:
    """Every data set of the plane figure by name."""
    table = with_checkpoint(table, settings.epochs)
    losses = history_mean(history)
    return {
        "means": mean_rows(table, settings),
        "replicates": _replicates(table, settings),
        "checkpoints": _checkpoints(table, settings.epochs),
        "history": records(losses, HISTORY_COLUMNS),
        "splits": [{"split": name, "slot": i} for i, name in enumerate(losses["split"].unique())],
        "layers": layer_rows(settings),
        "labels": [_labels(table, settings)],
    }


def key_columns(settings: PlaneSettings) -> int:
    """How many layers stand side by side in the key."""
    place = 36 + 7 * max(map(len, settings.layer_names))
    return max(1, min(settings.n_layers, settings.width // place))


def layer_rows(settings: PlaneSettings) -> list[dict]:
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


def mean_rows(table: pd.DataFrame, settings: PlaneSettings, by: str | None = None) -> list[dict]:
    """One row per checkpoint, layer and, if given, value of `by`; `table` has the index `k`."""
    extra = [by] if by else []
    means = mean_table(table, by=("k", "epoch", "layer", *extra))
    names = dict(enumerate(settings.layer_names, start=1))
    texts = {f"{name}_text": _with_sd(means, name) for name in QUANTITIES}
    means = means.assign(name=means["layer"].map(names), **texts)
    means = means.assign(bounds=_bounds(means), note=_note(means))
    means["saturated"] = (2 * means["saturated"] > means["replicates"]).astype(int)
    return records(means, (*extra, *MEAN_COLUMNS))


def _replicates(table: pd.DataFrame, settings: PlaneSettings) -> list[dict]:
    """The paths of single replicates, without the points that do not bend them."""
    if table["replicate"].nunique() < 2:
        return []
    first = np.unique(table["replicate"])[:SINGLE_PATHS]
    ordered = table[table["replicate"].isin(first)].sort_values(["layer", "replicate", "k"])
    kept = []
    for rows in ordered.groupby(["layer", "replicate"], sort=False).indices.values():
        x = (ordered["i_xt"].to_numpy()[rows] / settings.h_x).tolist()
        y = (ordered["i_ty"].to_numpy()[rows] / settings.h_y).tolist()
        kept.extend(rows[turning_points(x, y, HALF_A_PIXEL)])
    columns = ("layer", "replicate", "k", "i_xt", "i_ty")
    return records(ordered.iloc[kept], columns, digits=4)


def _checkpoints(table: pd.DataFrame, epochs: tuple[int, ...]) -> list[dict]:
    """Every checkpoint there will be, each with the one to show as long as it is missing."""
    there = set(table["k"])
    shown, rows = min(there, default=-1), []
    for k, epoch in enumerate(epochs):
        shown = k if k in there else shown
        rows.append({"k": k, "epoch": epoch, "shown": shown})
    return rows


def _with_sd(means: pd.DataFrame, name: str) -> list[str]:
    pairs = zip(means[name], means[f"{name}_sd"], strict=True)
    return [_number(m) + (f" ± {sd:.3f}" if math.isfinite(sd) else "") for m, sd in pairs]


def _number(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "not estimated"


def _bounds(means: pd.DataFrame) -> list[str]:
    x, y = (_intervals(means, name, title) for name, title in TITLES.items())
    return [", ".join(filter(None, pair)) or "none" for pair in zip(x, y, strict=True)]


def _intervals(means: pd.DataFrame, name: str, title: str) -> list[str]:
    pairs = zip(means[f"{name}_lower"], means[f"{name}_upper"], strict=True)
    return [f"{title} {a:.3f} to {b:.3f}" if math.isfinite(a + b) else "" for a, b in pairs]


def _note(means: pd.DataFrame) -> list[str]:
    pairs = zip(means["replicates"], means["saturated"], strict=True)
    return [f"{n}, {s} saturated" if s else f"{n}" for n, s in pairs]
