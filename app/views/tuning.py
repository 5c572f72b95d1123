"""The box that shows how a noise variance follows from H(Y)."""

import numpy as np
import pandas as pd
import streamlit as st

import session
import sidebar
from charts import tuning_figure
from describe import plain
from ibcore import Run, View
from ibcore.estimators import (
    DISSERTATION_VARIANCE,
    KDE,
    VARIANCE_LADDER,
    Estimator,
    label_bounds,
    label_entropy,
    tuned_variance,
)
from runs import Shown

WIDTH = 700


def tuning_box(shown: Shown, estimator: Estimator, view: View) -> None:
    """The KDE's bounds for a layer that is the label itself, over all variances."""
    if not isinstance(estimator, KDE):
        return
    box = st.expander("Which noise? σ² tuned to H(Y)", key="tuning-box", on_change="rerun")
    if not box.open:
        return
    with box:
        try:
            _tuning(shown, estimator, view)
        except ValueError as error:
            st.info(plain(error))


def _tuning(shown: Shown, estimator: Estimator, view: View) -> None:
    labels, distance2 = _labels(shown.run, view), _distance2(shown.run)
    tuned = tuned_variance(labels, distance2=distance2)
    lower, upper = label_bounds(labels, VARIANCE_LADDER, distance2=distance2)
    bounds = pd.DataFrame({"variance": VARIANCE_LADDER, "lower": lower, "upper": upper})
    marks = {"tuned": tuned, "dissertation": DISSERTATION_VARIANCE, "now": estimator.variance}
    h_y = float(label_entropy(labels))
    st.markdown(
        "A layer that **is** the label has I(T;Y) = H(Y). These are the KDE's bounds of it: noise"
        " that is too large loses the label itself."
    )
    st.vega_lite_chart(
        spec=tuning_figure(bounds, h_y, marks, sidebar.theme(), WIDTH),
        key="tuning",
        theme=None,
        width="content",
    )
    _button(tuned, "tuned-box")


def tuned_button(run: Run, view: View) -> None:
    """The button that sets σ² to the largest noise at which the KDE knows H(Y)."""
    try:
        tuned = tuned_variance(_labels(run, view), distance2=_distance2(run))
    except ValueError as error:
        st.caption(plain(error))
        return
    _button(tuned, "tuned")


def _labels(run: Run, view: View) -> np.ndarray:
    """Those of the first network, where each has its own samples."""
    labels = run.labels(*view.selection)
    return labels if view.samples == "all" else labels[0]


def _distance2(run: Run) -> float:
    """The squared distance of two labels as the output layer would give them."""
    return 1.0 if run.experiment.network.output == "sigmoid" else 2.0


def _button(tuned: float, key: str) -> None:
    rung = max((v for v in VARIANCE_LADDER if v <= tuned), default=VARIANCE_LADDER[0])
    st.button(
        f"σ² tuned to H(Y): {rung:g}",
        key=key,
        on_click=lambda: session.put({"var": rung}),
    )
    st.caption(
        f"Up to σ² = {tuned:.3g} both bounds of the KDE are within 1 % of H(Y) for a layer that is"
        f" the label itself; {rung:g} is the slider's next value below. (A dissertation of 2019 on"
        f" convolutional networks tuned to {DISSERTATION_VARIANCE:g} on MNIST: there the upper"
        " bound is exact to 0.00002 bits and the lower one 11 % too small.)"
    )
