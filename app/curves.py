"""The tables of the run on the screen: computed at once, by a worker, or known already.

`plane`, `at_epochs` and `ladder` set a worker to what is missing; `at_hand` and
`known_ladder` take what there is.
"""

import contextlib
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import pandas as pd
import streamlit as st

import jobs
from asking import ask
from ibcore import Run, View
from ibcore.estimators import Binning, Estimator, Gaussian, Quantised, to_dict
from runs import Shown, store

QUICK = (Binning, Gaussian, Quantised)
"""Estimators that a page need not leave to a worker unless the run is large."""

LARGE = 20_000_000
"""Activations of a checkpoint, of which pages side by side would take the server's memory."""

LIVE_SECONDS, PAGE_SECONDS = 0.4, 2.0
"""After how long a look begins no further checkpoint: at a run in training, at any other."""

REST = 4
"""A run in training is left alone for so many times as long as a look at it took."""


@dataclass(frozen=True, eq=False)
class Curves:
    """A table, whether it covers all checkpoints that were asked for, and the worker at it.

    `growing`: the next look goes on where this one stopped; `done`: the checkpoints
    that this look got through; `on_ladder`: it is a value of a ladder that is known whole.
    """

    table: pd.DataFrame
    whole: bool
    job: jobs.Job | None = None
    growing: bool = False
    done: int = 0
    on_ladder: bool = False

    @property
    def busy(self) -> bool:
        """Whether there will be more to see without anyone asking."""
        return self.growing or (self.job is not None and self.job.busy)


def spared(shown: Shown, view: View) -> bool:
    """Whether a training under way is spared the estimates, which take long with large runs."""
    return shown.origin == "live" and _is_large(shown.run, view)


def _is_large(run: Run, view: View) -> bool:
    return bool(run.experiment.network.filters) or run.n_activations(*view.selection) > LARGE


def plane(shown: Shown, estimator: Estimator, view: View) -> Curves:
    """The plane at one estimator, as far as it is computed.

    On a computed ladder nothing is estimated. Else what is quick is estimated at once,
    as far as a moment allows, while a worker computes the ladder; the rest is left to
    the worker, whose checkpoints appear as they are done: first at the value where the
    worker was set to it, then the ladder. Empty where a training is spared.
    """
    if spared(shown, view):
        return Curves(pd.DataFrame(), False)
    run = shown.run
    if shown.origin == "live":
        return _now_and_then(run, estimator, view)
    found = known_plane(shown, estimator, view)
    if found.whole:
        return found
    if _is_quick(run, estimator, view):
        job = _request(shown, estimator, view)
        return replace(_in_time(run, estimator, view, PAGE_SECONDS), job=job)
    return _growing(shown, estimator, view, found.table)


def known_plane(shown: Shown, estimator: Estimator, view: View) -> Curves:
    """The plane at one estimator as far as its ladder is known; no worker is asked."""
    found = known_ladder(shown, estimator, view)
    if not found.whole:
        return Curves(_at_value(found.table, estimator), False)
    name = repr(estimator), identity(shown.run, estimator, view)
    return Curves(_rung(name, found.table, estimator), True, on_ladder=True)


def _growing(shown: Shown, estimator: Estimator, view: View, rung: pd.DataFrame) -> Curves:
    """What a worker has got through at the estimator's own value, by itself or on the ladder."""
    if shown.run.experiment.network.filters:
        # Of images the distances take the time: the whole ladder costs what one value does.
        return Curves(rung, False, _request(shown, estimator, view))
    value = getattr(estimator, estimator.parameter)
    job = _request(shown, estimator, view, first=value)
    try:
        name = repr(estimator), identity(shown.run, estimator, view)
        return Curves(_whole_value(name, shown.run, estimator, view), True, job)
    except LookupError:
        alone, _ = store().known_curves(shown.run, estimator, [value], view=view)
    alone = alone.drop(columns=estimator.parameter, errors="ignore")
    return Curves(max(alone, rung, key=len), False, job)


@st.cache_resource(max_entries=8, show_spinner=False)
def _whole_value(name: tuple, _run: Run, _estimator: Estimator, _view: View) -> pd.DataFrame:
    """All checkpoints at the estimator's own value; LookupError where one is not known."""
    value = getattr(_estimator, _estimator.parameter)
    table, done = store().known_curves(_run, _estimator, [value], view=_view)
    if done < len(_run.epochs):
        raise LookupError
    return table.drop(columns=_estimator.parameter)


def _is_quick(run: Run, estimator: Estimator, view: View) -> bool:
    return isinstance(estimator, QUICK) and not _is_large(run, view)


@st.cache_resource(max_entries=64, show_spinner=False)
def _rung(name: tuple, _ladder: pd.DataFrame, _estimator: Estimator) -> pd.DataFrame:
    """Of a whole ladder the rows of the estimator's own value; `name` tells one from another."""
    return _at_value(_ladder, _estimator)


def _at_value(table: pd.DataFrame, estimator: Estimator) -> pd.DataFrame:
    """Of the table of a ladder the rows of the estimator's own value."""
    if table.empty:
        return table
    parameter = estimator.parameter
    return table[table[parameter] == getattr(estimator, parameter)].drop(columns=parameter)


def at_epochs(shown: Shown, estimator: Estimator, view: View, epochs: Collection[int]) -> Curves:
    """The plane at one estimator and at these epochs alone, of which the run has recorded some.

    A worker is set to what is missing of the estimator's whole ladder at them; what is
    quick is estimated at once beside it, as in `plane`. At a run in training, what a
    moment allows, and nothing where it is spared.
    """
    if spared(shown, view):
        return Curves(pd.DataFrame(), False)
    run = shown.run
    only = [k for k, epoch in enumerate(run.epochs.tolist()) if epoch in epochs]
    if shown.origin == "live":
        return _now_and_then(run, estimator, view, only)
    with contextlib.suppress(LookupError):
        table = _kept_ladder(run, estimator, view, tuple(only))
        return Curves(_at_value(table, estimator), True)
    job = _request(shown, estimator, view, epochs=run.epochs[only].tolist())
    if _is_quick(shown.run, estimator, view):
        return replace(_in_time(run, estimator, view, PAGE_SECONDS, only), job=job)
    values = estimator.default_ladder
    table, _ = store().known_curves(run, estimator, values, view=view, only=only)
    return Curves(_at_value(table, estimator), False, job)


def at_hand(shown: Shown, estimator: Estimator, view: View) -> Curves:
    """The plane at one estimator where it is known or quickly had; no worker is set to it."""
    if shown.origin == "live":
        return Curves(pd.DataFrame(), False)
    try:
        return Curves(_at_value(_kept_ladder(shown.run, estimator, view), estimator), True)
    except LookupError:
        if _is_quick(shown.run, estimator, view):
            return _in_time(shown.run, estimator, view, PAGE_SECONDS)
    value = getattr(estimator, estimator.parameter)
    table, done = store().known_curves(shown.run, estimator, [value], view=view)
    return Curves(_at_value(table, estimator), done == len(shown.run.epochs))


def _now_and_then(
    run: Run, estimator: Estimator, view: View, only: Sequence[int] | None = None
) -> Curves:
    """What a moment allows at a run in training, which needs the machine itself.

    In between it is what the last look found, of fewer checkpoints than the run may have.
    """
    name = run.experiment.key, repr(estimator), repr(view), only
    before, again_at, found = st.session_state.get("live_look", (None, 0.0, None))
    started = time.monotonic()
    if before == name and started < again_at:
        return found
    found = _in_time(run, estimator, view, LIVE_SECONDS, only)
    ended = time.monotonic()
    st.session_state["live_look"] = name, ended + REST * (ended - started), found
    return found


def _in_time(
    run: Run,
    estimator: Estimator,
    view: View,
    seconds: float,
    only: Sequence[int] | None = None,
) -> Curves:
    until = time.monotonic() + seconds
    done, total = [], len(run.epochs if only is None else only)
    table = store().curves(
        run,
        estimator,
        [getattr(estimator, estimator.parameter)],
        view=view,
        only=only,
        progress=lambda k, _: done.append(k),
        should_stop=lambda: bool(done) and time.monotonic() > until,
    )
    whole = done[-1:] in ([], [total])
    return Curves(table.drop(columns=estimator.parameter, errors="ignore"), whole, None, not whole)


def ladder(shown: Shown, estimator: Estimator, view: View) -> Curves:
    """The curves on the estimator's whole ladder; a worker is set to what is missing."""
    found = known_ladder(shown, estimator, view)
    return found if found.whole else replace(found, job=_request(shown, estimator, view))


def known_ladder(shown: Shown, estimator: Estimator, view: View) -> Curves:
    """The curves on the estimator's whole ladder as far as they are known; no worker is asked."""
    run = shown.run
    try:
        return Curves(_kept_ladder(run, estimator, view), True)
    except LookupError:
        values = estimator.default_ladder
        return Curves(store().known_curves(run, estimator, values, view=view)[0], False)


def identity(run: Run, estimator: Estimator, view: View) -> tuple[str, str, str]:
    """What tells one ladder from another."""
    settings = to_dict(estimator) | {estimator.parameter: None}
    return run.content_key, repr(settings), repr(view)


def _kept_ladder(
    run: Run, estimator: Estimator, view: View, only: tuple[int, ...] | None = None
) -> pd.DataFrame:
    """The whole ladder at all checkpoints, or at these; LookupError where one is not known."""
    return _whole_ladder(identity(run, estimator, view), only, run, estimator, view)


@st.cache_resource(max_entries=8, show_spinner=False)
def _whole_ladder(
    identity: tuple,
    only: tuple[int, ...] | None,
    _run: Run,
    _estimator: Estimator,
    _view: View,
) -> pd.DataFrame:
    values = _estimator.default_ladder
    table, done = store().known_curves(_run, _estimator, values, view=_view, only=only)
    if done < len(_run.epochs if only is None else only):
        raise LookupError
    return table


def _request(shown: Shown, estimator: Estimator, view: View, **more: object) -> jobs.Job | None:
    """The worker at the whole ladder, at some `epochs` alone or one value `first`."""
    key = "curves " + " ".join(identity(shown.run, estimator, view))
    request = {
        "job": "curves",
        "estimator": to_dict(estimator),
        "values": list(estimator.default_ladder),
        "view": vars(view),
    }
    if "epochs" in more:
        key = f"{key} {more['epochs']}"
    request |= more
    return ask(shown, key, request, "the estimates could not be kept in the cache folder")
