"""The path that came with a link: nothing reads it before the person agrees."""

from collections.abc import Mapping

import streamlit as st

from ibcore.experiment import FILE_TASKS


class Unread(ValueError):
    """The path came with the link, and is not read yet."""

    def __init__(self, path: str):
        super().__init__("This path came with the link and is not read yet.")
        self.path = path


@st.cache_resource(show_spinner=False)
def _agreed() -> set[str]:
    """The paths that were typed or agreed to on this server: a page may be loaded again."""
    return set()


def came(path: str | None) -> None:
    """Remember the path of the link that fills the settings, None where it has none."""
    st.session_state["linked_path"] = (path or "").strip()


def agree(path: str) -> None:
    """Let this path be read from now on."""
    _agreed().add(path)


def pending(settings: Mapping[str, object]) -> str | None:
    """The path of the settings as long as it is the link's and nobody has agreed to it."""
    path = (settings["path"] or "").strip()
    came_so = path != "" and path == st.session_state.get("linked_path")
    return path if came_so and settings["task"] in FILE_TASKS and path not in _agreed() else None
