"""What the noise of the KDE does to a layer that is the label itself."""

from collections.abc import Mapping
from functools import lru_cache

import altair as alt
import pandas as pd

from charts.spec import layered, named, specification, template
from charts.theme import THEMES

HEIGHT = 190
AXES = 76


def tuning_figure(
    bounds: pd.DataFrame, h_y: float, marks: Mapping[str, float], theme: str, width: int
) -> dict:
    """Both bounds of H(Y) against the noise variance, with H(Y) and marks by their names.

    `bounds` has the columns variance, lower and upper, in bits.
    """
    ends = bounds["variance"].min(), bounds["variance"].max()
    data = {
        "bounds": bounds.round(5),
        "marks": [
            {"variance": value, "name": f"{name} {value:.3g}", "y": 12 + 15 * i}
            for i, (name, value) in enumerate(marks.items())
        ],
        "labels": [{"h_y": h_y, "words": f"H(Y) = {h_y:.4g} bits"}],
    }
    return specification(_template(ends, round(h_y, 9), theme, width), data)


@lru_cache(maxsize=16)
def _template(ends: tuple[float, float], h_y: float, theme: str, width: int) -> str:
    look = THEMES[theme]
    scale = alt.Scale(type="log", domain=list(ends), nice=False)
    x = alt.X("variance:Q", title="noise variance σ²", scale=scale, axis=alt.Axis(format="~g"))
    up = alt.Scale(domain=[0, 1.12 * h_y], nice=False)
    title = "bounds of I(T;Y) for T = Y (bits)"
    y, lower = (alt.Y(f"{name}:Q", title=title, scale=up) for name in ("upper", "lower"))
    dash = {"strokeDash": [5, 4], "color": look.muted, "strokeWidth": 1}
    text = {"align": "left", "fontSize": 11}
    rows, marks, labels = named("bounds"), named("marks"), named("labels")
    line = {"color": look.layers[0], "strokeWidth": 1.8}
    body = layered(
        rows.mark_area(opacity=0.15, color=look.layers[0]).encode(x=x, y=lower, y2="upper:Q"),
        rows.mark_line(**line).encode(x=x, y=y),
        rows.mark_line(**line, strokeDash=[4, 2]).encode(x=x, y=lower),
        labels.mark_rule(**dash).encode(y=alt.Y("h_y:Q", scale=up)),
        labels.mark_text(**text, baseline="bottom", dx=4, dy=-3, color=look.muted).encode(
            x=alt.value(0), y=alt.Y("h_y:Q", scale=up), text="words:N"
        ),
        marks.mark_rule(color=look.text, strokeWidth=1).encode(x=x),
        marks.mark_text(**text, dx=4, baseline="middle", color=look.text).encode(
            x=x, y=alt.value(alt.ExprRef(f"{HEIGHT} - 60 + datum.y")), text="name:N"
        ),
        width=width - AXES,
        height=HEIGHT,
    )
    words = "The KDE's bounds of the information of the label itself against the noise variance."
    return template(body, theme, width, words)
