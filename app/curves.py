"""The tables of the run on the screen: computed at once, by a worker, or known already."""

import time
from dataclasses import dataclass, replace

import pandas as pd
import streamlit as st

import jobs
from asking import ask
from ibcore import Run
from ibcore.estimators import Binning, Estimator, Gaussian, Quantised, to_dict
from runs import Shown, store

QUICK = (Binning, Gaussian, Quantised)
"""Estimators that a page need not leave to a worker."""

LIVE_SECONDS, PAGE_SECONDS = 0.4, 2.0
"""How long one look may spend on estimates: at a run in training, at any other."""


@dataclass(frozen=True, eq=False)
class Curves:
    """A table, whether it covers all checkpoints, and the worker at the ladder.

    `growing`: the next look goes on where this one stopped; `done`: the checkpoints
    that this look got through.
    """

    table: pd.DataFrame
    whole: bool
    job: jobs.Job | None = None
    growing: bool = False
    done: int = 0

    @property
    def busy(self) -> bool:
        """Whether there will be more to see without anyone asking."""
        return self.growing or (self.job is not None and self.job.active)


def plane(shown: Shown, estimator: Estimator, samples: str) -> Curves:
    """The plane at one estimator, as far as it is computed.

    On a computed ladder nothing is estimated. Else what is quick is estimated at once,
    as far as a moment allows, while a worker computes the ladder; the rest is left to
    the worker, whose checkpoints appear as they are done.
    """
    parameter, value = estimator.parameter, getattr(estimator, estimator.parameter)
    if shown.origin == "live":
        return _in_time(shown.run, estimator, samples, LIVE_SECONDS)
    curves = ladder(shown, estimator, samples)
    if not curves.whole and isinstance(estimator, QUICK):
        now = _in_time(shown.run, estimator, samples, PAGE_SECONDS)
        return replace(now, job=curves.job)
    table = curves.table
    rows = table[table[parameter] == value].drop(columns=parameter) if len(table) else table
    return replace(curves, table=rows)


def at_hand(shown: Shown, estimator: Estimator, samples: str) -> Curves:
    """The plane at one estimator where it is known or quickly had; no worker is set to it."""
    parameter, value = estimator.parameter, getattr(estimator, estimator.parameter)
    if shown.origin == "live":
        return Curves(pd.DataFrame(), False)
    try:
        table = _whole_ladder(*identity(shown.run, estimator, samples), shown.run, estimator)
        return Curves(table[table[parameter] == value].drop(columns=parameter), True)
    except LookupError:
        if isinstance(estimator, QUICK):
            return _in_time(shown.run, estimator, samples, PAGE_SECONDS)
    table, done = store().known_curves(shown.run, estimator, [value], samples=samples)
    return Curves(table, done == len(shown.run.epochs))


def _in_time(run: Run, estimator: Estimator, samples: str, seconds: float) -> Curves:
    until = time.monotonic() + seconds
    done = []
    table = store().curves(
        run,
        estimator,
        [getattr(estimator, estimator.parameter)],
        samples=samples,
        progress=lambda k, _: done.append(k),
        should_stop=lambda: bool(done) and time.monotonic() > until,
    )
    whole = done[-1:] in ([], [len(run.epochs)])
    return Curves(table.drop(columns=estimator.parameter, errors="ignore"), whole, None, not whole)


def ladder(shown: Shown, estimator: Estimator, samples: str) -> Curves:
    """The curves on the estimator's whole ladder; a worker is set to what is missing."""
    found = known_ladder(shown, estimator, samples)
    return found if found.whole else replace(found, job=_request(shown, estimator, samples))


def known_ladder(shown: Shown, estimator: Estimator, samples: str) -> Curves:
    """The curves on the estimator's whole ladder as far as they are known; no worker is asked."""
    run = shown.run
    try:
        return Curves(_whole_ladder(*identity(run, estimator, samples), run, estimator), True)
    except LookupError:
        values = estimator.default_ladder
        return Curves(store().known_curves(run, estimator, values, samples=samples)[0], False)


def identity(run: Run, estimator: Estimator, samples: str) -> tuple[str, str, str]:
    """What tells one ladder from another."""
    settings = to_dict(estimator) | {estimator.parameter: None}
    return run.content_key, repr(settings), samples


@st.cache_resource(max_entries=8, show_spinner=False)
def _whole_ladder(
    content: str, settings: str, samples: str, _run: Run, _estimator: Estimator
) -> pd.DataFrame:
    table, done = store().known_curves(_run, _estimator, _estimator.default_ladder, samples=samples)
    if done < len(_run.epochs):
        raise LookupError
    return table


def _request(shown: Shown, estimator: Estimator, samples: str) -> jobs.Job | None:
    key = "curves " + " ".join(identity(shown.run, estimator, samples))
    request = {
        "job": "curves",
        "estimator": to_dict(estimator),
        "values": list(estimator.default_ladder),
        "samples": samples,
    }
    return ask(shown, key, request, "the estimates could not be kept in the cache folder")
