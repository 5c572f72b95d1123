"""A small drawing of a network, from the input to the output."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise

import altair as alt

from charts.spec import layered, named, specification, template
from charts.theme import THEMES, layer_colours

MOST = 12
ENDS = 4
"""Units drawn at either end of a layer that has more than `MOST`."""
HEIGHT = 150
UNIT = HEIGHT / MOST
"""Pixels from unit to unit."""
MOST_MAPS = 7
LARGEST = 52
"""Pixels of the longest side of an image, where there is room."""
LETTER = 6.2
"""Pixels that a letter of the small words takes."""


@dataclass(frozen=True)
class DrawnLayer:
    """One layer as it is drawn, the input and the output among them.

    `shape`: D units, or an image (C, H, W). `name`: the tooltip's. `word`: X, or what is
    applied in it (tanh, softmax), for the words above. `kernel`: the side of what is
    convolved or pooled, in pixels of the layer below; a layer with a kernel and no
    parameters pools. `dropout`: the probability that a unit is left out; 0 for none.
    """

    shape: int | tuple[int, int, int]
    name: str
    word: str = ""
    kernel: int | None = None
    dropout: float = 0.0
    parameters: int = 0

    @property
    def is_image(self) -> bool:
        """Whether it is drawn as feature maps."""
        return not isinstance(self.shape, int)

    @property
    def number(self) -> str:
        """Its size in short: 128 or 32@26×26."""
        if not self.is_image:
            return f"{self.shape:,}"
        channels, height, width = self.shape
        return f"{channels:,}@{height}×{width}"


def network_drawing(layers: Sequence[DrawnLayer], theme: str = "light", width: int = 220) -> dict:
    """The layers side by side, from the input to the output, as columns or feature maps.

    A dense layer is a column of circles, one for each unit; of more than 12 it shows 4 at
    either end and dots between. An image is a stack of squares with sides as the roots of
    its own, more of them where there are more channels; a small square on the layer
    below is the kernel. Sizes stand below, kernels above; a cross below marks dropout,
    with its probability. Layers 1..L have the colours they have in the plane. `width`:
    of the drawing in pixels.
    Raises ValueError for fewer than two layers or a shape with a number below 1.
    """
    shapes = [layer.shape for layer in layers]
    if len(layers) < 2 or any(min(_sides(shape)) < 1 for shape in shapes):
        raise ValueError(f"layers: {shapes} is not allowed; use two or more, of 1 unit or more")
    columns = _columns(layers, width)
    style = _style(columns)
    rows = {
        "weights": [line for two in pairwise(columns) for line in two[1].lines_from(two[0])],
        "maps": [row for column in columns for row in column.maps],
        "kernels": [row for two in pairwise(columns) for row in two[1].footprint_on(two[0])],
        "units": [row for column in columns for row in column.units],
        "dots": [{"x": c.middle} for c in columns if None in c.places],
        "numbers": [{"x": c.middle, "text": style.broken(c.layer.number)} for c in columns],
        "sides": [row for column in columns for row in column.kernel_words],
        "dropout": [
            {"x": c.middle, "text": f"{c.layer.dropout:g}"} for c in columns if c.layer.dropout
        ],
        "words": _words(columns, width),
        "columns": [c.told for c in columns],
    }
    return specification(_template(len(layers), theme, width, style), rows)


def _sides(shape: int | tuple[int, int, int]) -> tuple[int, ...]:
    return (shape,) if isinstance(shape, int) else shape


@dataclass(frozen=True)
class _Column:
    """A layer, where it stands and its room in pixels; an image of one pixel has side `scale`."""

    index: int
    layer: DrawnLayer
    left: float
    room: float
    scale: float

    @property
    def middle(self) -> float:
        return self.left + self.room / 2

    @property
    def places(self) -> list[float | None]:
        """Height of each circle, None for the dots; none of an image."""
        if self.layer.is_image:
            return []
        if self.layer.shape <= MOST:
            top = HEIGHT / 2 - UNIT * (self.layer.shape - 1) / 2
            return [top + UNIT * i for i in range(self.layer.shape)]
        above = [UNIT * (i + 1.5) for i in range(ENDS)]
        return [*(HEIGHT / 2 - y for y in reversed(above)), None, *(HEIGHT / 2 + y for y in above)]

    @property
    def units(self) -> list[dict]:
        """Its circles."""
        drawn = [y for y in self.places if y is not None]
        return [{"layer": self.index, "x": self.middle, "y": y} for y in drawn]

    @property
    def front(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the foremost feature map."""
        height, width = (max(3, self.scale * math.sqrt(side)) for side in self.layer.shape[1:])
        across, up = self._depth
        left, top = self.middle - (width + across) / 2, HEIGHT / 2 - (height - up) / 2
        return left, top, left + width, top + height

    @property
    def _depth(self) -> tuple[float, float]:
        """Pixels from the foremost to the hindmost map."""
        across = _depth(self.layer, self.room)
        return across, 1.6 * across

    @property
    def maps(self) -> list[dict]:
        """Its squares, from the hindmost to the foremost."""
        if not self.layer.is_image:
            return []
        n, (across, up) = _n_maps(self.layer), self._depth
        left, top, right, bottom = self.front
        steps = [(i / max(1, n - 1) * across, i / max(1, n - 1) * up) for i in reversed(range(n))]
        return [
            {"layer": self.index, "x": left + a, "x2": right + a, "y": top - b, "y2": bottom - b}
            for a, b in steps
        ]

    @property
    def kernel_words(self) -> list[dict]:
        """3×3, or max 2×2 where it pools and there is room, and where that stands."""
        if self.layer.kernel is None:
            return []
        text = f"{self.layer.kernel}×{self.layer.kernel}"
        if not self.layer.parameters and _fit([("max " + text, self.room)]):
            text = "max " + text
        _, top, _, _ = self.front
        return [{"x": self.middle, "y": top - self._depth[1] - 4, "text": text}]

    def footprint_on(self, below: "_Column") -> list[dict]:
        """The kernel as a square on the foremost map of the layer below."""
        if self.layer.kernel is None:
            return []
        left, top, right, bottom = below.front
        height, width = (self.layer.kernel / side for side in below.layer.shape[1:])
        x2, y2 = right - 0.1 * (right - left) * (1 - width), (top + bottom) / 2
        half = max(1.25, height * (bottom - top) / 2)
        x = x2 - max(2.5, width * (right - left))
        return [{"x": x, "x2": x2, "y": y2 - half, "y2": y2 + half}]

    def lines_from(self, below: "_Column") -> list[dict]:
        """From every unit drawn to every other, or from the corners of the kernel."""
        if self.layer.is_image:
            (square,) = self.footprint_on(below)
            left, top, right, bottom = self.front
            point = {"x2": (2 * left + right) / 3, "y2": (top + bottom) / 2}
            return [{"x": square["x2"], "y": square[edge]} | point for edge in ("y", "y2")]
        starts = [(unit["x"], unit["y"]) for unit in below.units]
        if below.layer.is_image:
            _, top, right, bottom = below.front
            starts = [(right, (top + bottom) / 2)]
        return [
            {"x": x, "y": y, "x2": unit["x"], "y2": unit["y"]}
            for x, y in starts
            for unit in self.units
        ]

    @property
    def told(self) -> dict:
        """The tooltip, and the place where it appears."""
        layer, shape = self.layer, self.layer.number
        if layer.is_image:
            shape = " × ".join(map(str, layer.shape)) + f" = {math.prod(layer.shape):,}"
        return {
            "x": self.left,
            "x2": self.left + self.room,
            "name": layer.name,
            "shape": shape,
            "parameters": f"{layer.parameters:,}",
            "dropout": f"{layer.dropout:g}" if layer.dropout else "none",
        }


def _columns(layers: Sequence[DrawnLayer], width: int) -> list[_Column]:
    """Images have more room than dense layers, up to twice as much where there are few."""
    shares = [1 + layer.is_image * min(1, 6 / len(layers)) for layer in layers]
    rooms = [share / sum(shares) * width for share in shares]
    lefts = accumulate(rooms, initial=0.0)
    images = [(layer, room) for layer, room in zip(layers, rooms, strict=True) if layer.is_image]
    free = [0.9 * room - _depth(layer, room) for layer, room in images]
    longest = max((max(layer.shape[1:]) for layer, _ in images), default=1)
    scale = min([LARGEST, *free]) / math.sqrt(longest)
    return [
        _Column(i, layer, left, room, scale)
        for i, (layer, left, room) in enumerate(zip(layers, lefts, rooms, strict=False))
    ]


def _n_maps(layer: DrawnLayer) -> int:
    """As many as there are channels up to 3, then as log2 of their number."""
    channels = layer.shape[0]
    return min(channels, max(3, min(MOST_MAPS, round(math.log2(channels)))))


def _depth(layer: DrawnLayer, room: float) -> float:
    """Pixels across from the foremost feature map to the hindmost."""
    return (_n_maps(layer) - 1) * min(2.0, max(0.5, room / 24))


@dataclass(frozen=True)
class _Style:
    """How small words stand (numbers in one line, broken or upright) and how large all is.

    `below`: pixels between the drawing and the numbers.
    """

    numbers: str
    sides_upright: bool
    dropout_upright: bool
    font: float
    circle: float
    outline: float
    below: float

    def broken(self, number: str) -> str:
        """In two lines where one would be too wide."""
        return number.replace("@", "@\n") if self.numbers == "broken" else number


def _style(columns: Sequence[_Column]) -> _Style:
    least = min(column.room for column in columns)
    lines = [(c.layer.number, c.room) for c in columns]
    halves = [(half, room) for number, room in lines for half in number.split("@")]
    drops = [(f"{c.layer.dropout:g}", c.room) for c in columns if c.layer.dropout]
    upright = not _fit(drops)
    return _Style(
        numbers="one line" if _fit(lines) else "broken" if _fit(halves) else "upright",
        sides_upright=not _fit([(w["text"], c.room) for c in columns for w in c.kernel_words]),
        dropout_upright=upright,
        font=min(11, max(7, 1.1 * least)),
        circle=min(75, (0.5 * least) ** 2),
        outline=min(0.75, least / 24),
        below=_below(drops, upright),
    )


def _below(drops: Sequence[tuple[str, float]], upright: bool) -> float:
    """The room of crosses and probabilities, where there are any."""
    if not drops:
        return 4
    return 20 + LETTER * max(len(text) for text, _ in drops) if upright else 33


def _fit(texts: Sequence[tuple[str, float]]) -> bool:
    return all(len(text) * LETTER + 3 <= room for text, room in texts)


def _words(columns: Sequence[_Column], width: int) -> list[dict]:
    """X, the activation over the middle of the hidden layers, and the output."""
    first, *hidden, last = columns
    said = [(first.middle, first.layer.word), (last.middle, last.layer.word)]
    if hidden:
        middle = (hidden[0].middle + hidden[-1].middle) / 2
        said.insert(1, (middle, next((c.layer.word for c in hidden if c.layer.word), "")))
    return [{"x": min(x, width - LETTER / 2 * len(text)), "text": text} for x, text in said]


@lru_cache(maxsize=64)
def _template(n: int, theme: str, width: int, style: _Style) -> str:
    look = THEMES[theme]
    across = alt.Scale(domain=[0, width], nice=False, zero=False)
    down = alt.Scale(domain=[HEIGHT, 0], nice=False, zero=False)
    x, y = alt.X("x:Q", axis=None, scale=across), alt.Y("y:Q", axis=None, scale=down)
    box = {"x": x, "x2": "x2:Q", "y": y, "y2": "y2:Q"}
    tints = [look.muted, *layer_colours(theme, n - 1)]
    tint = alt.Color("layer:O", legend=None, scale=alt.Scale(domain=list(range(n)), range=tints))
    dots = {"text": "⋮", "fontSize": 18, "color": look.muted, "baseline": "middle"}
    small = {"fontSize": style.font, "color": look.muted}
    below = {"angle": 270, "align": "right"} if style.numbers == "upright" else {"baseline": "top"}
    sides = {"angle": 270, "align": "left"} if style.sides_upright else {"baseline": "bottom"}
    drops = {"angle": 270, "align": "right"} if style.dropout_upright else {"baseline": "top"}
    edge = {"stroke": look.background, "strokeWidth": style.outline}
    body = layered(
        named("weights").mark_rule(strokeWidth=0.5, color=look.muted, opacity=0.35).encode(**box),
        named("maps").mark_rect(opacity=1, **edge).encode(**box, color=tint),
        named("kernels").mark_rect(fill=None, **edge).encode(**box),
        named("units").mark_circle(size=style.circle, opacity=1).encode(x=x, y=y, color=tint),
        named("dots").mark_text(**dots).encode(x=x, y=alt.value(HEIGHT / 2)),
        named("numbers")
        .mark_text(**small, **below, lineBreak="\n")
        .encode(x=x, y=alt.value(HEIGHT + style.below), text="text:N"),
        named("sides").mark_text(**small, **sides).encode(x=x, y=y, text="text:N"),
        named("dropout")
        .mark_point(shape="cross", angle=45, size=30, filled=True, color=look.text, opacity=1)
        .encode(x=x, y=alt.value(HEIGHT + 8)),
        named("dropout")
        .mark_text(**small, **drops)
        .encode(x=x, y=alt.value(HEIGHT + 15), text="text:N"),
        named("words")
        .mark_text(fontSize=12, color=look.text, baseline="bottom")
        .encode(x=x, y=alt.value(-4), text="text:N"),
        named("columns")
        .mark_rect(color="transparent")
        .encode(
            x=x,
            x2="x2:Q",
            y=alt.value(0),
            y2=alt.value(HEIGHT),
            tooltip=[
                alt.Tooltip("name:N", title="Layer"),
                alt.Tooltip("shape:N", title="Units"),
                alt.Tooltip("parameters:N", title="Parameters"),
                alt.Tooltip("dropout:N", title="Dropout"),
            ],
        ),
        width=width,
        height=HEIGHT,
        view={"stroke": None},
    )
    return template(body, theme, width, f"A network of {n - 1} layers after the input.")
