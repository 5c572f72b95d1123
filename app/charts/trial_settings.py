"""What figures that are not over epochs need to know."""

from dataclasses import dataclass

from charts.theme import THEMES


@dataclass(frozen=True)
class TrialSettings:
    """The look of a figure: `theme` "light" or "dark", `width` in pixels, at least 600.

    `heading` is one line above it. Raises ValueError where a value is not allowed.
    """

    theme: str = "light"
    width: int = 980
    heading: str = ""

    def __post_init__(self):
        if self.theme not in THEMES:
            raise ValueError(f"theme: {self.theme!r} is not allowed; use {' or '.join(THEMES)}")
        if self.width < 600:
            raise ValueError(f"width: {self.width!r} is not allowed; use 600 pixels or more")
