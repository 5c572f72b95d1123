"""The page "Information plane": the layers of one run through one estimator."""

import re
from dataclasses import replace

import pandas as pd
import streamlit as st

import commands
import curves
import runs
import session
import state
from charts import plane_figure
from describe import plain, spread, view_words
from describe_checks import spoken
from ibcore import Run, View
from ibcore.estimators import Estimator
from looks import WIDTH, Look, look_at
from placed import placed
from playback import playback
from views.estimator_bar import estimator_bar
from views.exports import Figure, exports
from views.sample_size import sample_size_box
from views.scales import beyond_limits, settings_for
from views.status import body, status, work_line

_SUBSET = (
    "Measured on {}: open **Are there enough samples?** below to see whether more of them would"
    " change the picture."
)


def draw() -> bool:
    """The page's body; whether a worker is busy for it."""
    shown = runs.current()
    job = status(shown)
    estimator = estimator_bar(shown)
    try:
        view = state.view(session.current(), shown.run)
        found = curves.plane(shown, estimator, view)
        look = None
        if len(found.table):
            settings = settings_for(shown, estimator, view, WIDTH)
            look = look_at(shown, estimator, view, found, settings)
    except (ValueError, OSError) as error:
        st.error(plain(error))
        return job is not None and job.active
    what = "All values of the slider" if found.whole else "Estimating"
    work_line(found.job, what, complete=found.whole)
    if curves.spared(shown, view):
        st.info("Estimates of this network take long: they begin once the training has ended.")
    elif look is None:
        st.info("The first estimates are on their way.")
    else:
        _show(look, shown, estimator, view, found.table)
    busy = sample_size_box(shown, estimator, view)
    return busy or found.busy or (job is not None and job.active)


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
    """The verdict and the doubts as they stand in a caption."""
    verdict = look.verdict.replace("**", "").rstrip(".")
    said = {"Verdict": verdict, "Flags": spoken(look.signs)}
    words = "".join(f". {name}: {text}" for name, text in said.items() if text)
    return re.sub(r"\\(.)", r"\1", words)


body(draw)
