"""Events of the run on the screen, found once for every table."""

import pandas as pd
import streamlit as st

from charts import history_mean
from ibcore import Run, View, verdict_map
from ibcore.checks import broken_laws
from ibcore.comparison import compared
from ibcore.events import gradient_events, loss_events, turning_events


@st.cache_resource(max_entries=64, show_spinner=False)
def of_gradients(identity: tuple, _defined: pd.DataFrame) -> pd.DataFrame:
    """Crossing and onset of every layer; `identity` names the table."""
    return gradient_events(_defined)


@st.cache_resource(max_entries=64, show_spinner=False)
def of_information(identity: tuple, _plane: pd.DataFrame) -> pd.DataFrame:
    """The turning point of every layer; `identity` names the table."""
    return turning_events(_plane) if len(_plane) else pd.DataFrame()


@st.cache_resource(max_entries=32, show_spinner=False)
def of_ladder(identity: tuple, _curves: pd.DataFrame, parameter: str) -> pd.DataFrame:
    """The verdict of every layer at every value; `identity` names the table."""
    return verdict_map(_curves, parameter)


@st.cache_resource(max_entries=128, show_spinner=False)
def of_plane(identity: tuple, _plane: pd.DataFrame) -> pd.DataFrame:
    """The verdict of every layer at one value; `identity` names the table."""
    return verdict_map(_plane.assign(value=0), "value")


@st.cache_resource(max_entries=16, show_spinner=False)
def of_history(identity: str, _run: Run) -> pd.DataFrame:
    """Losses and accuracies, averaged over replicates."""
    return history_mean(_run.history())


@st.cache_resource(max_entries=16, show_spinner=False)
def of_loss(identity: tuple, _run: Run) -> pd.DataFrame:
    """The kink of the training loss."""
    return loss_events(_run.history())


@st.cache_resource(max_entries=128, show_spinner=False)
def of_laws(identity: tuple, _run: Run, _view: View, _plane: pd.DataFrame) -> pd.DataFrame:
    """The laws of information that a plane breaks; `identity` names the table."""
    return broken_laws(_run, _view, _plane)


@st.cache_resource(max_entries=64, show_spinner=False)
def of_moments(identity: tuple, _plane: pd.DataFrame, first: int, last: int) -> pd.DataFrame:
    """Every layer at the two epochs that are there; `identity` names the table."""
    return compared(_plane, first, last)
