"""The page "Information plane": the layers of one run through one estimator."""

from dataclasses import replace

import pandas as pd
import streamlit as st

import analysis
import curves
import runs
import sizes
import state
from charts import plane_figure, sample_size_figure
from describe import plain, spread, what_am_i_looking_at
from describe_checks import badges, reasons, settled
from describe_verdicts import strip
from ibcore import exactness
from ibcore.estimators import Estimator
from ibcore.sample_size import growth
from playback import playback
from views.common import (
    Figure,
    beyond_limits,
    body,
    estimator_bar,
    exports,
    settings_for,
    status,
    work_line,
)

WIDTH = 980


def draw() -> bool:
    """The page's body; whether a worker is busy for it."""
    shown = runs.current()
    job = status(shown)
    estimator = estimator_bar(shown)
    samples = state.current()["samples"]
    found, busy = None, False
    try:
        found = curves.plane(shown, estimator, samples)
        _figure(shown, estimator, samples, found)
        busy = _sample_sizes(shown, estimator, samples)
    except (ValueError, OSError) as error:
        st.error(plain(error))
    training = job is not None and job.active
    return busy or training or (found is not None and found.busy)


def _figure(shown: runs.Shown, estimator: Estimator, samples: str, found: curves.Curves) -> None:
    what = "All values of the slider" if found.whole else "Estimating"
    work_line(found.job, what, complete=found.whole)
    if found.table.empty:
        st.info("The first estimates are on their way.")
        return
    beyond = beyond_limits(shown, estimator, samples)
    settings = settings_for(shown, estimator, samples, WIDTH)
    history = shown.run.history()
    if shown.origin != "live" and found.whole:
        key = shown.run.content_key, repr(estimator), samples
        verdicts = analysis.of_plane(key, found.table)
        st.caption(strip(verdicts, settings.layer_names, estimator.label))
        laws = analysis.of_laws(key, found.table, settings.h_x, settings.h_y)
        _badges(laws, exactness(shown.run, estimator))
    with st.container(key="plane-chart"):
        playback("plane-chart", key="playback")
        st.vega_lite_chart(
            spec=plane_figure(found.table, history, settings),
            key="plane",
            theme=None,
            width="content",
        )
    with st.expander("What am I looking at?", expanded=True):
        lines = what_am_i_looking_at(shown.run, shown.run.dataset, estimator, settings)
        st.markdown("\n".join(f"- {line}" for line in lines))
    figure = Figure(
        "information-plane",
        lambda theme: plane_figure(found.table, history, replace(settings, theme=theme)),
        found.table,
        f"{estimator.label}, {spread(shown.run)}, {samples} samples; bits{beyond}",
    )
    command = state.reproduction(shown.run.experiment, estimator, samples)
    exports(figure, shown.run, command)


def _sample_sizes(shown: runs.Shown, estimator: Estimator, samples: str) -> bool:
    """The box that tells whether the samples suffice; whether a worker is at it."""
    box = st.expander(
        "Are there enough samples?", key="sizes-box", on_change="rerun", expanded=False
    )
    if not box.open:
        return False
    with box:
        epochs = shown.run.epochs.tolist()
        k = st.selectbox(
            "Epoch",
            range(len(epochs)),
            index=len(epochs) - 1,
            format_func=lambda k: f"{epochs[k]:,}",
            key="sizes-epoch",
            width=160,
        )
        found = sizes.table(shown, k, estimator, samples)
        work_line(found.job, "Subsamples", "sizes")
        if len(found.table):
            _sizes_figure(shown, estimator, samples, found.table, epochs[k])
    return found.busy


def _sizes_figure(shown: runs.Shown, estimator, samples: str, table: pd.DataFrame, epoch) -> None:
    settings = settings_for(shown, estimator, samples, WIDTH - 40)
    settings = replace(settings, title=f"epoch {epoch:,}")
    st.markdown(settled(growth(table), settings.layer_names))
    figure = Figure(
        "sample-size",
        lambda theme: sample_size_figure(table, replace(settings, theme=theme)),
        table,
        f"{estimator.label}, epoch {epoch}, {samples} samples: means of"
        f" {shown.run.n_replicates} replicates and up to 8 disjoint subsamples of N; bands ± 1"
        " standard deviation between subsamples of one network; bits",
    )
    st.vega_lite_chart(
        spec=figure.draw(settings.theme), key=figure.name, theme=None, width="content"
    )
    command = state.sizes_command(shown.run.experiment, estimator, samples, epoch)
    exports(figure, shown.run, command)


def _badges(broken: pd.DataFrame, exact: str | None) -> None:
    """What the numbers are, and what they cannot be true of, with the reason as a tip."""
    words = badges(broken, exact)
    if words:
        st.markdown(words, help="  \n".join(reasons(broken, exact)))


body(draw)
