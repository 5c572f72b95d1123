"""What every layer answers to one input, before and after training, in shades of grey."""

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt
import numpy as np

from charts.comparison_planes import MOMENTS
from charts.layers import lit
from charts.montage import Layout, grey_scale, layout, montage
from charts.settings import PlaneSettings
from charts.spec import layered, named
from charts.theme import THEMES, layer_colours

VIEW = "activation_rows"
NAMES = 172
"""Pixels for what is said of a layer, left of its pictures."""

BETWEEN = 22
HEAD = 26
LEAST, SPACE, CLASSES = 50, 16, 14
"""The least height of a row, the space below it, and that for the classes of the output."""

MOST_CLASSES = 20
"""With more of them their numbers have no place."""

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Seen:
    """T_0 = X, T_1 .. T_L for one input at two moments, (D,) or (C, H, W) each.

    `headings` stand above the two columns, `words` beside the input, a line each; `title`
    names input and network for a caption.
    """

    before: Sequence[np.ndarray]
    after: Sequence[np.ndarray]
    headings: tuple[str, str]
    words: Sequence[str]
    title: str = ""

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """Those of the activations, X first."""
        return tuple(t.shape for t in self.before)


@dataclass(frozen=True)
class _Place:
    """Where layer `layer`, 0 for the input, is drawn: from `y` on, `height` pixels high."""

    layer: int
    shape: Shape
    layout: Layout
    y: float
    height: float


def _places(shapes: Sequence[Shape], width: int) -> list[_Place]:
    places, y = [], float(HEAD)
    for layer, shape in enumerate(shapes):
        where = layout(shape, _column(width))
        numbered = layer == len(shapes) - 1 and len(shape) == 1 and shape[0] <= MOST_CLASSES
        height = max(LEAST, where.height + (CLASSES if numbered else 0))
        places.append(_Place(layer, shape, where, y, height))
        y += height + SPACE
    return places


def _column(width: int) -> int:
    return (width - NAMES - BETWEEN) // 2


def _left(moment: int, width: int) -> int:
    return NAMES + moment * (_column(width) + BETWEEN)


def activation_rows(seen: Seen, settings: PlaneSettings, width: int) -> dict[str, list[dict]]:
    """The data sets of `activation_panel`."""
    places = _places(seen.shapes, width)
    lines = [line for place in places for line in _lines(place, seen, settings)]
    lines += _headings(seen, width) + _beside_input(seen, width)
    return {
        "bands": [_band(place) for place in places[1:]],
        "pictures": [row for place in places for row in _pictures(place, seen, settings, width)],
        "lines": lines,
        "classes": _classes(places[-1], width),
    }


def _band(place: _Place) -> dict:
    top, bottom = place.y - SPACE / 2, place.y + place.height + SPACE / 2
    return {"layer": place.layer, "y": top, "y2": bottom}


def _pictures(place: _Place, seen: Seen, settings: PlaneSettings, width: int) -> list[dict]:
    # The input is the same at both moments.
    moments = [seen.before, seen.after][: 1 if place.layer == 0 else 2]
    where = place.layout
    size = {"y": place.y, "w": round(where.width, 2), "h": round(where.height, 2)}
    return [
        {"layer": place.layer, "x": _left(i, width), "url": montage(ts[place.layer], where)}
        | {"tip": _tip(place, ts[place.layer], MOMENTS[i], settings)}
        | size
        for i, ts in enumerate(moments)
    ]


def _tip(place: _Place, t: np.ndarray, moment: str, settings: PlaneSettings) -> str:
    scale = grey_scale(t)
    name = settings.layer_names[place.layer - 1] if place.layer else "input X"
    active = f"{np.count_nonzero(t)} of {t.size:,} units are not 0"
    greys = f"black {scale.low:.3g}, white {scale.high:.3g}"
    return "\n".join([name if not place.layer else f"{name}, {moment}", greys, active])


def _lines(place: _Place, seen: Seen, settings: PlaneSettings) -> list[dict]:
    """Name, shape and the values that white stands for."""
    name = settings.layer_names[place.layer - 1] if place.layer else "X, the input"
    # As a person reads it: 32 channels of 26 x 26.
    shape = " × ".join(f"{n:,}" for n in place.shape) + _part(place)
    before, after = (grey_scale(ts[place.layer]).high for ts in (seen.before, seen.after))
    white = f"white {before:.3g}" + (f" → {after:.3g}" if place.layer else "")
    words = [(name, 12, True), (shape, 11, False), (white, 11, False)]
    return [
        {"layer": place.layer, "x": 8, "y": place.y + 7 + 16 * i, "text": text}
        | {"size": size, "strong": strong}
        for i, (text, size, strong) in enumerate(words)
    ]


def _part(place: _Place) -> str:
    drawn = place.layout.count
    return f", the first {drawn}" if drawn < place.shape[0] else ""


def _headings(seen: Seen, width: int) -> list[dict]:
    return [
        {"layer": 0, "x": _left(i, width), "y": 7, "text": text, "size": 13, "strong": True}
        for i, text in enumerate(seen.headings)
    ]


def _beside_input(seen: Seen, width: int) -> list[dict]:
    return [
        {"layer": 0, "x": _left(1, width), "y": HEAD + 12 + 18 * i, "text": text}
        | {"size": 12, "strong": False}
        for i, text in enumerate(seen.words)
    ]


def _classes(last: _Place, width: int) -> list[dict]:
    """The numbers of the classes below the units of the output."""
    (side, _), count = last.layout.cell, last.layout.count
    if len(last.shape) != 1 or not 1 < count <= MOST_CLASSES:
        return []
    y = last.y + last.layout.height + 8
    return [
        {"layer": last.layer, "x": round(_left(m, width) + (i + 0.45) * side, 2), "y": y}
        | {"text": str(i)}
        for m in (0, 1)
        for i in range(count)
    ]


def activation_panel(settings: PlaneSettings, shapes: Sequence[Shape], width: int) -> dict:
    """A row of names and two pictures per layer; a click on it picks the layer."""
    last = _places(shapes, width)[-1]
    look = THEMES[settings.theme]
    x, y = (_pixels(name) for name in "xy")
    picture = named("pictures").mark_image(
        align="left",
        baseline="top",
        aspect=False,
        smooth=False,
        width=alt.ExprRef("datum.w"),
        height=alt.ExprRef("datum.h"),
    )
    words = named("lines").mark_text(
        align="left",
        baseline="middle",
        fontSize=alt.ExprRef("datum.size"),
        fontWeight=alt.ExprRef("datum.strong ? 'bold' : 'normal'"),
        color=alt.ExprRef(f"datum.strong ? '{look.text}' : '{look.muted}'"),
    )
    classes = named("classes").mark_text(baseline="middle", fontSize=11, color=look.muted)
    return layered(
        _bands(settings, width),
        picture.encode(x=x, y=y, url="url:N", opacity=lit(dim=0.25), tooltip="tip:N"),
        words.encode(x=x, y=y, text="text:N"),
        classes.encode(x=x, y=y, text="text:N"),
        view={"stroke": None},
        width=width,
        height=last.y + last.height + SPACE / 2,
    )


def _pixels(field: str) -> dict:
    """A place that is given in pixels."""
    channel = {"x": alt.X, "y": alt.Y}[field]
    return channel(f"{field}:Q", scale=None, axis=None)


def _bands(settings: PlaneSettings, width: int) -> alt.Chart:
    """What takes the click, framed in the layer's colour where it is picked."""
    tints = layer_colours(settings.theme, settings.n_layers)
    return (
        named("bands")
        .properties(name=VIEW)
        .mark_rect(
            fill="transparent",
            stroke=alt.ExprRef(f"{tints}[datum.layer - 1]"),
            strokeWidth=1.6,
            cursor="pointer",
        )
        .encode(
            x=alt.value(0),
            x2=alt.value(width),
            y=_pixels("y"),
            y2="y2:Q",
            tooltip=alt.value(None),
            strokeOpacity=alt.StrokeOpacity(
                condition={"test": "lit && indexof(lit, datum.layer) >= 0", "value": 1}, value=0
            ),
        )
    )
