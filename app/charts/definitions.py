"""The gradients of one layer under several definitions of signal and noise."""

from dataclasses import replace
from functools import lru_cache

import altair as alt
import numpy as np
import pandas as pd

from charts.curves import UNSEEN, epoch_axis
from charts.epoch_settings import EpochSettings
from charts.layers import lit, selections
from charts.levels import AXIS as LEVEL
from charts.levels import LINES, dash_of_series
from charts.logs import EXTENT, log_params, log_row, log_y
from charts.plane import label
from charts.ratios import AXIS as RATIO
from charts.ratios import one
from charts.signals import level_rows, ratio_rows, ratio_title, signal_means, signal_tips
from charts.signs import sign_marks, sign_rows
from charts.spec import Rows, layered, named, specification, template
from charts.spread import replicate_words
from charts.tables import with_checkpoint
from charts.theme import SHAPES, THEMES, layer_colours

VIEWS = {"levels": "level_lines", "ratios": "ratio_lines"}
KEY = "definitions"
ROW = 20
HEIGHT = 280
BETWEEN = 76
AXES = EXTENT + 46
MARKS = 8
"""Marks of the protocol on each line, that lines stay apart where colours do not tell them."""
PICKED = "definition"


def definitions_figure(overlay: pd.DataFrame, settings: EpochSettings) -> dict:
    """Signal and noise beside their ratio, for one layer under several definitions: Vega-Lite.

    `overlay` has the columns of a defined table and `definition` and `protocol`, short
    labels: a colour per definition, a mark per protocol. Lines are geometric means over
    replicates; what is not finite or not above 0 is not drawn. Everything that changes
    with the data is in `datasets`. Raises ValueError for more than one layer and for an
    epoch that is not in `settings.epochs`.
    """
    layers = overlay["layer"].unique().tolist()
    if len(layers) > 1:
        raise ValueError(f"layer: {layers} is not allowed; use one layer")
    return specification(_template(replace(settings, heading="")), _rows(overlay, settings))


def _rows(overlay: pd.DataFrame, settings: EpochSettings) -> dict[str, Rows]:
    names = {field: overlay[field].unique().tolist() for field in ("definition", "protocol")}
    keys = ["definition", "protocol", "epoch", "tip", "marked"]
    means = _means(overlay, names, settings)
    levels = level_rows(means, keys)
    levels = levels[levels["series"] != "floor"]
    ratios = ratio_rows(means, keys)
    ends = log_row(LEVEL, levels["value"]) | log_row(RATIO, np.append(ratios["value"], 1))
    band = replicate_words(overlay, "geometric mean", "no bands")
    return {
        "levels": levels.drop(columns=["low", "high"]),
        "ratios": ratios.drop(columns=["low", "high", "floor"]),
        "signs": _signs(names, settings),
        "labels": [{"heading": settings.heading, "band": band, **ends}],
    }


def _means(
    overlay: pd.DataFrame, names: dict[str, list[str]], settings: EpochSettings
) -> pd.DataFrame:
    """Means with the number of the definition and of the protocol in place of their names."""
    numbers = {f: overlay[f].map({n: i for i, n in enumerate(names[f])}) for f in names}
    table = with_checkpoint(overlay.assign(**numbers), settings.epochs)
    means = signal_means(table, ("definition", "protocol", "k", "epoch"))
    pairs = zip(means["definition"].tolist(), means["protocol"].tolist(), strict=True)
    means = means.assign(
        name=[f"{names['definition'][d]}, {names['protocol'][p]}" for d, p in pairs]
    )
    apart = max(1, len(settings.epochs) // MARKS)
    shift = means["protocol"] * apart // max(1, len(names["protocol"]))
    marked = (means["k"] - shift) % apart == 0
    return means.assign(tip=signal_tips(means, ratio_title()), marked=marked)


def _signs(names: dict[str, list[str]], settings: EpochSettings) -> list[dict]:
    tints = layer_colours(settings.theme, len(names["definition"]))
    rows = [
        [
            {"word": name, "line": "solid", "tint": tint}
            for name, tint in zip(names["definition"], tints, strict=True)
        ],
        [
            {"word": name, "shape": SHAPES[i % len(SHAPES)]}
            for i, name in enumerate(names["protocol"])
        ],
        [{"word": word, "line": line} for word, line in LINES.items()],
    ]
    return [
        sign
        for i, entries in enumerate(rows)
        for sign in sign_rows(KEY, entries, y=ROW * (i + 0.5))
    ]


@lru_cache(maxsize=32)
def _template(settings: EpochSettings) -> str:
    width = (settings.width - AXES - BETWEEN) // 2
    key = layered(
        *sign_marks(KEY, settings),
        label("heading", settings),
        label("band", settings, x=settings.width - AXES, align="right", y=3 * ROW),
        view={"stroke": None},
        width=settings.width - AXES,
        height=3 * ROW,
    )
    panels = [
        _panel(settings, "levels", LEVEL, "gradient norm", width),
        _panel(settings, "ratios", RATIO, ratio_title(), width),
    ]
    panels[1]["layer"] = (
        layered(*one(settings, "labels", "signal = noise"))["layer"] + panels[1]["layer"]
    )
    body = {
        "vconcat": [key, {"hconcat": panels, "spacing": BETWEEN, "bounds": "flush"}],
        "spacing": 12,
        "params": [*log_params(LEVEL, RATIO), *selections([*VIEWS.values()], PICKED)],
        "usermeta": {"embedOptions": {"renderer": "canvas"}},
    }
    words = (
        "Signal and noise of the gradients of one layer, and their ratio, against the epoch,"
        " under several definitions and protocols."
    )
    return template(body, settings.theme, settings.width, words)


def _panel(settings: EpochSettings, rows: str, axis: str, title: str, width: int) -> dict:
    x, y = epoch_axis(settings), log_y(axis, "value", title)
    detail = ["definition:N", "protocol:N", *(["series:N"] if rows == "levels" else [])]
    base = named(rows).encode(x=x, y=y, detail=detail)
    tint = {"opacity": lit(field=PICKED)}
    dash = dash_of_series() if rows == "levels" else [1, 0]
    shape = alt.ExprRef(f"{list(SHAPES)}[datum.protocol % {len(SHAPES)}]")
    return layered(
        base.properties(name=VIEWS[rows])
        .mark_line(strokeWidth=1.5, strokeDash=dash)
        .encode(color=_colour(alt.Color, settings), tooltip="tip:N", **tint),
        base.transform_filter("datum.marked")
        .mark_point(size=42, shape=shape, stroke=THEMES[settings.theme].background, strokeWidth=0.8)
        .encode(fill=_colour(alt.Fill, settings), **tint),
        base.mark_point(size=40, **UNSEEN).encode(tooltip="tip:N"),
        width=width,
        height=HEIGHT,
    )


def _colour(channel: type, settings: EpochSettings) -> alt.Color | alt.Fill:
    """The colour of a definition by its number."""
    colours = list(THEMES[settings.theme].layers)
    scale = alt.Scale(domain=list(range(len(colours))), range=colours)
    return channel("definition:N", scale=scale, legend=None)
