"""The words below a chart that leaves the program."""

import textwrap
from collections.abc import Sequence

from charts.theme import THEMES

FONT_SIZE = 11
LETTER = 5.6
"""Mean width of a letter in pixels at that size."""


def with_caption(chart: dict, lines: Sequence[str]) -> dict:
    """The chart with `lines` below it, each wrapped to the chart's width; the chart is kept."""
    meta = chart["usermeta"]
    letters = max(20, int(meta["width"] / LETTER))
    wrapped = [part for line in lines for part in textwrap.wrap(line, letters) or [""]]
    title = {
        "text": wrapped,
        "orient": "bottom",
        "anchor": "start",
        "fontSize": FONT_SIZE,
        "fontWeight": "normal",
        "color": THEMES[meta["theme"]].muted,
        "lineHeight": 15,
        "offset": 12,
    }
    return {**chart, "title": title} if wrapped else chart
