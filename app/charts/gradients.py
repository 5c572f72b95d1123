"""The figure of gradient phases: signal and noise, their ratio, the loss, and the events."""

from dataclasses import replace
from functools import lru_cache

import altair as alt
import numpy as np
import pandas as pd

from charts.curves import epoch_axis, history_marks, split_key
from charts.epoch_settings import EpochSettings
from charts.events import KEY as EVENT_KEY
from charts.events import VIEW as EVENT_VIEW
from charts.events import event_lines, event_rows, event_signs, event_strip
from charts.key import VIEW as KEY_VIEW
from charts.key import key_panel
from charts.layers import selections
from charts.levels import AXIS as LEVEL
from charts.levels import KEY as LEVEL_KEY
from charts.levels import level_panels, level_signs, level_views
from charts.logs import EXTENT, log_params, log_row
from charts.plane import label
from charts.ratios import AXIS as RATIO
from charts.ratios import VIEW as RATIO_VIEW
from charts.ratios import ratio_panel
from charts.rows import layer_rows
from charts.signals import level_rows, ratio_rows, ratio_title, signal_means, signal_tips
from charts.signs import sign_marks, sign_rows
from charts.spec import Rows, layered, named, specification, template
from charts.spread import replicate_words
from charts.tables import history_mean, with_checkpoint
from charts.theme import THEMES

AXES = EXTENT + 46
LOSS_HEIGHT = 100
GAP = 34


def gradient_figure(
    defined: pd.DataFrame,
    events: pd.DataFrame,
    history: pd.DataFrame,
    settings: EpochSettings,
    *,
    squared: bool = False,
) -> dict:
    """Signal and noise of every layer, their ratio, the loss, and the events: Vega-Lite.

    `defined` has the columns `epoch`, `layer`, `replicate`, `signal`, `noise`, `floor`,
    `snr` (= signal / noise); `events` those of `event_rows`, where the words of a
    layer's crossing become the subtitle of its panel, whether or not it has an epoch;
    `history` is the history of the run. Lines are geometric means over replicates,
    bands the geometric standard deviation. With `squared` the ratio is drawn squared.
    What is not finite or not above 0 is not drawn. Everything that changes with the
    data is in `datasets`. Raises ValueError for an epoch that is not in
    `settings.epochs` and for an unknown kind of event.
    """
    rows = _rows(defined, events, history, settings, squared)
    return specification(_template(replace(settings, heading=""), squared), rows)


def _rows(
    defined: pd.DataFrame,
    events: pd.DataFrame,
    history: pd.DataFrame,
    settings: EpochSettings,
    squared: bool,
) -> dict[str, Rows]:
    means = _means(with_checkpoint(defined, settings.epochs), settings, squared)
    levels = level_rows(means, ["layer", "epoch", "tip"])
    ratios = _with_last(ratio_rows(means, ["layer", "name", "epoch", "tip"]))
    losses = history_mean(history)
    columns = ["epoch", "split", "loss", "loss_low", "loss_high"]
    band = replicate_words(defined, "geometric mean", "band: ×÷ 1 geometric sd")
    ends = log_row(LEVEL, levels[["value", "low", "high"]])
    ends |= log_row(RATIO, np.append(ratios[["value", "low", "high", "floor"]], 1))
    signs = sign_rows(LEVEL_KEY, level_signs(), y=8)
    return {
        "levels": levels,
        "ratios": ratios,
        "history": losses[columns].round(5),
        "splits": [{"split": name, "slot": i} for i, name in enumerate(losses["split"].unique())],
        "events": event_rows(events, settings),
        "panels": _panels(events, settings),
        "layers": layer_rows(settings),
        "signs": signs + sign_rows(EVENT_KEY, event_signs(), y=-12),
        "labels": [{"heading": settings.heading, "band": band, **ends}],
    }


def _means(table: pd.DataFrame, settings: EpochSettings, squared: bool) -> pd.DataFrame:
    means = signal_means(table, ("layer", "epoch"), squared)
    names = [settings.layer_names[layer - 1] for layer in means["layer"].tolist()]
    means = means.assign(name=names)
    return means.assign(tip=signal_tips(means, ratio_title(squared)))


def _with_last(ratios: pd.DataFrame) -> pd.DataFrame:
    last = ratios.groupby("layer")["epoch"].transform("max")
    return ratios.assign(last=ratios["epoch"] == last)


def _panels(events: pd.DataFrame, settings: EpochSettings) -> list[dict]:
    crossings = events[events["kind"] == "crossing"]
    words = dict(zip(crossings["layer"].tolist(), crossings["words"].tolist(), strict=True))
    names = enumerate(settings.layer_names, start=1)
    return [{"layer": i, "name": name, "words": words.get(i, "")} for i, name in names]


@lru_cache(maxsize=32)
def _template(settings: EpochSettings, squared: bool) -> str:
    inside = settings.width - AXES
    key = key_panel(settings, inside)
    key["layer"] += layered(label("heading", settings))["layer"]
    panels = level_panels(settings, inside)
    time = [
        ratio_panel(settings, inside, squared),
        _loss(settings, inside),
        event_strip(settings, inside),
    ]
    below = {"vconcat": time, "spacing": GAP, "bounds": "flush"}
    body = {
        "vconcat": [key, _level_key(settings, inside), panels, below],
        "spacing": 14,
        "params": [
            *log_params(LEVEL, RATIO),
            *selections([KEY_VIEW, *level_views(settings), RATIO_VIEW, EVENT_VIEW]),
        ],
        "usermeta": {"embedOptions": {"renderer": "canvas"}},
    }
    words = (
        f"Norm of the mean (signal) and of the standard deviation (noise) of the gradients of"
        f" {settings.n_layers} layers against the epoch, {ratio_title(squared)} of all layers,"
        " the loss, and the epochs at which signal and noise cross and I(X;T) turns."
    )
    return template(body, settings.theme, settings.width, words)


def _level_key(settings: EpochSettings, width: int) -> dict:
    signs = sign_marks(LEVEL_KEY, settings)
    return layered(*signs, view={"stroke": None}, width=width, height=16)


def _loss(settings: EpochSettings, width: int) -> dict:
    look = THEMES[settings.theme]
    x = epoch_axis(settings, labels=False)
    low_x = epoch_axis(settings, labels=False, field="epoch_lower:Q")
    axis = alt.Axis(tickCount=4, minExtent=EXTENT, maxExtent=EXTENT)
    y, low = (
        alt.Y(f"{field}:Q", title="loss (nats)", axis=axis, scale=alt.Scale(zero=True))
        for field in ("loss", "loss_low")
    )
    kink = "datum.kind == 'kink'"
    band, rule = event_lines(settings, kink, LOSS_HEIGHT, x, low_x)
    words = (
        named("events")
        .transform_filter(kink)
        .mark_text(
            align=alt.ExprRef("datum.late ? 'right' : 'left'"),
            dx=alt.ExprRef("datum.late ? -5 : 5"),
            baseline="top",
            fontSize=11,
            color=look.muted,
        )
        .encode(x=x, y=alt.value(5), text="words:N")
    )
    return layered(
        band,
        *history_marks(settings, "loss", x, y, low),
        rule,
        words,
        *split_key(settings, width, -10),
        width=width,
        height=LOSS_HEIGHT,
    )
