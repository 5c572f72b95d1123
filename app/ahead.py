"""What will probably be asked for next, made while a person looks at what is there.

One thread a server: what one visitor may ask for next waits while any visitor is served.
"""

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

import streamlit as st

QUIET = 2.0
"""Seconds in which no page was drawn before anything is made ahead: a browser needs them itself."""


@dataclass(eq=False)
class _Ahead:
    """The set that is made, how many there were so far, and when a page was drawn last."""

    name: tuple = ()
    turn: int = 0
    drawn_at: float = 0.0


@st.cache_resource(show_spinner=False)
def _ahead() -> _Ahead:
    return _Ahead()


def give_way() -> None:
    """Make nothing for a while: a page is drawn."""
    _ahead().drawn_at = time.monotonic()


def prepare(name: tuple, makers: Iterable[Callable[[], object]]) -> None:
    """Call the makers beside the page, one by one; each of them keeps what it makes.

    They are called once as long as `name` stays the same; another name ends the set.
    """
    ahead = _ahead()
    if ahead.name != name:
        ahead.name, ahead.turn = name, ahead.turn + 1
        threading.Thread(target=_make, args=(ahead, ahead.turn, makers), daemon=True).start()


def _make(ahead: _Ahead, turn: int, makers: Iterable[Callable[[], object]]) -> None:
    for make in makers:
        while ahead.turn == turn and (wait := ahead.drawn_at + QUIET - time.monotonic()) > 0:
            time.sleep(wait)
        if ahead.turn != turn:
            return
        # What fails here fails again where it is asked for, and is said there.
        with suppress(Exception):
            make()
