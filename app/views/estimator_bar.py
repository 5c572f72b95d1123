"""The controls of the estimator and of the samples it sees."""

import contextlib

import streamlit as st

import session
import state
from controls import number, select, slide
from describe import plain, view_words
from families import FAMILIES, SLIDERS
from ibcore import Binning, FieldError, Run
from ibcore.estimators import Estimator
from placed import placed
from runs import Shown
from views.tuning import tuned_button

RULES = {
    "fixed": "fixed limits",
    "range": "range of the run",
    "layer": "range of each layer",
    "rank": "equal counts (rank)",
    "width": "bin width",
}
SAMPLES = {"auto": "automatic", "train": "training set", "test": "test set"}
CHANNELS = {"concat": "all as one vector", "mean": "each by itself, their mean"}


def chosen_estimator() -> tuple[Estimator, str]:
    """The estimator that the controls describe, and what is wrong with them, if anything."""
    settings = session.current()
    try:
        return state.estimator(settings), ""
    except FieldError as error:
        wrong = f"{plain(error)}. Until then the bins lie on -1 to 1, without options."
        return Binning(settings["bins"]), wrong


@placed
def estimator_bar(shown: Shown, *, channels: bool = True) -> Estimator:
    """The controls of the estimator; the one they describe.

    `channels`: whether the page lets the person choose how they are joined.
    """
    settings = session.current()
    key = state.parameter_key(settings)
    bar = st.container(horizontal=True, vertical_alignment="bottom")
    binning = settings["est"] == "binning"
    name_width = 168 if binning else 320
    select(bar, "Estimator", "est", format_func=lambda name: FAMILIES[name].short, width=name_width)
    # A place of their own: the slider keeps its place when they come and go.
    rule = bar.container(horizontal=True, width="content")
    if binning:
        select(rule, "Limits", "limits", format_func=RULES.get, width=196)
        if settings["limits"] == "fixed":
            number(rule, "Lowest", "low", format="%g", width=112)
            number(rule, "Highest", "high", format="%g", width=112)
    slide(bar, SLIDERS[key], key, format_func=lambda value: f"{value:g}")
    box = bar.popover("Options", key="options", on_change="rerun", width=124)
    if box.open:
        with box:
            _options(settings, shown, channels)
    estimator, wrong = chosen_estimator()
    if wrong:
        st.error(wrong)
    return estimator


def _options(settings: dict, shown: Shown, channels: bool) -> None:
    """What is changed less often: the samples, a tuned noise, and what is done about bias."""
    view_options(settings, shown.run, channels=channels)
    if settings["est"] == "kde":
        _tuned(settings, shown.run)
    if settings["est"] != "binning":
        return
    select(
        st,
        "Correction of entropies",
        "corr",
        format_func={"none": "none", "miller-madow": "Miller-Madow"}.get,
        help="For inputs drawn from a larger population.",
    )
    number(
        st,
        "Label shuffles to subtract",
        "null",
        step=10,
        format="%d",
        help="The mean I(T;Y) of so many shuffles of the labels is taken away from I(T;Y).",
    )


def view_options(settings: dict, run: Run, *, channels: bool = True) -> None:
    """Which samples, how many of them, and how the channels of images are joined."""
    select(
        st,
        "Samples",
        "samples",
        format_func=_sample_words,
        help="Automatic: all of them where the data have at most 5,000, else the test set.",
    )
    select(
        st,
        "Samples at most",
        "sub",
        format_func=_sample_words,
        help="Automatic: 2,000 where the data have more than 5,000. They are chosen at random, with"
        " the classes in their shares, and always the same.",
    )
    if channels and run.experiment.network.filters:
        select(
            st,
            "Channels",
            "chan",
            format_func=CHANNELS.get,
            help="Of convolutional and pooling layers: all channels as one vector, or the mean of"
            " what each of them tells by itself.",
        )
    # A run without a test set has no such view; the page says so.
    with contextlib.suppress(FieldError):
        st.caption(plain(f"Measured on {view_words(run, state.view(settings, run))}."))


def _sample_words(choice: str) -> str:
    return f"{int(choice):,}" if choice.isdigit() else SAMPLES.get(choice, choice)


def _tuned(settings: dict, run: Run) -> None:
    # A run without the samples that are asked for has no such view; the page says so.
    with contextlib.suppress(FieldError):
        tuned_button(run, state.view(settings, run))
