"""The answers of a probe to the run on the screen: at once, by a worker, or known already."""

import time

import pandas as pd
import streamlit as st

from asking import ask
from curves import LIVE_SECONDS, Curves
from ibcore import Run
from ibcore.probes import Probe, joined, to_dict
from runs import Shown, store

PAGE_SECONDS = 1.0
"""How long one look may compute: what there is fades meanwhile."""

CHEAP = 2e9
"""Multiplications for a checkpoint that a page can wait for."""


def table(shown: Shown, probe: Probe) -> Curves:
    """The rows of the probe, as far as they are there.

    Cheap ones are computed at once, as far as a moment allows; the page goes on
    from there. Others are left to a worker, whose checkpoints appear as they are
    done. Raises what `probe.check` raises.
    """
    probe.check(shown.run)
    try:
        return Curves(_whole(_identity(shown.run, probe), shown.run, probe), True)
    except LookupError:
        pass
    live = shown.origin == "live"
    if probe.cost(shown.run) < CHEAP:
        return _in_time(shown.run, probe, LIVE_SECONDS if live else PAGE_SECONDS)
    rows, _ = store().known_probed(shown.run, probe)
    return Curves(rows, False, None if live else _request(shown, probe))


def known(shown: Shown, probe: Probe) -> pd.DataFrame | None:
    """All rows of the probe where they are there already, else None."""
    try:
        probe.check(shown.run)
        return _whole(_identity(shown.run, probe), shown.run, probe)
    except (LookupError, ValueError):
        return None


def _identity(run: Run, probe: Probe) -> str:
    return f"{run.content_key} {probe!r}"


@st.cache_resource(max_entries=16, show_spinner=False)
def _whole(identity: str, _run: Run, _probe: Probe) -> pd.DataFrame:
    rows, done = store().known_probed(_run, _probe)
    if done < len(_run.epochs):
        raise LookupError
    return rows


def _in_time(run: Run, probe: Probe, seconds: float) -> Curves:
    until, tables = time.monotonic() + seconds, []
    for k in range(len(run.epochs)):
        if tables and time.monotonic() > until:
            break
        tables.append(_rows(_identity(run, probe), k, run, probe))
    whole = len(tables) == len(run.epochs)
    return Curves(joined(tables), whole, None, not whole, len(tables))


@st.cache_resource(max_entries=2000, show_spinner=False)
def _rows(identity: str, k: int, _run: Run, _probe: Probe) -> pd.DataFrame:
    """One checkpoint; also where nothing can be kept on disk."""
    return store().probe_rows(_run, k, _probe)


def _request(shown: Shown, probe: Probe):
    key = "probe " + _identity(shown.run, probe)
    request = {"job": "probe", "probe": to_dict(probe)}
    return ask(shown, key, request, "the answers could not be kept in the cache folder")
