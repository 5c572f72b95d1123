"""The box "Are there enough samples?": where the estimates of one epoch settle as N grows."""

from dataclasses import replace

import streamlit as st

import commands
import runs
import sizes
from charts import sample_size_figure
from describe import plain, view_words
from describe_checks import settled
from ibcore import View
from ibcore.estimators import Estimator
from ibcore.sample_size import growth
from views.exports import Figure, exports
from views.scales import settings_for
from views.status import work_line

WIDTH = 980


def sample_size_box(shown: runs.Shown, estimator: Estimator, view: View) -> bool:
    """The box that tells whether the samples suffice; whether a worker is at it."""
    box = st.expander(
        "Are there enough samples?", key="sizes-box", on_change="rerun", expanded=False
    )
    if not box.open:
        return False
    with box:
        try:
            return _sizes(shown, estimator, view)
        except (ValueError, OSError) as error:
            st.error(plain(error))
            return False


def _sizes(shown: runs.Shown, estimator: Estimator, view: View) -> bool:
    if shown.origin == "live":
        st.info("This is answered once the training has ended.")
        return False
    epochs = shown.run.epochs.tolist()
    k = st.selectbox(
        "Epoch",
        range(len(epochs)),
        index=len(epochs) - 1,
        format_func=lambda k: f"{epochs[k]:,}",
        key=f"sizes-epoch-{len(epochs)}",
        width=160,
    )
    found = sizes.table(shown, k, estimator, view)
    work_line(found.job, "Subsamples", "sizes")
    if len(found.table):
        _sizes_figure(shown, estimator, view, found, epochs[k])
    return found.busy


def _sizes_figure(shown: runs.Shown, estimator, view: View, found: sizes.Sizes, epoch) -> None:
    table = found.table
    settings = settings_for(shown, estimator, view, WIDTH - 40)
    settings = replace(settings, title=f"epoch {epoch:,}")
    whole = shown.run.experiment.task.name == "symmetric" and view.selection == ("all", None)
    so_far = "" if found.whole else f"So far, up to N = {table['n'].max():,}: "
    st.markdown(so_far + settled(growth(table), settings.layer_names, whole=whole))
    figure = Figure(
        "sample-size",
        lambda theme: sample_size_figure(table, replace(settings, theme=theme)),
        table,
        f"{estimator.label}, epoch {epoch}, {view_words(shown.run, view)}: means of"
        f" {shown.run.n_replicates} replicates and up to 8 disjoint subsamples of N; bands ± 1"
        " standard deviation between subsamples of one network; bits",
    )
    st.vega_lite_chart(
        spec=figure.draw(settings.theme), key=figure.name, theme=None, width="content"
    )
    command = commands.sizes_command(shown.run.experiment, estimator, view, epoch)
    exports(figure, shown.run, command)
