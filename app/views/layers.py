"""The page "Layers": every layer before and after training, in the plane and for one input."""

from dataclasses import replace

import numpy as np
import pandas as pd
import streamlit as st

import analysis
import commands
import curves
import runs
import sidebar
import state
from charts import PlaneSettings, Seen, comparison_figure
from describe import layer_names, plain, view_words
from describe_comparison import input_lines, statement_lines
from ibcore import FieldError, Run, View
from ibcore.comparison import definitions, statements
from ibcore.estimators import Estimator
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
from views.sample_size import sample_size_box
from views.tuning import tuning_box

WIDTH = 980


def draw() -> bool:
    """The page's body; whether a worker is busy for it."""
    shown = runs.current()
    job = status(shown)
    state.keep(state.INPUT_DEFAULTS)
    busy = job is not None and job.active
    estimator = estimator_bar(shown)
    try:
        return _comparison(shown, estimator) or busy
    except (ValueError, OSError) as error:
        st.error(plain(error))
        return busy


def _comparison(shown: runs.Shown, estimator: Estimator) -> bool:
    run, view = shown.run, state.view(state.current(), shown.run)
    found = {name: _plane(shown, estimator, v) for name, v in definitions(run, view).items()}
    for name, curve in found.items():
        what = "All values of the slider" if curve.whole else f"Estimating {name}"
        work_line(curve.job, what, name, complete=curve.whole)
    tables = {name: _moments(shown, estimator, name, view, c.table) for name, c in found.items()}
    if shown.origin == "live" and run.experiment.network.filters:
        st.info("The planes are computed once the training has ended; the activations are there.")
    elif any(table.empty for table in tables.values()):
        st.info("The first estimates are on their way; the activations are there.")
    beyond = beyond_limits(shown, estimator, view)
    row, replicate = _input(run)
    settings = settings_for(shown, estimator, view, WIDTH)
    seen = _seen(shown, row, replicate)
    figure = Figure(
        "layers",
        lambda theme: comparison_figure(tables, seen, replace(settings, theme=theme)),
        _with_definition(tables),
        f"{estimator.label}, {view_words(run, replace(view, channels='concat'))}, bars"
        f" {_bars(tables)}; activations of network {replicate} for row {row} of the data, white is"
        f" the layer's maximum; bits{beyond}",
    )
    _findings(run, tables, settings)
    with st.container(key="layers-chart"):
        st.vega_lite_chart(
            spec=figure.draw(sidebar.theme()), key="layers", theme=None, width="content"
        )
    _explained(run)
    tuning_box(shown, estimator, view)
    exports(figure, run, commands.layers_command(run.experiment, estimator, view))
    sizing = sample_size_box(shown, estimator, view)
    return sizing or any(curve.busy for curve in found.values())


def _moments(shown: runs.Shown, estimator, name: str, view: View, table) -> pd.DataFrame:
    key = shown.run.content_key, repr(estimator), name, repr(view), len(table)
    return analysis.of_moments(key, table, *_ends(shown.run))


def _ends(run: Run) -> tuple[int, int]:
    return int(run.epochs[0]), int(run.epochs[-1])


def _plane(shown: runs.Shown, estimator: Estimator, view: View) -> curves.Curves:
    run = shown.run
    if shown.origin == "live" and run.experiment.network.filters:
        return curves.Curves(pd.DataFrame(), False)
    return curves.at_epochs(shown, estimator, view, _ends(run))


def _with_definition(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    parts = [table.assign(channels=name) for name, table in tables.items()]
    return pd.concat(parts, ignore_index=True)


def _bars(tables: dict[str, pd.DataFrame]) -> str:
    bounded = any(table["bounded"].any() for table in tables.values() if len(table))
    return "from the lower to the upper bound" if bounded else "± 2 standard errors over replicates"


def _input(run: Run) -> tuple[int, int]:
    """The row of the data and the network that the person chose; the nearest that there are."""
    settings = state.current()
    replicate = min(max(settings["net"], 0), run.n_replicates - 1)
    rows = _rows(run, replicate)
    at = min(max(settings["img"], 0), len(rows) - 1)
    for key, there in (("img", at), ("net", replicate)):
        if settings[key] != there:
            st.session_state[key] = there
    image, network, _ = st.columns([1, 1, 3])
    image.number_input(
        _what(run).capitalize(),
        0,
        len(rows) - 1,
        key="img",
        step=1,
        help=f"From 0 to {len(rows) - 1:,}: which {_what(run)} the activations below belong to.",
    )
    if run.n_replicates > 1:
        network.number_input(
            "Network",
            0,
            run.n_replicates - 1,
            key="net",
            step=1,
            help="The replicate whose activations are shown; the planes are means over all.",
        )
    return int(rows[state.current()["img"]]), state.current()["net"]


def _rows(run: Run, replicate: int) -> np.ndarray:
    """The rows of the test set, of all data where there is none."""
    try:
        index = run.sample_index("test")
    except FieldError:
        return np.arange(len(run.dataset.x))
    return index[replicate]


def _what(run: Run) -> str:
    kind = "test " if len(run.dataset.test) else ""
    return f"{kind}image" if run.dataset.x.ndim > 2 else f"{kind}input"


def _seen(shown: runs.Shown, row: int, replicate: int) -> Seen:
    run = shown.run
    last = len(run.epochs) - 1
    sound = [k for k in (0, last) if run.sound(k)[replicate]]
    if len(sound) < 2:
        raise ValueError(f"network {replicate} diverged: it has no activations to show")
    before, after = run.responses(0, row, replicate), run.responses(last, row, replicate)
    moment = "after training" if run.complete else "so far"
    headings = (
        f"before training: epoch {run.epochs[0]:,}",
        f"{moment}: epoch {run.epochs[last]:,}",
    )
    return Seen(before, after, headings, input_lines(run.dataset.y[row], before[-1], after[-1]))


def _findings(run: Run, tables: dict[str, pd.DataFrame], settings: PlaneSettings) -> None:
    """The dissertation's statement, checked on this run once both planes are there."""
    if not run.complete or any(
        set(t.get("moment", ())) != {"before", "after"} for t in tables.values()
    ):
        return
    concat, mean = tables["concat"], tables.get("mean", tables["concat"])
    images = list(range(1, len(run.experiment.network.filters) + 1))
    names = layer_names(run.experiment, run.dataset.n_classes)
    lines = statement_lines(statements(concat, mean, images, settings.h_x), concat, mean, names)
    st.markdown("\n".join([_SAID if images else "", *(f"- {line}" for line in lines)]))


def _explained(run: Run) -> None:
    with st.expander("What am I looking at?"):
        lines = [_PLANES, *([_DEFINITIONS] if run.experiment.network.filters else []), _PICTURES]
        st.markdown("\n".join(f"- {line}" for line in lines))


_SAID = "What a dissertation of 2019 said of convolutional networks, checked on this run:\n"
_PLANES = (
    "Each mark is one layer before and after training, the mean over networks; a dotted line leads"
    " from where it was to where it is. Bars span the estimator's bounds; where it has none, ± 2"
    " standard errors over networks. Where marks lie on each other, the layers behind are listed."
)
_DEFINITIONS = (
    "**concat** takes all channels of a layer as one vector, **mean** every channel by itself and"
    " averages: a typical channel tells less than the layer. The three sentences above are what a"
    " dissertation of 2019 found with both; the criteria are ours."
)
_PICTURES = (
    "Below: what the units of one network answer to the chosen input. White is the layer's maximum"
    " for this input at that epoch, its value stands beside it; black is 0, or minus the maximum"
    " where activations can be negative. Click a layer to light it up in all panels; double-click"
    " to let go."
)

body(draw)
