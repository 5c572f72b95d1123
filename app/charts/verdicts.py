"""The verdict map: layers against every value of an estimator, and the curve of a cell."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import altair as alt
import numpy as np
import pandas as pd

from charts.curves import epoch_axis
from charts.epoch_settings import EpochSettings
from charts.ladder import parameter_title, rung, value_title
from charts.logs import EXTENT, LABEL
from charts.plane import CROSS, I_XT, label
from charts.spec import layered, named, specification, template
from charts.tables import mean_table
from charts.theme import THEMES

ROW = 21
"""Height of a layer in pixels."""
BETWEEN = 64
AXES = EXTENT + 40
HEIGHT = 190
CELL, CHOSEN = "cell", "chosen"
COMPRESSES = "compresses"
SHADES = 24
COLOUR = alt.Scale(scheme="viridis", domain=alt.ExprRef("[0, data('labels')[0].most]"), clamp=True)


@dataclass(frozen=True, eq=False)
class VerdictPanel:
    """One map: a run through one family of estimators, both by name.

    `verdicts` is the table of `ibcore.verdict_map`, `curves` that of
    `information_curves`, `parameter` their common column; `current` is the value to
    outline, None for none.
    """

    run: str
    family: str
    parameter: str
    verdicts: pd.DataFrame
    curves: pd.DataFrame
    current: float | None = None

    @property
    def title(self) -> str:
        return f"{self.run}, {self.family}"


def verdict_figure(rows: Sequence[Sequence[VerdictPanel]], settings: EpochSettings) -> dict:
    """Maps in rows, coloured by the drop of I(X;T), and the curve of the chosen cell.

    A dot marks where the layer compresses beyond doubt. A click on a cell shows its
    curve; at first it is that of the cell with the largest drop. Raises ValueError
    where there is no cell at all.
    """
    panels = [panel for row in rows for panel in row]
    cells = pd.concat([_cells(p, i, settings) for i, p in enumerate(panels)], ignore_index=True)
    if cells.empty:
        raise ValueError("verdicts: there is no cell to draw; use runs of 8 checkpoints or more")
    cells = cells.assign(id=np.arange(len(cells)))
    shape = tuple(tuple(panel.parameter for panel in row) for row in rows)
    data = {
        "cells": cells.drop(columns="drop_sort"),
        "curves": pd.concat(
            [_curves(p, cells[cells["panel"] == i]) for i, p in enumerate(panels)],
            ignore_index=True,
        ),
        "panels": [{"panel": i, "title": panel.title} for i, panel in enumerate(panels)],
        "now": _now(panels),
        "key": _key(cells["drop"].max()),
        "labels": [
            {
                "most": max(float(cells["drop"].max()), 0.1),
                "first": int(cells["drop_sort"].idxmax()),
                "heading": settings.heading,
            }
        ],
    }
    return specification(_template(replace(settings, heading=""), shape), data)


def _cells(panel: VerdictPanel, number: int, settings: EpochSettings) -> pd.DataFrame:
    table = panel.verdicts
    names = [settings.layer_names[layer - 1] for layer in table["layer"].tolist()]
    values = table[panel.parameter].tolist()
    words = [
        f"{name}, {value_title(panel.parameter, value)}: {verdict_words(row)}"
        for name, value, (_, row) in zip(names, values, table.iterrows(), strict=True)
    ]
    return pd.DataFrame(
        {
            "panel": number,
            "layer": table["layer"],
            "value": values,
            "drop": table["drop"].astype(float),
            "drop_sort": table["drop"].astype(float).where(table["verdict"] == COMPRESSES, -1.0),
            "sure": (table["verdict"] == COMPRESSES).astype(int),
            "untold": (table["saturated"] & (table["verdict"] != COMPRESSES)).astype(int),
            "words": [f"{panel.title} · {text}" for text in words],
            "tip": [text.replace(": ", "\n", 2).replace("; ", "\n") for text in words],
        }
    )


def verdict_words(row: pd.Series) -> str:
    """The verdict with its interval: "compresses by 3.1 bits [2.0, 3.7]"."""
    if not np.isfinite(row["drop"]):
        return "undefined"
    known = np.isfinite(row["drop_lower"])
    interval = f" [{row['drop_lower']:.2f}, {row['drop_upper']:.2f}]" if known else ""
    drop = f"{row['drop']:.2f} bits{interval}"
    if row["verdict"] == COMPRESSES:
        turn = f"at epoch {row['epoch']:,.0f}" if row["resolved"] else "not resolved"
        return f"compresses by {drop}; turning point {turn}"
    if row["verdict"] == "none" and row["saturated"]:
        return f"saturated to the end, so that it cannot be told; drop {drop}"
    if row["verdict"] == "none":
        return f"no compression beyond doubt; drop {drop}"
    return f"{row['verdict']} for a verdict; drop {drop}"


def _curves(panel: VerdictPanel, cells: pd.DataFrame) -> pd.DataFrame:
    means = mean_table(panel.curves, by=("layer", panel.parameter, "epoch"))
    ids = dict(zip(zip(cells["layer"], cells["value"], strict=True), cells["id"], strict=True))
    keys = zip(means["layer"].tolist(), means[panel.parameter].tolist(), strict=True)
    kept = means.assign(id=[ids.get(key, -1) for key in keys])
    kept = kept[kept["id"] >= 0].rename(columns={"i_xt_low": "low", "i_xt_high": "high"})
    return kept[["id", "epoch", "i_xt", "low", "high"]].round(3)


def _now(panels: Sequence[VerdictPanel]) -> list[dict]:
    found = [
        (i, rung(p.verdicts[p.parameter], p.current))
        for i, p in enumerate(panels)
        if p.current is not None
    ]
    return [{"panel": i, "value": value} for i, value in found if value is not None]


def _key(most: float) -> list[dict]:
    most = max(float(most), 0.1)
    return [{"place": i, "drop": most * i / (SHADES - 1)} for i in range(SHADES)]


@lru_cache(maxsize=32)
def _template(settings: EpochSettings, shape: tuple[tuple[str, ...], ...]) -> str:
    columns = max(map(len, shape))
    width = (settings.width - AXES - (columns - 1) * BETWEEN) // columns
    numbers = iter(range(sum(map(len, shape))))
    rows = [
        {
            "hconcat": [_map(settings, next(numbers), parameter, width) for parameter in row],
            "spacing": BETWEEN,
            "bounds": "flush",
        }
        for row in shape
    ]
    views = [_view(i) for i in range(sum(map(len, shape)))]
    chosen = f"length(data('{CELL}_store')) ? {CELL}.id[0] : data('labels')[0].first"
    point = {"type": "point", "fields": ["id"], "toggle": False, "clear": False}
    body = {
        "vconcat": [_colour_key(settings), *rows, _curve(settings)],
        "spacing": 46,
        "params": [
            {"name": CELL, "select": point, "views": views},
            {"name": CHOSEN, "expr": chosen},
        ],
        "usermeta": {"embedOptions": {"renderer": "canvas"}},
    }
    words = (
        f"Drop of I(X;T) from its maximum to the end, of {settings.n_layers} layers against the"
        " values of an estimator's parameter, with a dot where the layer compresses."
    )
    return template(body, settings.theme, settings.width, words)


def _view(i: int) -> str:
    return f"map_{i}"


def _map(settings: EpochSettings, i: int, parameter: str, width: int) -> dict:
    look, here = THEMES[settings.theme], f"datum.panel == {i}"
    x = alt.X(
        "value:O",
        title=parameter_title(parameter),
        axis=alt.Axis(labelOverlap="greedy", labelSeparation=6, labelExpr=LABEL, labelAngle=0),
    )
    y = alt.Y("layer:O", title="layer", axis=alt.Axis(minExtent=EXTENT, maxExtent=EXTENT))
    cells = named("cells").transform_filter(here)
    frame = {"fillOpacity": 0, "stroke": look.text}
    edges = {"y": alt.value(-1), "y2": alt.value(ROW * settings.n_layers + 1)}
    return layered(
        cells.properties(name=_view(i))
        .mark_rect(stroke=look.background, strokeWidth=0.6, cursor="pointer")
        .encode(x=x, y=y, color=alt.Color("drop:Q", scale=COLOUR, legend=None), tooltip="tip:N"),
        cells.transform_filter("datum.sure > 0")
        .mark_point(shape="circle", size=26, filled=True, color="#ffffff", stroke="#000000")
        .encode(x=x, y=y, strokeWidth=alt.value(0.8), opacity=alt.value(1), tooltip="tip:N"),
        cells.transform_filter("datum.untold > 0")
        .mark_point(**CROSS, size=16, color=look.muted)
        .encode(x=x, y=y, tooltip="tip:N"),
        named("now")
        .transform_filter(here)
        .mark_rect(**frame, strokeWidth=1.2, strokeDash=[3, 2])
        .encode(x=x, **edges),
        cells.transform_filter(f"datum.id == {CHOSEN}")
        .mark_rect(**frame, strokeWidth=2.4)
        .encode(x=x, y=y),
        named("panels")
        .transform_filter(here)
        .mark_text(align="left", baseline="bottom", fontSize=12.5, fontWeight="bold")
        .encode(x=alt.value(0), y=alt.value(-6), text="title:N", color=alt.value(look.text)),
        width=width,
        height=ROW * settings.n_layers,
    )


def _colour_key(settings: EpochSettings) -> dict:
    look = THEMES[settings.theme]
    place = "40 + 9 * datum.place"
    words = {"baseline": "middle", "fontSize": 11.5, "color": look.muted}
    base = named("labels")
    last = 40 + 9 * SHADES
    dot = base.mark_point(
        shape="circle", size=26, filled=True, color="#ffffff", stroke="#000000", strokeWidth=0.8
    )
    return layered(
        named("key")
        .mark_rect()
        .encode(
            x=alt.value(alt.ExprRef(place)),
            x2=alt.value(alt.ExprRef(f"{place} + 9")),
            y=alt.value(0),
            y2=alt.value(12),
            color=alt.Color("drop:Q", scale=COLOUR, legend=None),
        ),
        base.mark_text(**words, align="right", text="0").encode(x=alt.value(34), y=alt.value(6)),
        base.transform_calculate(end="format(datum.most, '.1f') + ' bits of drop of I(X;T)'")
        .mark_text(**words, align="left")
        .encode(x=alt.value(last + 6), y=alt.value(6), text="end:N"),
        dot.encode(x=alt.value(last + 190), y=alt.value(6), opacity=alt.value(1)),
        base.mark_text(
            **words,
            align="left",
            text="compresses beyond doubt · ×: saturated, cannot be told · dashed: value of the"
            " plane · click a cell",
        ).encode(x=alt.value(last + 200), y=alt.value(6)),
        label("heading", settings),
        view={"stroke": None},
        width=settings.width - AXES,
        height=12,
    )


def _curve(settings: EpochSettings) -> dict:
    look, here = THEMES[settings.theme], f"datum.id == {CHOSEN}"
    x = epoch_axis(settings)
    y, low = (
        alt.Y(f"{field}:Q", title=I_XT, axis=alt.Axis(minExtent=EXTENT, maxExtent=EXTENT))
        for field in ("i_xt", "low")
    )
    base = named("curves").transform_filter(here)
    return layered(
        base.transform_filter("isValid(datum.low)")
        .mark_area(fillOpacity=0.18, color=look.layers[0])
        .encode(x=x, y=low, y2="high:Q"),
        base.mark_line(strokeWidth=1.8, color=look.layers[0]).encode(x=x, y=y),
        named("cells")
        .transform_filter(here)
        .mark_text(align="left", baseline="bottom", fontSize=12, color=look.text)
        .encode(x=alt.value(0), y=alt.value(-6), text="words:N"),
        width=settings.width - AXES,
        height=HEIGHT,
    )
