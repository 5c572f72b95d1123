"""Open a run or an experiment: from an upload, a path, or the command line."""

import os
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import BinaryIO

import streamlit as st
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile

import linked
import session
import state
from describe import plain
from ibcore import Experiment, Run
from ibcore.experiment import printable
from ibcore.files import open_regular
from runs import store


def draw() -> None:
    """The upload, the field for a path, and what was wrong with the last one."""
    st.file_uploader(
        "Open a run (.npz) or an experiment (.json)",
        type=["npz", "json"],
        key=_upload_key(),
        on_change=_open_upload,
    )
    st.text_input(
        "or its path on this computer",
        key="open_path",
        on_change=_open_path,
        help=f"For files of any size; an upload has at most {_upload_limit()} MB.",
    )
    if "open_error" in st.session_state:
        st.error(plain(st.session_state["open_error"]))
    elif "opened_name" in st.session_state:
        st.caption(plain(f"Opened: {st.session_state['opened_name']}"))


def _upload_limit() -> int:
    return st.get_option("server.maxUploadSize")


def _arguments() -> list[str]:
    """What follows `--` on the command line: `streamlit run app/main.py -- RUN.npz`."""
    program, *arguments = sys.argv
    return arguments if Path(program).name == "main.py" else []


def refusal() -> str | None:
    """What is wrong with the command line, in one line; None where nothing is."""
    if len(_arguments()) > 1:
        return f"The app did not start: it opens one run or experiment, not {len(_arguments())}."
    for path in _arguments():
        try:
            _read(path, path, partial(Run.load, mapped=True))
        except (ValueError, OSError) as error:
            return f"The app did not start: {_fault(path, error)}"
    return None


def open_argument(has_link: bool) -> None:
    """Put what the command line names on the screen of a new session, unless it has a link."""
    is_new = not st.session_state.get("argument_seen")
    st.session_state["argument_seen"] = True
    for path in _arguments() if is_new and not has_link else ():
        _open(path, path, _opened_once)


def _open_upload() -> None:
    file = st.session_state[_upload_key()]
    if file is not None:
        _open(file.name, file)
        # Another uploader takes its place: what is in this one stays in the server's memory.
        st.session_state["uploads"] = st.session_state.get("uploads", 0) + 1
        _forget(file)


def _forget(file: UploadedFile) -> None:
    """Free the memory of an upload, as Streamlit's own chat input does."""
    context = get_script_run_ctx()
    manager = None if context is None else context.uploaded_file_mgr
    if isinstance(manager, MemoryUploadedFileManager):
        manager.remove_file(context.session_id, file.file_id)


def _upload_key() -> str:
    return f"file.{st.session_state.get('uploads', 0)}"


def _open_path() -> None:
    path = st.session_state["open_path"].strip().strip("\"'")
    if path:
        _open(path, os.path.expanduser(path))


@st.cache_resource(max_entries=1, show_spinner=False)
def _opened_once(path: str) -> Run:
    return store().open(path)


def _open(name: str, file: str | BinaryIO, open_run: Callable[..., Run] | None = None) -> None:
    """Put a run or an experiment on the screen; what was there stays if it is none."""
    for key in ("open_error", "opened_name"):
        st.session_state.pop(key, None)
    try:
        with _one_at_a_time():
            found = _read(name, file, open_run or store().open)
    except (ValueError, OSError) as error:
        st.session_state["open_error"] = _fault(name, error)
        return
    if isinstance(found, Run):
        st.session_state["opened"] = found
        found = found.experiment
    if found.task.path is not None:
        # Opening the file was the person's own act.
        linked.agree(found.task.path)
    session.put(state.of_experiment(found))
    st.session_state["opened_name"] = printable(name)


@st.cache_resource(show_spinner=False)
def _one_at_a_time() -> threading.Lock:
    """Files that are read side by side would take their memory side by side."""
    return threading.Lock()


def _fault(name: str, error: Exception) -> str:
    reason = str(getattr(error, "strerror", None) or error)
    return reason if repr(name) in reason else f"{printable(name)}: {reason}"


def _read(name: str, file: str | BinaryIO, open_run: Callable[..., Run]) -> Run | Experiment:
    if not name.lower().endswith(".json"):
        return open_run(file)
    if isinstance(file, str):
        with open_regular(file) as opened:
            return Experiment.from_file(opened)
    return Experiment.from_file(file)
