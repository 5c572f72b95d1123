"""Events of a training: where signal and noise cross, where I(X;T) turns, where the loss bends."""

import altair as alt
import numpy as np
import pandas as pd

from charts.curves import epoch_axis
from charts.layers import colour, fill, lit
from charts.logs import EXTENT
from charts.settings import FigureSettings
from charts.signs import UPRIGHT, sign_marks
from charts.spec import layered, named
from charts.theme import THEMES

EVENTS = {
    "crossing": ("SNR crosses 1", "diamond", -0.24),
    "onset": ("SNR begins to fall", "triangle-down", 0.0),
    "turning": ("I(X;T) turns", "circle", 0.24),
}
"""Words, shape and place within its row of each event of a layer."""
KINK = ("kink of the loss", UPRIGHT)
KEY = "events"
VIEW = "event_marks"
ROW = 26


def event_rows(events: pd.DataFrame, settings: FigureSettings) -> list[dict]:
    """The events that have an epoch, with the ends of their interval where both are known.

    `events` has the columns `layer` (1..L, 0 for the loss), `kind` ("crossing", "onset",
    "turning", "kink"), `epoch`, `epoch_lower`, `epoch_upper` and `words`.
    Raises ValueError for another kind.
    """
    strange = sorted(set(events["kind"]) - {*EVENTS, "kink"})
    if strange:
        allowed = ", ".join((*EVENTS, "kink"))
        raise ValueError(f"kind: {strange[0]!r} is not allowed; use {allowed}")
    rows = [_row(event, settings) for event in events.to_dict("records")]
    return [row for row in rows if row["epoch"] is not None]


def _row(event: dict, settings: FigureSettings) -> dict:
    ends = _number(event["epoch_lower"]), _number(event["epoch_upper"])
    low, high = ends if None not in ends else (None, None)
    layer, kind = int(event["layer"]), event["kind"]
    words, place = (KINK[0], 0) if kind == "kink" else (EVENTS[kind][0], EVENTS[kind][2])
    names = ("", *settings.layer_names)
    epoch = _number(event["epoch"])
    middle = np.expm1(np.log1p(settings.epochs[-1]) / 2)
    return {
        "layer": layer,
        "kind": kind,
        "epoch": epoch,
        "epoch_lower": low,
        "epoch_upper": high,
        "row": layer + place,
        "words": event["words"],
        "late": bool(epoch is not None and epoch > middle),
        "tip": "\n".join(filter(None, (names[layer], words, event["words"]))),
    }


def _number(value: object) -> float | None:
    number = np.nan if value is None else float(value)
    return number if np.isfinite(number) else None


def event_signs() -> list[dict]:
    """The entries of the key of the strip."""
    marks = [{"word": words, "shape": shape} for words, shape, _ in EVENTS.values()]
    return [*marks, {"word": KINK[0], "shape": KINK[1]}]


def event_lines(
    settings: FigureSettings, test: str, height: int, x: alt.X, low: alt.X
) -> list[alt.Chart]:
    """The events that pass the test: a vertical rule each, and a light band over its interval."""
    text = THEMES[settings.theme].text
    base = named("events").transform_filter(test)
    edges = {"y": alt.value(0), "y2": alt.value(height)}
    band = base.transform_filter("isValid(datum.epoch_lower)").mark_rect(color=text, opacity=0.09)
    rule = base.mark_rule(color=text, strokeWidth=1.2, opacity=0.8)
    return [band.encode(x=low, x2="epoch_upper:Q", **edges), rule.encode(x=x)]


def event_strip(settings: FigureSettings, width: int) -> dict:
    """One row per layer with its events, the kink of the loss through all of them, and the key."""
    height = ROW * settings.n_layers
    x, low = epoch_axis(settings), epoch_axis(settings, field="epoch_lower:Q")
    y = _row_axis(settings)
    base = named("events").transform_filter("datum.kind != 'kink'")
    shapes = {kind: shape for kind, (_, shape, _) in EVENTS.items()}
    interval = base.transform_filter("isValid(datum.epoch_lower)").mark_rule(strokeWidth=2)
    mark = base.properties(name=VIEW).mark_point(
        size=64,
        shape=alt.ExprRef(f"{shapes}[datum.kind]"),
        stroke=THEMES[settings.theme].background,
        strokeWidth=0.8,
    )
    return layered(
        *event_lines(settings, "datum.kind == 'kink'", height, x, low),
        interval.encode(x=low, x2="epoch_upper:Q", y=y, color=colour(settings), opacity=lit(0.6)),
        mark.encode(x=x, y=y, fill=fill(settings), opacity=lit(), tooltip="tip:N"),
        *sign_marks(KEY, settings),
        width=width,
        height=height,
    )


def _row_axis(settings: FigureSettings) -> alt.Y:
    n = settings.n_layers
    scale = alt.Scale(domain=[n + 0.5, 0.5], nice=False)
    ends = {"minExtent": EXTENT, "maxExtent": EXTENT}
    axis = alt.Axis(values=list(range(1, n + 1)), format="d", grid=False, ticks=False, **ends)
    return alt.Y("row:Q", title="layer", scale=scale, axis=axis)
