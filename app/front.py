"""The pages by name, and the document that a browser gets when it opens one of them directly."""

from functools import cache
from pathlib import Path

import streamlit as st
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

TITLES = {
    "plane": "Information plane",
    "layers": "Layers",
    "sensitivity": "Sensitivity",
    "verdicts": "Verdict map",
    "trials": "Estimators on trial",
    "gradients": "Gradient phases",
    "guide": "Guide",
}
"""By the name of their file in `views` and of their address; the first is the start page."""

# Otherwise Streamlit's script first looks for the server below the page's own address.
_WHERE_THE_SERVER_IS = "<script>window.__streamlit = {BACKEND_BASE_URL: location.origin}</script>"


@cache
def _document() -> str:
    index = Path(st.__file__).with_name("static") / "index.html"
    return index.read_text("utf-8").replace("<head>", f"<head>{_WHERE_THE_SERVER_IS}", 1)


def _send(_: Request) -> HTMLResponse:
    return HTMLResponse(_document(), headers={"Cache-Control": "no-cache"})


ROUTES = [Route(f"/{name}", _send) for name in TITLES]
