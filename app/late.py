"""Settings that the program put, as long as a browser may not know of them.

A browser sends the values of all its widgets: the old ones too, until it has the new ones
or, where a widget is gone, until the run that does not draw it has ended. So the old value
counts as the new one until the browser knows better.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

LATE_SECONDS = 0.5
"""After a page is drawn: so late may a browser's old values come, and so soon acts no person."""


@dataclass(frozen=True)
class Put:
    """A setting's new value, and those before it that a browser may still have."""

    new: object
    stale: tuple = ()

    def counting(self, held: object) -> object:
        """What counts where this is held: the new value instead of a stale one."""
        return self.new if held in self.stale else held

    def confirmed(self, held: object) -> bool:
        """Whether a browser that had another value is seen to have the new one."""
        return bool(self.stale) and held == self.new and self.new not in self.stale


@dataclass(frozen=True)
class Puts:
    """Every setting that was put, by key, and what the browser has been shown of them.

    `lasting`: settings whose widgets stand on every page; of others, what is held may be
    what the program put itself, in place of a widget that the browser does not have.
    `shown_at`: when the page was drawn whose widgets had the new values, infinity until
    then; `drawing`: whether a run of a whole page is under way.
    Its methods make a new one. `held` are the values in the widgets, by key.
    """

    lasting: Collection[str] = frozenset()
    by_key: Mapping[str, Put] = field(default_factory=dict)
    shown_at: Mapping[str, float] = field(default_factory=dict)
    drawing: bool = False

    def counting(self, key: str, held: object) -> object:
        """What counts of a setting whose widget holds this value."""
        return self.by_key[key].counting(held) if key in self.by_key else held

    def with_new(self, values: Mapping[str, object], held: Mapping[str, object]) -> "Puts":
        """With new values of these settings, too."""
        new = {key: self._put(key, value, held.get(key, value)) for key, value in values.items()}
        shown_at = {key: at for key, at in self.shown_at.items() if key not in new}
        return replace(self, by_key={**self.by_key, **new}, shown_at=shown_at)

    def _put(self, key: str, value: object, held: object) -> Put:
        stale = self.by_key[key].stale if key in self.by_key else ()
        known = held == value or held in stale
        return Put(value, stale if known else (*stale, held))

    def begun(self) -> "Puts":
        """At the start of a run of a whole page."""
        return replace(self, drawing=True)

    def with_shown(self, key: str) -> "Puts":
        """After a widget was drawn with what counts of this setting."""
        if key not in self.by_key:
            return self
        at = math.inf if self.drawing else self.shown_at.get(key, math.inf)
        return replace(self, shown_at={**self.shown_at, key: at})

    def drawn(self, now: float, *, whole: bool) -> "Puts":
        """After a part of a page was drawn, or the `whole` page."""
        if self.drawing and not whole:
            return self
        shown_at = {key: min(at, now) for key, at in self.shown_at.items()}
        return replace(self, shown_at=shown_at, drawing=False)

    def heard(self, held: Mapping[str, object], now: float) -> "Puts":
        """After the browser sent these values: what it knows by now is left out.

        It knows what it was shown some time ago. And where it has one of the new values, it
        has the others too: a person went back to those that are old.
        """
        puts = self if self.drawing else self._without(self._seen(now))
        late = puts.late(held)
        if any(self._confirmed(key, held[key]) for key in puts.shown_at):
            return puts._without(late)
        return puts

    def late(self, held: Mapping[str, object]) -> set[str]:
        """The settings of which the browser sent an old value though it was shown the new one."""
        return {key for key in self.shown_at if held[key] != self.counting(key, held[key])}

    def _seen(self, now: float) -> set[str]:
        return {key for key, at in self.shown_at.items() if now - at > LATE_SECONDS}

    def _confirmed(self, key: str, held: object) -> bool:
        return key in self.lasting and self.by_key[key].confirmed(held)

    def _without(self, keys: Collection[str]) -> "Puts":
        by_key = {key: put for key, put in self.by_key.items() if key not in keys}
        shown_at = {key: at for key, at in self.shown_at.items() if key not in keys}
        return replace(self, by_key=by_key, shown_at=shown_at)
