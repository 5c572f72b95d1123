"""Widgets of settings, each with the setting's value as its default too.

A part of a page that a timer draws again does not tell the browser the values of its
widgets; one that the browser has not put on the screen by then takes its default, and
sends that back as if a person had chosen it.
"""

from collections.abc import Iterable

import state


def select(place, label: str, key: str, options: Iterable | None = None, **more: object) -> None:
    """A list of the setting's choices, or of these `options`."""
    offered = list(state.CHOICES[key] if options is None else options)
    at = offered.index(state.value(key))
    place.selectbox(label, offered, index=at, key=key, **more)


def slide(place, label: str, key: str, **more: object) -> None:
    """A slider over the setting's choices."""
    value = state.value(key)
    place.select_slider(label, state.CHOICES[key], value=value, key=key, **more)


def number(place, label: str, key: str, **more: object) -> None:
    """A field for a number."""
    place.number_input(label, value=state.value(key), key=key, **more)


def segments(place, label: str, key: str, options: Iterable, **more: object) -> None:
    """Buttons side by side, of which one is chosen."""
    value = state.value(key)
    place.segmented_control(label, options, default=value, key=key, required=True, **more)


def several(place, label: str, key: str, **more: object) -> None:
    """A list of the setting's choices, any number of which are chosen."""
    place.multiselect(label, state.CHOICES[key], default=state.value(key), key=key, **more)
