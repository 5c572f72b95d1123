"""Signal and noise of the gradients against the epoch, a small panel per layer."""

import altair as alt

from charts.curves import UNSEEN, epoch_axis
from charts.events import event_lines
from charts.layers import colour, lit
from charts.logs import log_y
from charts.settings import FigureSettings
from charts.signs import DASHES, UPRIGHT
from charts.spec import layered, named
from charts.theme import THEMES

AXIS = "level"
COLUMNS = 3
GAP = 18
HEIGHT = 150
HEAD = 38
"""Pixels above a panel for the layer's name and what happened to it."""
KEY = "levels"
LINES = {"signal": "solid", "noise": "dashed"}
FLOOR = DASHES["dotted"]


def level_signs() -> list[dict]:
    """The entries of the key of the panels."""
    lines = [{"word": word, "line": line} for word, line in LINES.items()]
    floor = {"word": "floor: signal of pure noise", "line": "dotted"}
    return [*lines, floor, {"word": "crossing, interval", "shape": UPRIGHT}]


def dash_of_series() -> alt.ExprRef:
    """Solid for the signal, dashed for the noise."""
    dashes = {series: DASHES[line] for series, line in LINES.items()}
    return alt.ExprRef(f"{dashes}[datum.series]")


def level_views(settings: FigureSettings) -> list[str]:
    """Names of the views in which a layer can be picked."""
    return [_view(layer) for layer in range(1, settings.n_layers + 1)]


def level_panels(settings: FigureSettings, width: int) -> dict:
    """The panels of all layers, three in a row, on the same axes."""
    across = (width - (COLUMNS - 1) * GAP) // COLUMNS
    layers = range(1, settings.n_layers + 1)
    return {
        "concat": [_panel(settings, layer, across) for layer in layers],
        "columns": COLUMNS,
        "spacing": {"column": GAP, "row": HEAD + 16},
        "bounds": "flush",
    }


def _view(layer: int) -> str:
    return f"layer_{layer}_lines"


def _panel(settings: FigureSettings, layer: int, width: int) -> dict:
    left, below = layer % COLUMNS == 1, layer + COLUMNS > settings.n_layers
    x, low_x = (epoch_axis(settings, labels=below, field=f) for f in ("epoch:Q", "epoch_lower:Q"))
    title = "gradient norm" if left else None
    y, low = (log_y(AXIS, field, title, labels=left) for field in ("value", "low"))
    base = named("levels").transform_filter(f"datum.layer == {layer}")
    tint = {"color": colour(settings), "opacity": lit()}
    dash = dash_of_series()
    crossing = f"datum.kind == 'crossing' && datum.layer == {layer}"
    measured = base.transform_filter("datum.series != 'floor'")
    return layered(
        measured.transform_filter("isValid(datum.low)")
        .mark_area(fillOpacity=0.16)
        .encode(x=x, y=low, y2="high:Q", detail="series:N", **tint),
        *event_lines(settings, crossing, HEIGHT, x, low_x),
        base.transform_filter("datum.series == 'floor'")
        .mark_line(strokeWidth=1, strokeDash=FLOOR, color=THEMES[settings.theme].muted)
        .encode(x=x, y=y),
        measured.properties(name=_view(layer))
        .mark_line(strokeWidth=1.6, strokeDash=dash)
        .encode(x=x, y=y, detail="series:N", tooltip="tip:N", **tint),
        measured.mark_point(size=40, **UNSEEN).encode(x=x, y=y, detail="layer:N", tooltip="tip:N"),
        *_head(settings, layer, width),
        width=width,
        height=HEIGHT,
    )


def _head(settings: FigureSettings, layer: int, width: int) -> list[alt.Chart]:
    look = THEMES[settings.theme]
    base = named("panels").transform_filter(f"datum.layer == {layer}").encode(x=alt.value(0))
    words = {"align": "left", "baseline": "bottom", "limit": width}
    name = base.mark_text(**words, fontSize=12.5, fontWeight="bold", color=look.text)
    outcome = base.mark_text(**words, fontSize=11.5, color=look.muted)
    return [
        name.encode(y=alt.value(-19), text="name:N", opacity=lit()),
        outcome.encode(y=alt.value(-4), text="words:N", opacity=lit()),
    ]
