"""The page "Sensitivity": one run over the whole ladder of an estimator."""

from dataclasses import replace

import streamlit as st

import curves
import runs
import state
from charts import heat_map, small_multiples
from ibcore.estimators import Estimator
from views.common import body, curves_line, estimator_bar, exports, settings_for, status

WIDTH = 980
PANELS = 6
BUNDLED = {"tanh": "saxe-tanh", "ReLU": "saxe-relu"}


def draw() -> bool:
    """The page's body; whether a worker is busy for it."""
    shown = runs.current()
    job = status(shown)
    _both_runs()
    estimator = estimator_bar()
    samples = st.session_state["samples"]
    busy = job is not None and job.active
    if shown.origin == "live":
        st.info("The whole ladder is computed once the training has ended.")
        return busy
    found = None
    try:
        found = curves.ladder(shown, estimator, samples)
        _figures(shown, estimator, samples, found)
    except (ValueError, OSError) as error:
        st.error(str(error))
    return busy or (found is not None and found.job is not None and found.job.active)


def _both_runs() -> None:
    st.markdown(
        "The same run, seen at every value of the estimator's parameter. Compare what one value"
        " changes for"
    )
    for column, (label, preset) in zip(st.columns([1, 1, 5]), BUNDLED.items(), strict=False):
        if column.button(label, key=preset, on_click=state.choose, args=(preset,)):
            st.rerun(scope="app")


def _figures(shown: runs.Shown, estimator: Estimator, samples: str, found: curves.Curves) -> None:
    curves_line(found.job, found.whole)
    if found.table.empty:
        st.info("The first estimates are on their way.")
        return
    settings = settings_for(shown, estimator, samples, WIDTH)
    parameter = estimator.parameter
    now = getattr(estimator, parameter)
    values = panel_values(estimator.default_ladder, now)
    parts = {
        "planes": lambda s: small_multiples(found.table, parameter, values, s, current=now),
        "heat-map": lambda s: heat_map(found.table, parameter, now, s),
    }
    st.subheader("The plane at six values")
    st.vega_lite_chart(spec=parts["planes"](settings), key="planes", theme=None, width="content")
    _export("sensitivity-planes", parts["planes"], settings, found, shown, estimator, samples)
    st.subheader("I(X;T) at every value and epoch")
    st.vega_lite_chart(spec=parts["heat-map"](settings), key="heat", theme=None, width="content")
    _export("sensitivity-map", parts["heat-map"], settings, found, shown, estimator, samples)


def _export(name, figure, settings, found, shown, estimator, samples) -> None:
    exports(
        name,
        lambda theme: figure(replace(settings, theme=theme)),
        found.table,
        shown,
        estimator,
        samples,
    )


def panel_values(ladder: tuple[float, ...], now: float) -> list[float]:
    """Six values spread over the ladder, the current one in place of its nearest."""
    count = min(PANELS, len(ladder))
    chosen = [round(i * (len(ladder) - 1) / (count - 1)) for i in range(count)]
    here = min(range(len(ladder)), key=lambda i: abs(ladder[i] - now))
    nearest = min(range(count), key=lambda i: abs(chosen[i] - here))
    chosen[nearest] = here
    return [ladder[i] for i in chosen]


body(draw)
