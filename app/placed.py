"""Parts of a page of which now more, now fewer elements are drawn."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import streamlit as st

P, R = ParamSpec("P"), TypeVar("R")


def placed(draw: Callable[P, R]) -> Callable[P, R]:
    """Let `draw` put its elements into a container of its own.

    The browser tells elements by their places: one more before them, and a slider in use
    loses the focus, and a chart is made anew.
    """

    @wraps(draw)
    def inside(*args: P.args, **kwargs: P.kwargs) -> R:
        with st.container():
            return draw(*args, **kwargs)

    return inside
