"""Settings that the program put, as long as a browser may not know of them.

A browser sends the values of all its widgets: the old ones too, until it has the new ones
or, where a widget is gone, until the run that does not draw it has ended. So the old value
counts as the new one until the browser knows better.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

LATE_SECONDS = 0.5
"""After a page is drawn: so late may a browser's old values come, and so soon acts no person."""


@dataclass(frozen=True)
class Put:
    """A setting's new value, and those before it that a browser may still have."""

    new: object
    olds: tuple = ()

    def counting(self, held: object) -> object:
        """What counts where this is held: the new value instead of an old one."""
        return self.new if held in self.olds else held

    def has_come(self, held: object) -> bool:
        """Whether the browser is seen to have the new value: it was another one before."""
        return bool(self.olds) and held == self.new and self.new not in self.olds


@dataclass(frozen=True)
class Puts:
    """Every setting that was put, by key, and how far the browser has been told.

    `told`: those that a widget was drawn with; `told_at`: when the page that holds them
    was drawn, infinity before; `drawing`: whether a run of a whole page is under way.
    Its methods make a new one. `held` are the values in the widgets, by key.
    """

    by_key: Mapping[str, Put] = field(default_factory=dict)
    told: frozenset[str] = frozenset()
    told_at: float = math.inf
    drawing: bool = False

    def counting(self, key: str, held: object) -> object:
        """What counts of a setting whose widget holds this value."""
        return self.by_key[key].counting(held) if key in self.by_key else held

    def with_new(self, values: Mapping[str, object], held: Mapping[str, object]) -> "Puts":
        """With new values of these settings, too."""
        new = {key: self._put(key, value, held.get(key, value)) for key, value in values.items()}
        return replace(self, by_key={**self.by_key, **new}, told=self.told - new.keys())

    def _put(self, key: str, value: object, held: object) -> Put:
        olds = self.by_key[key].olds if key in self.by_key else ()
        known = held == value or held in olds
        return Put(value, olds if known else (*olds, held))

    def with_told(self, key: str) -> "Puts":
        """After a widget was drawn with what counts of this setting."""
        return replace(self, told=self.told | {key}) if key in self.by_key else self

    def drawn(self, now: float, *, whole: bool) -> "Puts":
        """After a part of a page was drawn, or the `whole` page."""
        drawing = self.drawing and not whole
        settled = self.told and not drawing and (whole or self.told_at == math.inf)
        return replace(self, drawing=drawing, told_at=now if settled else self.told_at)

    def heard(self, held: Mapping[str, object], now: float) -> "Puts":
        """After the browser sent these values: what it knows by now is left out.

        It knows all that it was told some time ago. And where it has one of the new values,
        it has the others too: a person went back to those that are old.
        """
        if now - self.told_at > LATE_SECONDS and not self.drawing:
            return self._without(self.told, told_at=math.inf)
        late = {key for key in self.told if held[key] != self.counting(key, held[key])}
        if late and any(self.by_key[key].has_come(held[key]) for key in self.told):
            return self._without(late)
        return self

    def _without(self, keys: frozenset[str] | set[str], **more: object) -> "Puts":
        rest = {key: put for key, put in self.by_key.items() if key not in keys}
        return replace(self, by_key=rest, told=self.told - keys, **more)
