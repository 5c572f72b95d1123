"""A map of the estimate over epochs and the values of the estimator's parameter."""

from dataclasses import replace
from functools import lru_cache

import altair as alt
import numpy as np
import pandas as pd

from charts.curves import epoch_axis
from charts.ladder import parameter_title, rung
from charts.plane import I_TY, I_XT
from charts.settings import PlaneSettings
from charts.spec import layered, named, specification, template
from charts.tables import mean_table, with_checkpoint
from charts.theme import THEMES

TITLES = {"i_xt": I_XT, "i_ty": I_TY}
ROW_HEIGHT = 80
AXES = 62
SAME = alt.ExprRef(expr="scale('color', datum.bits)")
"""A cell's own colour around it hides the seams between cells."""


def heat_map(
    curves: pd.DataFrame,
    parameter: str,
    current: float | None,
    settings: PlaneSettings,
    quantity: str = "i_xt",
) -> dict:
    """Mean over replicates of `quantity` by epoch (across) and parameter (up), a row per layer.

    `curves` is the table of `information_curves` with a column `parameter`;
    `quantity` is "i_xt" or "i_ty". The colour runs from 0 to H(X) or H(Y); a frame
    marks the value `current`, if the table has it. A cell ends half way, in
    log(1 + epoch), to the next checkpoint. Raises ValueError for other quantities.
    """
    if quantity not in TITLES:
        raise ValueError(f"quantity: {quantity!r} is not allowed; use {' or '.join(TITLES)}")
    scales = replace(settings, title="", estimator_label="", start_at=None)
    text = _template(scales, parameter, quantity)
    now = None if current is None else rung(curves[parameter], current)
    rows = {
        "cells": _cells(curves, parameter, settings, quantity),
        "labels": [{"row": 0}],
        "current": [] if now is None else [{"value": float(now)}],
    }
    return specification(text, rows)


def _cells(
    curves: pd.DataFrame, parameter: str, settings: PlaneSettings, quantity: str
) -> pd.DataFrame:
    means = mean_table(curves, by=("epoch", "layer", parameter))
    means = with_checkpoint(means, settings.epochs)
    edges = _edges(settings.epochs)
    placed = means.assign(left=edges[means["k"]], right=edges[means["k"] + 1])
    renamed = placed.rename(columns={parameter: "value", quantity: "bits"})
    return renamed[["layer", "value", "epoch", "left", "right", "bits"]].round(4)


def _edges(epochs: tuple[int, ...]) -> np.ndarray:
    places = np.log1p(epochs)
    middle = (places[1:] + places[:-1]) / 2
    return np.expm1([places[0], *middle, max(places[-1], np.log(2))])


@lru_cache(maxsize=32)
def _template(settings: PlaneSettings, parameter: str, quantity: str) -> str:
    layers = range(1, settings.n_layers + 1)
    rows = [_row(settings, layer, parameter, quantity) for layer in layers]
    body = {
        "vconcat": rows,
        "spacing": 6,
        "usermeta": {"embedOptions": {"renderer": "canvas"}},
    }
    words = (
        f"{TITLES[quantity]} of {settings.n_layers} layers by epoch and"
        f" {parameter_title(parameter)}, as colours."
    )
    return template(body, settings.theme, settings.width, words)


def _row(settings: PlaneSettings, layer: int, parameter: str, quantity: str) -> dict:
    width = settings.width - AXES
    below = layer == settings.n_layers
    up = alt.Y(
        "value:O",
        sort="descending",
        title=parameter_title(parameter),
        axis=alt.Axis(labelOverlap="greedy", labelSeparation=6, format="~g", ticks=False),
    )
    cells = (
        named("cells")
        .transform_filter(f"datum.layer == {layer}")
        .mark_rect(strokeWidth=1.2, stroke=SAME)
        .encode(
            x=epoch_axis(settings, labels=below, field="left:Q"),
            x2="right:Q",
            y=up,
            color=_colour(settings, quantity),
            tooltip=[
                alt.Tooltip("layer:N"),
                alt.Tooltip("epoch:Q", format=",d"),
                alt.Tooltip("value:Q", title=parameter_title(parameter), format="~g"),
                alt.Tooltip("bits:Q", title=TITLES[quantity], format=".3f"),
            ],
        )
    )
    frame = (
        named("current")
        .mark_rect(fillOpacity=0, stroke=THEMES[settings.theme].text, strokeWidth=1.2)
        .encode(x=alt.value(-1), x2=alt.value(width + 1), y=up)
    )
    name = (
        named("labels")
        .mark_text(text=settings.layer_names[layer - 1], align="left", baseline="bottom")
        .encode(x=alt.value(0), y=alt.value(-4))
    )
    return layered(cells, frame, name, width=width, height=ROW_HEIGHT)


def _colour(settings: PlaneSettings, quantity: str) -> alt.Color:
    end = settings.h_x if quantity == "i_xt" else settings.h_y
    scale = alt.Scale(domain=[0, end], scheme="viridis", clamp=True)
    place = {"orient": "top", "direction": "horizontal", "gradientLength": 220}
    return alt.Color("bits:Q", scale=scale, legend=alt.Legend(title=TITLES[quantity], **place))
