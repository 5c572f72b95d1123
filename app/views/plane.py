"""The page "Information plane": the layers of one run through one estimator."""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import pandas as pd
import streamlit as st

import analysis
import commands
import curves
import runs
import session
import state
from ahead import prepare
from charts import Packed, PlaneSettings, packed, plane_figure
from describe import plain, spread, view_words, what_am_i_looking_at
from describe_checks import badges, reasons
from describe_verdicts import strip
from ibcore import Run, View, exactness
from ibcore.estimators import Estimator
from placed import placed
from playback import playback
from views.estimator_bar import estimator_bar
from views.exports import Figure, exports
from views.sample_size import sample_size_box
from views.scales import beyond_limits, settings_for
from views.status import body, status, work_line

WIDTH = 980
_SUBSET = (
    "Measured on {}: open **Are there enough samples?** below to see whether more of them would"
    " change the picture."
)


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


def draw() -> bool:
    """The page's body; whether a worker is busy for it."""
    shown = runs.current()
    job = status(shown)
    estimator = estimator_bar(shown)
    found = look = wrong = None
    try:
        view = state.view(session.current(), shown.run)
        found = curves.plane(shown, estimator, view)
        look = _look(shown, estimator, view, found) if len(found.table) else None
    except (ValueError, OSError) as error:
        wrong = error
    if wrong is not None:
        st.error(plain(wrong))
        return job is not None and job.active
    what = "All values of the slider" if found.whole else "Estimating"
    work_line(found.job, what, complete=found.whole)
    if curves.spared(shown):
        st.info("Estimates of images take long: they begin once the training has ended.")
    elif look is None:
        st.info("The first estimates are on their way.")
    else:
        _show(look, shown, estimator, view, found.table)
    busy = sample_size_box(shown, estimator, view)
    return busy or found.busy or (job is not None and job.active)


def _look(shown: runs.Shown, estimator: Estimator, view: View, found: curves.Curves) -> Look:
    settings = settings_for(shown, estimator, view, WIDTH)
    if found.on_ladder:
        ladder = curves.identity(shown.run, estimator, view)
        scales = replace(settings, estimator_label="")
        prepare((ladder, scales), _ladder_looks(shown, estimator, view, settings))
    final = shown.origin != "live" and found.whole
    return _kept_look(shown.run, settings, estimator, view, found.table, final=final)


def _ladder_looks(
    shown: runs.Shown, estimator: Estimator, view: View, settings: PlaneSettings
) -> Iterator[Callable[[], object]]:
    """What makes the looks at every value of the slider, the nearest first."""
    ladder, parameter = estimator.default_ladder, estimator.parameter
    here = bisect_left(ladder, getattr(estimator, parameter))
    for i in sorted(range(len(ladder)), key=lambda i: abs(i - here)):
        rung = replace(estimator, **{parameter: ladder[i]})
        yield partial(_look_ahead, shown, rung, view, settings)


def _look_ahead(
    shown: runs.Shown, estimator: Estimator, view: View, settings: PlaneSettings
) -> None:
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
    soft = _run.dataset.p_y_given_x is not None
    most = _run.dataset.i_xy if soft else settings.h_y
    laws = analysis.of_laws(key, _table, settings.h_x, most)
    exact = exactness(_run, _estimator)
    return replace(
        look,
        verdict=strip(verdicts, settings.layer_names, _estimator.label, exact=exact == "exact"),
        signs=badges(laws, exact),
        help="  \n".join(reasons(laws, exact)),
    )


def _show(
    look: Look, shown: runs.Shown, estimator: Estimator, view: View, table: pd.DataFrame
) -> None:
    beyond = beyond_limits(shown, estimator, view)
    _remarks(look, shown.run, view)
    chart = st.container(key="plane-chart")
    with st.expander("What am I looking at?", expanded=True):
        st.markdown("\n".join(f"- {line}" for line in look.lines))
    # After the words: while a browser draws it, nothing else appears.
    with chart:
        playback("plane-chart", key="playback")
        st.vega_lite_chart(spec=look.chart.unpacked(), key="plane", theme=None, width="content")
    run = shown.run
    figure = Figure(
        "information-plane",
        lambda theme: plane_figure(table, run.history(), replace(look.settings, theme=theme)),
        table,
        f"{estimator.label}, {spread(run)}, {view_words(run, view)}; bits{beyond}{_said(look)}",
    )
    exports(figure, run, commands.reproduction(run.experiment, estimator, view))


@placed
def _remarks(look: Look, run: Run, view: View) -> None:
    if view.subset is not None:
        st.caption(_SUBSET.format(plain(view_words(run, view))))
    if look.verdict:
        st.caption(look.verdict)
    if look.signs:
        st.markdown(look.signs, help=look.help)


def _said(look: Look) -> str:
    """The verdict as it stands in a caption."""
    if not look.verdict:
        return ""
    return ". Verdict: " + re.sub(r"\\(.)", r"\1", look.verdict.replace("**", "")).rstrip(".")


body(draw)
