"""Information against the number of samples: where an estimate settles, and where it does not."""

import math
from functools import lru_cache

import altair as alt
import numpy as np
import pandas as pd

from charts.key import VIEW as KEY_VIEW
from charts.key import key_panel
from charts.layers import colour, fill, lit, selections, shape
from charts.plane import I_TY, I_XT, axis_domain, label
from charts.rows import layer_rows
from charts.settings import PlaneSettings
from charts.spec import layered, named, specification, template
from charts.theme import THEMES

HEIGHT = 210
BETWEEN = 70
AXES = 130
VIEWS = {"i_xt": "sizes_x", "i_ty": "sizes_y"}


def sample_size_figure(table: pd.DataFrame, settings: PlaneSettings) -> dict:
    """I(X;T) and I(T;Y) of every layer against N, with the spread of drawing N samples.

    `table` is that of `ibcore.sample_size.subsampled` at several n. Points are means over
    replicates and subsamples; bands are ± 1 standard deviation between the subsamples of
    one network, absent where there is one subsample only. Dashed: log2 N and H(Y).
    """
    sizes = tuple(sorted(table["n"].unique().tolist()))
    data = {
        "sizes": size_rows(table, settings),
        "limits": [{"n": n, "log2_n": math.log2(n)} for n in sizes],
        "layers": layer_rows(settings),
        "labels": [{"heading": settings.estimator_label, "title": settings.title}],
    }
    bare = PlaneSettings(
        h_x=settings.h_x,
        h_y=settings.h_y,
        n_samples=settings.n_samples,
        layer_names=settings.layer_names,
        epochs=settings.epochs,
        theme=settings.theme,
        width=settings.width,
    )
    return specification(_template(bare, sizes), data)


def size_rows(table: pd.DataFrame, settings: PlaneSettings) -> pd.DataFrame:
    """One row per n and layer: means, and means -+ the spread between subsamples."""
    names = ["i_xt", "i_ty"]
    mean = table.groupby(["n", "layer"])[names].mean()
    between = table.groupby(["n", "layer", "replicate"])[names].std(ddof=1)
    spread = between.groupby(["n", "layer"]).mean()
    ends = (mean - spread).add_suffix("_low"), (mean + spread).add_suffix("_high")
    rows = pd.concat([mean, *ends], axis=1).reset_index()
    tips = [_tip(settings, row, spread) for row in rows.itertuples()]
    return rows.assign(tip=tips)


def _tip(settings: PlaneSettings, row, spread: pd.DataFrame) -> str:
    sd = spread.loc[(row.n, row.layer)]
    lines = [settings.layer_names[row.layer - 1], f"N = {row.n:,}"]
    for name, title in (("i_xt", "I(X;T)"), ("i_ty", "I(T;Y)")):
        known = f" ± {sd[name]:.3f}" if np.isfinite(sd[name]) else ""
        lines.append(f"{title} {getattr(row, name):.3f}{known} bits")
    return "\n".join(lines)


@lru_cache(maxsize=32)
def _template(settings: PlaneSettings, sizes: tuple[int, ...]) -> str:
    width = (settings.width - AXES - BETWEEN) // 2
    x = _panel(settings, sizes, "i_xt", I_XT, settings.h_x)
    y = _panel(settings, sizes, "i_ty", I_TY, settings.h_y)
    x["layer"] += layered(_log2(settings), label("title", settings))["layer"]
    y["layer"] += layered(_h_y(settings), label("heading", settings, x=width, align="right"))[
        "layer"
    ]
    panels = [{**panel, "width": width, "height": HEIGHT} for panel in (x, y)]
    body = {
        "vconcat": [
            key_panel(settings, settings.width - AXES),
            {"hconcat": panels, "spacing": BETWEEN, "bounds": "flush"},
        ],
        "spacing": 24,
        "params": selections([KEY_VIEW, *VIEWS.values()]),
        "usermeta": {"embedOptions": {"renderer": "canvas"}},
    }
    words = (
        f"I(X;T) and I(T;Y) of {settings.n_layers} layers against the number of samples from"
        f" {sizes[0]} to {sizes[-1]}."
    )
    return template(body, settings.theme, settings.width, words)


def _x(sizes: tuple[int, ...]) -> alt.X:
    scale = alt.Scale(type="log", base=2, domain=[sizes[0], max(sizes[-1], sizes[0] + 1)])
    axis = alt.Axis(values=list(sizes), format=",d", title="number of samples N", labelOverlap=True)
    return alt.X("n:Q", scale=scale, axis=axis)


def _panel(
    settings: PlaneSettings, sizes: tuple[int, ...], field: str, title: str, end: float
) -> dict:
    x, scale = _x(sizes), alt.Scale(domain=axis_domain(end), nice=False)
    y, low = (alt.Y(f"{name}:Q", title=title, scale=scale) for name in (field, f"{field}_low"))
    tint = {"color": colour(settings), "opacity": lit()}
    base = named("sizes")
    band = base.transform_filter(f"isValid(datum.{field}_low)").mark_area(fillOpacity=0.16)
    line = base.properties(name=VIEWS[field]).mark_line(strokeWidth=1.6)
    point = base.mark_point(size=45, stroke=THEMES[settings.theme].background, strokeWidth=0.6)
    return layered(
        band.encode(x=x, y=low, y2=f"{field}_high:Q", **tint),
        line.encode(x=x, y=y, tooltip="tip:N", **tint),
        point.encode(
            x=x, y=y, fill=fill(settings), shape=shape(settings), opacity=lit(), tooltip="tip:N"
        ),
    )


def _log2(settings: PlaneSettings) -> alt.Chart:
    """All that N samples can show of X."""
    dash = {"strokeDash": [5, 4], "color": THEMES[settings.theme].muted, "strokeWidth": 1}
    return named("limits").mark_line(**dash).encode(x="n:Q", y="log2_n:Q")


def _h_y(settings: PlaneSettings) -> alt.Chart:
    dash = {"strokeDash": [5, 4], "color": THEMES[settings.theme].muted, "strokeWidth": 1}
    return named("labels").mark_rule(**dash).encode(y=alt.YDatum(settings.h_y))
