"""The page "Sensitivity": one run over the whole ladder of an estimator."""

from dataclasses import replace

import streamlit as st

import commands
import curves
import families
import runs
import session
import state
from charts import heat_map, small_multiples
from describe import plain, view_words
from ibcore import View
from ibcore.estimators import Estimator
from views.estimator_bar import estimator_bar
from views.exports import Figure, exports
from views.scales import beyond_limits, settings_for
from views.status import body, status, work_line

WIDTH = 980
PANELS = 6
BUNDLED = {"tanh": "saxe-tanh", "ReLU": "saxe-relu"}


def draw() -> bool:
    """The page's body; whether a worker is busy for it."""
    shown = runs.current()
    job = status(shown)
    _both_runs()
    estimator = estimator_bar(shown)
    busy = job is not None and job.active
    if shown.origin == "live":
        st.info("The whole ladder is computed once the training has ended.")
        return busy
    found = None
    try:
        view = state.view(session.current(), shown.run)
        found = curves.ladder(shown, estimator, view)
        _figures(shown, estimator, view, found)
    except (ValueError, OSError) as error:
        st.error(plain(error))
    return busy or (found is not None and found.busy)


def _both_runs() -> None:
    st.markdown(
        "One run at every value of the estimator's parameter. Put the two bundled runs through the"
        " same estimator, which takes the range of the run for its limits:"
    )
    now = session.value("preset")
    for column, (label, preset) in zip(st.columns([1, 1, 5]), BUNDLED.items(), strict=False):
        kind = "primary" if preset == now else "secondary"
        if column.button(
            label, key=preset, type=kind, width="stretch", on_click=session.compare, args=(preset,)
        ):
            st.rerun(scope="app")


def _figures(shown: runs.Shown, estimator: Estimator, view: View, found: curves.Curves) -> None:
    what = "All values of the slider" if found.whole else "Estimating"
    work_line(found.job, what, complete=found.whole)
    if found.table.empty:
        st.info("The first estimates are on their way.")
        return
    beyond = beyond_limits(shown, estimator, view)
    settings = settings_for(shown, estimator, view, WIDTH)
    table, parameter = found.table, estimator.parameter
    now = getattr(estimator, parameter)
    ladder = estimator.default_ladder
    values = panel_values(ladder, now)
    measured = view_words(shown.run, view)
    seen = f"{families.title(estimator)}, mean of {shown.run.n_replicates} replicates, {parameter}"
    planes = Figure(
        "sensitivity-planes",
        lambda theme: small_multiples(
            table, parameter, values, replace(settings, theme=theme), current=now
        ),
        table,
        f"{seen} {', '.join(f'{value:.4g}' for value in values)}, {measured}; bits{beyond}",
    )
    heat = Figure(
        "sensitivity-map",
        lambda theme: heat_map(table, parameter, now, replace(settings, theme=theme)),
        table,
        f"{seen} from {ladder[0]:.4g} to {ladder[-1]:.4g}, {measured}; bits{beyond}",
    )
    command = commands.reproduction(shown.run.experiment, estimator, view)
    for title, figure in (
        ("The plane at six values", planes),
        ("I(X;T) at every value and epoch", heat),
    ):
        st.subheader(title)
        st.vega_lite_chart(
            spec=figure.draw(settings.theme), key=figure.name, theme=None, width="content"
        )
        exports(figure, shown.run, command)


def panel_values(ladder: tuple[float, ...], now: float) -> list[float]:
    """Six values spread over the ladder, the current one in place of its nearest."""
    count = min(PANELS, len(ladder))
    chosen = [round(i * (len(ladder) - 1) / (count - 1)) for i in range(count)]
    here = min(range(len(ladder)), key=lambda i: abs(ladder[i] - now))
    nearest = min(range(count), key=lambda i: abs(chosen[i] - here))
    chosen[nearest] = here
    return [ladder[i] for i in chosen]


body(draw)
