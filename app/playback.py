"""Play, step and speed for the epoch slider of a chart; all of it in the browser.

The slider is an input that Vega makes beside the chart. The buttons set its value
and send the `input` event that a hand would send, so no step reaches the server.
"""

from pathlib import Path

import streamlit as st

HTML = """
<div class="bar" role="group" aria-label="Playback of the epochs">
  <button id="back" type="button" aria-label="Step back" title="Step back">
    <svg viewBox="0 0 16 16" aria-hidden="true"><path d="M3 3h2v10H3zM13 3v10L6 8z"/></svg>
  </button>
  <button id="play" type="button" aria-label="Play" title="Play">
    <svg viewBox="0 0 16 16" aria-hidden="true"><path d="M4 2.5v11L13 8z"/></svg>
  </button>
  <button id="forward" type="button" aria-label="Step forward" title="Step forward">
    <svg viewBox="0 0 16 16" aria-hidden="true"><path d="M11 3h2v10h-2zM3 3v10l7-5z"/></svg>
  </button>
  <label>Speed
    <select id="speed" aria-label="Speed, checkpoints a second">
      <option value="2">2 a second</option>
      <option value="5">5 a second</option>
      <option value="10" selected>10 a second</option>
      <option value="20">20 a second</option>
    </select>
  </label>
</div>
"""

_HERE = Path(__file__).parent
_BAR = st.components.v2.component(
    "playback",
    html=HTML,
    css=(_HERE / "playback.css").read_text(encoding="utf-8"),
    js=(_HERE / "playback.js").read_text(encoding="utf-8"),
)


def playback(chart_key: str, key: str) -> None:
    """Buttons that drive the epoch slider inside the element or container `chart_key`.

    `chart_key` is the key of the `st.container` (or keyed element) that holds the
    chart; every slider in it moves, so that two charts stay in step.
    """
    _BAR(key=key, data={"chart": chart_key})
