"""The tables of the run on the screen: computed at once, by a worker, or known already."""

import time
from dataclasses import dataclass

import pandas as pd
import streamlit as st

import jobs
from ibcore import Run
from ibcore.estimators import KDE, Estimator, to_dict
from runs import Shown, as_json, store

LIVE_SECONDS = 0.4
"""How long a look at a run in training may spend on estimates."""


@dataclass(frozen=True, eq=False)
class Curves:
    """A table, whether it covers all checkpoints, and the worker still at the ladder."""

    table: pd.DataFrame
    whole: bool
    job: jobs.Job | None = None


def plane(shown: Shown, estimator: Estimator, samples: str) -> Curves:
    """The plane at one estimator, as far as it is computed.

    On a computed ladder nothing is estimated. Else binning is estimated at once,
    while a worker computes the ladder; the KDE is left to the worker, whose
    checkpoints appear as they are done; of a run in training there is as much as
    a moment allows.
    """
    parameter, value = estimator.parameter, getattr(estimator, estimator.parameter)
    if shown.origin == "live":
        return _live(shown.run, estimator, value, samples)
    curves = ladder(shown, estimator, samples)
    if not curves.whole and not isinstance(estimator, KDE):
        table = store().curves(shown.run, estimator, [value], samples=samples)
        return Curves(table.drop(columns=parameter), True, curves.job)
    table = curves.table
    rows = table[table[parameter] == value].drop(columns=parameter) if len(table) else table
    return Curves(rows, curves.whole, curves.job)


def _live(run: Run, estimator: Estimator, value: float, samples: str) -> Curves:
    until = time.monotonic() + LIVE_SECONDS
    table = store().curves(
        run, estimator, [value], samples=samples, should_stop=lambda: time.monotonic() > until
    )
    whole = len(table) > 0 and table["epoch"].max() == run.epochs[-1]
    return Curves(table.drop(columns=estimator.parameter, errors="ignore"), whole)


def ladder(shown: Shown, estimator: Estimator, samples: str) -> Curves:
    """The curves on the estimator's whole ladder; a worker is set to what is missing."""
    run, values = shown.run, estimator.default_ladder
    try:
        return Curves(_whole_ladder(*_identity(run, estimator, samples), run, estimator), True)
    except LookupError:
        table, _ = store().known_curves(run, estimator, values, samples=samples)
        return Curves(table, False, _request(shown, estimator, samples))


def _identity(run: Run, estimator: Estimator, samples: str) -> tuple[str, str, str]:
    settings = to_dict(estimator) | {estimator.parameter: None}
    return "".join(run.checkpoint_keys[-1:]) + str(len(run.epochs)), repr(settings), samples


@st.cache_resource(max_entries=8, show_spinner=False)
def _whole_ladder(
    content: str, settings: str, samples: str, _run: Run, _estimator: Estimator
) -> pd.DataFrame:
    table, done = store().known_curves(_run, _estimator, _estimator.default_ladder, samples=samples)
    if done < len(_run.epochs):
        raise LookupError
    return table


def _request(shown: Shown, estimator: Estimator, samples: str) -> jobs.Job:
    """The worker for the ladder: the one at work, the one that failed, or a new one."""
    key = "curves " + " ".join(_identity(shown.run, estimator, samples))
    job = jobs.registry().get(key)
    if job is not None and (job.active or job.state == "failed" or job.cancelled):
        return job
    request = {
        "job": "curves",
        "estimator": to_dict(estimator),
        "values": list(estimator.default_ladder),
        "samples": samples,
    }
    if shown.origin in ("bundled", "opened"):
        request["run"] = str(store().keep(shown.run))
    else:
        request["experiment"] = as_json(shown.run.experiment)
    return jobs.registry().start(key, request)
