"""Start here: `streamlit run app/main.py`. What each visitor runs is in `pages.py`."""

import gc
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
    from first import load_training, make_first_look

    make_first_look()
    load_training()
    # Python would search all libraries for garbage after every look, a sixth of a second in which
    # no message goes out. Once and before the first visitor: what is frozen is never freed.
    gc.collect()
    gc.freeze()
    yield


app = st.App(
    "pages.py",
    lifespan=prepared,
    routes=[*front.ROUTES, *downloads.ROUTES],
    middleware=protection.middleware(),
)
