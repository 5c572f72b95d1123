"""What the figures of gradients, losses and weights against the epoch need to know."""

from dataclasses import dataclass

from charts.settings import FigureSettings


@dataclass(frozen=True)
class EpochSettings(FigureSettings):
    """Names and look of a figure against the epoch.

    `layer_names`: one per layer 1..L; `epochs`: every checkpoint the run will have,
    ascending; `theme`: "light" or "dark"; `width`: of the whole figure in pixels, at
    least 600; `heading`: one line above it.
    Raises ValueError where a value is not allowed.
    """

    layer_names: tuple[str, ...]
    epochs: tuple[int, ...]
    theme: str = "light"
    width: int = 980
    heading: str = ""
