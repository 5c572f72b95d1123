"""Start here: `streamlit run app/main.py`. What each visitor runs is in `pages.py`.

The libraries that take long to import are imported before the server answers, not
while the first visitor waits.
"""

import gc

import streamlit as st

import charts  # noqa: F401
import ibcore  # noqa: F401

# Streamlit collects garbage after every look at a page, and no message goes out meanwhile: a
# sixth of a second when it searches the libraries too, which stay until the end anyway.
gc.collect()
gc.freeze()

app = st.App("pages.py")
