"""The page "Estimators on trial": cases with known information, and three neurons."""

from dataclasses import replace

import pandas as pd
import streamlit as st

import session
import sidebar
import state
import trying
from charts import (
    TrialSettings,
    gain_figure,
    squash_figure,
    trial_figure,
    trial_map,
)
from controls import segments, select, slide
from describe import duration, versions
from describe_trials import (
    MEASURES,
    case_lines,
    case_titles,
    contender_names,
    lesson,
    seed_words,
    trial_caption,
    trial_command,
    verdict_lines,
)
from ibcore.theory import TRUTHS
from ibcore.theory.three_neurons import bits, gain_curves, squashed
from ibcore.trials import summary
from views.exports import Figure, Handout, hand_out
from views.status import body, notes, work_line

WIDTH = 980
HEADS = {"error": "Mean error (bits)", "estimate": "Mean estimate (bits)", "time": "Median time"}


def draw() -> bool:
    """The page's body; whether a worker is busy for it."""
    notes()
    tabs = st.tabs(
        [title for title, _ in TABS.values()],
        key="trial_tab",
        default=_first_tab(),
        on_change="rerun",
    )
    busy = False
    for tab, (name, (_, draw_tab)) in zip(tabs, TABS.items(), strict=True):
        if tab.open:
            session.put({"ttab": name})
            with tab:
                busy = draw_tab()
    return busy


def _first_tab() -> str:
    """The tab of the link; it stays the default while the page is looked at."""
    if "trial_tab" not in st.session_state:
        st.session_state["first_trial_tab"] = session.value("ttab")
    return TABS[st.session_state["first_trial_tab"]][0]


def _chart(figure: Figure) -> None:
    with st.container(key=f"{figure.name}-chart"):
        st.vega_lite_chart(
            spec=figure.draw(sidebar.theme()), key=figure.name, theme=None, width="content"
        )


def _settings(heading: str = "") -> TrialSettings:
    return TrialSettings(sidebar.theme(), WIDTH, heading)


# Known cases


def _cases() -> bool:
    st.markdown(
        "What does each estimator say where the answer is known? Every case knows the information"
        " of T after its own bins or its own noise. Only an estimator that can be set to the same"
        " is asked this question, and only its difference from the truth is an error."
    )
    case, n, count = _controls()
    busy = _one_case(TRUTHS[case], n, count)
    st.subheader("Every case")
    return _every_case(n, count) or busy


def _controls() -> tuple[str, int, int]:
    titles = case_titles()
    case, n, count = st.columns([3.2, 2.4, 1.4], vertical_alignment="bottom")
    select(case, "Case", "case", format_func=titles.get)
    slide(n, "Samples N", "tn", format_func=lambda value: f"{value:,}")
    slide(count, "Seeds", "tseeds")
    settings = session.current()
    return settings["case"], settings["tn"], settings["tseeds"]


def _one_case(truth, n: int, count: int) -> bool:
    for line in case_lines(truth):
        st.markdown(line)
    found = trying.of_case(truth.name, n, count)
    work_line(found.job, "Estimating", "case")
    if found.growing:
        share = len(found.table) / found.total
        st.progress(share, f"Estimating: {len(found.table)} of {found.total} answers")
    if found.table.empty:
        st.info("The first answers are on their way.")
        return found.busy
    answers = _named(summary(found.table))
    command = trial_command(n, count, [truth.name])
    figure = Figure(
        "trial",
        lambda theme: trial_figure(
            found.table, answers, replace(_settings(truth.label), theme=theme)
        ),
        found.table,
        f"{truth.title}: {truth.label}, truth {truth.value:.4f} bits",
    )
    _chart(figure)
    st.markdown("\n".join(f"- {line}" for line in verdict_lines(answers)))
    if count == 1:
        st.caption("One seed: how far another sample would be from this is not known.")
    _hand_out(figure, f"trial-{truth.name}-{n}", n, count, command)
    return found.busy


def _named(table: pd.DataFrame) -> pd.DataFrame:
    names, titles = contender_names(), case_titles()
    return table.assign(name=table["estimator"].map(names), title=table["case"].map(titles))


def _hand_out(figure: Figure, stem: str, n: int, count: int, command: str) -> None:
    hand_out(figure, Handout(stem, trial_caption(figure.seen, n, count, command), command))


def _every_case(n: int, count: int) -> bool:
    start = st.session_state.pop("trials_start", False)
    found = trying.of_all(n, count, start=start)
    work_line(found.job, "Every case", "trials", complete=found.whole)
    if not found.whole and found.job is None and not found.growing:
        st.button(
            f"Ask every estimator about every case{_price(found)}",
            key="trials_go",
            on_click=lambda: st.session_state.update(trials_start=True),
            help="A worker does it; what is known is not computed again.",
        )
    if found.table.empty:
        st.info("There is no answer yet.")
        return found.busy
    segments(st, "In the cells", "tshow", state.CHOICES["tshow"])
    shown = session.value("tshow")
    answers = _in_order(_named(summary(found.table)))
    figure = Figure(
        "trials",
        lambda theme: trial_map(answers, shown, replace(_settings(HEADS[shown]), theme=theme)),
        found.table,
        f"Cases with known information: {_MEANINGS[shown]}",
    )
    _chart(figure)
    st.caption(f"{_MEANINGS[shown]}; {seed_words(count)}, N = {n:,}.")
    if not found.whole:
        st.caption(f"**Provisional**: {len(found.table):,} of {found.total:,} answers so far.")
    _hand_out(figure, f"trials-{n}", n, count, trial_command(n, count))
    return found.busy


def _price(found: trying.Answers) -> str:
    """How long the missing answers will take if they are like those that are there."""
    each = found.table["seconds"].mean()
    if not each > 0:
        return ""
    return f" ({duration(each * (found.total - len(found.table)))})"


_MEANINGS = {
    "error": "mean error in bits ± 1 standard deviation over seeds, or lower to upper bound less"
    " the truth; other: asked for another quantity, so that there is no error; ×: the number of"
    " samples limits it",
    "estimate": "mean estimate in bits ± 1 standard deviation over seeds, or lower to upper bound;"
    " grey: asked for another quantity",
    "time": "median time of one answer, as measured when it was first given",
}


def _in_order(table: pd.DataFrame) -> pd.DataFrame:
    """Cases after binning first, then those after noise, as they are in the registry."""
    places = {name: (t.after, i) for i, (name, t) in enumerate(TRUTHS.items())}
    order = sorted(places, key=places.get)
    return table.sort_values("case", key=lambda c: c.map(order.index), kind="stable")


# Three neurons


def _neurons() -> bool:
    st.markdown(
        "X ~ N(0, 1) feeds one unit of gain w: T = φ(wX). All values are exact. For tanh and the"
        " linear unit the map from X to T is invertible at every w, so nothing is ever lost; what"
        " the curves do is **the choice of the bins alone**."
    )
    _gains()
    st.subheader("An invertible sigmoid, then bins")
    _squash()
    return False


def _gains() -> None:
    measure, size, gain = st.columns([2.2, 1.8, 3], vertical_alignment="bottom")
    select(measure, "Before I(X;T) is measured", "cut", format_func=MEASURES.get)
    noisy = session.value("cut") == "noise"
    name, key = ("Noise variance σ²", "cutvar") if noisy else ("Number of bins n", "cutbins")
    slide(size, name, key, format_func=_number)
    slide(gain, "Gain w", "gain", format_func=_number)
    settings = session.current()
    cut, n_bins, variance = settings["cut"], settings["cutbins"], settings["cutvar"]
    curves = _curves(cut, n_bins, variance)
    how = f"variance {variance:g}" if noisy else f"n = {n_bins}"
    figure = Figure(
        "three-neurons",
        lambda theme: gain_figure(curves, settings["gain"], replace(_settings(), theme=theme)),
        curves,
        f"I(X;T) of T = φ(wX), X ~ N(0, 1): {MEASURES[cut]}, {how}; exact",
    )
    _chart(figure)
    st.markdown(lesson(cut, curves))
    option = f"variance={variance!r}" if noisy else f"n_bins={n_bins}"
    _exact(figure, f"gain_curves({cut!r}, {option})")


def _number(value: float) -> str:
    return f"{value:g}"


@st.cache_data(max_entries=64, show_spinner=False)
def _curves(measure: str, n_bins: int, variance: float) -> pd.DataFrame:
    return gain_curves(measure, n_bins=n_bins, variance=variance)


def _exact(figure: Figure, call: str) -> None:
    """Hand out a figure that one call makes."""
    function = call.split("(")[0]
    program = (
        f"from ibcore.theory.three_neurons import {function};"
        f" {call}.to_csv('{figure.name}.csv', index=False)"
    )
    command = f'python -c "{program}"'
    hand_out(figure, Handout(figure.name, [f"{figure.seen}.", versions(command)], command))


def _squash() -> None:
    slope, size, _ = st.columns([3, 1.8, 2.2], vertical_alignment="bottom")
    slide(slope, "Slope a", "slope", format_func=_number)
    slide(size, "Bins on [0, 1]", "slopebins")
    a, n_bins = session.value("slope"), session.value("slopebins")
    table = squashed(a, n_bins)
    known = bits(table)
    figure = Figure(
        "invertible-sigmoid",
        lambda theme: squash_figure(table, known, replace(_settings(), theme=theme)),
        table,
        f"X ~ N(0, 1) and σ(aX), a = {a:g}, {n_bins} bins on [0, 1]; exact",
    )
    _chart(figure)
    st.markdown(
        f"30 bins on [−4, 4] show **{known['X']:.3f} bits** of X, and {n_bins} bins on [0, 1]"
        f" **{known['sigmoid']:.3f} bits** of σ(aX). The sigmoid is invertible: X can be had back"
        " from σ(aX) exactly, whatever a is, so **no information was lost**, and what rises or"
        " falls is where the bins lie. Bins of equal counts do not see the difference:"
        f" {known['rank']:.3f} bits before and after."
    )
    _exact(figure, f"squashed({a!r}, {n_bins})")


TABS = {"cases": ("Known cases", _cases), "neurons": ("Three neurons", _neurons)}
body(draw)
