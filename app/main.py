"""Start here: `streamlit run app/main.py`. What each visitor runs is in `pages.py`.

The libraries that take long to import are imported before the server answers, not
while the first visitor waits.
"""

import streamlit as st

import charts  # noqa: F401
import ibcore  # noqa: F401
from garbage import spare_libraries

spare_libraries()

app = st.App("pages.py")
