"""What every visitor of the app runs: page config, sidebar and navigation."""

import streamlit as st

import front
import opening
import protection
import session
import sidebar

# Streamlit fades every element that it draws again, from half a second on; a browser that keeps
# all these fades ready draws the picture later. A veil over the picture says as much.
LOOK = """
.stMainBlockContainer {padding: 4rem 2rem 2rem}
.files {display: flex; flex-wrap: wrap; gap: 1rem}
.files a {
  flex: 1; padding: 0.3rem 0.75rem; border: 1px solid rgb(128 128 128 / 0.4); border-radius: 0.5rem;
  color: inherit; text-align: center; text-decoration: none; white-space: nowrap;
}
.files a:is(:hover, :focus-visible) {border-color: currentColor}
#vg-tooltip-element {white-space: pre-line}
.stElementContainer[data-stale], .stExpander summary {transition: none; opacity: 1}
.stMain .stVegaLiteChart {position: relative}
.stApp[data-test-script-state="running"] .stMain .stVegaLiteChart::after {
  content: ""; position: absolute; inset: 0; pointer-events: none;
  background: rgb(128 128 128 / 0.2); opacity: 0; animation: veil 0.4s 0.6s forwards;
}
@keyframes veil {to {opacity: 1}}
"""

# Where this file is started by itself, nothing has checked the settings yet.
if refused := protection.refusal():
    st.error(refused)
    st.stop()
st.set_page_config("Information bottleneck explorer", layout="wide")
st.html(f"<style>{LOOK}</style>")
start, *_ = front.TITLES
page = st.navigation(
    [
        st.Page(f"views/{name}.py", title=title, default=name == start)
        for name, title in front.TITLES.items()
    ],
    position="top",
)
has_link = bool(st.query_params)
session.begin()
opening.open_argument(has_link)
sidebar.draw()
page.run()
session.end()
