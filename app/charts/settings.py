"""What a figure needs to know beside its tables."""

from dataclasses import dataclass

from charts.theme import THEMES


class FigureSettings:
    """What every figure over epochs knows: its layers and epochs, its theme and width.

    Raises ValueError where a value is not allowed.
    """

    layer_names: tuple[str, ...]
    epochs: tuple[int, ...]
    theme: str
    width: int

    def __post_init__(self):
        object.__setattr__(self, "layer_names", tuple(self.layer_names))
        object.__setattr__(self, "epochs", tuple(int(e) for e in self.epochs))
        if self.theme not in THEMES:
            raise ValueError(f"theme: {self.theme!r} is not allowed; use {' or '.join(THEMES)}")
        if not self.layer_names:
            raise ValueError("layer_names: use at least one name")
        if not self.epochs or list(self.epochs) != sorted(set(self.epochs)) or self.epochs[0] < 0:
            raise ValueError("epochs: use at least one epoch, from 0, each once and ascending")
        if self.width < 600:
            raise ValueError(f"width: {self.width!r} is not allowed; use 600 pixels or more")

    @property
    def n_layers(self) -> int:
        return len(self.layer_names)


@dataclass(frozen=True)
class PlaneSettings(FigureSettings):
    """Scales, names and look of the figures.

    `h_x`, `h_y`: entropies of input and label in bits, the ends of both axes;
    `n_samples`: N; `layer_names`: one per layer 1..L; `epochs`: every checkpoint
    the run will have, ascending, so that a chart of a running experiment keeps
    its scales; `estimator_label`: the estimator in words; `title`: one line;
    `start_at`: index into `epochs` that is shown first, None for the last one;
    `theme`: "light" or "dark"; `width`: of the whole figure in pixels, at least 600;
    `height`: of the plane itself, at least 240.
    Raises ValueError where a value is not allowed.
    """

    h_x: float
    h_y: float
    n_samples: int
    layer_names: tuple[str, ...]
    epochs: tuple[int, ...]
    estimator_label: str = ""
    title: str = ""
    start_at: int | None = None
    theme: str = "light"
    width: int = 900
    height: int = 400

    def __post_init__(self):
        super().__post_init__()
        if not (self.h_x > 0 and self.h_y > 0):
            raise ValueError(f"h_x, h_y: {self.h_x}, {self.h_y} are not allowed; use bits above 0")
        if self.height < 240:
            raise ValueError(f"height: {self.height!r} is not allowed; use 240 pixels or more")
        if self.start_at is not None and not 0 <= self.start_at < len(self.epochs):
            allowed = f"None or an index from 0 to {len(self.epochs) - 1}"
            raise ValueError(f"start_at: {self.start_at!r} is not allowed; use {allowed}")

    @property
    def first_shown(self) -> int:
        """Index of the checkpoint that is shown first."""
        return len(self.epochs) - 1 if self.start_at is None else self.start_at
