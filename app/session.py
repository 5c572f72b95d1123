"""The settings of this session: in the widgets, in the URL, and how a preset or a link fills them.

The URL holds the preset and what differs from it. It is read and written here and
not by the widgets, because a value that is not allowed must be named, and a
preset must fill what the link leaves open. One parameter, `at`, belongs to the
browser: the checkpoint where the epoch slider stands.
"""

import math
import time
from collections.abc import Mapping
from types import MappingProxyType

import streamlit as st

from ibcore import FieldError
from ibcore.presets import PRESETS
from state import FIRST_PRESET, as_text, defaults, of_experiment, of_preset, read

LATE_SECONDS = 0.5
"""After a page is drawn: so late may a browser's old values come, and so soon acts no person."""


def current() -> dict[str, object]:
    """The settings as they are now, those of other pages too."""
    puts = _puts()
    return {key: _counting(key, puts) for key in defaults()}


def value(key: str) -> object:
    """One of the settings of `current`."""
    return _counting(key, _puts())


def _counting(key: str, puts: Mapping[str, tuple[tuple, object]]) -> object:
    held = st.session_state[key]
    olds, new = puts.get(key, ((), None))
    return new if held in olds else held


def put(values: Mapping[str, object]) -> None:
    """Change settings.

    A browser sends the values of all its widgets: the old ones too, until it has the new ones
    or, where a widget is gone, until the run that does not draw it has ended. So the old value
    counts as the new one until the browser knows better (see `settle`).
    """
    state, before = st.session_state, _puts()
    changed = {}
    for key, new in values.items():
        held, (olds, _) = state.get(key, new), before.get(key, ((), None))
        known = held == new or held in olds
        changed[key] = (olds if known else (*olds, held), new)
    # All of it in one step: a click of the person may end this run anywhere.
    state["puts"] = before | changed
    state["told"] = state.get("told", frozenset()) - changed.keys()
    state.update(values)


def tell(key: str) -> None:
    """Before the widget of a setting is drawn: it shows what counts."""
    if key in _puts():
        _correct(key)
        st.session_state["told"] |= {key}


def settle(*, last: bool = False) -> None:
    """At the end of a run of a part of a page or, `last`, of all of it: the browser is told."""
    state = st.session_state
    state["under_way"] = state["under_way"] and not last
    if not state["under_way"] and state["told"] and (last or "settled_at" not in state):
        state["settled_at"] = time.monotonic()


def correct() -> None:
    """At the start of a run of a page or of a part of it: undo what the browser sent late."""
    state = st.session_state
    told = state.get("told", frozenset())
    since = time.monotonic() - state.get("settled_at", math.inf)
    if since > LATE_SECONDS and not state["under_way"]:
        state["puts"] = {key: put for key, put in _puts().items() if key not in told}
        state["told"] = told = frozenset()
        del state["settled_at"]
    late = {key for key in told if state[key] != value(key)}
    if late and any(_has_come(key) for key in told):
        # The browser has the others: a person went back to these.
        state["puts"] = {key: put for key, put in _puts().items() if key not in late}
        state["told"] = told - late
        return
    for key in late:
        _correct(key)


def _has_come(key: str) -> bool:
    olds, new = _puts()[key]
    return bool(olds) and st.session_state[key] == new and new not in olds


def _correct(key: str) -> None:
    if st.session_state[key] != value(key):
        st.session_state[key] = value(key)


def _puts() -> dict[str, tuple[tuple, object]]:
    """The old values and the new one of settings that the browser may not know yet."""
    return st.session_state.get("puts", {})


def begin() -> None:
    """First in every run of a page: let the URL and the preset fill the settings.

    A link that this session did not write itself (the first one, a link of the
    guide, the browser's back button) replaces all settings; one that says nothing
    keeps them.
    """
    state = st.session_state
    correct()
    state["under_way"] = True
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
    _fill(values.get("preset", FIRST_PRESET), values)
    st.session_state["refused"] = refused
    st.session_state["start_at"] = None if at is None else int(at)
    st.session_state.pop("written", None)


def _fill(name: str, values: Mapping[str, object] = MappingProxyType({})) -> None:
    """The settings of a preset, but for these values."""
    put({"preset": name} | of_preset(PRESETS[name]) | values)
    st.session_state["adopted"] = name
