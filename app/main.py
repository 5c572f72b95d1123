"""Start here: `streamlit run app/main.py`. What each visitor runs is in `pages.py`.

The libraries that take long to import are imported, and the first picture is made,
before the server answers, not while the first visitor waits.
"""

import streamlit as st

from first import make_first_look
from garbage import spare_libraries

make_first_look()
spare_libraries()

app = st.App("pages.py")
