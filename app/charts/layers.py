"""Encodings that every figure shares: a layer's colour and shape, and what is lit."""

import altair as alt

from charts.settings import PlaneSettings
from charts.theme import layer_colours, layer_shapes

HOVER = "hover"
PIN = "pin"
TIPS = {
    "i_xt_text": "I(X;T) (bits)",
    "i_ty_text": "I(T;Y) (bits)",
    "h_t_text": "H(T) (bits)",
}


def colour(settings: PlaneSettings) -> alt.Color:
    """Colour by layer, the same in every figure."""
    return alt.Color("layer:N", scale=_colour_scale(settings), legend=None)


def fill(settings: PlaneSettings) -> alt.Fill:
    """The colour of a layer as a filling."""
    return alt.Fill("layer:N", scale=_colour_scale(settings), legend=None)


def shape(settings: PlaneSettings) -> alt.Shape:
    """Shape by layer: the second sign beside the colour."""
    scale = _layer_scale(settings, layer_shapes(settings.n_layers))
    return alt.Shape("layer:N", scale=scale, legend=None)


def _colour_scale(settings: PlaneSettings) -> alt.Scale:
    return _layer_scale(settings, layer_colours(settings.theme, settings.n_layers))


def _layer_scale(settings: PlaneSettings, signs: list[str]) -> alt.Scale:
    return alt.Scale(domain=list(range(1, settings.n_layers + 1)), range=signs)


def selections(views: list[str]) -> list[dict]:
    """The layer under the pointer, and the layers that were clicked; a double click lets go."""
    point = {"type": "point", "fields": ["layer"]}
    hovered = {**point, "on": "pointerover", "clear": "pointerout"}
    clicked = {**point, "on": "click", "clear": "dblclick"}
    return [
        {"name": HOVER, "select": hovered, "views": views},
        {"name": PIN, "select": clicked, "views": views},
    ]


def lit(full: float = 1.0, dim: float = 0.12) -> alt.Opacity:
    """Opacity: the layer under the pointer, else the pinned ones, else all are lit."""
    test = {
        "or": [
            {"param": HOVER, "empty": False},
            {"and": [f"!length(data('{HOVER}_store'))", {"param": PIN}]},
        ]
    }
    return alt.Opacity(condition={"test": test, "value": full}, value=dim)


def tooltips() -> list[alt.Tooltip]:
    """All numbers of one mean, as `mean_rows` writes them."""
    titles = {"name": "layer", "epoch": "epoch"} | TIPS
    titles |= {"bounds": "lower to upper", "note": "replicates"}
    return [alt.Tooltip(f"{name}:N", title=title) for name, title in titles.items()]
