"""The page "Verdict map": does it compress, layer by layer, whatever the estimator's value?"""

from dataclasses import replace

import pandas as pd
import streamlit as st

import analysis
import curves
import runs
import sidebar
import state
from charts import EpochSettings, VerdictPanel, verdict_figure
from describe import family, layer_names, plain
from describe_verdicts import summary
from ibcore import PRESETS
from ibcore.estimators import Estimator
from views.common import RULES, Figure, beyond_limits, body, exports, status, work_line

WIDTH = 980


def draw() -> bool:
    """The page's body; whether a worker is busy for it."""
    shown = runs.current()
    job = status(shown)
    state.keep(state.ESTIMATOR_DEFAULTS | state.VERDICT_DEFAULTS)
    st.markdown(
        "Where compression is a property of the network, a layer has one verdict at every value of"
        " the estimator; where it is the estimator's, the verdict changes along the row."
    )
    _controls()
    busy = job is not None and job.active
    if shown.origin == "live":
        st.info("The verdicts are given once the training has ended.")
        return busy
    try:
        return _maps(shown) or busy
    except (ValueError, OSError) as error:
        st.error(plain(error))
        return busy


def _controls() -> None:
    fixed = state.current()["limits"] == "fixed"
    versus, rule, *edges, samples = st.columns(
        [1.8, 1.8, 1, 1, 1.2] if fixed else [1.8, 1.8, 3.2], vertical_alignment="bottom"
    )
    versus.selectbox(
        "Compared with", state.CHOICES["versus"], key="versus", format_func=_versus_title
    )
    rule.selectbox("Limits of the bins", state.LIMIT_RULES, key="limits", format_func=RULES.get)
    for edge, name, key in zip(edges, ("Lowest", "Highest"), ("low", "high"), strict=False):
        edge.number_input(name, key=key, format="%g")
    samples.selectbox("Samples", state.CHOICES["samples"], key="samples")


def _versus_title(name: str) -> str:
    return PRESETS[name].title if name in PRESETS else name


def _maps(shown: runs.Shown) -> bool:
    settings = state.current()
    beside = settings["est"] if settings["est"] != "binning" else "kde"
    estimators = [state.estimator(settings | {"est": est}) for est in ("binning", beside)]
    rows, busy = [], False
    for title, run in _runs(shown, settings["versus"]).items():
        row = []
        beyond_limits(run, estimators[0], settings["samples"], f"{title}: ")
        for estimator in estimators:
            found = curves.ladder(run, estimator, settings["samples"])
            if found.job is not None:
                work_line(found.job, f"{title}, {family(estimator)}", f"{title} {estimator.label}")
            busy = busy or found.busy
            if found.whole:
                row.append(_panel(title, run, estimator, found.table))
        rows.append(row)
    if any(rows):
        _figure(shown, [row for row in rows if row])
    return busy


def _runs(shown: runs.Shown, versus: str) -> dict[str, runs.Shown]:
    """The run on the screen and the one beside it, by title."""
    mine = shown.run.experiment
    found = {f"This run ({mine.network.activation})": shown}
    other = PRESETS.get(versus)
    if other is not None and other.experiment.key != mine.key:
        there = runs.find(other.experiment)
        if there is not None:
            found[other.title] = runs.Shown(*there, other.experiment)
    return found


def _panel(title: str, shown: runs.Shown, estimator: Estimator, table: pd.DataFrame):
    key = shown.run.content_key, state.current()["samples"], family(estimator)
    verdicts = analysis.of_ladder((*key, len(table)), table, estimator.parameter)
    now = getattr(estimator, estimator.parameter)
    return VerdictPanel(f"{title}, {family(estimator)}", estimator.parameter, verdicts, table, now)


def _figure(shown: runs.Shown, rows: list[list[VerdictPanel]]) -> None:
    run, panels = shown.run, [panel for row in rows for panel in row]
    names = _names(panels, run)
    settings = EpochSettings(names, _epochs(panels), sidebar.theme(), WIDTH)
    tables = [
        p.verdicts.rename(columns={p.parameter: "value"}).assign(map=p.title, parameter=p.parameter)
        for p in panels
    ]
    estimator = state.estimator(state.current())
    figure = Figure(
        "verdict-map",
        lambda theme: verdict_figure(rows, replace(settings, theme=theme)),
        pd.concat(tables, ignore_index=True),
        "Drop of I(X;T) from its maximum to the mean of the last three checkpoints, bits; dots:"
        " compression with the 2.5 % bound above 0.05 bits",
    )
    with st.container(key="verdict-map-chart"):
        st.vega_lite_chart(
            spec=figure.draw(settings.theme), key=figure.name, theme=None, width="content"
        )
    for panel in panels:
        st.markdown(f"- {summary(panel.title, panel.verdicts, panel.parameter, names)}")
    st.caption(
        "A layer compresses where the mean of I(X;T) over replicates falls from its maximum to the"
        " end by more than 0.05 bits, in 97.5 % of the resamples of the replicates and also when"
        " the maximum is chosen without the replicate it is measured in."
    )
    samples = state.current()["samples"]
    exports(figure, run, state.reproduction(run.experiment, estimator, samples))


def _names(panels: list[VerdictPanel], run) -> tuple[str, ...]:
    """Names of the layers: with widths for one run, by number where two differ."""
    own = layer_names(run.experiment, run.dataset.n_classes)
    count = max(int(panel.verdicts["layer"].max()) for panel in panels)
    titles = {panel.title.split(",")[0] for panel in panels}
    if len(titles) == 1 and count == len(own):
        return own
    return tuple(f"layer {i}" for i in range(1, count + 1))


def _epochs(panels: list[VerdictPanel]) -> tuple[int, ...]:
    return tuple(sorted({int(e) for panel in panels for e in panel.curves["epoch"].unique()}))


body(draw)
