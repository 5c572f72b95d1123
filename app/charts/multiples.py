"""The same run seen with several values of the estimator's parameter, side by side."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import altair as alt
import pandas as pd

from charts.key import VIEW as KEY_VIEW
from charts.key import key_panel
from charts.ladder import rung, value_title
from charts.layers import colour, fill, lit, selections, shape, tooltips
from charts.plane import CROSS, I_TY, I_XT, bits_x, bits_y, limits
from charts.rows import layer_rows, mean_rows, often_saturated
from charts.settings import PlaneSettings
from charts.spec import layered, named, specification, template
from charts.tables import with_checkpoint
from charts.theme import THEMES

COLUMNS = 3
HEIGHT = 190
AXES = 160


def small_multiples(
    curves: pd.DataFrame,
    parameter: str,
    values: Sequence[float],
    settings: PlaneSettings,
    current: float | None = None,
) -> dict:
    """One small plane per value: mean paths of all layers on the same axes.

    `curves` is the table of `information_curves` with a column `parameter`
    ("n_bins", "width" or "variance"); `values` are some of its values, `current`
    the one to outline. Hollow marks are the first, filled ones the last epoch.
    Raises ValueError for a value that the table does not have.
    """
    rungs = _rungs(curves, parameter, values)
    panel = {value: i for i, value in enumerate(rungs)}
    kept = curves[curves[parameter].isin(rungs)]
    kept = with_checkpoint(kept.assign(panel=kept[parameter].map(panel)), settings.epochs)
    now = None if current is None else rung(curves[parameter], current)
    rows = {
        "means": _with_ends(mean_rows(kept, settings, by="panel")),
        "panels": [_panel_row(kept, parameter, v, i, v == now) for v, i in panel.items()],
        "layers": layer_rows(settings),
        "labels": [{"heading": ""}],
    }
    return specification(
        _template(replace(settings, title="", estimator_label=""), len(panel)), rows
    )


def _rungs(curves: pd.DataFrame, parameter: str, values: Sequence[float]) -> list[float]:
    found = {value: rung(curves[parameter], value) for value in values}
    missing = [value for value, there in found.items() if there is None]
    if missing:
        raise ValueError(f"values: {missing[0]:g} is not a value of {parameter} in the table")
    return list(dict.fromkeys(found.values()))


def _panel_row(table: pd.DataFrame, parameter: str, value: float, i: int, current: bool) -> dict:
    limited = often_saturated(table[table["panel"] == i])
    title = value_title(parameter, value) + ("  (× saturated)" if limited else "")
    return {"panel": i, "title": title, "current": current}


def _with_ends(means: pd.DataFrame) -> pd.DataFrame:
    last = means.groupby(["panel", "layer"])["k"].transform("max")
    return means.assign(last=means["k"] == last)


@lru_cache(maxsize=32)
def _template(settings: PlaneSettings, n_panels: int) -> str:
    width = (settings.width - AXES) // COLUMNS
    panels = [_panel(settings, i, n_panels, width) for i in range(n_panels)]
    grid = {"concat": panels, "columns": COLUMNS, "spacing": {"column": 24, "row": 16}}
    views = [KEY_VIEW, *(_view(i) for i in range(n_panels))]
    key = key_panel(settings, settings.width - AXES)
    body = {"vconcat": [key, grid], "spacing": 8, "params": selections(views)}
    words = f"{n_panels} small information planes, one per value of the estimator's parameter."
    return template(body, settings.theme, settings.width, words)


def _view(i: int) -> str:
    return f"panel_{i}_lines"


def _panel(settings: PlaneSettings, i: int, n_panels: int, width: int) -> dict:
    look = THEMES[settings.theme]
    left, below = i % COLUMNS == 0, i + COLUMNS >= n_panels
    at = {
        "x": bits_x(settings, title=I_XT if below else None),
        "y": bits_y(settings, title=I_TY if left else None),
    }
    base = named("means").transform_filter(f"datum.panel == {i}")
    here = named("panels").transform_filter(f"datum.panel == {i}")
    tint = {"color": colour(settings), "opacity": lit()}
    solid = {"fill": fill(settings), "shape": shape(settings), "opacity": lit()}
    words = {"align": "left", "baseline": "bottom", "fontSize": 13, "color": look.text}
    shown = here.transform_filter("datum.current")
    edges = {"x": alt.value(0), "x2": alt.value(width), "y": alt.value(0), "y2": alt.value(HEIGHT)}
    return layered(
        *limits(settings)[:2],
        shown.mark_rect(fillOpacity=0, stroke=look.text, strokeWidth=2).encode(**edges),
        base.properties(name=_view(i))
        .mark_line(strokeWidth=1.6)
        .encode(**at, order="k:Q", tooltip=tooltips("name"), **tint),
        base.transform_filter("datum.saturated > 0")
        .mark_point(size=14, color=look.text, **CROSS)
        .encode(**at, opacity=lit()),
        base.transform_filter("datum.k == 0")
        .mark_point(size=36, strokeWidth=1.4)
        .encode(**at, shape=shape(settings), tooltip=tooltips(), **tint),
        base.transform_filter("datum.last")
        .mark_point(size=80, stroke=look.background, strokeWidth=1)
        .encode(**at, **solid, tooltip=tooltips()),
        here.mark_text(**words).encode(x=alt.value(0), y=alt.value(-6), text="title:N"),
        shown.mark_text(**{**words, "align": "right"}, text="current").encode(
            x=alt.value(width), y=alt.value(-6)
        ),
        width=width,
        height=HEIGHT,
    )
