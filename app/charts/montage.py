"""The activations of one layer for one input as a picture in shades of grey."""

import base64
import io
import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

MOST_CHANNELS = 256
"""More images of one layer would be too small to be seen."""

CELL_PIXELS = 8
"""A single unit becomes a square of so many pixels in the file."""

FRAME = (74, 134, 190, 255)
"""A blue, which is no value; what lies outside is transparent."""

SMALLEST = 12
"""Channels of fewer pixels are enlarged, or their frames would be as large as they are."""

LARGEST_UNIT, LARGEST_IMAGE = 22, 84
"""The side of a unit and of a channel on the screen, in pixels, at most."""

HIGHEST = {1: 66, 2: 130}
"""The height that the units, and the channels, of a layer may take on the screen."""


@dataclass(frozen=True)
class Layout:
    """Where the units or channels of a layer lie: `count` of them in rows of `columns`.

    `cell` is the size of one on the screen, (width, height) in pixels.
    """

    count: int
    columns: int
    cell: tuple[float, float]

    @property
    def rows(self) -> int:
        return -(-self.count // self.columns)

    @property
    def width(self) -> float:
        return self.columns * self.cell[0]

    @property
    def height(self) -> float:
        return self.rows * self.cell[1]


def layout(shape: tuple[int, ...], width: float) -> Layout:
    """The places of a layer of that shape, (D,) or (C, H, W), in that width and in `HIGHEST`.

    There are as many columns as cells of the largest size fit, or more where these were too
    high; cells that still are, of narrow images, become smaller.
    """
    image = len(shape) == 3
    count = min(shape[0], MOST_CHANNELS) if image else shape[0]
    ratio = shape[1] / shape[2] if image else 1.0
    largest = LARGEST_IMAGE if image else LARGEST_UNIT
    columns = max(1, min(count, math.ceil(width / largest)))
    while columns < count and _height(count, columns, width, ratio) > HIGHEST[1 + image]:
        columns += 1
    rows = -(-count // columns)
    side = min(width / columns, largest, HIGHEST[1 + image] / (rows * ratio))
    return Layout(count, columns, (side, side * ratio))


def _height(count: int, columns: int, width: float, ratio: float) -> float:
    return math.ceil(count / columns) * width / columns * ratio


@dataclass(frozen=True)
class Scale:
    """What black and white stand for: `low` and `high`."""

    low: float
    high: float


def grey_scale(t: np.ndarray) -> Scale:
    """White is the layer's largest absolute value; black is 0, or minus it where some are negative.

    A layer of zeros is black.
    """
    most = float(np.abs(t).max())
    return Scale(-most if t.min() < 0 else 0.0, most)


def montage(t: np.ndarray, where: Layout) -> str:
    """The activations t, (D,) or (C, H, W), as the address of a picture (a PNG in the text).

    In shades of grey by `grey_scale`.
    """
    cells = t if t.ndim == 3 else t[:, None, None]
    shades = _shades(cells[: where.count], grey_scale(t))
    enlarged = _enlarged(t.shape, where.count)
    shades = shades.repeat(enlarged, axis=1).repeat(enlarged, axis=2)
    return _address(_side_by_side(shades, where))


def _enlarged(shape: tuple[int, ...], count: int) -> int:
    """Pixels in the file for one of the layer."""
    if len(shape) == 1:
        return CELL_PIXELS if count <= 64**2 else 1
    return -(-SMALLEST // min(shape[1:])) if min(shape[1:]) < SMALLEST else 1


def _shades(cells: np.ndarray, scale: Scale) -> np.ndarray:
    if scale.high == 0:
        return np.zeros(cells.shape, np.uint8)
    share = (cells - scale.low) / (scale.high - scale.low)
    return np.rint(255 * share.clip(0, 1)).astype(np.uint8)


def _side_by_side(shades: np.ndarray, where: Layout) -> Image.Image:
    """The cells in their rows, each in a frame that it shares with its neighbours."""
    _, height, width = shades.shape
    frame = 1 if width > 1 else 0
    tall, wide = height + frame, width + frame
    grid = np.zeros((where.rows * tall + frame, where.columns * wide + frame, 4), np.uint8)
    for i, cell in enumerate(shades):
        y, x = i // where.columns * tall, i % where.columns * wide
        grid[y : y + tall + frame, x : x + wide + frame] = FRAME
        inner = grid[y + frame : y + tall, x + frame : x + wide]
        inner[..., :3], inner[..., 3] = cell[..., None], 255
    return Image.fromarray(grid, "RGBA")


def _address(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
