"""Colours, shapes and the Vega-Lite configuration of the light and the dark theme."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Theme:
    """Colours of one theme; `layers` are told apart with any kind of colour vision."""

    background: str
    text: str
    muted: str
    grid: str
    layers: tuple[str, ...]


# Hues after Okabe and Ito, "Color Universal Design" (2008). Lightness is chosen so
# that each has a contrast of 3:1 with its background and any two stay apart under
# simulated protanopia, deuteranopia and tritanopia.
THEMES = {
    "light": Theme(
        background="#ffffff",
        text="#262730",
        muted="#6b6f7b",
        grid="#e8e9ee",
        layers=("#0068b0", "#dd6a10", "#009a73", "#dd62a8", "#7a5200", "#3a3a3a", "#6a3fd0"),
    ),
    "dark": Theme(
        background="#171614",
        text="#fafafa",
        muted="#a3a8b4",
        grid="#33312e",
        layers=("#3f9bdc", "#e8702a", "#22c39c", "#f09fce", "#f7df72", "#d8d8d8", "#7a6cf0"),
    ),
}

SHAPES = (
    "circle",
    "square",
    "triangle-up",
    "diamond",
    "triangle-down",
    "cross",
    "triangle-right",
    "triangle-left",
)

FONT = '"Source Sans", "Source Sans Pro", "Liberation Sans", Arial, sans-serif'


def layer_colours(theme: str, n_layers: int) -> list[str]:
    """One colour per layer; colours and shapes repeat with coprime periods 7 and 8."""
    colours = THEMES[theme].layers
    return [colours[i % len(colours)] for i in range(n_layers)]


def layer_shapes(n_layers: int) -> list[str]:
    """One shape per layer, in the order of `SHAPES`."""
    return [SHAPES[i % len(SHAPES)] for i in range(n_layers)]


def chart_config(theme: str) -> dict:
    """The whole look of a chart, so that no global or host theme is needed."""
    look = THEMES[theme]
    words = {"labelColor": look.muted, "titleColor": look.text, "labelFontSize": 11}
    return {
        "background": "transparent",
        "font": FONT,
        "aria": False,
        "padding": 5,
        "axis": {
            **words,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
            "gridColor": look.grid,
            "domainColor": look.muted,
            "tickColor": look.muted,
            "titlePadding": 6,
        },
        "legend": {**words, "titleFontSize": 12, "titleFontWeight": "normal"},
        "title": {
            "color": look.text,
            "subtitleColor": look.muted,
            "fontSize": 14,
            "subtitleFontSize": 12,
            "fontWeight": "bold",
            "anchor": "start",
        },
        "header": {"labelColor": look.text, "titleColor": look.text},
        "text": {"color": look.text},
        "view": {"stroke": look.grid},
        "concat": {"spacing": 12},
    }
