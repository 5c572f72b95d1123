"""The information plane: I(X;T) across, I(T;Y) up, one path per layer."""

import math

import altair as alt

from charts.layers import colour, fill, lit, shape, tooltips
from charts.settings import FigureSettings, PlaneSettings
from charts.spec import layered, named
from charts.theme import SHAPES, THEMES

I_XT = "I(X;T) (bits)"
I_TY = "I(T;Y) (bits)"
NOW = "now"
UNTIL_NOW = f"datum.k <= {NOW}"
VIEW = "plane_lines"
CROSS = {"shape": "M-1,-1L1,1M-1,1L1,-1", "strokeWidth": 1.2, "filled": False}
"""The sign of a saturated estimate."""
AT_NOW = f"datum.k == {NOW}"


def axis_domain(end: float) -> list[float]:
    """From a little below 0 to a little above `end`, so that no mark is cut."""
    return [-0.03 * end, 1.09 * end]


def bits_x(settings: PlaneSettings, field: str = "i_xt", title: str | None = I_XT) -> alt.X:
    """I(X;T) across, up to H(X)."""
    scale = alt.Scale(domain=axis_domain(settings.h_x), nice=False)
    return alt.X(f"{field}:Q", title=title, scale=scale)


def bits_y(settings: PlaneSettings, field: str = "i_ty", title: str | None = I_TY) -> alt.Y:
    """I(T;Y) up, up to H(Y)."""
    scale = alt.Scale(domain=axis_domain(settings.h_y), nice=False)
    return alt.Y(f"{field}:Q", title=title, scale=scale)


def plane_panel(settings: PlaneSettings, width: int, height: int) -> dict:
    """The large plane with limits, replicates, mean paths and the current checkpoint."""
    at = {"x": bits_x(settings), "y": bits_y(settings)}
    layers = [
        *limits(settings),
        _replicate_paths(settings, at),
        *_bounds(settings, at),
        *_mean_paths(settings, at),
        _start(settings, at),
        *_saturated(settings, at),
        *_current(settings, at),
        _epoch(settings),
        label("heading", settings, x=width, align="right"),
        label("signs", settings, y=height + 52),
        label("saturation", settings, y=height + 67),
    ]
    return layered(*layers, width=width, height=height)


def limits(settings: PlaneSettings) -> list[alt.Chart]:
    """Dashed lines at H(X) and H(Y), where I(X;T) and I(T;Y) must end, with names."""
    look = THEMES[settings.theme]
    rule = {"strokeDash": [5, 4], "color": look.muted, "strokeWidth": 1}
    text = {"color": look.muted, "fontSize": 11, "align": "left", "baseline": "bottom"}
    x, y = alt.XDatum(settings.h_x), alt.YDatum(settings.h_y)
    base = named("labels")
    h_x = base.mark_text(**text, text=_h_x_label(settings), angle=270, dx=4, dy=-3)
    h_y = base.mark_text(**text, text=f"H(Y) = {_bits(settings.h_y)}", dx=4, dy=-3)
    return [
        base.mark_rule(**rule).encode(x=x),
        base.mark_rule(**rule).encode(y=y),
        h_x.encode(x=x, y=alt.YDatum(0)),
        h_y.encode(x=alt.XDatum(0), y=y),
    ]


def _bits(value: float) -> str:
    return "1 bit" if value == 1 else f"{value:.4g} bits"


def _h_x_label(settings: PlaneSettings) -> str:
    if math.isclose(settings.h_x, math.log2(settings.n_samples), rel_tol=1e-9):
        return f"H(X) = log2 {settings.n_samples:,} = {_bits(settings.h_x)}"
    return f"H(X) = {_bits(settings.h_x)}"


def _replicate_paths(settings: PlaneSettings, at: dict) -> alt.Chart:
    return (
        named("replicates")
        .mark_line(strokeWidth=0.7, strokeOpacity=0.25)
        .encode(
            **at,
            color=colour(settings),
            detail="replicate:N",
            order="k:Q",
            opacity=lit(dim=0.15),
        )
        .transform_filter(UNTIL_NOW)
    )


def _bounds(settings: PlaneSettings, at: dict) -> list[alt.Chart]:
    shared = {"color": colour(settings), "opacity": lit()}
    base = named("means").transform_filter(AT_NOW)
    rule = {"strokeWidth": 1, "strokeOpacity": 0.5}
    across = base.transform_filter("isValid(datum.i_xt_lower)").mark_rule(**rule)
    up = base.transform_filter("isValid(datum.i_ty_lower)").mark_rule(**rule)
    return [
        across.encode(x=bits_x(settings, "i_xt_lower"), x2="i_xt_upper:Q", y=at["y"], **shared),
        up.encode(y=bits_y(settings, "i_ty_lower"), y2="i_ty_upper:Q", x=at["x"], **shared),
    ]


def _mean_paths(settings: PlaneSettings, at: dict) -> list[alt.Chart]:
    base = named("means").transform_filter(UNTIL_NOW)
    last = len(settings.epochs) - 1
    later = alt.FillOpacity(
        "k:Q", scale=alt.Scale(domain=[0, max(last, 1)], range=[0.2, 1]), legend=None
    )
    line = (
        base.properties(name=VIEW)
        .mark_line(strokeWidth=1.8, strokeOpacity=0.75)
        .encode(**at, color=colour(settings), order="k:Q", opacity=lit(), tooltip=tooltips("name"))
    )
    points = base.mark_point(size=16, strokeWidth=0).encode(
        **at,
        fill=fill(settings),
        shape=shape(settings),
        fillOpacity=later,
        opacity=lit(),
        tooltip=tooltips(),
    )
    return [line, points]


def _start(settings: PlaneSettings, at: dict) -> alt.Chart:
    return (
        named("means")
        .mark_point(size=70, strokeWidth=1.6, filled=False)
        .encode(
            **at,
            color=colour(settings),
            shape=shape(settings),
            opacity=lit(),
            tooltip=tooltips(),
        )
        .transform_filter("datum.k == 0")
    )


def _current(settings: PlaneSettings, at: dict) -> list[alt.Chart]:
    """Mark and number of each layer, the first on top: where layers coincide, one is read."""
    look = THEMES[settings.theme]
    base = named("means").transform_filter(AT_NOW)
    mark = base.mark_point(size=300, stroke=look.background, strokeWidth=1.5).encode(
        **at,
        fill=fill(settings),
        shape=shape(settings),
        opacity=lit(),
        tooltip=tooltips(),
    )
    digit = {"fontSize": 10, "fontWeight": "bold", "color": look.background}
    number = base.mark_text(dy=centre(), **digit).encode(**at, text="layer:N", opacity=lit())
    return [
        chart.transform_filter(f"datum.layer == {layer}")
        for layer in range(settings.n_layers, 0, -1)
        for chart in (mark, number)
    ]


def centre() -> alt.ExprRef:
    """The middle of a triangle is not the middle of its box."""
    down = [{"triangle-up": 3, "triangle-down": -2}.get(name, 0) for name in SHAPES]
    return alt.ExprRef(expr=f"{down}[(datum.layer - 1) % {len(down)}]")


def _saturated(settings: PlaneSettings, at: dict) -> list[alt.Chart]:
    base = named("means").transform_filter(UNTIL_NOW).transform_filter("datum.saturated > 0")
    cross = {**CROSS, "color": THEMES[settings.theme].text, "strokeOpacity": 0.6}
    here = base.transform_filter(AT_NOW)
    return [
        base.mark_point(size=20, **cross).encode(**at, opacity=lit()),
        here.mark_point(size=50, xOffset=8, yOffset=-8, **cross).encode(**at, opacity=lit()),
    ]


def _epoch(settings: PlaneSettings) -> alt.Chart:
    words = {"fontSize": 17, "fontWeight": "bold", "color": THEMES[settings.theme].text}
    return (
        named("checkpoints")
        .transform_filter(AT_NOW)
        .transform_calculate(words="'epoch ' + format(datum.epoch, ',d')")
        .mark_text(align="left", baseline="bottom", **words)
        .encode(x=alt.value(0), y=alt.value(-7), text="words:N")
    )


def label(
    field: str, settings: FigureSettings, x: int = 0, y: int = -9, align: str = "left"
) -> alt.Chart:
    """A field of the data set `labels`, by default written above a panel."""
    mark = {"fontSize": 12 if y < 0 else 11, "color": THEMES[settings.theme].muted}
    place = {"x": alt.value(x), "y": alt.value(y)}
    text = named("labels").mark_text(align=align, baseline="bottom", **mark)
    return text.encode(text=f"{field}:N", **place)
