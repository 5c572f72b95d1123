"""A small drawing of a network, from the input to the output."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import altair as alt

from charts.spec import layered, named, specification, template
from charts.theme import THEMES, layer_colours

MOST = 12
ENDS = 4
"""Units drawn at either end of a layer that has more than `MOST`."""
HEIGHT = 150


def network_drawing(
    widths: Sequence[int],
    activation_label: str,
    output_label: str,
    theme: str = "light",
    width: int = 220,
) -> dict:
    """The units of every layer as circles, `widths` from the input to the output.

    A layer of more than 12 units shows 4 at either end and dots between; its number
    stands below. Layers 1..L have the colours they have in the plane. `width`: of the
    drawing in pixels.
    Raises ValueError for fewer than two widths or a width below 1.
    """
    if len(widths) < 2 or min(widths) < 1:
        raise ValueError(f"widths: {list(widths)} is not allowed; use two or more, each 1 or more")
    units = [_places(width) for width in widths]
    rows = {
        "units": [
            {"layer": i, "y": y} for i, places in enumerate(units) for y in places if y is not None
        ],
        "dots": [{"layer": i} for i, places in enumerate(units) if None in places],
        "weights": _weights(units),
        "numbers": [{"layer": i, "units": f"{width:,}"} for i, width in enumerate(widths)],
        "words": _words(len(widths), activation_label, output_label),
    }
    upright = max(len(row["units"]) for row in rows["numbers"]) * 6 > width / len(widths)
    return specification(_template(len(widths), theme, width, upright), rows)


def _places(width: int) -> list[float | None]:
    """Height of each circle, None for the dots; the middle of a layer is at 0."""
    if width <= MOST:
        return [i - (width - 1) / 2 for i in range(width)]
    above = [i + 1.5 for i in range(ENDS)]
    return [*(-y for y in reversed(above)), None, *above]


def _weights(units: list[list[float | None]]) -> list[dict]:
    return [
        {"layer": i, "next": i + 1, "y": a, "z": b}
        for i, (here, there) in enumerate(pairwise(units))
        for a in here
        for b in there
        if a is not None and b is not None
    ]


def _words(n: int, activation_label: str, output_label: str) -> list[dict]:
    hidden = [{"layer": (n - 1) / 2, "text": activation_label}] if n > 2 else []
    return [{"layer": 0, "text": "X"}, *hidden, {"layer": n - 1, "text": output_label}]


@lru_cache(maxsize=64)
def _template(n: int, theme: str, width: int, upright: bool) -> str:
    look = THEMES[theme]
    size = min(75, (0.5 * width / n) ** 2)
    stand = {"angle": 270, "align": "right"} if upright else {"baseline": "top"}
    across = alt.Scale(domain=[-0.4, n - 0.6], nice=False)
    up = alt.Scale(domain=[-MOST / 2, MOST / 2], nice=False)
    x, y = alt.X("layer:Q", axis=None, scale=across), alt.Y("y:Q", axis=None, scale=up)
    tints = [look.muted, *layer_colours(theme, n - 1)]
    tint = alt.Color("layer:O", legend=None, scale=alt.Scale(domain=list(range(n)), range=tints))
    dots = {"text": "⋮", "fontSize": 18, "color": look.muted, "baseline": "middle"}
    body = layered(
        named("weights")
        .mark_rule(strokeWidth=0.5, color=look.muted, opacity=0.35)
        .encode(x=x, x2="next:Q", y=y, y2="z:Q"),
        named("units").mark_circle(size=size, opacity=1).encode(x=x, y=y, color=tint),
        named("dots").mark_text(**dots).encode(x=x, y=alt.YDatum(0)),
        named("numbers")
        .mark_text(fontSize=11, color=look.muted, **stand)
        .encode(x=x, y=alt.value(HEIGHT + 4), text="units:N"),
        named("words")
        .mark_text(fontSize=12, color=look.text, baseline="bottom")
        .encode(x=x, y=alt.value(-4), text="text:N"),
        width=width,
        height=HEIGHT,
        view={"stroke": None},
    )
    return template(body, theme, width, f"A network of {n - 1} layers after the input.")
