"""The three-neuron model: information against the gain, and an invertible sigmoid in bins."""

from dataclasses import replace
from functools import lru_cache

import altair as alt
import numpy as np
import pandas as pd

from charts.plane import I_XT, label
from charts.signs import sign_marks, sign_rows
from charts.spec import layered, named, specification, template
from charts.theme import SHAPES, THEMES, layer_colours
from charts.trial_settings import TrialSettings

ACTIVATIONS = {"tanh": "tanh", "relu": "ReLU", "linear": "linear"}
KEY = "neurons"
ZERO = alt.Scale(zero=True)
HEIGHT = 270
LOWER = 170
GAP = 60
AXES = 90
VARIABLES = {
    "X": "X, 30 bins",
    "sigmoid": "σ(aX), equal bins",
    "rank": "σ(aX), rank bins",
}


def gain_figure(curves: pd.DataFrame, w: float, settings: TrialSettings) -> dict:
    """I(X;T) against the gain w on a logarithmic axis, one line for each activation.

    `curves` has the columns `activation`, `w` and `i_xt`, with rows at the current `w`,
    which is marked with its values. Raises ValueError where it has none.
    """
    now = curves[np.isclose(curves["w"], w)].drop_duplicates("activation")
    if now.empty:
        raise ValueError(f"w: {w:g} is not in the table")
    curves = curves.sort_values("w")
    values = {row.activation: row.i_xt for row in now.itertuples()}
    entries = [
        {"word": f"{ACTIVATIONS[name]} {values[name]:.3f}", "line": "solid", "tint": tint}
        for name, tint in zip(values, _tints(settings), strict=False)
    ]
    data = {
        "curves": _tipped(curves),
        "now": _tipped(now),
        "gain": [{"w": w, "words": f"w = {w:g}"}],
        "signs": sign_rows(KEY, entries, y=7),
        "labels": [{"heading": settings.heading}],
    }
    return specification(_gain_template(replace(settings, heading="")), data)


def _tints(settings: TrialSettings) -> list[str]:
    return layer_colours(settings.theme, len(ACTIVATIONS))


def _tipped(table: pd.DataFrame) -> pd.DataFrame:
    tips = [
        f"{ACTIVATIONS[row.activation]}, w = {row.w:.3g}\n{row.i_xt:.4f} bits"
        for row in table.itertuples()
    ]
    return table[["activation", "w", "i_xt"]].assign(tip=tips)


@lru_cache(maxsize=16)
def _gain_template(settings: TrialSettings) -> str:
    look, width = THEMES[settings.theme], settings.width - AXES
    names = list(ACTIVATIONS)
    ticks = alt.Axis(values=[0.1, 0.3, 1, 3, 10, 30, 100], format="~g")
    x = alt.X("w:Q", title="gain w", axis=ticks, scale=alt.Scale(type="log", nice=False))
    y = alt.Y("i_xt:Q", title=I_XT, axis=alt.Axis(tickCount=6), scale=ZERO)
    colour = alt.Color(
        "activation:N", scale=alt.Scale(domain=names, range=_tints(settings)), legend=None
    )
    shape = alt.Shape(
        "activation:N", scale=alt.Scale(domain=names, range=list(SHAPES[: len(names)])), legend=None
    )
    key = layered(
        *sign_marks(KEY, settings),
        label("heading", settings),
        view={"stroke": None},
        width=width,
        height=14,
    )
    panel = layered(
        named("curves").mark_line(strokeWidth=1.8).encode(x=x, y=y, color=colour),
        named("curves")
        .mark_point(size=40, fill="transparent", strokeWidth=0)
        .encode(x=x, y=y, tooltip="tip:N"),
        named("gain").mark_rule(strokeWidth=1, opacity=0.7, color=look.text).encode(x=x),
        named("gain")
        .mark_text(align="center", baseline="bottom", fontSize=12, color=look.text)
        .encode(x=x, y=alt.value(-4), text="words:N"),
        named("now")
        .mark_point(size=80, filled=True, opacity=1)
        .encode(x=x, y=y, color=colour, shape=shape, tooltip="tip:N"),
        width=width,
        height=HEIGHT,
    )
    body = {
        "vconcat": [key, panel],
        "spacing": 26,
        "usermeta": {"embedOptions": {"renderer": "canvas"}},
    }
    words = "Information of a tanh, a ReLU and a linear unit against their gain."
    return template(body, settings.theme, settings.width, words)


def squash_figure(table: pd.DataFrame, bits: dict[str, float], settings: TrialSettings) -> dict:
    """Histograms of X and of sigma(aX) in their bins, beside the bits that the bins show.

    `table` is that of `ibcore.theory.three_neurons.squashed`, `bits` the entropy of
    each of its variables.
    """
    bars = pd.DataFrame(
        {
            "place": range(len(VARIABLES)),
            "variable": list(VARIABLES),
            "name": list(VARIABLES.values()),
            "bits": [bits[name] for name in VARIABLES],
            "words": [f"{bits[name]:.3f}" for name in VARIABLES],
        }
    )
    tips = [
        f"{row.low:.3g} to {row.high:.3g}\nprobability {row.probability:.4f}"
        for row in table.itertuples()
    ]
    data = {
        "bins": table.assign(tip=tips),
        "bars": bars,
        "labels": [
            {
                "heading": settings.heading,
                "X": "X ~ N(0, 1)",
                "sigmoid": "σ(aX), the same X",
                "bits": "bits that the bins show",
            }
        ],
    }
    return specification(_squash_template(replace(settings, heading="")), data)


@lru_cache(maxsize=16)
def _squash_template(settings: TrialSettings) -> str:
    width = (settings.width - 2 * GAP - AXES) // 3
    panels = [
        _histogram(settings, "X", [-4, 4], width),
        _histogram(settings, "sigmoid", [0, 1], width),
        _bars(settings, width - 40),
    ]
    body = {
        "hconcat": panels,
        "spacing": GAP,
        "bounds": "flush",
        "usermeta": {"embedOptions": {"renderer": "canvas"}},
    }
    words = "A Gaussian before and after an invertible sigmoid, in bins, and the bits they show."
    return template(body, settings.theme, settings.width, words)


def _histogram(settings: TrialSettings, variable: str, ends: list[float], width: int) -> dict:
    look = THEMES[settings.theme]
    x = alt.X(
        "low:Q",
        title="value",
        axis=alt.Axis(tickCount=5, grid=False),
        scale=alt.Scale(domain=ends, nice=False),
    )
    y = alt.Y("probability:Q", title="share of a bin", axis=alt.Axis(tickCount=4), scale=ZERO)
    return layered(
        named("bins")
        .transform_filter(f"datum.variable == '{variable}'")
        .mark_rect(stroke=look.background, strokeWidth=0.6, color=_tint(settings, variable))
        .encode(x=x, x2="high:Q", y=y, y2=alt.Y2Datum(0), tooltip="tip:N"),
        label(variable, settings),
        *([label("heading", settings, y=-28)] if variable == "X" else []),
        width=width,
        height=LOWER,
    )


def _tint(settings: TrialSettings, variable: str) -> str:
    return layer_colours(settings.theme, len(VARIABLES))[list(VARIABLES).index(variable)]


def _bars(settings: TrialSettings, width: int) -> dict:
    look, names = THEMES[settings.theme], list(VARIABLES)
    scale = alt.Scale(domain=names, range=layer_colours(settings.theme, len(names)))
    y = alt.Y("place:O", axis=None, scale=alt.Scale(padding=0.5))
    x = alt.X("bits:Q", title="bits", axis=alt.Axis(tickCount=5), scale=ZERO)
    base = named("bars").encode(y=y)
    words = {"align": "left", "fontSize": 12, "color": look.text}
    return layered(
        base.mark_bar().encode(x=x, color=alt.Color("variable:N", scale=scale, legend=None)),
        base.mark_text(**words, baseline="middle", dx=5).encode(x=x, text="words:N"),
        base.mark_text(**words, baseline="bottom", dy=-15).encode(x=alt.value(0), text="name:N"),
        label("bits", settings),
        width=width,
        height=LOWER,
    )
