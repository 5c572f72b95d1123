"""The answers of all estimators to one case beside the truth, and how long they took."""

import textwrap
from dataclasses import replace
from functools import lru_cache

import altair as alt
import numpy as np
import pandas as pd

from charts.plane import label
from charts.signs import sign_marks, sign_rows
from charts.spec import layered, named, specification, template
from charts.theme import THEMES
from charts.trial_settings import TrialSettings

NAMES = 262
"""Pixels for the names on the left."""
TIMES = 130
ROW = 38
KEY = "trials"
LETTERS = 50
"""Of an estimator's setting in one line below its name."""


def trial_figure(answers: pd.DataFrame, summary: pd.DataFrame, settings: TrialSettings) -> dict:
    """A row for each estimator: every seed's answer, their mean, bounds, and the time.

    `answers` is the table of one case from `ibcore.trials`, `summary` that of
    `ibcore.trials.summary` with a column `name`. The truth is a line across all rows.
    Estimators that were asked for another quantity are grey; one that refused has its
    reason in its row. Raises ValueError where there is no row.
    """
    if summary.empty:
        raise ValueError("trials: there is no answer to draw")
    rows = _rows(summary)
    places = dict(zip(rows["estimator"], rows["row"], strict=True))
    dots = answers.assign(row=answers["estimator"].map(places))
    dots = dots[np.isfinite(dots["estimate"])]
    data = {
        "rows": rows.drop(columns="estimator"),
        "seeds": dots[["row", "estimate", "target", "seed"]],
        "truth": [_truth(summary)],
        "signs": _signs(rows, settings),
        "labels": [{"heading": settings.heading}],
    }
    return specification(_template(replace(settings, heading=""), len(rows)), data)


def _rows(summary: pd.DataFrame) -> pd.DataFrame:
    refused = ~np.isfinite(summary["estimate"])
    rows = summary.assign(row=range(len(summary)), refused=refused)
    rows = rows.assign(
        low=rows["estimate"] - rows["sd"],
        high=rows["estimate"] + rows["sd"],
        below=[textwrap.shorten(text, LETTERS, placeholder=" …") for text in summary["setting"]],
        said=np.where(refused, "refuses: " + summary["note"].str.slice(0, 70), ""),
        time=[seconds_text(value) for value in summary["seconds"]],
        tip=[_tip(row) for row in summary.itertuples()],
    )
    kept = ["row", "estimator", "name", "below", "said", "target", "refused", "estimate", "low"]
    return rows[[*kept, "high", "lower", "upper", "seconds", "time", "tip"]]


def _tip(row) -> str:
    lines = [row.name, row.setting]
    if np.isfinite(row.estimate):
        spread = f" ± {row.sd:.4f}" if np.isfinite(row.sd) else ""
        lines.append(f"{row.estimate:.4f}{spread} bits, {row.seeds} seeds")
    if np.isfinite(row.lower):
        lines.append(f"bounds {row.lower:.4f} to {row.upper:.4f}")
    if np.isfinite(row.error):
        lines.append(f"error {row.error:+.4f} bits")
    lines += [row.note] * bool(row.note)
    return "\n".join([*lines, seconds_text(row.seconds)])


def seconds_text(seconds: float) -> str:
    """A time to the precision that a person needs, empty where there is none."""
    if not np.isfinite(seconds):
        return ""
    if seconds < 0.1:
        return f"{1000 * seconds:.2g} ms"
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _truth(summary: pd.DataFrame) -> dict:
    truth = float(summary["truth"].iloc[0])
    return {"truth": truth, "words": f"truth {truth:.4f}"}


def _signs(rows: pd.DataFrame, settings: TrialSettings) -> list[dict]:
    look = THEMES[settings.theme]
    tint = look.layers[0]
    entries = [
        {"word": "one seed", "shape": "circle", "tint": tint, "hollow": True},
        {"word": "mean", "shape": "diamond", "tint": tint},
    ]
    if np.isfinite(rows["low"]).any():
        entries[-1]["word"] = "mean ± 1 standard deviation"
    if np.isfinite(rows["lower"]).any():
        entries.append({"word": "lower to upper bound", "shape": "square", "tint": look.layers[1]})
    if not rows["target"].all():
        entries.append(
            {"word": "asked for another quantity", "shape": "diamond", "tint": look.muted}
        )
    return sign_rows(KEY, entries, y=7)


@lru_cache(maxsize=32)
def _template(settings: TrialSettings, n_rows: int) -> str:
    width = settings.width - NAMES - TIMES - 40
    key = layered(
        *sign_marks(KEY, settings),
        label("heading", settings),
        view={"stroke": None},
        width=width + TIMES,
        height=14,
    )
    panels = [_answers(settings, width, n_rows), _times(settings, n_rows)]
    body = {
        "vconcat": [key, {"hconcat": panels, "spacing": 16, "bounds": "flush"}],
        "spacing": 24,
        "usermeta": {"embedOptions": {"renderer": "canvas"}},
    }
    words = f"Answers in bits of {n_rows} estimators to a case beside the truth, and their times."
    return template(body, settings.theme, settings.width, words)


def _y(n_rows: int) -> alt.Y:
    scale = alt.Scale(domain=[-0.5, n_rows - 0.5], reverse=True, nice=False, padding=0)
    return alt.Y("row:Q", axis=None, scale=scale)


def _answers(settings: TrialSettings, width: int, n_rows: int) -> dict:
    look, y = THEMES[settings.theme], _y(n_rows)
    tint = alt.condition("datum.target", alt.value(look.layers[0]), alt.value(look.muted))
    bar = alt.condition("datum.target", alt.value(look.layers[1]), alt.value(look.muted))
    base = named("rows").encode(y=y)
    axis = alt.Axis(orient="bottom", tickCount=8, grid=True)

    def x(field: str) -> alt.X:
        return alt.X(f"{field}:Q", title="bits", axis=axis, scale=alt.Scale(zero=True))

    words = {"align": "left", "baseline": "middle"}
    left = alt.value(-NAMES)
    ink = alt.condition("datum.target", alt.value(look.text), alt.value(look.muted))
    answered = base.transform_filter("!datum.refused").encode(tooltip="tip:N")
    return layered(
        answered.transform_filter("isValid(datum.lower)")
        .mark_bar(height=13, opacity=0.3)
        .encode(x=x("lower"), x2="upper:Q", color=bar),
        named("truth").mark_rule(strokeWidth=1.6, color=look.text).encode(x=x("truth")),
        named("truth")
        .mark_text(align="center", baseline="bottom", fontSize=12, color=look.text)
        .encode(x=x("truth"), y=alt.value(-4), text="words:N"),
        named("seeds")
        .mark_point(size=26, strokeWidth=1, fillOpacity=0, opacity=0.55)
        .encode(x=x("estimate"), y=y, stroke=tint),
        answered.transform_filter("isValid(datum.low)")
        .mark_rule(strokeWidth=2)
        .encode(x=x("low"), x2="high:Q", color=tint),
        answered.mark_point(shape="diamond", size=80, filled=True, opacity=1).encode(
            x=x("estimate"), color=tint
        ),
        base.transform_filter("datum.refused")
        .mark_text(**words, fontSize=11.5, color=look.muted)
        .encode(x=alt.value(8), text="said:N", tooltip="tip:N"),
        base.mark_text(**words, fontSize=13, dy=-7).encode(x=left, text="name:N", color=ink),
        base.mark_text(**words, fontSize=10.5, dy=8, color=look.muted).encode(
            x=left, text="below:N", tooltip="tip:N"
        ),
        width=width,
        height=ROW * n_rows,
    )


def _times(settings: TrialSettings, n_rows: int) -> dict:
    look, y = THEMES[settings.theme], _y(n_rows)
    axis = alt.Axis(labels=False, ticks=False, domain=False, grid=False)
    scale = alt.Scale(type="log", padding=22, nice=False)
    base = named("rows").transform_filter("!datum.refused").encode(y=y, tooltip="tip:N")
    x = alt.X("seconds:Q", title="median time", axis=axis, scale=scale)
    return layered(
        base.mark_point(shape="circle", size=36, filled=True, opacity=1, color=look.muted).encode(
            x=x
        ),
        base.mark_text(
            align="center", baseline="bottom", dy=-5, fontSize=10.5, color=look.muted
        ).encode(x=x, text="time:N"),
        width=TIMES,
        height=ROW * n_rows,
    )
