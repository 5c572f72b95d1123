"""Ensembles of R networks, trained and evaluated side by side.

Every parameter carries a leading replicate axis and activations are kept
feature-major, (R, D, N): one batched product per layer serves all replicates,
and the samples, the longest axis, lie contiguous in memory. Images are flattened
channel by channel, D = C H W. Convolutions go one network after the other, (N, C, H, W):
they are work enough by themselves, and grouped into one for all networks, or mapped over
these, they took as long or longer on the CPU.

In a quantised network every activation is rounded to a grid as it is computed. The
gradient goes straight through the rounding, as if that were the identity (Bengio,
Leonard & Courville 2013, Estimating or propagating gradients through stochastic
neurons for conditional computation): it is that of the activation, 0 where this is
clipped.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ibcore.experiment import GRIDS, OUTPUT_GRID, FieldError, Network
from ibcore.reprs import brief
from ibcore.stack import Conv, Dense, Pool

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "linear": lambda a: a,
    "softsign": F.softsign,
    "softplus": F.softplus,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "gelu": F.gelu,
    "hardtanh": F.hardtanh,
}

CLIPPED = ACTIVATIONS | {"relu": F.relu6}
"""The activations of quantised networks, which stay within their `GRIDS`."""


Shape = int | tuple[int, int, int]
"""That of what a layer gives for one sample: D units, or an image (C, H, W)."""

_MASK_STREAM = 2
"""Of [seed, epoch], whose own stream orders the epoch."""


@dataclass(frozen=True, eq=False)
class Ensemble:
    """The parameters of R networks and what turns them into activations.

    `weights[l]` is (R, D_out, D_in), of a convolution (R, C_out, C_in, k, k), and
    `biases[l]` is (R, D_out, 1); layers that pool have neither. `bits` and `drops` are
    those of the `Network`, its `filters` see images of shape `image`, (C, H, W). No
    `drops` are no dropout.
    """

    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]
    activation: str
    output: str
    bits: int | None = None
    filters: tuple[Conv | Pool, ...] = ()
    image: tuple[int, int, int] | None = None
    drops: tuple[float, ...] = ()

    __repr__ = brief

    @property
    def parameters(self) -> list[Tensor]:
        """All weights, then all biases."""
        return [*self.weights, *self.biases]

    @property
    def replicates(self) -> int:
        """R."""
        return len(self.weights[0])

    @property
    def dense(self) -> list[tuple[Tensor, Tensor]]:
        """Weights and biases of the fully connected layers, the output layer included."""
        first = sum(isinstance(layer, Conv) for layer in self.filters)
        return list(zip(self.weights[first:], self.biases[first:], strict=True))

    @property
    def widths(self) -> tuple[int, ...]:
        """D_1 .. D_L."""
        images = list(accumulate(self.filters, _image_after, initial=self.image))[1:]
        return (*map(math.prod, images), *(weight.shape[1] for weight, _ in self.dense))

    def map(self, change: Callable[[Tensor], Tensor]) -> "Ensemble":
        """The ensemble with every parameter changed."""
        return replace(
            self,
            weights=tuple(change(w) for w in self.weights),
            biases=tuple(change(b) for b in self.biases),
        )


@dataclass(frozen=True)
class Masks:
    """The dropout of one training step: it follows from seed, epoch and step in the epoch alone.

    Every unit is kept with probability 1 - p, and then divided by 1 - p (Srivastava et
    al. 2014, Dropout, section 10, scaled in training). Replicate r of layer l draws from
    a generator of its own: it stays the same when more replicates are asked for.
    """

    seed: int
    epoch: int
    step: int

    def of(self, layer: int, replicate: int, p: float, t: Tensor) -> Tensor:
        """0 or 1/(1 - p) for every number in `t`, the activations of one network."""
        entropy = [self.seed, self.epoch, _MASK_STREAM, self.step, layer, replicate]
        generator = _generator(*entropy, device=t.device)
        # Not as `t` lies in memory: that would change what is left out.
        kept = torch.empty(t.shape, dtype=t.dtype, device=t.device)
        return kept.bernoulli_(1 - p, generator=generator).div_(1 - p)


def layer_shapes(
    network: Network, input_shape: int | Sequence[int], n_classes: int
) -> tuple[Shape, ...]:
    """The shapes of X, of the hidden layers and of the output layer.

    Convolutions and pooling see an input (H, W) as (1, H, W). Raises FieldError for a
    sigmoid output where there are not two classes, for inputs that are no images where
    there are to be images, and for images that become too small.
    """
    if network.output == "sigmoid" and n_classes != 2:
        raise FieldError("output", "sigmoid", f"softmax: the task has {n_classes} classes, not 2")
    outputs = 1 if network.output == "sigmoid" else n_classes
    shape = tuple(np.atleast_1d(input_shape).tolist())
    shapes: list[Shape] = [_image(network, shape) if network.filters else math.prod(shape)]
    for layer in network.hidden:
        shapes.append(_shape_after(network, shapes[-1], layer))
    return (*shapes, outputs)


def units(shape: Shape) -> int:
    """D of a layer of that shape."""
    return shape if isinstance(shape, int) else math.prod(shape)


def _image(network: Network, shape: tuple[int, ...]) -> tuple[int, int, int]:
    image = (1, *shape) if len(shape) == 2 else shape
    if len(image) != 3:
        allowed = f"dense layers only: inputs of shape {shape} are no images"
        raise FieldError("layers", network.layers, allowed)
    return image


def _shape_after(network: Network, below: Shape, layer: Conv | Pool | Dense) -> Shape:
    if isinstance(layer, Dense):
        return layer.units
    shape = _image_after(below, layer)
    if min(shape) < 1:
        _, height, width = below
        allowed = f"fewer or smaller layers: {layer} does not fit into {height} x {width} pixels"
        raise FieldError("layers", network.layers, allowed)
    return shape


def _image_after(image: tuple[int, int, int], layer: Conv | Pool) -> tuple[int, int, int]:
    channels, height, width = image
    if isinstance(layer, Pool):
        return channels, height // layer.side, width // layer.side
    return layer.channels, height - layer.side + 1, width - layer.side + 1


def weight_shapes(network: Network, shapes: Sequence[Shape]) -> tuple[tuple[int, ...], ...]:
    """Of the weights of every layer that has some: (D_out, D_in) or (C_out, C_in, k, k)."""
    layers = (*network.hidden, Dense(units(shapes[-1])))
    return tuple(
        (layer.channels, below[0], layer.side, layer.side)
        if isinstance(layer, Conv)
        else (layer.units, units(below))
        for layer, below in zip(layers, shapes, strict=False)
        if not isinstance(layer, Pool)
    )


def initialise(
    network: Network, shapes: Sequence[Shape], replicates: int, seed: int, *, same: bool = False
) -> Ensemble:
    """The ensemble before training; `shapes` are those of `layer_shapes`.

    Replicate r draws from a generator of its own, seeded by (seed, r): it stays
    the same network when more replicates are asked for. With `same` all of them
    are replicate 0.
    """
    own = [0] * replicates if same else range(replicates)
    wanted = weight_shapes(network, shapes)
    draws = [_draw_network(network.init, wanted, _generator(seed, r)) for r in own]
    stacked = [torch.stack(tensors) for tensors in zip(*draws, strict=True)]
    biases = [bias.unsqueeze(-1) for bias in stacked[1::2]]
    return assembled(network, stacked[0::2], biases, shapes[0])


def assembled(
    network: Network, weights: Sequence[Tensor], biases: Sequence[Tensor], input_shape: Shape
) -> Ensemble:
    """The networks of that kind with these parameters."""
    return Ensemble(
        weights=tuple(weights),
        biases=tuple(biases),
        activation=network.activation,
        output=network.output,
        bits=network.bits,
        filters=network.filters,
        image=input_shape if network.filters else None,
        drops=network.drops if any(network.drops) else (),
    )


def _generator(*entropy: int, device: torch.device | str = "cpu") -> torch.Generator:
    state = np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0]
    return torch.Generator(device).manual_seed(int(state >> np.uint64(1)))


def _draw_network(
    init: str, shapes: Sequence[tuple[int, ...]], generator: torch.Generator
) -> list[Tensor]:
    tensors = []
    for shape in shapes:
        tensors.extend(INITIALISATIONS[init](shape, generator))
    return tensors


def _truncated(std: float, shape: tuple[int, ...], generator: torch.Generator):
    weight = torch.empty(shape)
    torch.nn.init.trunc_normal_(weight, std=std, a=-2 * std, b=2 * std, generator=generator)
    return weight, torch.zeros(shape[0])


def _fan_in(shape: tuple[int, ...], generator: torch.Generator):
    return _truncated(1 / math.sqrt(math.prod(shape[1:])), shape, generator)


def _fan_out(shape: tuple[int, ...], generator: torch.Generator):
    return _truncated(1 / math.sqrt(shape[0] * math.prod(shape[2:])), shape, generator)


def _pytorch(shape: tuple[int, ...], generator: torch.Generator):
    bound = 1 / math.sqrt(math.prod(shape[1:]))
    return (
        torch.empty(shape).uniform_(-bound, bound, generator=generator),
        torch.empty(shape[0]).uniform_(-bound, bound, generator=generator),
    )


INITIALISATIONS: dict[str, Callable[[tuple[int, ...], torch.Generator], tuple[Tensor, Tensor]]] = {
    "fan_in": _fan_in,
    "fan_out": _fan_out,
    "pytorch": _pytorch,
}


def logits(ensemble: Ensemble, x: Tensor, masks: Masks | None = None) -> Tensor:
    """The output layer before its softmax or sigmoid, (R, D_L, N); it is never rounded.

    x is (R, D_0, N), or (D_0, N) where all replicates see the same samples. With
    `masks` it is that of training, with the units that these leave.
    """
    images = _last(_images(ensemble, x, masks), None)
    below = x if images is None else _stacked(images)
    return _affine(*ensemble.dense[-1], _last(_dense(ensemble, below, masks), below))


def forward(ensemble: Ensemble, x: Tensor) -> list[Tensor]:
    """Every layer's activations T_1 .. T_L, each (R, D_l, N).

    T_L are the output probabilities: the softmax over classes, or the sigmoid. In a
    quantised network they are rounded too, to a grid on [0, 1].
    """
    return list(layers(ensemble, x))


def layers(ensemble: Ensemble, x: Tensor) -> Iterator[Tensor]:
    """Those of `forward` one after the other, as they are computed."""
    below = x
    for images in _images(ensemble, x, None):
        below = _stacked(images)
        yield below
    last = below
    for last in _dense(ensemble, below, None):
        yield last
    z = _affine(*ensemble.dense[-1], last)
    p = torch.softmax(z, dim=1) if ensemble.output == "softmax" else torch.sigmoid(z)
    yield p if ensemble.bits is None else rounded(p, ensemble.bits, OUTPUT_GRID)


def rounded(t: Tensor, bits: int, limits: tuple[float, float]) -> Tensor:
    """t rounded to the nearest of the levels lo + k (hi - lo) / (2^bits - 1), k = 0 .. 2^bits - 1.

    Halves go up. t must lie within the limits (lo, hi). The gradient is that of the
    identity.
    """
    low, high = limits
    step = (high - low) / (2**bits - 1)
    levels = torch.floor(t.detach() / step + (0.5 - low / step)) * step + low
    # The difference is exactly 0, so that what is left is the level and the gradient of t.
    return levels + (t - t.detach())


def _activation(ensemble: Ensemble) -> Callable[[Tensor], Tensor]:
    name, bits = ensemble.activation, ensemble.bits
    if bits is None:
        return ACTIVATIONS[name]
    return lambda a: rounded(CLIPPED[name](a), bits, GRIDS[name])


def _last(items: Iterable, default: object) -> Any:
    return next(iter(deque(items, maxlen=1)), default)


def _images(ensemble: Ensemble, x: Tensor, masks: Masks | None) -> Iterator[list[Tensor]]:
    """What convolutions and pooling give, layer by layer: R times (N, C, H, W)."""
    if not ensemble.filters:
        return
    act, parameters = _activation(ensemble), zip(ensemble.weights, ensemble.biases, strict=True)
    samples = x if x.dim() == 3 else [x] * ensemble.replicates
    images = [one.T.unflatten(1, ensemble.image) for one in samples]
    for number, layer in enumerate(ensemble.filters):
        if isinstance(layer, Pool):
            images = [F.max_pool2d(t, layer.side) for t in images]
        else:
            weight, bias = next(parameters)
            kernels = zip(images, weight, bias.squeeze(-1), strict=True)
            images = [act(F.conv2d(_channels_last(t), w, b)) for t, w, b in kernels]
        images = _thinned(ensemble, number, images, masks)
        yield images


def _channels_last(images: Tensor) -> Tensor:
    """The same in another order in memory, in which a convolution is quicker on the CPU."""
    return images.contiguous(memory_format=torch.channels_last)


def _stacked(images: list[Tensor]) -> Tensor:
    """(R, C H W, N) from R times (N, C, H, W)."""
    return torch.stack([t.flatten(1) for t in images]).transpose(1, 2)


def _dense(ensemble: Ensemble, x: Tensor, masks: Masks | None) -> Iterator[Tensor]:
    """What the hidden fully connected layers give, layer by layer: (R, D, N)."""
    act = _activation(ensemble)
    for number, (weight, bias) in enumerate(ensemble.dense[:-1], start=len(ensemble.filters)):
        x = _thinned(ensemble, number, act(_affine(weight, bias, x)), masks)
        yield x


def _thinned(
    ensemble: Ensemble, number: int, networks: Tensor | list[Tensor], masks: Masks | None
) -> Tensor | list[Tensor]:
    """The activations of hidden layer `number`, from 0, without the units that are left out."""
    p = ensemble.drops[number] if masks is not None and ensemble.drops else 0.0
    if p == 0:
        return networks
    kept = [t * masks.of(number, r, p, t) for r, t in enumerate(networks)]
    return kept if isinstance(networks, list) else torch.stack(kept)


def _affine(weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
    if x.dim() == 3:
        return torch.baddbmm(bias, weight, x)
    # Samples shared by all replicates: one wide product instead of R small ones.
    replicates, d_out, d_in = weight.shape
    return torch.addmm(bias.reshape(-1, 1), weight.reshape(-1, d_in), x).view(
        replicates, d_out, x.shape[-1]
    )


def example_losses(z: Tensor, y: Tensor, output: str) -> Tensor:
    """Cross-entropy of each example in nats, (R, N), from logits z and labels y (R, N)."""
    if output == "softmax":
        return F.cross_entropy(z, y, reduction="none")
    return F.binary_cross_entropy_with_logits(z.squeeze(1), y.to(z.dtype), reduction="none")


def predictions(z: Tensor, output: str) -> Tensor:
    """The predicted class of each example, (R, N), from logits z."""
    return z.argmax(dim=1) if output == "softmax" else (z.squeeze(1) > 0).long()
