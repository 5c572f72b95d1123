"""The hidden layers of a network, written as text: `conv32k3-pool2-drop0.25-128`.

Parts joined by dashes, from the input on: `128` or `dense128` is a fully connected layer
of 128 units; `conv32k3` a convolution with 32 kernels of 3 x 3, one pixel apart and
without padding; `pool2` the maximum over squares of 2 x 2 that do not overlap, what
remains at the edge left out; `drop0.25` leaves out each unit of the layer before it
with probability 0.25 in training, and is no layer of its own.
"""

import re
from dataclasses import dataclass

MAX_WIDTH = 16_384
MAX_LAYERS = 32
MAX_SIDE = 64


@dataclass(frozen=True)
class Dense:
    """A fully connected layer."""

    units: int

    def __str__(self) -> str:
        return str(self.units)


@dataclass(frozen=True)
class Conv:
    """A convolution: `channels` kernels of `side` x `side`."""

    channels: int
    side: int

    def __str__(self) -> str:
        return f"conv{self.channels}k{self.side}"


@dataclass(frozen=True)
class Pool:
    """The maximum over squares of `side` x `side`."""

    side: int

    def __str__(self) -> str:
        return f"pool{self.side}"


@dataclass(frozen=True)
class Drop:
    """Dropout on the layer before: each unit is left out with this probability."""

    probability: float

    def __str__(self) -> str:
        return "drop" + f"{self.probability:.4f}".rstrip("0")


Layer = Dense | Conv | Pool
Part = Layer | Drop


def parse(text: str) -> tuple[Part, ...]:
    """The parts of a stack; joined again by dashes, they are its canonical text.

    Raises ValueError, saying in words what is allowed, for anything else.
    """
    parts = tuple(_part(word.strip()) for word in text.lower().split("-"))
    for before, part in zip((None, *parts), parts, strict=False):
        _check_order(before, part)
    _check_images_first(parts)
    if len(layers(parts)) > MAX_LAYERS:
        raise ValueError(f"at most {MAX_LAYERS} layers")
    return parts


def layers(parts: tuple[Part, ...]) -> tuple[Layer, ...]:
    """The parts that are layers."""
    return tuple(part for part in parts if not isinstance(part, Drop))


def drops(parts: tuple[Part, ...]) -> tuple[float, ...]:
    """For every layer the probability that a unit is left out; 0 without dropout."""
    after = (*parts[1:], None)
    return tuple(
        follows.probability if isinstance(follows, Drop) else 0.0
        for part, follows in zip(parts, after, strict=True)
        if not isinstance(part, Drop)
    )


_SHAPES = {
    Dense: re.compile(r"(?:dense)?(\d{1,8})", re.ASCII),
    Conv: re.compile(r"conv(\d{1,8})k(\d{1,8})", re.ASCII),
    Pool: re.compile(r"pool(\d{1,8})", re.ASCII),
    Drop: re.compile(r"drop(\d{0,3}\.?\d{1,4})", re.ASCII),
}
_SUCH_AS = "joined by single dashes, such as 10-7-5-4-3 or conv32k3-pool2-drop0.25-128"
_ALLOWED = (
    "a number of units, convCkK (C kernels of K x K), poolP or dropP in place of {!r}, " + _SUCH_AS
)


def _part(word: str) -> Part:
    for kind, shape in _SHAPES.items():
        found = shape.fullmatch(word)
        if found:
            return _CHECKED[kind](*found.groups())
    raise ValueError(_ALLOWED.format(word) if word else "layers " + _SUCH_AS)


def _dense(units: str) -> Dense:
    return Dense(_between(units, 1, MAX_WIDTH, "numbers of units {}"))


def _conv(channels: str, side: str) -> Conv:
    return Conv(
        _between(channels, 1, MAX_WIDTH, "a number C of kernels {} in convCkK"),
        _between(side, 1, MAX_SIDE, "a side K {} in convCkK"),
    )


def _pool(side: str) -> Pool:
    return Pool(_between(side, 2, MAX_SIDE, "a side P {} in poolP"))


def _drop(probability: str) -> Drop:
    if not 0 < float(probability) < 1:
        raise ValueError("a probability above 0 and below 1 in dropP")
    return Drop(float(probability))


_CHECKED = {Dense: _dense, Conv: _conv, Pool: _pool, Drop: _drop}


def _between(digits: str, low: int, high: int, what: str) -> int:
    if not low <= int(digits) <= high:
        raise ValueError(what.format(f"from {low} to {high}"))
    return int(digits)


def _check_order(before: Part | None, part: Part) -> None:
    if isinstance(part, Drop) and not isinstance(before, Layer):
        raise ValueError(f"{part} once and after the layer it belongs to")


def _check_images_first(parts: tuple[Part, ...]) -> None:
    dense = False
    for part in parts:
        if dense and isinstance(part, Conv | Pool):
            raise ValueError(f"{part} before the first dense layer")
        dense = dense or isinstance(part, Dense)
