"""The page "Layers": every layer before and after training, in the plane and for one input."""

from dataclasses import replace

import numpy as np
import pandas as pd
import streamlit as st

import analysis
import commands
import curves
import runs
import session
import sidebar
import state
from charts import PlaneSettings, Seen, comparison_figure
from controls import number
from describe import layer_names, plain, view_words
from describe_claims import claim_lines
from describe_input import input_lines
from ibcore import FieldError, Run, View
from ibcore.claims import claims
from ibcore.comparison import by_channels
from ibcore.estimators import Estimator
from views.estimator_bar import estimator_bar
from views.exports import Figure, exports
from views.sample_size import sample_size_box
from views.scales import beyond_limits, settings_for
from views.status import body, status, work_line
from views.tuning import tuning_box

WIDTH = 980
# Tables of `ibcore.comparison.compared`, by the way to join channels.
Planes = dict[str, pd.DataFrame]


def draw() -> bool:
    """The page's body; whether a worker is busy for it."""
    shown = runs.current()
    job = status(shown)
    busy = job is not None and job.active
    estimator = estimator_bar(shown, channels=False)
    try:
        view = replace(state.view(session.current(), shown.run), channels="concat")
        return _comparison(shown, estimator, view) or busy
    except (ValueError, OSError) as error:
        st.error(plain(error))
        return busy


def _comparison(shown: runs.Shown, estimator: Estimator, view: View) -> bool:
    run = shown.run
    found = {
        name: curves.at_epochs(shown, estimator, v, _ends(run))
        for name, v in by_channels(run, view).items()
    }
    planes = {name: _moments(shown, estimator, view, name, c) for name, c in found.items()}
    _progress(shown, view, found, planes)
    settings = settings_for(shown, estimator, view, WIDTH)
    row, replicate = _input(run)
    figure = _figure(shown, estimator, view, planes, _seen(run, row, replicate), settings)
    _judged(run, planes, settings)
    with st.container(key="layers-chart"):
        spec = figure.draw(sidebar.theme())
        st.vega_lite_chart(spec=spec, key="layers", theme=None, width="content")
    _explained(run)
    tuning_box(shown, estimator, view)
    exports(figure, run, commands.layers_command(run.experiment, estimator, view))
    sizing = sample_size_box(shown, estimator, view)
    return sizing or any(curve.busy for curve in found.values())


def _moments(shown: runs.Shown, estimator, view: View, name: str, curve: curves.Curves):
    key = shown.run.content_key, repr(estimator), repr(view), name, len(curve.table)
    return analysis.of_moments(key, curve.table, *_ends(shown.run))


def _ends(run: Run) -> tuple[int, int]:
    return int(run.epochs[0]), int(run.epochs[-1])


def _progress(
    shown: runs.Shown, view: View, found: dict[str, curves.Curves], planes: Planes
) -> None:
    for name, curve in found.items():
        what = "All values of the slider" if curve.whole else f"Estimating {name}"
        work_line(curve.job, what, name, complete=curve.whole)
    if curves.spared(shown, view):
        st.info(
            "The planes are computed once the training has ended; the activations below follow it."
        )
    elif any(table.empty for table in planes.values()):
        st.info("The first estimates are on their way; the activations below are there already.")


def _figure(
    shown: runs.Shown,
    estimator: Estimator,
    view: View,
    planes: Planes,
    seen: Seen,
    settings: PlaneSettings,
) -> Figure:
    beyond = "" if curves.spared(shown, view) else beyond_limits(shown, estimator, view)
    parts = [table.assign(channels=name) for name, table in planes.items()]
    return Figure(
        "layers",
        lambda theme: comparison_figure(planes, seen, replace(settings, theme=theme)),
        pd.concat(parts, ignore_index=True),
        f"{estimator.label}, {view_words(shown.run, view)}; {_bars(planes)}. Activations for"
        f" {seen.title}: white is the layer's largest absolute value; bits{beyond}",
    )


def _bars(planes: Planes) -> str:
    rows = [table for table in planes.values() if len(table)]
    if any(table["bounded"].any() for table in rows):
        return "bars from the lower to the upper bound"
    if any(table["replicates"].max() > 1 for table in rows):
        return "bars are 95 % intervals of the mean over replicates"
    return "no bars: one replicate, and an estimator without bounds"


def _input(run: Run) -> tuple[int, int]:
    """The row of the data and the network that the person chose; the nearest that there are."""
    settings = session.current()
    replicate = min(max(settings["net"], 0), run.n_replicates - 1)
    rows = _rows(run, replicate)
    at = min(max(settings["img"], 0), len(rows) - 1)
    for key, there in (("img", at), ("net", replicate)):
        if settings[key] != there:
            session.put({key: there})
    image, network, _ = st.columns([1, 1, 3])
    number(
        image,
        _what(run).capitalize(),
        "img",
        min_value=0,
        max_value=len(rows) - 1,
        step=1,
        help=f"From 0 to {len(rows) - 1:,}: which {_what(run)} the activations below belong to.",
    )
    if run.n_replicates > 1:
        number(
            network,
            "Network",
            "net",
            min_value=0,
            max_value=run.n_replicates - 1,
            step=1,
            help="The replicate whose activations are shown; the planes are means over all.",
        )
    return int(rows[session.value("img")]), session.value("net")


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


def _seen(run: Run, row: int, replicate: int) -> Seen:
    """The network's activations for that row of the data at the ends of its training."""
    sound = [k for k in range(len(run.epochs)) if run.sound(k)[replicate]]
    if not sound:
        raise ValueError(f"network {replicate} diverged at once: it has no activations to show")
    first, last = sound[0], sound[-1]
    before, after = (run.activations_of(k, row, replicate) for k in (first, last))
    return Seen(
        before,
        after,
        (f"before training: epoch {run.epochs[first]:,}", _last_moment(run, last)),
        input_lines(run.dataset.y[row], before[-1], after[-1]),
        f"row {row} of the data by network {replicate}",
    )


def _last_moment(run: Run, last: int) -> str:
    epoch = f"epoch {run.epochs[last]:,}"
    if last < len(run.epochs) - 1:
        return f"before it diverged: {epoch}"
    return f"{'after training' if run.complete else 'so far'}: {epoch}"


def _judged(run: Run, planes: Planes, settings: PlaneSettings) -> None:
    """The dissertation's claims, once training and planes are complete."""
    if not run.complete or not all(_has_both_moments(table) for table in planes.values()):
        return
    images = list(range(1, len(run.experiment.network.filters) + 1))
    names = layer_names(run.experiment, run.dataset.n_classes)
    lines = claim_lines(claims(planes, images, settings.h_x), planes, names)
    st.markdown("\n".join([_SAID if images else "", *(f"- {line}" for line in lines)]))


def _has_both_moments(table: pd.DataFrame) -> bool:
    return set(table.get("moment", ())) == {"before", "after"}


def _explained(run: Run) -> None:
    with st.expander("What am I looking at?"):
        lines = [_PLANES, *([_CHANNELS] if run.experiment.network.filters else []), _PICTURES]
        st.markdown("\n".join(f"- {line}" for line in lines))


_SAID = "What a dissertation of 2019 said of convolutional networks, judged on this run:\n"
_PLANES = (
    "Each mark is one layer before and after training, the mean over networks; a dotted line leads"
    " from where it was to where it is. Bars span the estimator's bounds; where it has none, the"
    " 95 % interval of the mean over networks. Where marks lie on each other, the layers behind"
    " are listed: *= 2 3* beside the mark of layer 1."
)
_CHANNELS = (
    "**concat** takes all channels of a layer as one vector, **mean** every channel by itself and"
    " averages their information: a typical channel tells less than the layer; dense layers are the"
    " same under both. Once both planes"
    " are there, three claims of a dissertation of 2019 are judged; the criteria are ours."
)
_PICTURES = (
    "Below: what the units of one network answer to the chosen input. White is the layer's largest"
    " absolute value for this input at that epoch, which stands beside it; black is 0, or minus"
    " that value where activations can be negative. Click a layer to light it up in all panels;"
    " double-click to let go."
)

body(draw)
