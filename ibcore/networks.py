"""Ensembles of R fully connected networks, trained and evaluated side by side.

Every parameter carries a leading replicate axis and activations are kept
feature-major, (R, D, N): one batched product per layer serves all replicates,
and the samples, the longest axis, lie contiguous in memory.

In a quantised network every activation is rounded to a grid as it is computed. The
gradient goes straight through the rounding, as if that were the identity (Bengio,
Leonard & Courville 2013, Estimating or propagating gradients through stochastic
neurons for conditional computation): it is that of the activation, 0 where this is
clipped.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ibcore.experiment import GRIDS, OUTPUT_GRID, FieldError, Network

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


@dataclass(frozen=True, eq=False)
class Ensemble:
    """The parameters of R networks and what turns them into activations.

    `weights[l]` is (R, D_out, D_in) and `biases[l]` is (R, D_out, 1). `bits` is that
    of the `Network`.
    """

    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]
    activation: str
    output: str
    bits: int | None = None

    @property
    def parameters(self) -> list[Tensor]:
        """All weights, then all biases."""
        return [*self.weights, *self.biases]

    def map(self, change: Callable[[Tensor], Tensor]) -> "Ensemble":
        """The ensemble with every parameter changed."""
        return replace(
            self,
            weights=tuple(change(w) for w in self.weights),
            biases=tuple(change(b) for b in self.biases),
        )


def layer_sizes(network: Network, n_inputs: int, n_classes: int) -> tuple[int, ...]:
    """D_0 .. D_L: the inputs, the hidden layers, the output layer.

    Raises FieldError for a sigmoid output where there are not two classes.
    """
    if network.output == "sigmoid" and n_classes != 2:
        raise FieldError("output", "sigmoid", f"softmax: the task has {n_classes} classes, not 2")
    outputs = 1 if network.output == "sigmoid" else n_classes
    return (n_inputs, *network.widths, outputs)


def initialise(
    network: Network, sizes: tuple[int, ...], replicates: int, seed: int, *, same: bool = False
) -> Ensemble:
    """The ensemble before training.

    Replicate r draws from a generator of its own, seeded by (seed, r): it stays
    the same network when more replicates are asked for. With `same` all of them
    are replicate 0.
    """
    own = [0] * replicates if same else range(replicates)
    draws = [_draw_network(network.init, sizes, _generator(seed, r)) for r in own]
    stacked = [torch.stack(tensors) for tensors in zip(*draws, strict=True)]
    return Ensemble(
        weights=tuple(stacked[0::2]),
        biases=tuple(bias.unsqueeze(-1) for bias in stacked[1::2]),
        activation=network.activation,
        output=network.output,
        bits=network.bits,
    )


def _generator(seed: int, replicate: int) -> torch.Generator:
    state = np.random.SeedSequence([seed, replicate]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> np.uint64(1)))


def _draw_network(init: str, sizes: tuple[int, ...], generator: torch.Generator) -> list[Tensor]:
    tensors = []
    for d_in, d_out in pairwise(sizes):
        tensors.extend(INITIALISATIONS[init](d_in, d_out, generator))
    return tensors


def _truncated(std: float, d_in: int, d_out: int, generator: torch.Generator):
    weight = torch.empty(d_out, d_in)
    torch.nn.init.trunc_normal_(weight, std=std, a=-2 * std, b=2 * std, generator=generator)
    return weight, torch.zeros(d_out)


def _fan_in(d_in: int, d_out: int, generator: torch.Generator):
    return _truncated(1 / math.sqrt(d_in), d_in, d_out, generator)


def _fan_out(d_in: int, d_out: int, generator: torch.Generator):
    return _truncated(1 / math.sqrt(d_out), d_in, d_out, generator)


def _pytorch(d_in: int, d_out: int, generator: torch.Generator):
    bound = 1 / math.sqrt(d_in)
    return (
        torch.empty(d_out, d_in).uniform_(-bound, bound, generator=generator),
        torch.empty(d_out).uniform_(-bound, bound, generator=generator),
    )


INITIALISATIONS: dict[str, Callable[[int, int, torch.Generator], tuple[Tensor, Tensor]]] = {
    "fan_in": _fan_in,
    "fan_out": _fan_out,
    "pytorch": _pytorch,
}


def logits(ensemble: Ensemble, x: Tensor) -> Tensor:
    """The output layer before its softmax or sigmoid, (R, D_L, N); it is never rounded.

    x is (R, D_0, N), or (D_0, N) where all replicates see the same samples.
    """
    return _pre_output(ensemble, x, [])


def forward(ensemble: Ensemble, x: Tensor) -> list[Tensor]:
    """Every layer's activations T_1 .. T_L, each (R, D_l, N).

    T_L are the output probabilities: the softmax over classes, or the sigmoid. In a
    quantised network they are rounded too, to a grid on [0, 1].
    """
    layers: list[Tensor] = []
    z = _pre_output(ensemble, x, layers)
    p = torch.softmax(z, dim=1) if ensemble.output == "softmax" else torch.sigmoid(z)
    layers.append(p if ensemble.bits is None else rounded(p, ensemble.bits, OUTPUT_GRID))
    return layers


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


def _pre_output(ensemble: Ensemble, x: Tensor, hidden: list[Tensor]) -> Tensor:
    act = _activation(ensemble)
    for weight, bias in zip(ensemble.weights[:-1], ensemble.biases[:-1], strict=True):
        x = act(_affine(weight, bias, x))
        hidden.append(x)
    return _affine(ensemble.weights[-1], ensemble.biases[-1], x)


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
