"""The settings of this session: in the widgets, in the URL, and how a preset or a link fills them.

The URL holds the preset and what differs from it. It is read and written here and
not by the widgets, because a value that is not allowed must be named, and a
preset must fill what the link leaves open. One parameter, `at`, belongs to the
browser: the checkpoint where the epoch slider stands.
"""

import contextlib
import time
from collections.abc import Iterator, Mapping
from types import MappingProxyType

import streamlit as st

import linked
from ibcore import FieldError
from ibcore.presets import PRESETS
from late import Puts
from state import FIRST_PRESET, LASTING, as_text, defaults, of_experiment, of_preset, read


def current() -> dict[str, object]:
    """The settings as they are now, those of other pages too."""
    puts = _puts()
    return {key: puts.counting(key, st.session_state[key]) for key in defaults()}


def value(key: str) -> object:
    """One of the settings of `current`."""
    return _puts().counting(key, st.session_state[key])


def put(values: Mapping[str, object]) -> None:
    """Change settings, whatever the browser says before it knows (see `late.py`)."""
    # In this order: a click of the person may end this run anywhere.
    st.session_state["puts"] = _puts().with_new(values, st.session_state)
    st.session_state.update(values)


def show(key: str) -> None:
    """Before the widget of a setting is drawn: it shows what counts."""
    _correct(key)
    st.session_state["puts"] = _puts().with_shown(key)


@contextlib.contextmanager
def part() -> Iterator[None]:
    """Around all that draws a part of a page."""
    _correct_late()
    yield
    write_link()
    _drawn(whole=False)


def end() -> None:
    """Last in every run of a page."""
    _drawn(whole=True)


def _drawn(*, whole: bool) -> None:
    st.session_state["puts"] = _puts().drawn(time.monotonic(), whole=whole)


def _correct_late() -> None:
    """Undo what the browser sent late."""
    st.session_state["puts"] = puts = _puts().heard(st.session_state, time.monotonic())
    for key in puts.late(st.session_state):
        _correct(key)


def _correct(key: str) -> None:
    if st.session_state[key] != value(key):
        st.session_state[key] = value(key)


def _puts() -> Puts:
    return st.session_state.get("puts", Puts(LASTING))


def begin() -> None:
    """First in every run of a page: let the URL and the preset fill the settings.

    A link that this session did not write itself (the first one, a link of the
    guide, the browser's back button) replaces all settings; one that says nothing
    keeps them.
    """
    state = st.session_state
    _correct_late()
    state["puts"] = _puts().begun()
    link = st.query_params.to_dict()
    at = link.pop("at", None)
    if "written" not in state or (link and link != state["written"]):
        _adopt(link, at)
    elif value("preset") != state["adopted"]:
        _fill(value("preset"))
        state["start_at"] = None
    state["situation"] = None
    write_link()


def compare(preset: str) -> None:
    """Show a preset's run through the estimator as it is, from a button's callback.

    Fixed limits give way to the range of the run, the one rule that is fair to
    bounded and unbounded activations.
    """
    limits = "range" if value("limits") == "fixed" else value("limits")
    put({"preset": preset, "limits": limits} | of_experiment(PRESETS[preset].experiment))
    st.session_state["adopted"] = preset


def write_link() -> None:
    """Put the settings into the URL: the preset, and what differs from it."""
    settings = current()
    preset = of_preset(PRESETS[settings["preset"]])
    link = {key: as_text(settings[key]) for key, value in preset.items() if settings[key] != value}
    if link or settings["preset"] != FIRST_PRESET:
        link = {"preset": settings["preset"]} | link
    at = {key: text for key, text in st.query_params.to_dict().items() if key == "at"}
    if link | at != st.query_params.to_dict():
        st.query_params.from_dict(link | at)
    if st.session_state.get("written", link) != link:
        # What the link got wrong was said; the person has gone on.
        st.session_state["refused"] = []
    st.session_state["written"] = link


def _adopt(link: Mapping[str, str], at: str | None) -> None:
    """Fill the settings from the link: its preset first, then what it names itself."""
    values, refused = {}, []
    for key, text in link.items():
        try:
            values[key] = read(key, text)
        except FieldError as error:
            refused.append(str(error))
    if at is not None and not (at.isascii() and at.isdigit() and len(at) < 5):
        refused.append(str(FieldError("at", at, "the number of a checkpoint, from 0")))
        at = None
    linked.came(values.get("path"))
    _fill(values.get("preset", FIRST_PRESET), values)
    st.session_state["refused"] = refused
    st.session_state["start_at"] = None if at is None else int(at)
    st.session_state.pop("written", None)


def _fill(name: str, values: Mapping[str, object] = MappingProxyType({})) -> None:
    """The settings of a preset, but for these values."""
    put({"preset": name} | of_preset(PRESETS[name]) | values)
    st.session_state["adopted"] = name
