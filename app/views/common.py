"""What the pages share: the status of the run, the estimator's controls, the exports."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import streamlit as st

import export
import jobs
import runs
import sidebar
import state
from charts import PlaneSettings
from controls import number, select, slide
from describe import caption, duration, experiment_line, layer_names, plain, view_words
from families import FAMILIES, SLIDERS
from ibcore import Binning, FieldError, Run, View
from ibcore.estimators import Estimator, label_entropy
from ibcore.plane import outside_limits
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
OPTIONS = ("samples", "sub", "chan", "corr", "null")
"""The settings in the box of options."""

ORIGINS = {
    "bundled": "It came with the program.",
    "cached": "It was trained here.",
    "partial": "It was stopped before its end.",
    "live": "It is in training.",
    "opened": "It was opened from a file.",
}


def body(draw) -> None:
    """Draw the page in a fragment that looks again while a worker is busy.

    `draw` returns whether one is; the timer runs only then.
    """
    polling = st.session_state.get("polling", False)

    def once() -> None:
        busy = draw()
        state.write_link()
        if busy != polling:
            st.session_state["polling"] = busy
            st.rerun(scope="app")

    st.fragment(once, run_every=0.5 if polling else None)()


def status(shown: Shown) -> jobs.Job | None:
    """Say where the run is from and how its training stands; its job, if there is one."""
    notes()
    st.session_state["situation"] = runs.situation(shown)
    job = runs.training(shown)
    _follow(job)
    if job is not None:
        _job_line(job, "Training", shown.wanted.training.epochs)
    other = None if job is not None and job.active else _other_training()
    if not shown.is_wanted:
        _other_run(shown, job)
    elif not shown.run.complete and shown.origin != "live":
        _stopped(shown)
    _divergence(shown.run)
    st.caption(plain(f"{experiment_line(shown.run.experiment)} {ORIGINS[shown.origin]}"))
    return other or job


def _other_training() -> jobs.Job | None:
    """The progress of what was started here before the settings changed, with a way to end it."""
    key, epochs = st.session_state.get("started", (None, None))
    job = jobs.registry().get(key)
    if job is None or not job.active:
        return None
    text, button = st.columns([5, 1], vertical_alignment="center")
    with text:
        _job_line(job, "Training with the settings before", epochs)
    word = "Cancelling" if job.cancelled else "Cancel"
    if button.button(word, key="cancel_other", width="stretch", disabled=job.cancelled):
        job.cancel()
        st.rerun(scope="fragment")
    return job


def _follow(job: jobs.Job | None) -> None:
    """Draw the sidebar anew once a training has ended."""
    active = job is not None and job.active
    ended = st.session_state.get("training", False) and not active
    st.session_state["training"] = active
    if ended:
        st.rerun(scope="app")


def notes() -> None:
    """What was wrong with the link, and what the store had to say.

    Another session may take the store's words first.
    """
    for refused in st.session_state.get("refused", []):
        st.warning(f"The link: {plain(refused)}")
    with contextlib.suppress(IndexError):
        while True:
            st.toast(plain(runs.notices().popleft()))


def _stopped(shown: Shown) -> None:
    where = f"Stopped at epoch {shown.run.epochs[-1]} of {shown.wanted.training.epochs}."
    goes_on = " **Continue** in the sidebar goes on from there."
    opened = " This is what the opened file holds; **Run** in the sidebar trains it here."
    st.info(where + (opened if shown.origin == "opened" else goes_on))


def _job_line(job: jobs.Job, what: str, epochs: int | None = None) -> None:
    """The progress of a job with the time left, or how it failed."""
    for notice in job.notices:
        st.warning(plain(notice))
    if job.state == "failed":
        st.error(f"{what}: {plain(job.error)}")
    if not job.active:
        return
    if job.progress is None:
        st.progress(0.0, f"{what}: starting")
        return
    p = job.progress
    left = "" if p["seconds_left"] is None else f", {duration(p['seconds_left'])} left"
    where = "" if epochs is None else f"epoch {p['epoch']:,} of {epochs:,}, "
    share = p["done"] / p["total"]
    st.progress(min(share, 1.0), f"{what}: {where}{share:.0%}{left}")


def _other_run(shown: Shown, job: jobs.Job | None) -> None:
    if shown.wanted is None:
        st.warning("The messages in red in the sidebar say what is wrong; this is another run.")
    elif job is not None and job.active:
        st.info("The new run appears with its first checkpoints; until then this is another run.")
    else:
        st.info(
            "The settings in the sidebar are not trained yet: press **Run** there. Until then"
            " this is another run."
        )


def _divergence(run) -> None:
    lost = [f"{r} at epoch {e}" for r, e in enumerate(run.diverged) if e >= 0]
    if lost:
        st.warning(
            "Weights ceased to be finite, so these replicates are left out from then on: "
            + ", ".join(lost)
            + "."
        )


def work_line(
    job: jobs.Job | None, what: str, name: str = "work", *, complete: bool = False
) -> None:
    """The progress of a worker at numbers for this page, with the way to stop it.

    `name` tells the buttons of several workers apart. `complete`: what the page shows
    does not wait for it.
    """
    if job is None:
        return
    if job.active:
        text, button = st.columns([5, 1], vertical_alignment="center")
        with text:
            _job_line(job, what)
        word = "Stopping" if job.cancelled else "Stop"
        stop = button.button(word, key=f"stop_{name}", width="stretch", disabled=job.cancelled)
        if stop:
            job.cancel()
            st.rerun(scope="fragment")
    else:
        _job_line(job, what)
        if job.cancelled or job.state == "failed":
            if not complete:
                st.info("This was stopped; what was computed is shown.")
            if st.button("Go on computing", key=f"resume_{name}"):
                job.state, job.cancelled = "stopped", False
                st.rerun()


def chosen_estimator() -> tuple[Estimator, str]:
    """The estimator that the controls describe, and what is wrong with them, if anything."""
    settings = state.current()
    try:
        return state.estimator(settings), ""
    except FieldError as error:
        wrong = f"{plain(error)}. Until then the bins lie on -1 to 1, without options."
        return Binning(settings["bins"]), wrong


def estimator_bar(shown: Shown, *, channels: bool = True) -> Estimator:
    """The controls of the estimator; the one they describe.

    `channels`: whether the page lets the person choose how they are joined.
    """
    state.keep(state.ESTIMATOR_DEFAULTS)
    settings = state.current()
    fixed = settings["est"] == "binning" and settings["limits"] == "fixed"
    kind, rule, *edges, slider, options = st.columns(
        [1.6, 1.9, 1.1, 1.1, 3.2, 1.2] if fixed else [1.6, 1.9, 5.4, 1.2],
        vertical_alignment="bottom",
    )
    key = state.parameter_key(settings)
    limits = ["limits"] if settings["est"] == "binning" else []
    state.appear("bar", ["est", *limits, *(["low", "high"] if fixed else []), key])
    select(kind, "Estimator", "est", format_func=lambda name: FAMILIES[name].short)
    if limits:
        select(rule, "Limits", "limits", format_func=RULES.get)
    for edge, name, end in zip(edges, ("Lowest", "Highest"), ("low", "high"), strict=False):
        number(edge, name, end, format="%g")
    slide(slider, SLIDERS[key], key, format_func=lambda value: f"{value:g}")
    box = options.popover("Options", key="options", on_change="rerun", width="stretch")
    if box.open:
        with box:
            _options(settings, shown, channels)
    state.hold(OPTIONS)
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


def settings_for(shown: Shown, estimator: Estimator, view: View, width: int) -> PlaneSettings:
    """The scales and names of the figures of this run."""
    dataset = shown.run.dataset
    index = shown.run.sample_index(*view.selection)
    rows = np.arange(len(dataset.x)) if index is None else np.atleast_2d(index)[0]
    h_y = float(np.mean(label_entropy(shown.run.labels(*view.selection))))
    epochs = shown.run.experiment.epochs
    start_at = st.session_state["start_at"]
    return PlaneSettings(
        h_x=max(label_entropy(dataset.x_ids[rows]), 0.1),
        h_y=max(h_y, 0.01),
        n_samples=len(rows),
        layer_names=layer_names(shown.run.experiment, dataset.n_classes),
        epochs=epochs,
        start_at=None if start_at is None else min(start_at, len(epochs) - 1),
        estimator_label=estimator.label,
        theme=sidebar.theme(),
        width=width,
    )


SEEN_BEYOND = 200
"""So many images tell whether limits cut activations off: the page waits for the answer."""


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


@dataclass(frozen=True, eq=False)
class Figure:
    """A figure to hand out: `draw(theme)` makes the chart, `seen` says what it shows.

    `more` are tables beside its own, by the word on their button.
    """

    name: str
    draw: Callable[[str], dict]
    table: pd.DataFrame
    seen: str
    more: dict[str, pd.DataFrame] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Handout:
    """What goes out with a figure: the stem of its file names, its caption, the command.

    `command` makes `what` again; `files` are offered beside the figure's own.
    """

    stem: str
    caption: list[str]
    command: str
    what: str = "this table"
    files: dict[str, tuple] = field(default_factory=dict)


def exports(figure: Figure, run: Run, command: str) -> None:
    """Buttons that hand out the figure, its table, the run and the experiment.

    `command` makes the run and the table again.
    """
    lines, stem = caption(run, figure.seen, command), f"{figure.name}-{run.key[:8]}"
    hand_out(figure, Handout(stem, lines, command, "the run and this table", _run_files(run)))


def hand_out(figure: Figure, handout: Handout) -> None:
    """Buttons that hand out the figure, its table and the files of the handout.

    The buttons are drawn when the box is opened, and files are made when one is pressed.
    """
    box = st.expander("Export this figure", key=f"{figure.name}-export", on_change="rerun")
    if box.open:
        with box:
            _export_buttons(figure, handout)


def _export_buttons(figure: Figure, handout: Handout) -> None:
    lines = handout.caption
    files = _files(figure, handout.stem, lines) | handout.files
    columns = st.columns(len(files))
    for column, (label, (data, file_name, mime)) in zip(columns, files.items(), strict=True):
        column.download_button(
            label,
            data,
            file_name,
            mime,
            key=f"{figure.name}-{label}",
            on_click="ignore",
            width="stretch",
        )
    st.caption("Figures carry this caption:")
    for line in lines:
        st.caption(plain(line))
    st.caption(f"The command that makes {handout.what} again:")
    st.code(handout.command, language="sh", wrap_lines=True)


def _table_file(table: pd.DataFrame, name: str) -> tuple:
    return lambda: export.to_csv(table), f"{name}.csv", "text/csv"


def _files(figure: Figure, name: str, lines: list[str]) -> dict[str, tuple]:
    """How each file is made, its name and its kind, by the word on its button."""
    more = {
        word: _table_file(table, f"{name}-{word.lower()}") for word, table in figure.more.items()
    }

    def chart() -> dict:
        return figure.draw("light")

    return {
        "PNG": (lambda: export.to_png(chart(), lines), f"{name}.png", "image/png"),
        "SVG": (lambda: export.to_svg(chart(), lines), f"{name}.svg", "image/svg+xml"),
        "PDF": (lambda: export.to_pdf(chart(), lines), f"{name}.pdf", "application/pdf"),
        "HTML": (lambda: export.to_html(chart(), lines), f"{name}.html", "text/html"),
        "CSV": (lambda: export.to_csv(figure.table), f"{name}.csv", "text/csv"),
        **more,
    }


def _run_files(run: Run) -> dict[str, tuple]:
    return {
        "Run file": (run.to_bytes, f"run-{run.key[:8]}.npz", "application/octet-stream"),
        "Experiment": (
            lambda: run.experiment.to_json().encode(),
            f"experiment-{run.key[:8]}.json",
            "application/json",
        ),
    }
