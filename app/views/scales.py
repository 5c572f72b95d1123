"""The scales of a run's figures, and what lies beyond them."""

from dataclasses import replace

import numpy as np
import streamlit as st

import sidebar
from charts import PlaneSettings
from describe import layer_names, plain
from ibcore import Binning, Run, View
from ibcore.estimators import Estimator, label_entropy
from ibcore.plane import outside_limits
from placed import placed
from runs import Shown


def settings_for(shown: Shown, estimator: Estimator, view: View, width: int) -> PlaneSettings:
    """The scales and names of the figures of this run, as this session looks at it."""
    start_at, last = st.session_state["start_at"], len(shown.run.experiment.epochs) - 1
    return replace(
        scales(shown.run, estimator, view, width),
        start_at=None if start_at is None else min(start_at, last),
        theme=sidebar.theme(),
    )


def scales(run: Run, estimator: Estimator, view: View, width: int) -> PlaneSettings:
    """The scales and names of the figures of this run, whoever looks at it."""
    dataset = run.dataset
    index = run.sample_index(*view.selection)
    rows = np.arange(len(dataset.x)) if index is None else np.atleast_2d(index)[0]
    h_y = float(np.mean(label_entropy(run.labels(*view.selection))))
    return PlaneSettings(
        h_x=max(label_entropy(dataset.x_ids[rows]), 0.1),
        h_y=max(h_y, 0.01),
        n_samples=len(rows),
        layer_names=layer_names(run.experiment, dataset.n_classes),
        epochs=run.experiment.epochs,
        estimator_label=estimator.label,
        width=width,
    )


SEEN_BEYOND = 200
"""So many images tell whether limits cut activations off: the page waits for the answer."""


@placed
def beyond_limits(shown: Shown, estimator: Estimator, view: View, which: str = "") -> str:
    """Say so where fixed limits cut activations off: it looks like compression.

    `which` run is meant, where there are two. The same for a caption, empty where
    there is nothing to say.
    """
    limits = getattr(estimator, "limits", None)
    if not isinstance(limits, tuple):
        return ""
    few = f" of {SEEN_BEYOND} images" if shown.run.experiment.network.filters else ""
    view = replace(view, subset=SEEN_BEYOND) if few else view
    share = _outside(shown.run.content_key, limits, repr(view), shown.run, view)
    if share.max() <= 0.01:
        return ""
    fact = (
        f"{share.max():.0%} of the activations{few} in layer {share.argmax() + 1} lie beyond the"
        " limits of the bins at the last epoch and share the outer bins"
    )
    st.warning(
        f"{plain(which)}{fact}: a fall of I(X;T) may be the limits' doing. Compare **range of the"
        " run**."
    )
    return f"; {fact}"


@st.cache_data(max_entries=64, show_spinner=False)
def _outside(content: str, limits: tuple, view: str, _run: Run, _view: View) -> np.ndarray:
    return outside_limits(_run, Binning(limits=limits), len(_run.epochs) - 1, view=_view)
