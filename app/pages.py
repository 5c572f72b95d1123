"""What every visitor of the app runs: page config, sidebar and navigation."""

import streamlit as st

import session
import sidebar

# Streamlit fades every element that it draws again, from half a second on. The picture says
# itself what it shows, and a browser that keeps all these fades ready draws it later.
LOOK = """
.stMainBlockContainer {padding: 4rem 2rem 2rem}
#vg-tooltip-element {white-space: pre-line}
.stElementContainer[data-stale], .stExpander summary {transition: none; opacity: 1}
"""

st.set_page_config("Information bottleneck explorer", layout="wide")
st.html(f"<style>{LOOK}</style>")
page = st.navigation(
    [
        st.Page("views/plane.py", title="Information plane", default=True),
        st.Page("views/layers.py", title="Layers"),
        st.Page("views/sensitivity.py", title="Sensitivity"),
        st.Page("views/verdicts.py", title="Verdict map"),
        st.Page("views/trials.py", title="Estimators on trial"),
        st.Page("views/gradients.py", title="Gradient phases"),
        st.Page("views/guide.py", title="Guide"),
    ],
    position="top",
)
session.begin()
sidebar.draw()
page.run()
