"""The signal-to-noise ratio of the gradients of all layers against the epoch."""

import altair as alt

from charts.curves import UNSEEN, epoch_axis
from charts.layers import colour, fill, lit, shape
from charts.levels import FLOOR
from charts.logs import log_y
from charts.plane import label
from charts.settings import FigureSettings
from charts.signals import ratio_title
from charts.spec import layered, named
from charts.theme import THEMES

AXIS = "ratio"
VIEW = "ratio_lines"
HEIGHT = 190


def ratio_panel(settings: FigureSettings, width: int, squared: bool) -> dict:
    """All layers on one logarithmic axis, a rule at 1, and a tick where each one crosses it."""
    x, title = epoch_axis(settings, labels=False), ratio_title(squared)
    y, low, floor = (log_y(AXIS, field, title) for field in ("value", "low", "floor"))
    look = THEMES[settings.theme]
    base = named("ratios")
    tint = {"color": colour(settings), "opacity": lit()}
    return layered(
        base.transform_filter("isValid(datum.low)")
        .mark_area(fillOpacity=0.12)
        .encode(x=x, y=low, y2="high:Q", **tint),
        *one(settings, "labels", "signal = noise"),
        base.transform_filter("isValid(datum.floor)")
        .mark_line(strokeWidth=1, strokeDash=FLOOR, color=look.muted)
        .encode(x=x, y=floor, detail="layer:N", opacity=lit()),
        base.properties(name=VIEW)
        .mark_line(strokeWidth=1.7)
        .encode(x=x, y=y, tooltip="name:N", **tint),
        base.mark_point(size=40, **UNSEEN).encode(x=x, y=y, detail="layer:N", tooltip="tip:N"),
        base.transform_filter("datum.last")
        .mark_point(size=50, stroke=look.background, strokeWidth=0.8)
        .encode(
            x=x, y=y, fill=fill(settings), shape=shape(settings), opacity=lit(), tooltip="tip:N"
        ),
        named("events")
        .transform_filter("datum.kind == 'crossing'")
        .mark_tick(orient="vertical", size=18, thickness=2.4)
        .encode(x=x, y=alt.YDatum(1), tooltip="tip:N", **tint),
        label("band", settings, x=width, y=-5, align="right"),
        width=width,
        height=HEIGHT,
    )


def one(settings: FigureSettings, rows: str, words: str) -> list[alt.Chart]:
    """A horizontal rule at 1 with words under its left end, over a data set of one row."""
    look = THEMES[settings.theme]
    base = named(rows).encode(y=alt.YDatum(1))
    text = base.mark_text(text=words, align="left", baseline="top", fontSize=11, color=look.muted)
    return [
        base.mark_rule(color=look.muted, strokeWidth=1.2),
        text.encode(x=alt.value(5), y=alt.YDatum(1), yOffset=alt.value(3)),
    ]
