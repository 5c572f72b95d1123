"""How large the weights of each layer are, and how alike those of its units."""

from dataclasses import replace
from functools import lru_cache

import altair as alt
import numpy as np
import pandas as pd

from charts.curves import UNSEEN, epoch_axis
from charts.epoch_settings import EpochSettings
from charts.key import VIEW as KEY_VIEW
from charts.key import key_panel
from charts.layers import colour, fill, lit, selections, shape
from charts.logs import EXTENT, log_params, log_row, log_y
from charts.plane import label
from charts.rows import layer_rows
from charts.spec import Rows, layered, named, specification, template
from charts.spread import geometric_table, positive, replicate_words
from charts.tables import with_checkpoint
from charts.theme import THEMES

AXIS = "norm"
VIEWS = {"norms": "norm_lines", "cosines": "cosine_lines"}
HEIGHT = 260
BETWEEN = 76
AXES = EXTENT + 46


def weights_figure(weights: pd.DataFrame, settings: EpochSettings) -> dict:
    """Norm of the weights and mean absolute cosine between units by layer: Vega-Lite.

    `weights` has the columns `epoch`, `layer`, `replicate`, `weight_norm` and `cosine`
    (from 0 to 1, NaN for a layer of one unit). Norms are geometric, cosines arithmetic
    means over replicates, bands one standard deviation of the same kind. A layer
    without any cosine is left out and named. Everything that changes with the data is
    in `datasets`. Raises ValueError for an epoch that is not in `settings.epochs`.
    """
    return specification(_template(replace(settings, heading="")), _rows(weights, settings))


def _rows(weights: pd.DataFrame, settings: EpochSettings) -> dict[str, Rows]:
    table = with_checkpoint(weights, settings.epochs)
    norms = _finished(_norms(table), "weight norm", settings)
    cosines = _finished(_cosines(table), "mean |cosine|", settings)
    labels = {
        "heading": settings.heading,
        "norm_note": replicate_words(weights, "geometric mean", "band: ×÷ 1 geometric sd"),
        "cosine_note": replicate_words(weights, "mean", "band: ± 1 sd"),
        "left_out": _left_out(table, settings),
        **log_row(AXIS, norms[["value", "low", "high"]]),
    }
    return {
        "norms": norms,
        "cosines": cosines,
        "layers": layer_rows(settings),
        "labels": [labels],
    }


def _norms(table: pd.DataFrame) -> pd.DataFrame:
    means = geometric_table(table, ["weight_norm"], ("layer", "epoch"))
    names = ["layer", "epoch", "replicates", "value", "low", "high"]
    fields = ["layer", "epoch", "replicates", "weight_norm", "weight_norm_low", "weight_norm_high"]
    return positive(means[fields].set_axis(names, axis=1), "value")


def _cosines(table: pd.DataFrame) -> pd.DataFrame:
    groups = table[np.isfinite(table["cosine"])].groupby(["layer", "epoch"])["cosine"]
    mean, sd = groups.mean(), groups.std(ddof=1)
    means = pd.DataFrame({"replicates": groups.size(), "value": mean})
    means = means.assign(low=(mean - sd).clip(lower=0), high=(mean + sd).clip(upper=1))
    return means.reset_index()


def _finished(means: pd.DataFrame, what: str, settings: EpochSettings) -> pd.DataFrame:
    names = [settings.layer_names[layer - 1] for layer in means["layer"].tolist()]
    fields = (means[field].tolist() for field in ("epoch", "value", "low", "high", "replicates"))
    tips = [
        f"{name}\nepoch {epoch:,}\n{what} {value:.3g}"
        + (f" [{low:.3g}, {high:.3g}]" if np.isfinite(low) else "")
        + f"\nreplicates: {n}"
        for name, epoch, value, low, high, n in zip(names, *fields, strict=True)
    ]
    last = means.groupby("layer")["epoch"].transform("max") == means["epoch"]
    return means.drop(columns="replicates").assign(name=names, tip=tips, last=last)


def _left_out(table: pd.DataFrame, settings: EpochSettings) -> str:
    there = table.groupby("layer")["cosine"].count()
    names = [settings.layer_names[layer - 1] for layer in there.index[there == 0].tolist()]
    return f"no pairs of units, not drawn: {', '.join(names)}" if names else ""


@lru_cache(maxsize=32)
def _template(settings: EpochSettings) -> str:
    inside = settings.width - AXES
    width = (inside - BETWEEN) // 2
    key = key_panel(settings, inside)
    key["layer"] += layered(label("heading", settings))["layer"]
    limits = alt.Scale(domain=[0, 1.02], nice=False)
    cosines = [
        alt.Y(f"{field}:Q", title="mean |cosine| between units", scale=limits)
        for field in ("value", "low")
    ]
    norms = [log_y(AXIS, field, "weight norm") for field in ("value", "low")]
    panels = [
        _panel(settings, "norms", norms, "norm_note", width),
        _panel(settings, "cosines", cosines, "cosine_note", width),
    ]
    panels[1]["layer"] += layered(label("left_out", settings, y=HEIGHT + 52))["layer"]
    body = {
        "vconcat": [key, {"hconcat": panels, "spacing": BETWEEN, "bounds": "flush"}],
        "spacing": 12,
        "params": [*log_params(AXIS), *selections([KEY_VIEW, *VIEWS.values()])],
        "usermeta": {"embedOptions": {"renderer": "canvas"}},
    }
    words = (
        f"Norm of the weights of {settings.n_layers} layers and mean absolute cosine between the"
        " weights of their units, against the epoch."
    )
    return template(body, settings.theme, settings.width, words)


def _panel(settings: EpochSettings, rows: str, y: list[alt.Y], note: str, width: int) -> dict:
    x, (up, low) = epoch_axis(settings), y
    base = named(rows).encode(x=x)
    tint = {"color": colour(settings), "opacity": lit()}
    return layered(
        base.transform_filter("isValid(datum.low)")
        .mark_area(fillOpacity=0.14)
        .encode(y=low, y2="high:Q", **tint),
        base.properties(name=VIEWS[rows])
        .mark_line(strokeWidth=1.6)
        .encode(y=up, tooltip="name:N", **tint),
        base.mark_point(size=40, **UNSEEN).encode(y=up, detail="layer:N", tooltip="tip:N"),
        base.transform_filter("datum.last")
        .mark_point(size=50, stroke=THEMES[settings.theme].background, strokeWidth=0.8)
        .encode(y=up, fill=fill(settings), shape=shape(settings), opacity=lit(), tooltip="tip:N"),
        label(note, settings),
        width=width,
        height=HEIGHT,
    )
