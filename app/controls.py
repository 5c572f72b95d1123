"""Widgets of settings: they keep their values while they are not on the screen.

Each has the setting's value as its default too. A part of a page that a timer draws again
does not tell the browser the values of its widgets; one that the browser has not put on
the screen by then takes its default, and sends that back as if a person had chosen it.
"""

from collections.abc import Iterable

import session
import state


def select(place, label: str, key: str, options: Iterable | None = None, **more: object) -> None:
    """A list of the setting's choices, or of these `options`."""
    offered = list(state.CHOICES[key] if options is None else options)
    at = offered.index(session.value(key))
    place.selectbox(label, offered, index=at, **_kept(key), **more)


def slide(place, label: str, key: str, **more: object) -> None:
    """A slider over the setting's choices."""
    value = session.value(key)
    place.select_slider(label, state.CHOICES[key], value=value, **_kept(key), **more)


def number(place, label: str, key: str, **more: object) -> None:
    """A field for a number."""
    place.number_input(label, value=session.value(key), **_kept(key), **more)


def text(place, label: str, key: str, **more: object) -> None:
    """A field for text."""
    place.text_input(label, value=session.value(key), **_kept(key), **more)


def flag(place, label: str, key: str, **more: object) -> None:
    """A box to tick."""
    place.checkbox(label, value=session.value(key), **_kept(key), **more)


def segments(place, label: str, key: str, options: Iterable, **more: object) -> None:
    """Buttons side by side, of which one is chosen."""
    value = session.value(key)
    place.segmented_control(label, options, default=value, required=True, **_kept(key), **more)


def several(place, label: str, key: str, **more: object) -> None:
    """A list of the setting's choices, any number of which are chosen."""
    place.multiselect(label, state.CHOICES[key], default=session.value(key), **_kept(key), **more)


def _kept(key: str) -> dict[str, str]:
    session.show(key)
    return {"key": key, "persist_state": "session"}
