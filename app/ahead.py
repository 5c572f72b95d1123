"""What will probably be asked for next, made while a person looks at what is there.

One thing at a time a server: what one visitor may ask for next waits while a page of any
visitor is drawn, and a while longer.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import streamlit as st

QUIET = 2.0
"""Seconds in which no page was drawn before anything is made ahead: a browser needs them itself."""


@dataclass(eq=False)
class _Ahead:
    """The set that is made, how many there were so far, and the pages that are drawn.

    `pages`: how many are drawn at the moment; `drawn_at`: when the last of them was done;
    `making`: held while something is made.
    """

    name: tuple = ()
    turn: int = 0
    pages: int = 0
    drawn_at: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)
    making: threading.Lock = field(default_factory=threading.Lock)

    def quiet_in(self) -> float:
        """Seconds until something may be made, if no page is drawn by then."""
        return QUIET if self.pages else self.drawn_at + QUIET - time.monotonic()


@st.cache_resource(show_spinner=False)
def _ahead() -> _Ahead:
    return _Ahead()


@contextmanager
def drawing() -> Iterator[None]:
    """Make nothing meanwhile: a page is drawn."""
    ahead = _ahead()
    with ahead.lock:
        ahead.pages += 1
    try:
        yield
    finally:
        with ahead.lock:
            ahead.pages -= 1
            ahead.drawn_at = time.monotonic()


def prepare(name: tuple, makers: Iterable[Callable[[], object]]) -> None:
    """Call the makers beside the page, one by one; each of them keeps what it makes.

    They are called once as long as `name` stays the same; another name ends the set.
    """
    ahead = _ahead()
    with ahead.lock:
        if ahead.name == name:
            return
        ahead.name, ahead.turn = name, ahead.turn + 1
        turn = ahead.turn
    threading.Thread(target=_make, args=(ahead, turn, makers), daemon=True).start()


def _make(ahead: _Ahead, turn: int, makers: Iterable[Callable[[], object]]) -> None:
    for make in makers:
        while ahead.turn == turn and (wait := ahead.quiet_in()) > 0:
            time.sleep(wait)
        # What fails here fails again where it is asked for, and is said there.
        with ahead.making, suppress(Exception):
            if ahead.turn != turn:
                return
            make()
