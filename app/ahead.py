"""What will probably be asked for next, made while a person looks at what is there."""

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

import streamlit as st

QUIET = 1.0
"""Seconds for which nothing was asked for before anything is made ahead."""


@dataclass
class _Asked:
    """What the server was asked for last, and when."""

    name: tuple = ()
    at: float = 0.0


@st.cache_resource(show_spinner=False)
def _asked() -> _Asked:
    return _Asked()


def prepare(name: tuple, makers: Iterable[Callable[[], object]]) -> None:
    """Call the makers, which keep what they make themselves, beside the page and one by one.

    Called at every look at a page. `name` tells one set of makers from another: the same
    set is made once, and a new one ends that before. A maker that fails is left for the
    page to fail at, where a person reads it.
    """
    asked = _asked()
    asked.at = time.monotonic()
    if asked.name != name:
        asked.name = name
        threading.Thread(target=_make, args=(asked, name, makers), daemon=True).start()


def _make(asked: _Asked, name: tuple, makers: Iterable[Callable[[], object]]) -> None:
    for make in makers:
        while (wait := asked.at + QUIET - time.monotonic()) > 0:
            time.sleep(wait)
        if asked.name != name:
            return
        with suppress(ValueError, OSError):
            make()
