"""Files for the browser, made when a person asks for them.

Each has an address that stays the same however often the page is drawn. Streamlit's own download
buttons get a new file at every drawing, and a click between two drawings of a page that computes
finds none.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from weakref import WeakValueDictionary

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route


@dataclass(frozen=True)
class File:
    """A file to hand out: `make` gives its content or where it is; `name`, `mime` as sent."""

    make: Callable[[], bytes | Path]
    name: str
    mime: str


@dataclass(eq=False)
class _Shelf:
    """The files of one session, by key; nobody else can guess its `ticket`."""

    ticket: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    files: dict[str, File] = field(default_factory=dict)


@st.cache_resource(show_spinner=False)
def _shelves() -> WeakValueDictionary[str, _Shelf]:
    """The shelves of the sessions that are still there."""
    return WeakValueDictionary()


def address(key: str, file: File) -> str:
    """Where the browser gets the file, which replaces the one of that key before."""
    shelf = st.session_state.setdefault("shelf", _Shelf())
    _shelves()[shelf.ticket] = shelf
    shelf.files[key] = file
    return f"/files/{shelf.ticket}/{key}"


async def _send(request: Request) -> Response:
    shelf = _shelves().get(request.path_params["ticket"])
    file = None if shelf is None else shelf.files.get(request.path_params["key"])
    if file is None:
        raise HTTPException(404)
    content = await run_in_threadpool(file.make)
    if isinstance(content, Path):
        return FileResponse(content, media_type=file.mime, filename=file.name)
    headers = {"Content-Disposition": f'attachment; filename="{file.name}"'}
    return Response(content, media_type=file.mime, headers=headers)


ROUTES = (Route("/files/{ticket}/{key}", _send),)
