"""What the pages share: the status of the run, the estimator's controls, the exports."""

import math

import pandas as pd
import streamlit as st

import export
import jobs
import runs
import sidebar
import state
from charts import PlaneSettings
from describe import caption, duration, layer_names
from ibcore import Binning, FieldError
from ibcore.estimators import Estimator
from runs import Shown

RULES = {
    "fixed": "fixed limits",
    "range": "range of the run",
    "layer": "range of each layer",
    "width": "bin width",
}
SLIDERS = {"bins": "Number of bins", "width": "Bin width", "var": "Noise variance σ²"}


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
    for refused in st.session_state.get("refused", []):
        st.warning(f"The link: {refused}")
    while runs.notices():
        st.toast(runs.notices().popleft())
    job = None
    if shown.wanted is not None:
        job = jobs.registry().get(runs.training_key(shown.wanted))
    if job is not None:
        _job_line(job, "Training", shown.wanted.training.epochs)
    if not shown.is_wanted:
        _other_run(shown, job)
    elif shown.origin == "partial":
        st.info(
            f"Stopped at epoch {shown.run.epochs[-1]} of {shown.wanted.training.epochs}."
            " **Continue** in the sidebar goes on from there."
        )
    _divergence(shown.run)
    return job


def _job_line(job: jobs.Job, what: str, epochs: int | None = None) -> None:
    """The progress of a job with the time left, or how it failed."""
    for notice in job.notices:
        st.warning(notice)
    if job.state == "failed":
        st.error(f"{what}: {job.error}")
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
        st.warning("The fields in red in the sidebar describe no experiment.")
    elif job is None or not job.active:
        st.info(
            "The settings in the sidebar are not trained yet: press **Run** there. Until then"
            f" this is the run {shown.run.experiment.network.layers},"
            f" {shown.run.experiment.network.activation}."
        )


def _divergence(run) -> None:
    lost = [f"{r} at epoch {e}" for r, e in enumerate(run.diverged) if e >= 0]
    if lost:
        st.warning(
            "Weights ceased to be finite, so these replicates are left out from then on: "
            + ", ".join(lost)
            + "."
        )


def curves_line(job: jobs.Job | None, whole: bool) -> None:
    """The progress of the estimates, with the way to stop them."""
    if job is None:
        return
    if job.active:
        text, button = st.columns([5, 1], vertical_alignment="center")
        with text:
            _job_line(job, "All values of the slider" if whole else "Estimating")
        if button.button("Stop", key="stop_curves", width="stretch"):
            job.cancel()
    else:
        _job_line(job, "Estimating")
        if job.cancelled or job.state == "failed":
            if not whole:
                st.info("The estimates were stopped; what was computed is shown.")
            if st.button("Go on with the estimates", key="resume_curves"):
                job.state, job.cancelled = "stopped", False
                st.rerun()


def estimator_bar() -> Estimator:
    """The controls of the estimator; the one they describe."""
    settings = state.current()
    fixed = settings["est"] == "binning" and settings["limits"] == "fixed"
    kind, rule, *edges, slider, samples = st.columns(
        [1.6, 1.9, 1.1, 1.1, 3.2, 1.2] if fixed else [1.6, 1.9, 5.4, 1.2],
        vertical_alignment="bottom",
    )
    kind.segmented_control(
        "Estimator",
        state.FAMILIES,
        key="est",
        required=True,
        format_func={"binning": "Binning", "kde": "KDE"}.get,
    )
    if settings["est"] == "binning":
        rule.selectbox("Limits", state.LIMIT_RULES, key="limits", format_func=RULES.get)
    for edge, name, key in zip(edges, ("Lowest", "Highest"), ("low", "high"), strict=False):
        edge.number_input(name, key=key, format="%g")
    key = state.parameter_key(settings)
    slider.select_slider(
        SLIDERS[key], state.CHOICES[key], key=key, format_func=lambda value: f"{value:g}"
    )
    samples.selectbox("Samples", state.CHOICES["samples"], key="samples")
    try:
        return state.estimator(state.current())
    except FieldError as error:
        st.error(f"{error}. Until then the limits are -1 and 1.")
        return Binning(state.current()["bins"])


def settings_for(shown: Shown, estimator: Estimator, samples: str, width: int) -> PlaneSettings:
    """The scales and names of the figures of this run."""
    dataset = shown.run.dataset
    index = shown.run.sample_index(samples)
    n_samples = len(dataset.x) if index is None else index.shape[1]
    epochs = shown.run.experiment.epochs
    start_at = st.session_state["start_at"]
    return PlaneSettings(
        h_x=max(math.log2(n_samples), 0.1),
        h_y=max(dataset.h_y, 0.01),
        n_samples=n_samples,
        layer_names=layer_names(shown.run.experiment, dataset.n_classes),
        epochs=epochs,
        start_at=None if start_at is None else min(start_at, len(epochs) - 1),
        estimator_label=estimator.label,
        theme=sidebar.theme(),
        width=width,
    )


def exports(
    name: str, figure, table: pd.DataFrame, shown: Shown, estimator: Estimator, samples: str
) -> None:
    """Buttons that hand out the figure, its table, the run and the experiment.

    `figure(theme)` makes the chart; files are made when a button is pressed.
    """
    run = shown.run
    command = state.reproduction(run.experiment, estimator, samples)
    lines = caption(run, estimator, samples, command)
    files = {
        "PNG": (lambda: export.to_png(figure("light"), lines), f"{name}.png", "image/png"),
        "SVG": (lambda: export.to_svg(figure("light"), lines), f"{name}.svg", "image/svg+xml"),
        "PDF": (lambda: export.to_pdf(figure("light"), lines), f"{name}.pdf", "application/pdf"),
        "HTML": (lambda: export.to_html(figure("light"), lines), f"{name}.html", "text/html"),
        "CSV": (lambda: export.to_csv(table), f"{name}.csv", "text/csv"),
        "Run file": (run.to_bytes, "run.npz", "application/octet-stream"),
        "Experiment": (
            lambda: run.experiment.to_json().encode(),
            "experiment.json",
            "application/json",
        ),
    }
    with st.expander("Export this figure"):
        columns = st.columns(len(files))
        for column, (label, (data, file_name, mime)) in zip(columns, files.items(), strict=True):
            column.download_button(
                label,
                data,
                file_name,
                mime,
                key=f"{name}-{label}",
                on_click="ignore",
                width="stretch",
            )
        st.caption("Figures carry this caption:")
        for line in lines:
            st.caption(line.replace("$", "\\$"))
        st.caption("The command that makes the run and the table again:")
        st.code(command, language="sh", wrap_lines=True)
