"""The page "Information plane": the layers of one run through one estimator."""

from dataclasses import replace

import numpy as np
import streamlit as st

import curves
import runs
from charts import plane_figure
from describe import what_am_i_looking_at
from ibcore import Run
from ibcore.estimators import Estimator
from ibcore.plane import outside_limits
from playback import playback
from views.common import body, curves_line, estimator_bar, exports, settings_for, status

WIDTH = 980


def draw() -> bool:
    """The page's body; whether a worker is busy for it."""
    shown = runs.current()
    job = status(shown)
    estimator = estimator_bar()
    samples = st.session_state["samples"]
    found = None
    try:
        found = curves.plane(shown, estimator, samples)
        _figure(shown, estimator, samples, found)
    except (ValueError, OSError) as error:
        st.error(str(error))
    busy = job is not None and job.active
    return busy or (found is not None and found.job is not None and found.job.active)


def _figure(shown: runs.Shown, estimator: Estimator, samples: str, found: curves.Curves) -> None:
    curves_line(found.job, found.whole)
    if found.table.empty:
        st.info("The first estimates are on their way.")
        return
    _beyond_limits(shown.run, estimator, samples)
    settings = settings_for(shown, estimator, samples, WIDTH)
    history = shown.run.history()
    with st.container(key="plane-chart"):
        playback("plane-chart", key="playback")
        st.vega_lite_chart(
            spec=plane_figure(found.table, history, settings),
            key="plane",
            theme=None,
            width="content",
        )
    with st.expander("What am I looking at?", expanded=True):
        for line in what_am_i_looking_at(
            shown.run, shown.run.dataset, estimator, settings.n_samples
        ):
            st.markdown(f"- {line}")
    exports(
        "information-plane",
        lambda theme: plane_figure(found.table, history, replace(settings, theme=theme)),
        found.table,
        shown,
        estimator,
        samples,
    )


def _beyond_limits(run: Run, estimator: Estimator, samples: str) -> None:
    """Say so where fixed limits cut activations off: it looks like compression."""
    share = _outside(run.checkpoint_keys[-1], repr(estimator), samples, run, estimator)
    if share.max() > 0.01:
        layer = int(share.argmax()) + 1
        st.warning(
            f"{share.max():.0%} of the activations of layer {layer} lie beyond the limits of the"
            " bins at the last epoch and share the outer bins: a fall of I(X;T) here may be the"
            " limits' doing. Compare **range of the run**."
        )


@st.cache_data(max_entries=64, show_spinner=False)
def _outside(
    content: str, settings: str, samples: str, _run: Run, _estimator: Estimator
) -> np.ndarray:
    return outside_limits(_run, _estimator, len(_run.epochs) - 1, samples=samples)


body(draw)
