"""Keys of marks and words.

A legend that Vega makes would nest a picture too deeply to become a PDF.
"""

from collections.abc import Sequence

import altair as alt

from charts.settings import FigureSettings
from charts.spec import named
from charts.theme import THEMES

LETTER = 5.8
DASHES = {"solid": [1, 0], "dashed": [5, 3], "dotted": [1, 3]}
SIGNS = {"line": 22, "shape": 12}
"""Pixels that the sign of an entry takes."""
GAP = 22
UPRIGHT = "M0,-1.5L0,1.5"
"""A vertical stroke as a shape."""


def sign_rows(key: str, entries: Sequence[dict], y: float) -> list[dict]:
    """The entries of one key side by side at height `y` in pixels.

    An entry has a `word` and either a `line` ("solid", "dashed" or "dotted") or the `shape` of
    a mark; it may have a `tint`, its colour, and be `hollow`.
    """
    plain = {"key": key, "line": "", "shape": "", "tint": "", "hollow": False, "y": y}
    rows, x = [], 0
    for entry in entries:
        indent = SIGNS["line" if "line" in entry else "shape"] + 5
        rows.append({**plain, "x": x, "indent": indent, **entry})
        x += indent + LETTER * len(entry["word"]) + GAP
    return rows


def sign_marks(key: str, settings: FigureSettings) -> list[alt.Chart]:
    """Lines, marks and words of the rows of that key in the data set `signs`."""
    look = THEMES[settings.theme]
    base = named("signs").transform_filter(f"datum.key == '{key}'").encode(y=_at("datum.y"))
    tint = f"datum.tint || '{look.text}'"
    line = base.transform_filter("datum.line").mark_rule(
        strokeWidth=1.6, strokeDash=alt.ExprRef(f"{DASHES}[datum.line]"), color=alt.ExprRef(tint)
    )
    shape = base.transform_filter("datum.shape").mark_point(
        size=50,
        shape=alt.ExprRef("datum.shape"),
        stroke=alt.ExprRef(tint),
        fill=alt.ExprRef(f"datum.hollow ? 'transparent' : {tint}"),
        strokeWidth=1.4,
        opacity=1,
    )
    word = base.mark_text(align="left", baseline="middle", fontSize=11.5, color=look.muted)
    return [
        line.encode(x=_at("datum.x"), x2=_at(f"datum.x + {SIGNS['line']}")),
        shape.encode(x=_at(f"datum.x + {SIGNS['shape'] / 2}")),
        word.encode(x=_at("datum.x + datum.indent"), text="word:N"),
    ]


def _at(expression: str) -> dict:
    return alt.value(alt.ExprRef(expression))
