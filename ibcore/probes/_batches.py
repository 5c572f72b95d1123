"""Minibatches of a run's training samples, as the networks take them."""

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from ibcore.networks import Ensemble, units
from ibcore.run import Run

_CHUNK_BYTES = 64_000_000

Batches = tuple[Tensor, Tensor]


def n_weights(run: Run) -> int:
    """Weights of one network."""
    return sum(math.prod(w.shape[2:]) for w in run.weights)


def n_multiplications(run: Run) -> int:
    """Of one forward pass of one sample: a kernel's weights serve at every place in the image."""
    shapes = [run.shapes[layer] for layer in run.weighted_layers]
    places = [1 if isinstance(shape, int) else math.prod(shape[1:]) for shape in shapes]
    return sum(n * math.prod(w.shape[2:]) for n, w in zip(places, run.weights, strict=True))


def sound_ensemble(run: Run, k: int) -> Ensemble:
    """The networks at checkpoint k that had not diverged."""
    sound = torch.from_numpy(run.sound(k))
    return run.ensemble(k).map(lambda parameter: parameter[sound])


def gathered(run: Run, index: np.ndarray) -> Batches:
    """Samples of the minibatches `index` (R, n, B): x (R, n, D_0, B) and y (R, n, B)."""
    x = run.dataset.x.reshape(len(run.dataset.x), -1)
    inputs = torch.from_numpy(np.ascontiguousarray(x[index].swapaxes(-1, -2)))
    return inputs, torch.from_numpy(run.dataset.y[index])


def chunks(run: Run, index: np.ndarray) -> Iterator[Batches]:
    """The minibatches (R, n, B) in groups small enough for their gradients to fit in memory."""
    n_units = sum(map(units, run.shapes))
    each = 4 * len(index) * (3 * n_weights(run) + 2 * n_units * index.shape[2])
    size = max(1, _CHUNK_BYTES // each)
    for start in range(0, index.shape[1], size):
        yield gathered(run, index[:, start : start + size])


def cut(order: np.ndarray, batch_size: int) -> np.ndarray:
    """(R, n_train) as whole minibatches (R, n, B); what remains at the end is dropped."""
    n = order.shape[1] // batch_size
    return order[:, : n * batch_size].reshape(len(order), n, batch_size)
