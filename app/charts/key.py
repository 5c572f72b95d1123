"""The key of a figure: the sign and the name of every layer."""

import altair as alt

from charts.layers import colour, lit, shape
from charts.rows import key_columns
from charts.settings import FigureSettings
from charts.spec import layered, named
from charts.theme import THEMES

VIEW = "key_symbols"


def key_panel(settings: FigureSettings, width: int) -> dict:
    """One row, or a few, of symbols and names; hovering one lights its layer."""
    columns = key_columns(settings)
    n_rows = -(-settings.n_layers // columns)
    base = named("layers").encode(
        x=alt.X("column:Q", axis=None, scale=alt.Scale(domain=[0, columns], nice=False)),
        y=alt.Y("row:Q", axis=None, scale=alt.Scale(domain=[n_rows - 0.5, -0.5], nice=False)),
        opacity=lit(),
        tooltip="name:N",
    )
    symbol = base.properties(name=VIEW).mark_point(filled=True, size=80)
    name = base.mark_text(align="left", dx=9, fontSize=12)
    return layered(
        symbol.encode(color=colour(settings), shape=shape(settings)),
        name.encode(text="name:N", color=alt.value(THEMES[settings.theme].text)),
        view={"stroke": None},
        width=width,
        height=20 * n_rows,
    )
