"""Which run is on the screen, and its tables: bundled, cached, live, partial or opened."""

import contextlib
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

import jobs
import linked
import session
import state
from ibcore import Experiment, FieldError, Run, Store, load
from ibcore.networks import Shape, layer_shapes
from ibcore.presets import PRESETS
from ibcore.run import run_key
from ibcore.tasks import Dataset
from ibcore.training import check_size

ASSETS = Path(__file__).parents[1] / "assets"


@dataclass(frozen=True, eq=False)
class Shown:
    """The run on the screen; `wanted` is the experiment that the settings ask for.

    `origin` is bundled, cached, partial, live or opened. Where the settings ask for
    something that is not trained yet, the run is another one and `is_wanted` false.
    """

    run: Run
    origin: str
    wanted: Experiment | None

    @property
    def is_wanted(self) -> bool:
        return self.wanted is not None and self.run.experiment.key == self.wanted.key


@st.cache_resource(show_spinner=False)
def notices() -> deque:
    """What the store had to say since it was last shown."""
    return deque(maxlen=5)


@st.cache_resource(show_spinner=False)
def store() -> Store:
    """The store of this server, with the tables that came with the program."""
    found = Store(shipped=ASSETS / "curves", notice=notices().append)
    found.cache.prune()
    return found


@st.cache_resource(show_spinner=False)
def _bundled_paths() -> dict[str, Path]:
    paths = {p.stem: p for p in sorted((ASSETS / "runs").glob("*.npz"))}
    return {PRESETS[name].experiment.key: path for name, path in paths.items() if name in PRESETS}


@st.cache_resource(max_entries=4, show_spinner=False)
def _bundled(key: str) -> Run:
    return Run.load(_bundled_paths()[key])


def dataset(experiment: Experiment) -> Dataset:
    """The data of an experiment, loaded once while its files stay the same."""
    if experiment.task.path is not None:
        linked.agree(experiment.task.path)
    return _dataset(repr(experiment.task), _changed_at(experiment.task.path), experiment)


@st.cache_resource(max_entries=2, show_spinner=False)
def _dataset(task: str, stamp: tuple, _experiment: Experiment) -> Dataset:
    return load(_experiment.task)


def _changed_at(path: str | None) -> tuple:
    if path is None:
        return ()
    place = Path(path)
    files = sorted(place.iterdir()) if place.is_dir() else [place]
    return tuple((f.name, f.stat().st_mtime_ns) for f in files if f.exists())


def training_key(experiment: Experiment) -> str:
    """The key of the job that trains it."""
    return "train " + run_key(experiment, dataset(experiment).fingerprint)


def shapes(experiment: Experiment) -> tuple[Shape, ...]:
    """Those of X and every layer.

    Raises what is wrong with the data (MissingData, ValueError, OSError), with the layers or
    with the size of it all (FieldError).
    """
    data = dataset(experiment)
    check_size(experiment, data)
    return layer_shapes(experiment.network, data.x.shape[1:], data.n_classes)


def wanted(settings: Mapping[str, object]) -> Experiment | None:
    """The experiment the settings ask for, None where it cannot be trained as it is."""
    if linked.pending(settings):
        return None
    try:
        experiment = state.experiment(settings)
        shapes(experiment)
    except (FieldError, ValueError, OSError):
        return None
    return experiment


def current() -> Shown:
    """The run to show for the settings as they are.

    Where there is none yet, the one that was on the screen before, at first the
    bundled one.
    """
    experiment = wanted(session.current())
    opened = st.session_state.get("opened")
    if opened is not None and experiment is not None and opened.experiment == experiment:
        st.session_state["last"] = opened
        return Shown(opened, "opened", experiment)
    found = find(experiment) if experiment is not None else None
    if found is not None:
        st.session_state["last"] = experiment
        return Shown(*found, experiment)
    return Shown(*(_before() or _first()), experiment)


def _before() -> tuple[Run, str] | None:
    """The run that was on the screen before; None where its data are gone."""
    last = st.session_state.get("last", PRESETS[state.FIRST_PRESET].experiment)
    if isinstance(last, Run):
        return last, "opened"
    with contextlib.suppress(ValueError, OSError):
        return find(last)
    return None


def training(shown: Shown) -> jobs.Job | None:
    """The running or last training of what the settings ask for."""
    if shown.wanted is None:
        return None
    return jobs.registry().get(training_key(shown.wanted))


def situation(shown: Shown) -> tuple:
    """What a page says of the run: which one, where it is from, and whether it is wanted."""
    job = training(shown)
    active = job is not None and job.active
    return shown.run.experiment.key, shown.origin, shown.is_wanted, shown.wanted is None, active


def _first() -> tuple[Run, str]:
    return _bundled(PRESETS[state.FIRST_PRESET].experiment.key), "bundled"


def find(experiment: Experiment) -> tuple[Run, str] | None:
    """The run of that experiment and where it is from, if there is any."""
    job = jobs.registry().get(training_key(experiment))
    if job is not None and job.active:
        run = _partial(experiment)
        return None if run is None else (run, "live")
    if experiment.key in _bundled_paths():
        return _bundled(experiment.key), "bundled"
    key = run_key(experiment, dataset(experiment).fingerprint)
    if store().holds(experiment, dataset(experiment)):
        # A damaged entry is none; the notice says so.
        with contextlib.suppress(LookupError):
            return _finished(key, experiment), "cached"
    run = _partial(experiment)
    return None if run is None else (run, "partial")


@st.cache_resource(max_entries=4, show_spinner=False)
def _finished(key: str, _experiment: Experiment) -> Run:
    run = store().find(_experiment, dataset(_experiment))
    if run is None or not run.complete:
        raise LookupError
    return run


def _partial(experiment: Experiment) -> Run | None:
    """The run so far; only checkpoints that are new are read."""
    known = st.session_state.get("partial", {})
    run = store().find(experiment, dataset(experiment), known=known.get(experiment.key))
    # Two are kept: what the settings ask for, and what is on the screen until it is there.
    others = [(key, run) for key, run in known.items() if key != experiment.key]
    st.session_state["partial"] = dict([*others[-1:], (experiment.key, run)])
    return run


def as_json(experiment: Experiment) -> dict:
    """The experiment as plain values, for a worker's request."""
    return json.loads(experiment.to_json())
