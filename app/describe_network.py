"""A network as its drawing needs it: its layers with their shapes and parameters."""

import math
from collections.abc import Iterator, Sequence

from charts import DrawnLayer
from ibcore import Network
from ibcore.networks import Shape, weight_shapes
from ibcore.stack import Conv, Layer, Pool


def drawn_layers(network: Network, shapes: Sequence[Shape]) -> tuple[DrawnLayer, ...]:
    """The input, the hidden layers and the output; `shapes` are those of `layer_shapes`."""
    weights = iter(weight_shapes(network, shapes))
    hidden = zip(network.hidden, network.drops, shapes[1:-1], strict=True)
    return (
        DrawnLayer(shapes[0], "X", "X"),
        *(_drawn(layer, p, shape, network.activation, weights) for layer, p, shape in hidden),
        DrawnLayer(
            shapes[-1],
            f"{shapes[-1]} {network.output}",
            network.output,
            parameters=_parameters(next(weights)),
        ),
    )


def _drawn(
    layer: Layer, p: float, shape: Shape, activation: str, weights: Iterator[tuple[int, ...]]
) -> DrawnLayer:
    if isinstance(layer, Pool):
        return DrawnLayer(shape, str(layer), kernel=layer.side, dropout=p)
    side = layer.side if isinstance(layer, Conv) else None
    name, parameters = f"{layer} {activation}", _parameters(next(weights))
    return DrawnLayer(shape, name, activation, side, p, parameters)


def _parameters(weight: tuple[int, ...]) -> int:
    """Of one layer: its weights, and a bias for each unit or channel."""
    return math.prod(weight) + weight[0]
