"""All cases against all estimators: errors, estimates or times as numbers in cells."""

import textwrap
from dataclasses import replace
from functools import lru_cache

import altair as alt
import numpy as np
import pandas as pd

from charts.plane import label
from charts.spec import layered, named, specification, template
from charts.theme import THEMES
from charts.trial_settings import TrialSettings
from charts.trials import seconds_text

SHOWN = ("error", "estimate", "time")
NAMES, TRUTHS = 216, 56
"""Pixels for the names of the cases and for their truths."""
ROW, HEAD = 33, 44
LETTERS = 34
FAR = 1.0
"""Bits of error that have the full colour."""
COLOURS = {
    "light": ["#7db8e8", "#ffffff", "#f4b06b"],
    "dark": ["#1d5f96", "#171614", "#a3541a"],
}


def trial_map(summary: pd.DataFrame, shown: str, settings: TrialSettings) -> dict:
    """A cell for each case and estimator, with its error, its estimate or its time.

    `summary` is the table of `ibcore.trials.summary` with the columns `name` of the
    estimator and `title` of the case; it may have some of the cells only. Cells of an
    estimator that was asked for another quantity have no error and are grey. Colour is
    the error, or how far bounds miss the truth. Raises ValueError for another `shown`
    than error, estimate and time, and where there is no cell.
    """
    if shown not in SHOWN:
        raise ValueError(f"shown: {shown!r} is not allowed; use {', '.join(SHOWN)}")
    if summary.empty:
        raise ValueError("trials: there is no answer to draw")
    cells = summary.assign(
        row=pd.factorize(summary["case"])[0],
        column=pd.factorize(summary["name"])[0],
        words=[_words(row, shown).replace("-", "−") for row in summary.itertuples()],
        colour=[_missed(row) if shown != "time" else 0.0 for row in summary.itertuples()],
        tip=[_tip(row) for row in summary.itertuples()],
    )
    rows, columns = cells.drop_duplicates("row"), cells.drop_duplicates("column")
    data = {
        "cells": cells[["row", "column", "words", "colour", "target", "tip"]],
        "rows": [
            {"row": row.row, "title": _lines(row.title), "truth": f"{row.truth:.4f}"}
            for row in rows.itertuples()
        ],
        "columns": [
            {"column": column.column, "title": column.name.replace(", ", "\n")}
            for column in columns.itertuples()
        ],
        "labels": [{"heading": settings.heading}],
    }
    shape = len(rows), len(columns)
    return specification(_template(replace(settings, heading=""), shape), data)


def _lines(title: str) -> str:
    return "\n".join(textwrap.wrap(title, LETTERS))


def _words(row, shown: str) -> str:
    if not np.isfinite(row.estimate):
        return "refuses"
    if shown == "time":
        return seconds_text(row.seconds)
    if shown == "error" and not row.target:
        return "other"
    bounded = np.isfinite(row.lower) and np.isfinite(row.upper)
    less = row.truth if shown == "error" else 0.0
    sign = "+" if shown == "error" else ""
    limited = " ×" * bool(row.saturated)
    if bounded:
        return f"{row.lower - less:{sign}.2f} to\n{row.upper - less:{sign}.2f}{limited}"
    spread = f"\n± {row.sd:.3f}" if np.isfinite(row.sd) else ""
    return f"{row.estimate - less:{sign}.3f}{limited}{spread}"


def _missed(row) -> float:
    """The error, or how far the truth is outside the bounds; 0 where it is not known."""
    if not (row.target and np.isfinite(row.estimate)):
        return 0.0
    if np.isfinite(row.lower) and np.isfinite(row.upper):
        return float(max(0.0, row.lower - row.truth) - max(0.0, row.truth - row.upper))
    return float(row.error)


def _tip(row) -> str:
    lines = [row.title, row.name, row.setting, f"truth {row.truth:.4f}"]
    if np.isfinite(row.estimate):
        spread = f" ± {row.sd:.4f}" if np.isfinite(row.sd) else ""
        lines.append(f"estimate {row.estimate:.4f}{spread}, {row.seeds} seeds")
    if np.isfinite(row.lower):
        lines.append(f"bounds {row.lower:.4f} to {row.upper:.4f}")
    if row.saturated:
        lines.append("the number of samples limits it")
    return "\n".join([*lines, *[row.note] * bool(row.note), seconds_text(row.seconds)])


@lru_cache(maxsize=32)
def _template(settings: TrialSettings, shape: tuple[int, int]) -> str:
    look, (n_rows, n_columns) = THEMES[settings.theme], shape
    width = settings.width - NAMES - TRUTHS - 20
    x = alt.X("column:O", axis=None, scale=alt.Scale(domain=list(range(n_columns)), padding=0))
    y = alt.Y("row:O", axis=None, scale=alt.Scale(domain=list(range(n_rows)), padding=0))
    colour = alt.Color(
        "colour:Q",
        scale=alt.Scale(
            domain=[-FAR, 0, FAR], range=COLOURS[settings.theme], clamp=True, interpolate="rgb"
        ),
        legend=None,
    )
    cells = named("cells").encode(x=x, y=y, tooltip="tip:N")
    middle = {"baseline": "middle", "lineBreak": "\n", "lineHeight": 12}
    ink = alt.condition("datum.target", alt.value(look.text), alt.value(look.muted))
    marks = [
        cells.mark_rect(stroke=look.grid, strokeWidth=1).encode(color=colour),
        # Two lines are centred by hand: a text is placed by its first line.
        *(
            cells.transform_filter(f"length(split(datum.words, '\\n')) == {count}")
            .mark_text(align="center", **middle, fontSize=11, dy=-6 * (count - 1))
            .encode(text="words:N", color=ink)
            for count in (1, 2)
        ),
        *(
            named("rows")
            .transform_filter(f"length(split(datum.title, '\\n')) == {count}")
            .mark_text(align="left", **middle, fontSize=11.5, dy=-6 * (count - 1), color=look.text)
            .encode(x=alt.value(-NAMES - TRUTHS), y=y, text="title:N")
            for count in (1, 2)
        ),
        named("rows")
        .mark_text(align="right", **middle, fontSize=11.5, color=look.text)
        .encode(x=alt.value(-10), y=y, text="truth:N"),
        named("columns")
        .mark_text(
            align="center",
            baseline="bottom",
            lineBreak="\n",
            lineHeight=13,
            fontSize=11.5,
            color=look.text,
        )
        .encode(x=x, y=alt.value(-20), text="title:N"),
        named("labels")
        .mark_text(
            align="right", baseline="bottom", fontSize=11.5, color=look.muted, text="truth (bits)"
        )
        .encode(x=alt.value(-10), y=alt.value(-6)),
        label("heading", settings, x=-NAMES - TRUTHS, y=-HEAD - 6),
    ]
    body = {
        **layered(*marks, width=width, height=ROW * n_rows),
        "usermeta": {"embedOptions": {"renderer": "canvas"}},
    }
    words = f"A table of {n_rows} cases with known information and {n_columns} estimators."
    return template(body, settings.theme, settings.width, words)
