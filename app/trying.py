"""The answers of the estimators on trial: at once, by a worker, or known already."""

import json
import time
from dataclasses import dataclass

import pandas as pd
import streamlit as st

import jobs
from asking import worker
from ibcore.estimators import to_dict
from ibcore.theory import TRUTHS
from ibcore.trials import CONTENDERS, Trial, plan, seeds, table
from runs import store

PAGE_SECONDS = 1.0
"""How long one look may compute: what there is fades meanwhile."""

CHEAP = 4096
"""Samples up to which every answer comes quickly enough for a page to wait for it."""

MOST_KEPT = 50_000
UNKEPT = "the answers could not be kept in the cache folder"


@dataclass(frozen=True, eq=False)
class Answers:
    """The rows so far of so many questions, and the worker at the rest.

    `growing`: the next look goes on where this one stopped.
    """

    table: pd.DataFrame
    total: int
    job: jobs.Job | None = None
    growing: bool = False

    @property
    def whole(self) -> bool:
        return len(self.table) == self.total

    @property
    def busy(self) -> bool:
        """Whether there will be more to see without anyone asking."""
        return self.growing or (self.job is not None and self.job.busy)


def of_case(name: str, n: int, count: int) -> Answers:
    """Every contender at one case: by the page, a moment at a time, or by a worker."""
    questions = plan([TRUTHS[name]], CONTENDERS, n, seeds(count))
    if n <= CHEAP:
        return _in_time(questions)
    return _asked(f"case {name}", _request([name], n, count), questions)


def of_all(n: int, count: int, *, start: bool) -> Answers:
    """Every contender at every case as far as it is known.

    A worker is set to the rest where one was before, or where it is to `start`.
    """
    questions = plan(list(TRUTHS.values()), CONTENDERS, n, seeds(count))
    request = _request(list(TRUTHS), n, count)
    before = jobs.registry().get(_key("trials", request))
    if not start and (before is None or before.retired):
        return Answers(table(_known(questions)), len(questions))
    return _asked("trials", request, questions)


def _asked(kind: str, request: dict, questions: list[Trial]) -> Answers:
    found, total = table(_known(questions)), len(questions)
    if len(found) == total:
        return Answers(found, total)
    return Answers(found, total, worker(_key(kind, request), lambda: request, UNKEPT))


def _request(cases: list[str], n: int, count: int) -> dict:
    estimators = [to_dict(estimator) for estimator in CONTENDERS]
    return {"job": "trials", "cases": cases, "estimators": estimators, "n": n, "seeds": count}


def _key(kind: str, request: dict) -> str:
    return f"{kind} {json.dumps(request)}"


def _in_time(questions: list[Trial]) -> Answers:
    until, rows = time.monotonic() + PAGE_SECONDS, []
    for question in questions:
        row = _row(question)
        if row is None:
            if rows and time.monotonic() > until:
                break
            row = _memory()[_name(question)] = store().trial(question)
        rows.append(row)
    return Answers(table(rows), len(questions), growing=len(rows) < len(questions))


def _known(questions: list[Trial]) -> list[dict]:
    """The rows that are there already, wherever they are in the plan."""
    rows = (_row(question) for question in questions)
    return [row for row in rows if row is not None]


def _row(question: Trial) -> dict | None:
    memory, name = _memory(), _name(question)
    if name not in memory and store().has_trial(question):
        if len(memory) > MOST_KEPT:
            memory.clear()
        memory[name] = store().trial(question)
    return memory.get(name)


def _name(question: Trial) -> tuple:
    return question.truth.name, question.estimator, question.n, question.seed


@st.cache_resource(show_spinner=False)
def _memory() -> dict[tuple, dict]:
    """The rows that were read or computed; also where nothing can be kept on disk."""
    return {}
