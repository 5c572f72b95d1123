"""The information plane before training beside the one after it, a row for each definition."""

import math
from collections.abc import Mapping

import altair as alt
import pandas as pd

from charts.layers import LIT, colour, fill, lit, shape
from charts.plane import bits_x, bits_y, centre, label, limits
from charts.settings import PlaneSettings
from charts.spec import layered, named
from charts.theme import THEMES

MOMENTS = ("before", "after")
HEIGHTS = {1: 300, 2: 230}
BETWEEN = 64
TOGETHER = 0.02
"""Of an axis: marks that are closer hide each other."""


def views(definitions: tuple[str, ...]) -> list[str]:
    """The names of the marks that can be pointed at."""
    return [_view(definition, moment) for definition in definitions for moment in MOMENTS]


def _view(definition: str, moment: str) -> str:
    return f"plane_{definition}_{moment}"


def plane_rows(planes: Mapping[str, pd.DataFrame], settings: PlaneSettings) -> list[dict]:
    """One row per definition, moment and layer of the tables of `ibcore.comparison.compared`."""
    rows = [
        {"definition": definition} | row
        for definition, table in planes.items()
        for row in _with_start(table)
    ]
    for row in rows:
        row["tip"] = _tip(row, settings)
    return _with_hidden(rows, settings)


def _with_start(table: pd.DataFrame) -> list[dict]:
    """The rows of the table, each with where its layer was before."""
    if table.empty:
        return []
    before = table[table["moment"] == "before"].set_index("layer")
    starts = table.assign(
        from_xt=table["layer"].map(before["i_xt"]), from_ty=table["layer"].map(before["i_ty"])
    )
    return [
        {name: _drawable(value) for name, value in row.items()} for row in starts.to_dict("records")
    ]


def _drawable(value: object) -> object:
    """Without needless digits, and None for an end that is not known."""
    if not isinstance(value, float):
        return value
    return round(value, 5) if math.isfinite(value) else None


def _tip(row: dict, settings: PlaneSettings) -> str:
    kind = "bounds" if row["bounded"] else "95 % interval"
    lines = [settings.layer_names[row["layer"] - 1], f"epoch {row['epoch']:,}, {row['definition']}"]
    for name, title in (("i_xt", "I(X;T)"), ("i_ty", "I(T;Y)")):
        low, high = row[f"{name}_low"], row[f"{name}_high"]
        ends = "" if low is None else f", {kind} {low:.3f} to {high:.3f}"
        lines.append(f"{title} {row[name]:.3f} bits{ends}")
    return "\n".join(lines)


def _with_hidden(rows: list[dict], settings: PlaneSettings) -> list[dict]:
    """Each row with the numbers of the later layers behind its mark, or itself behind another."""
    on_top: list[dict] = []
    for row in sorted(rows, key=lambda row: row["layer"]):
        above = next((top for top in on_top if _hides(top, row, settings)), None)
        row |= {"also": "", "covered": above is not None}
        if above is None:
            on_top.append(row)
        else:
            above["also"] = f"{above['also'] or '='} {row['layer']}"
    return rows


def _hides(a: dict, b: dict, settings: PlaneSettings) -> bool:
    same = (a["definition"], a["moment"]) == (b["definition"], b["moment"])
    near_x = abs(a["i_xt"] - b["i_xt"]) < TOGETHER * settings.h_x
    near_y = abs(a["i_ty"] - b["i_ty"]) < TOGETHER * settings.h_y
    return same and near_x and near_y


def plane_panels(settings: PlaneSettings, definitions: tuple[str, ...], width: int) -> dict:
    """All panels, of that width in pixels together."""
    inside, height = (width - BETWEEN) // 2, HEIGHTS[len(definitions)]
    rows = [
        {
            "hconcat": [_panel(settings, d, m, inside, height) for m in MOMENTS],
            "spacing": BETWEEN,
            "bounds": "flush",
        }
        for d in definitions
    ]
    return {"vconcat": rows, "spacing": 16}


def _panel(settings: PlaneSettings, definition: str, moment: str, width: int, height: int) -> dict:
    at = {"x": bits_x(settings), "y": bits_y(settings)}
    here = f"datum.definition == '{definition}' && datum.moment == '{moment}'"
    base = named("planes").transform_filter(here)
    path = [_path(base, settings)] if moment == "after" else []
    return layered(
        *limits(settings),
        *path,
        *_bars(base, settings, at),
        *_marks(base, settings, at, _view(definition, moment)),
        _hidden(base, settings, at),
        label(f"{definition}_{moment}", settings),
        width=width,
        height=height,
    )


def _path(base: alt.Chart, settings: PlaneSettings) -> alt.Chart:
    """From where the layer was before."""
    return base.mark_rule(strokeWidth=1.2, strokeDash=[2, 2], strokeOpacity=0.7).encode(
        x=bits_x(settings, "from_xt"),
        x2="i_xt:Q",
        y=bits_y(settings, "from_ty"),
        y2="i_ty:Q",
        color=colour(settings),
        opacity=lit(),
    )


def _bars(base: alt.Chart, settings: PlaneSettings, at: dict) -> list[alt.Chart]:
    shared = {"color": colour(settings), "opacity": lit()}
    base = base.transform_filter("isValid(datum.i_xt_low)")
    rule = base.mark_rule(strokeWidth=1.6)
    cap = {"size": 8, "thickness": 1.6}
    ends = []
    for field in ("i_xt_low", "i_xt_high"):
        tick = base.mark_tick(orient="vertical", **cap)
        ends.append(tick.encode(x=bits_x(settings, field), y=at["y"], **shared))
    for field in ("i_ty_low", "i_ty_high"):
        tick = base.mark_tick(orient="horizontal", **cap)
        ends.append(tick.encode(x=at["x"], y=bits_y(settings, field), **shared))
    return [
        rule.encode(x=bits_x(settings, "i_xt_low"), x2="i_xt_high:Q", y=at["y"], **shared),
        rule.encode(y=bits_y(settings, "i_ty_low"), y2="i_ty_high:Q", x=at["x"], **shared),
        *ends,
    ]


def _marks(base: alt.Chart, settings: PlaneSettings, at: dict, name: str) -> list[alt.Chart]:
    """Mark and number of each layer; the first is drawn last, on top."""
    look = THEMES[settings.theme]
    order = alt.Order("layer:Q", sort="descending")
    mark = base.mark_point(size=260, stroke=look.background, strokeWidth=1.2).encode(
        **at,
        fill=fill(settings),
        shape=shape(settings),
        opacity=lit(),
        order=order,
        tooltip="tip:N",
    )
    digit = {"fontSize": 10, "fontWeight": "bold", "color": look.background}
    number = base.mark_text(dy=centre(), **digit)
    numbers = number.encode(**at, text="layer:N", opacity=_on_top(), order=order)
    return [mark.properties(name=name), numbers]


def _on_top() -> alt.Opacity:
    """The number of what stands out; else not of what is hidden, which would shine through."""
    test = f"{LIT} ? indexof({LIT}, datum.layer) >= 0 : !datum.covered"
    return alt.Opacity(condition={"test": test, "value": 1}, value=0)


def _hidden(base: alt.Chart, settings: PlaneSettings, at: dict) -> alt.Chart:
    words = {"fontSize": 11, "align": "right", "baseline": "top", "dx": -10, "dy": 8}
    return (
        base.transform_filter("datum.also")
        .mark_text(**words, color=THEMES[settings.theme].text)
        .encode(**at, text="also:N")
    )
