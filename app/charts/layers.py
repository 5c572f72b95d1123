"""Encodings that every figure shares: a layer's colour and shape, and what is lit."""

import altair as alt

from charts.settings import FigureSettings
from charts.theme import layer_colours, layer_shapes

HOVER = "hover"
PIN = "pin"
LIT = "lit"


def colour(settings: FigureSettings) -> alt.Color:
    """Colour by layer, the same in every figure."""
    return alt.Color("layer:N", scale=_colour_scale(settings), legend=None)


def fill(settings: FigureSettings) -> alt.Fill:
    """The colour of a layer as a filling."""
    return alt.Fill("layer:N", scale=_colour_scale(settings), legend=None)


def shape(settings: FigureSettings) -> alt.Shape:
    """Shape by layer: the second sign beside the colour."""
    scale = _layer_scale(settings, layer_shapes(settings.n_layers))
    return alt.Shape("layer:N", scale=scale, legend=None)


def _colour_scale(settings: FigureSettings) -> alt.Scale:
    return _layer_scale(settings, layer_colours(settings.theme, settings.n_layers))


def _layer_scale(settings: FigureSettings, signs: list[str]) -> alt.Scale:
    return alt.Scale(domain=list(range(1, settings.n_layers + 1)), range=signs)


def selections(views: list[str], field: str = "layer") -> list[dict]:
    """The layer under the pointer, and the layers that were clicked; a double click lets go.

    The parameter `lit` has the layers that stand out: the one under the pointer, else
    the clicked ones, else none. Every mark asks for it, so it is worked out once.
    `field` names what is picked instead of a layer.
    """
    point = {"type": "point", "fields": [field]}
    hovered = {**point, "on": "pointerover", "clear": "pointerout"}
    clicked = {**point, "on": "click", "clear": "dblclick"}
    return [
        {"name": HOVER, "select": hovered, "views": views},
        {"name": PIN, "select": clicked, "views": views},
        {"name": LIT, "expr": f"{HOVER}.{field} || {PIN}.{field}"},
    ]


def lit(full: float = 1.0, dim: float = 0.12, field: str = "layer") -> alt.Opacity:
    """Opacity: dim, unless the layer stands out or none does."""
    test = f"!{LIT} || indexof({LIT}, datum.{field}) >= 0"
    return alt.Opacity(condition={"test": test, "value": full}, value=dim)


def tooltips(field: str = "tip") -> dict:
    """A text of each row as it stands, by default all its numbers, as `mean_rows` writes them.

    For charts with hundreds of marks: a browser asks each what it says, and would check and
    format a field (`"tip:N"`) first.
    """
    return alt.value(alt.ExprRef(expr=f"datum.{field}"))
