"""The sidebar: a preset, the experiment's fields, its price, Run and Cancel, Open."""

import threading

import streamlit as st

import fetching
import jobs
import linked
import opening
import runs
import session
import state
from charts import network_drawing
from controls import flag, number, select, text
from describe import duration, plain
from describe_network import drawn_layers
from ibcore import Experiment, FieldError, MissingData
from ibcore.experiment import FILE_TASKS, FIXED_SPLIT_TASKS, MAX_BINNED_CLASSES
from ibcore.networks import Shape
from ibcore.presets import PRESETS
from ibcore.tasks.downloads import in_words
from ibcore.training import estimated_seconds, n_parameters
from placed import placed
from runs import store

LABELS = {
    "task": "Task",
    "train": "Train fraction",
    "split": "Split seed",
    "gamma": "Soft labels γ",
    "path": "Folder or file",
    "biny": "Bin y into classes",
    "std": "Standardise",
    "layers": "Hidden layers",
    "act": "Activation",
    "bits": "Precision",
    "init": "Initialisation",
    "out": "Output",
    "opt": "Optimiser",
    "lr": "Learning rate",
    "mom": "Momentum",
    "mode": "Batch mode",
    "batch": "Batch size",
    "epochs": "Epochs",
    "reps": "Replicates",
    "seed": "Seed",
    "resample": "A new split for every replicate",
    "ckpt": "Checkpoints",
}
HELP = {
    "train": "Part of the data that is trained on, above 0 and at most 1.",
    "gamma": "Empty for the deterministic labels; 54.48 leaves I(X;Y) at 0.99 bits.",
    "path": "idx: a folder of IDX files; npz: a file with x and y.",
    "biny": "Empty where y holds classes. For numbers that are measured: a number of classes,"
    f" 2 to {MAX_BINNED_CLASSES}, of about equally many samples; equal values of y stay together.",
    "std": "Every column of x minus its mean, divided by its standard deviation, both over all"
    " samples, so that every split has the same X. A constant column becomes 0.",
    "layers": "Layers joined by dashes; the output layer is added. Widths alone, such as"
    " `10-7-5-4-3`, are dense layers. For images, convolutions come first, such as"
    " `conv32k3-conv64k3-pool2-drop0.25-128`: 32 kernels of 3×3, 64 of 3×3, the maximum of 2×2"
    " pixels, dropout of a quarter of what that gives, 128 dense units.",
    "bits": "float, or bits: activations are rounded to 2^bits levels, in training too; for tanh,"
    " softsign, hardtanh, sigmoid and relu, which is clipped at 6 then.",
    "init": "fan_in, fan_out: truncated normal, std 1/√fan; pytorch: the default of Linear.",
    "mode": "full: one step an epoch; mini: reshuffled minibatches; single: one example a step;"
    " parallel: the same initial weights, a fixed minibatch for each network.",
    "reps": "Networks that differ in their initial weights, trained side by side.",
    "ckpt": "Log-spaced epochs that are kept, the first and the last among them.",
}

LARGE = 20_000_000
"""Weights of an ensemble whose first steps are not tried out here: they would hold the page up."""


def draw() -> None:
    """The whole sidebar."""
    with st.sidebar:
        select(
            st,
            "Preset",
            "preset",
            format_func=lambda name: PRESETS[name].title,
            help="A published experiment. It fills the fields below and chooses the estimator.",
        )
        preset = PRESETS[session.value("preset")]
        with st.expander("Source and differences"):
            st.caption(preset.source)
            st.caption(preset.note)
        _form()
        opening.draw()
        st.caption(_cache_line())


@st.fragment
def _form() -> None:
    """The fields, checked as they change."""
    with session.part():
        _fields()
    _refresh_page()


def _fields() -> None:
    settings = session.current()
    wrong = state.mistakes(settings)
    if path := linked.pending(settings):
        wrong.setdefault("path", linked.Unread(path))
    experiment, shapes = None, None
    if not wrong:
        experiment = state.experiment(settings)
        shapes = _shapes(experiment, wrong)
    drawn = _drawn(settings, wrong)
    _run_buttons(None if wrong else experiment)
    _data_fields(drawn, wrong)
    _data_lines(experiment, shapes)
    _network_fields(wrong, experiment, shapes)
    _training_fields(drawn, wrong)


def _refresh_page() -> None:
    """Draw the page anew where what it said of the run is no longer true.

    In a run of the whole page it has said nothing yet.
    """
    said = st.session_state.get("situation")
    if said is not None and said != runs.situation(runs.current()):
        st.rerun(scope="app")


def _drawn(settings: dict, wrong: dict[str, Exception]) -> list[str]:
    """The keys of the fields that have a place in the form as the settings are."""
    task, missing = settings["task"], state.BY_KEY.keys() - state.relevant(settings)
    if task in FIXED_SPLIT_TASKS:
        missing |= {"train", "split"}
    if settings["mode"] not in ("mini", "parallel"):
        missing.add("batch")
    if settings["opt"] != "momentum":
        missing.add("mom")
    # What is wrong is marked where it stands.
    return [key for key in state.BY_KEY if key not in missing - wrong.keys()]


def _shapes(experiment: Experiment, wrong: dict[str, Exception]) -> tuple[Shape, ...] | None:
    """Those of X and every layer, or what is wrong with the data, the layers or their size."""
    try:
        return runs.shapes(experiment)
    except FieldError as error:
        wrong[state.key_of(error)] = error
    except MissingData as error:
        wrong["data"] = error
    except (ValueError, OSError) as error:
        wrong["path" if experiment.task.name in FILE_TASKS else "task"] = error
    return None


def _data_fields(drawn: list[str], wrong: dict) -> None:
    _field("task", wrong)
    if "data" in wrong:
        fetching.draw(wrong["data"])
    for key in ("path", "biny", "std", "gamma"):
        if key in drawn:
            _field(key, wrong)
    _agreement(wrong.get("path"))
    if "train" in drawn or "split" in drawn:
        left, right = st.columns(2)
        with left:
            _field("train", wrong)
        with right:
            _field("split", wrong)


@placed
def _data_lines(experiment: Experiment | None, shapes: tuple[Shape, ...] | None) -> None:
    """What was taken for which class in a person's own data, and columns that are too large."""
    if shapes is None or experiment.task.name not in FILE_TASKS:
        return
    data = runs.dataset(experiment)
    st.caption(plain(data.labels_line))
    if data.size_notice:
        st.warning(plain(data.size_notice))


@placed
def _agreement(error: Exception | None) -> None:
    """The button that lets the path of a link be read."""
    if isinstance(error, linked.Unread):
        st.button("Read this file", key="agree", on_click=linked.agree, args=(error.path,))


def _network_fields(
    wrong: dict, experiment: Experiment | None, shapes: tuple[Shape, ...] | None
) -> None:
    _field("layers", wrong)
    _drawing(experiment, shapes)
    left, right = st.columns(2)
    with left:
        _field("act", wrong)
        _field("init", wrong)
    with right:
        _field("bits", wrong)
        _field("out", wrong)


@placed
def _drawing(experiment: Experiment | None, shapes: tuple[Shape, ...] | None) -> None:
    """The network, where there is one."""
    if shapes is not None:
        drawing = network_picture(experiment, shapes, theme())
        st.vega_lite_chart(spec=drawing, theme=None, width="content", key="network")


def network_picture(experiment: Experiment, shapes: tuple[Shape, ...], theme: str) -> dict:
    """The drawing of the network, as wide as the sidebar."""
    return network_drawing(drawn_layers(experiment.network, shapes), theme, width=236)


def _training_fields(drawn: list[str], wrong: dict) -> None:
    columns = ("opt", "mode", "epochs", "seed"), ("lr", "batch", "reps", "ckpt", "mom")
    for column, keys in zip(st.columns(2), columns, strict=True):
        with column:
            for key in keys:
                if key in drawn:
                    _field(key, wrong)
    _field("resample", wrong)


@placed
def _field(key: str, wrong: dict[str, Exception]) -> None:
    """One widget, and what is wrong with it below it."""
    setting, label, hint = state.BY_KEY[key], LABELS[key], HELP.get(key)
    if setting.choices:
        select(st, label, key, help=hint, format_func=_choice_words)
    elif setting.kind == "flag":
        flag(st, label, key, help=hint)
    elif setting.kind == "whole":
        number(st, label, key, step=1, format="%d", help=hint)
    else:
        text(st, label, key, help=hint)
    if key in wrong:
        st.markdown(f":red[{plain(wrong[key])}]")


def _choice_words(choice: str) -> str:
    if not choice.isdigit():
        return choice
    return "1 bit" if choice == "1" else f"{choice} bits"


def _run_buttons(experiment: Experiment | None) -> None:
    job = None
    if experiment is not None:
        job = jobs.registry().get(runs.training_key(experiment))
    active = job is not None and job.active
    if active:
        st.session_state["in_training"] = runs.training_key(experiment), experiment.training.epochs
    found = runs.find(experiment) if experiment is not None and not active else None
    st.caption(_price(experiment, active, found))
    label = "Run" if found is None else "Continue" if found[1] == "partial" else "Show"
    shown_already = label == "Show" and runs.current().run is found[0]
    run, cancel = st.columns(2)
    if run.button(
        label,
        key="run",
        type="primary",
        width="stretch",
        disabled=experiment is None or active or shown_already,
    ):
        st.session_state.pop("opened", None)
        if label != "Show":
            start(experiment)
        st.rerun(scope="app")
    may_end = active and not job.cancelled
    if cancel.button("Cancel", key="cancel", width="stretch", disabled=not may_end):
        job.cancel()
        st.rerun(scope="app")


def start(experiment: Experiment) -> None:
    """Train the experiment in a worker, or join the one at it."""
    content = runs.as_json(experiment)
    request = {"job": "train", "experiment": content}
    jobs.registry().start(runs.training_key(experiment), request)
    jobs.registry().retire_work_on(content)


def _price(experiment: Experiment | None, active: bool, found) -> str:
    if experiment is None:
        return "Correct the fields marked in red to run this."
    if active:
        return "In training; see the page for its progress."
    if found is not None and found[1] != "partial":
        return "This experiment is trained already."
    if _weights(experiment) > LARGE:
        return "This is a large ensemble: the time it takes shows once it trains."
    try:
        whole = _seconds(experiment.key, experiment)
    except (RuntimeError, MemoryError) as error:
        return f"A first step of this training failed: {plain(error)}"
    if found is None:
        return f"Training will take {duration(whole)} on this machine."
    reached = found[0].epochs[-1]
    rest = duration((1 - reached / experiment.training.epochs) * whole)
    return f"Stopped at epoch {reached:,}; the rest will take {rest}."


def _weights(experiment: Experiment) -> int:
    return experiment.training.replicates * n_parameters(experiment, runs.dataset(experiment))


@st.cache_data(max_entries=64, ttl=900, show_spinner=False)
def _seconds(key: str, _experiment: Experiment) -> float:
    with _one_at_a_time():
        return estimated_seconds(_experiment, runs.dataset(_experiment))


@st.cache_resource(show_spinner=False)
def _one_at_a_time() -> threading.Lock:
    """Two estimates side by side would time each other."""
    return threading.Lock()


@st.cache_data(ttl=60, show_spinner=False)
def _cache_line() -> str:
    cache = store().cache
    if not cache.usable:
        return plain(f"No cache: {cache.folder} cannot be used.")
    size = in_words(sum(item.n_bytes for item in cache.items()))
    where = plain(f"Cache: {size} in {cache.folder}.")
    return f"{where} `python -m ibcore cache list` shows it, `cache clear` empties it."


def theme() -> str:
    """The browser's theme as the charts name it."""
    return "dark" if st.context.theme.type == "dark" else "light"
