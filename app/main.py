"""Start here: `streamlit run app/main.py`. What each visitor runs is in `pages.py`."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import streamlit as st

import downloads
import front
import opening
import protection

if refused := protection.refusal() or opening.refusal():
    sys.exit(refused)


@asynccontextmanager
async def prepared(_: st.App) -> AsyncIterator[None]:
    """Import what takes long and make the first picture before the server answers."""
    # Not at the top: Streamlit's caches are ready only now.
    from first import make_first_look
    from garbage import spare_libraries

    make_first_look()
    spare_libraries()
    yield


app = st.App(
    "pages.py",
    lifespan=prepared,
    routes=[*front.ROUTES, *downloads.ROUTES],
    middleware=protection.middleware(),
)
