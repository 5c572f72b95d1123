"""Curves against the epoch: information of every layer, loss and accuracy."""

import altair as alt

from charts.layers import colour, lit, shape, tooltips
from charts.plane import AT_NOW, I_TY, I_XT, axis_domain
from charts.settings import FigureSettings, PlaneSettings
from charts.spec import layered, named
from charts.theme import THEMES

UNSEEN = {"fill": "transparent", "strokeWidth": 0}
"""A point that is there for the pointer only."""
VIEWS = {"i_xt": "i_xt_lines", "i_ty": "i_ty_lines"}


def epoch_axis(settings: FigureSettings, labels: bool = True, field: str = "epoch:Q") -> alt.X:
    """Epochs on a scale linear in log(1 + epoch), so that epoch 0 has its place."""
    last = max(settings.epochs[-1], 1)
    axis = alt.Axis(
        values=epoch_ticks(last),
        format=",d",
        labels=labels,
        ticks=labels,
        title="epoch (log scale of 1 + epoch)" if labels else None,
    )
    scale = alt.Scale(type="symlog", constant=1, domain=[0, last], nice=False)
    return alt.X(field, axis=axis, scale=scale)


def epoch_ticks(last: int) -> list[int]:
    """0 and the powers of ten up to `last`."""
    return [0, *(10**p for p in range(len(str(last))) if 10**p <= last)]


def curve_panels(settings: PlaneSettings, width: int, height: int) -> list[dict]:
    """I(X;T), I(T;Y), loss and accuracy, one above the other."""
    panels = [
        _information(settings, "i_xt", I_XT, settings.h_x),
        _information(settings, "i_ty", I_TY, settings.h_y),
        _history(settings, "loss", "loss (nats)", alt.Scale(zero=True)),
        _history(settings, "accuracy", "accuracy", alt.Scale(domain=[0, 1.03], nice=False), True),
    ]
    panels[-1]["layer"] += layered(*split_key(settings, width, height - 14))["layer"]
    return [{**panel, "width": width, "height": height} for panel in panels]


def _up(field: str, title: str, scale: alt.Scale) -> alt.Y:
    return alt.Y(f"{field}:Q", title=title, scale=scale, axis=alt.Axis(tickCount=4))


def _information(settings: PlaneSettings, field: str, title: str, end: float) -> dict:
    x = epoch_axis(settings, labels=False)
    scale = alt.Scale(domain=axis_domain(end), nice=False)
    y, low = _up(field, title, scale), _up(f"{field}_low", title, scale)
    base, tint = named("means"), {"color": colour(settings), "opacity": lit()}
    return layered(
        base.transform_filter(f"isValid(datum.{field}_low)")
        .mark_area(fillOpacity=0.16)
        .encode(x=x, y=low, y2=f"{field}_high:Q", **tint),
        _now_rule(settings),
        base.properties(name=VIEWS[field])
        .mark_line(strokeWidth=1.6)
        .encode(x=x, y=y, tooltip=tooltips("name"), **tint),
        base.mark_point(size=40, **UNSEEN).encode(x=x, y=y, detail="layer:N", tooltip=tooltips()),
        base.transform_filter(AT_NOW)
        .mark_point(size=42, filled=True)
        .encode(x=x, y=y, shape=shape(settings), tooltip=tooltips(), **tint),
    )


def _now_rule(settings: PlaneSettings) -> alt.Chart:
    """A vertical line at the current epoch."""
    return (
        named("checkpoints")
        .transform_filter(AT_NOW)
        .mark_rule(color=THEMES[settings.theme].text, strokeWidth=1, opacity=0.7)
        .encode(x="epoch:Q")
    )


def _history(
    settings: PlaneSettings, field: str, title: str, scale: alt.Scale, labels: bool = False
) -> dict:
    x, y = epoch_axis(settings, labels=labels), _up(field, title, scale)
    low = _up(f"{field}_low", title, scale)
    band, *curves = history_marks(settings, field, x, y, low)
    return layered(band, _now_rule(settings), *curves)


def history_marks(
    settings: FigureSettings, field: str, x: alt.X, y: alt.Y, low: alt.Y
) -> list[alt.Chart]:
    """Band, lines and points for the pointer of a field of the data set `history`."""
    look = THEMES[settings.theme]
    base = named("history")
    tips = ["split:N", alt.Tooltip("epoch:Q", format=",d"), alt.Tooltip(f"{field}:Q", format=".4f")]
    return [
        base.transform_filter(f"isValid(datum.{field}_low)")
        .mark_area(fillOpacity=0.16, color=look.muted)
        .encode(x=x, y=low, y2=f"{field}_high:Q", detail="split:N"),
        base.mark_line(strokeWidth=1.5, color=look.text).encode(x=x, y=y, strokeDash=_dash()),
        base.mark_point(size=40, **UNSEEN).encode(x=x, y=y, detail="split:N", tooltip=tips),
    ]


def _dash() -> alt.StrokeDash:
    scale = alt.Scale(domain=["train", "test"], range=[[1, 0], [4, 3]])
    return alt.StrokeDash("split:N", scale=scale, legend=None)


def split_key(settings: FigureSettings, width: int, y: int) -> list[alt.Chart]:
    """Dash and name of each row of the data set `splits`, at the right end at height `y`."""
    # A legend that Vega makes would nest the picture too deeply to become a PDF.
    look = THEMES[settings.theme]
    start = f"{width - 110} + 58 * datum.slot"
    left, right, word = (alt.value(alt.ExprRef(expr=f"{start} + {dx}")) for dx in (0, 22, 26))
    base = named("splits").encode(y=alt.value(y))
    dash = base.mark_rule(strokeWidth=1.5, color=look.text)
    name = base.mark_text(align="left", baseline="middle", fontSize=11, color=look.muted)
    return [
        dash.encode(x=left, x2=right, strokeDash=_dash()),
        name.encode(x=word, text="split:N"),
    ]
