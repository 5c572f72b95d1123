"""A chart as the bytes of a file.

Charts are plain values here, so nothing that another thread does to the settings
of a plotting library can reach them, and no file loads anything from a network.
"""

from collections.abc import Sequence

import vl_convert

from charts import THEMES, plain, with_caption

_HTML_STYLE = """<style>
  body {{ margin: 16px; background: {background}; color: {text}; }}
  .vega-embed .vega-bind label {{ display: flex; gap: 8px; font: 14px sans-serif; }}
  .vega-embed .vega-bind input {{ width: 600px; }}
  .vega-embed .vega-bind input + span {{ display: none; }}
  #vg-tooltip-element {{ white-space: pre-line; }}
</style>"""


def to_png(chart: dict, caption: Sequence[str] = ()) -> bytes:
    """The chart with its caption as PNG, two pixels for one."""
    return vl_convert.vegalite_to_png(_still(chart, caption), scale=2, allowed_base_urls=[])


def to_svg(chart: dict, caption: Sequence[str] = ()) -> bytes:
    """The chart with its caption as SVG."""
    return vl_convert.vegalite_to_svg(_still(chart, caption), allowed_base_urls=[]).encode()


def to_pdf(chart: dict, caption: Sequence[str] = ()) -> bytes:
    """The chart with its caption as PDF."""
    return vl_convert.vegalite_to_pdf(_still(chart, caption), allowed_base_urls=[])


def to_html(chart: dict, caption: Sequence[str] = ()) -> bytes:
    """The chart with its caption as one HTML file that needs no network; its slider works."""
    page = _inert(vl_convert.vegalite_to_html(_on_paper(chart, caption), bundle=True))
    look = THEMES[chart["usermeta"]["theme"]]
    style = _HTML_STYLE.format(background=look.background, text=look.text)
    return page.replace("<head>", f"<head>{style}", 1).encode()


def _inert(page: str) -> str:
    """The page with no markup in its chart: a name such as `</script>` would end the script."""
    before, start, rest = page.partition("const spec = ")
    spec, end, after = rest.rpartition("const opts = ")
    return before + start + spec.replace("<", "\\u003c") + end + after


def _on_paper(chart: dict, caption: Sequence[str]) -> dict:
    """With the caption and the theme's own background instead of a page's."""
    background = THEMES[chart["usermeta"]["theme"]].background
    return {**with_caption(plain(chart), caption), "background": background}


def _still(chart: dict, caption: Sequence[str]) -> dict:
    """With the epoch fixed at the value of its parameter."""
    params = [
        {name: value for name, value in param.items() if name != "bind"}
        for param in chart.get("params", [])
    ]
    return {**_on_paper(chart, caption), "params": params}
