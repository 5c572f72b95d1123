"""The scales of a run's figures, and what lies beyond them."""

from dataclasses import replace

import numpy as np
import streamlit as st

import sidebar
from charts import PlaneSettings
from describe import layer_names, plain
from ibcore import Run, View, checks
from ibcore.estimators import Estimator, label_entropy
from ibcore.plane import fixed_limits, outside_limits
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


@placed
def beyond_limits(shown: Shown, estimator: Estimator, view: View, which: str = "") -> str:
    """Say so where fixed limits cut activations off: it looks like compression.

    `which` run is meant, where there are two. The same for a caption, empty where
    there is nothing to say.
    """
    limits = fixed_limits(estimator)
    if limits is None:
        return ""
    found = _beyond((shown.run.content_key, limits, repr(view)), shown.run, estimator, view)
    if found is None:
        return ""
    st.warning(
        f"{plain(which)}{plain(found)}: the limits may cause a fall of I(X;T). Compare with"
        " **range of the run**."
    )
    return f"; {found}"


@st.cache_resource(max_entries=64, show_spinner=False)
def _beyond(name: tuple, _run: Run, _estimator: Estimator, _view: View) -> checks.Beyond | None:
    return checks.beyond_limits(_run, _estimator, _view, outside=_outside)


def _outside(run: Run, estimator: Estimator, k: int, *, view: View) -> np.ndarray:
    # The experiment splits the samples.
    checkpoint = run.checkpoint_keys[k], run.experiment.key
    return _outside_at((*checkpoint, fixed_limits(estimator), repr(view)), run, estimator, k, view)


# By checkpoint: a run in training has one more at every look.
@st.cache_resource(max_entries=8192, show_spinner=False)
def _outside_at(name: tuple, _run: Run, _estimator: Estimator, _k: int, _view: View) -> np.ndarray:
    return outside_limits(_run, _estimator, _k, view=_view)
