"""What the page of the plane shows of one run through one estimator; made once, some ahead."""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import pandas as pd
import streamlit as st

import ahead
import analysis
import curves
from charts import Packed, PlaneSettings, packed, plane_figure
from describe import what_am_i_looking_at
from describe_checks import badges, reasons
from describe_verdicts import strip
from ibcore import Run, View, exactness
from ibcore.estimators import Estimator
from runs import Shown

WIDTH = 980
"""Of the plane beside its curves, in pixels."""


@dataclass(frozen=True, eq=False)
class Look:
    """All that the page says of one run through one estimator.

    `verdict` and `signs` are lines of Markdown, empty where there is nothing to say;
    `help` explains the signs.
    """

    settings: PlaneSettings
    chart: Packed
    lines: list[str]
    verdict: str = ""
    signs: str = ""
    help: str = ""


def look_at(
    shown: Shown,
    estimator: Estimator,
    view: View,
    found: curves.Curves,
    settings: PlaneSettings,
) -> Look:
    """The look at what is found; on a ladder, those at its other values are made ahead."""
    if found.on_ladder:
        ladder = curves.identity(shown.run, estimator, view)
        scales = replace(settings, estimator_label="")
        ahead.prepare((ladder, scales), _ladder_looks(shown, estimator, view, settings))
    final = shown.origin != "live" and found.whole
    return _kept_look(shown.run, settings, estimator, view, found.table, final=final)


def _ladder_looks(
    shown: Shown, estimator: Estimator, view: View, settings: PlaneSettings
) -> Iterator[Callable[[], object]]:
    """What makes the looks at every value of the slider, the nearest first."""
    ladder, parameter = estimator.default_ladder, estimator.parameter
    here = bisect_left(ladder, getattr(estimator, parameter))
    for i in sorted(range(len(ladder)), key=lambda i: abs(i - here)):
        rung = replace(estimator, **{parameter: ladder[i]})
        yield partial(make_look, shown, rung, view, settings)


def make_look(shown: Shown, estimator: Estimator, view: View, settings: PlaneSettings) -> None:
    """Make and keep the look at a value of a ladder that is known."""
    found = curves.known_plane(shown, estimator, view)
    if found.on_ladder:
        settings = replace(settings, estimator_label=estimator.label)
        _kept_look(shown.run, settings, estimator, view, found.table, final=True)


def _kept_look(
    run: Run,
    settings: PlaneSettings,
    estimator: Estimator,
    view: View,
    table: pd.DataFrame,
    *,
    final: bool,
) -> Look:
    key = run.content_key, repr(estimator), repr(view), len(table)
    return _made(key, settings, run, estimator, view, table, final=final)


@st.cache_resource(max_entries=128, show_spinner=False)
def _made(
    key: tuple,
    settings: PlaneSettings,
    _run: Run,
    _estimator: Estimator,
    _view: View,
    _table: pd.DataFrame,
    *,
    final: bool,
) -> Look:
    """`key` names run, estimator, view and the rows there are; more will come unless `final`."""
    losses = analysis.of_history(_run.content_key, _run)
    words = what_am_i_looking_at(_run, _estimator, _view, settings)
    look = Look(settings, packed(plane_figure(_table, losses, settings)), words)
    if not final:
        return look
    verdicts = analysis.of_plane(key, _table)
    laws = analysis.of_laws(key, _run, _view, _table)
    exact = exactness(_run, _estimator)
    return replace(
        look,
        verdict=strip(verdicts, settings.layer_names, _estimator.label, exact=exact == "exact"),
        signs=badges(laws, exact),
        help="  \n".join(reasons(laws, exact)),
    )
