"""From the start of a training on images to the finished plane; `-m benchmark -s` prints it.

The network 784-1024-20-20-10 learns MNIST for 20 epochs, and the KDE bounds of I(X;T) and
I(T;Y) are wanted at every one of them. The twin is a plain PyTorch loop over minibatches, a
network after the other, and the whole matrix of squared distances of a layer.
"""

import os
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from ibcore.estimators import KDE
from ibcore.experiment import Experiment, Network, Recording, Task, Training
from ibcore.plane import information_plane
from ibcore.run import Run, train
from ibcore.tasks import Dataset, load

pytestmark = pytest.mark.benchmark

WIDTHS, BATCH, RATE, EPOCHS, VARIANCE = (784, 1024, 20, 20, 10), 128, 1e-3, 20, 0.1
PAIRS = 3
FIELDS = ("i_xt_lower", "i_xt_upper", "i_ty_lower", "i_ty_upper")

Bounds = Callable[[torch.Tensor, torch.Tensor], tuple[float, ...]]


def experiment(replicates: int) -> Experiment:
    """The real images, one in five of them for testing, with every epoch recorded."""
    folder = Path(os.environ.get("IBCORE_DATA_DIR", "")) / "mnist"
    if "IBCORE_DATA_DIR" not in os.environ or not folder.is_dir():
        pytest.skip("IBCORE_DATA_DIR names no folder with mnist in it")
    return Experiment(
        Task("idx", path=str(folder), train_fraction=0.8),
        Network("1024-20-20", "tanh"),
        Training("sgd", RATE, batch_size=BATCH, epochs=EPOCHS, replicates=replicates),
        Recording(EPOCHS + 1),
    )


def plain_network() -> nn.Sequential:
    """Fully connected layers with tanh between them."""
    layers = [(nn.Linear(*widths), nn.Tanh()) for widths in pairwise(WIDTHS)]
    return nn.Sequential(*[part for layer in layers for part in layer][:-1])


@torch.no_grad()
def measured(network: nn.Sequential, x: torch.Tensor, y: torch.Tensor) -> tuple[float, float]:
    """Loss and accuracy."""
    z = network(x)
    return nn.functional.cross_entropy(z, y).item(), (z.argmax(1) == y).float().mean().item()


@torch.no_grad()
def activations(network: nn.Sequential, x: torch.Tensor) -> list[torch.Tensor]:
    """What every layer gives, the softmax at last."""
    found = []
    for part in network:
        x = part(x)
        if isinstance(part, nn.Tanh):
            found.append(x)
    return [*found, torch.softmax(x, 1)]


def plain_training(dataset: Dataset, seen: np.ndarray) -> Iterator[list[torch.Tensor]]:
    """The activations of one network on the images `seen`, after 0, 1, .. epochs of training."""
    x, y = torch.tensor(dataset.x.reshape(len(dataset.x), -1)), torch.tensor(dataset.y)
    train_rows, test_rows = torch.tensor(dataset.train), torch.tensor(dataset.test)
    x_train, y_train, x_test, y_test = x[train_rows], y[train_rows], x[test_rows], y[test_rows]
    x_seen, network = x[torch.tensor(seen)], plain_network()
    optimizer = torch.optim.SGD(network.parameters(), RATE)
    history = []
    for epoch in range(EPOCHS + 1):
        if epoch:
            for batch in torch.randperm(len(x_train)).split(BATCH):
                optimizer.zero_grad()
                nn.functional.cross_entropy(network(x_train[batch]), y_train[batch]).backward()
                optimizer.step()
        history.append(measured(network, x_train, y_train) + measured(network, x_test, y_test))
        yield activations(network, x_seen)


def in_numpy(t: torch.Tensor, y: torch.Tensor) -> tuple[float, ...]:
    """The lower and upper bounds of I(X;T) and I(T;Y) in bits, in double precision."""
    t, y = t.numpy().astype(np.float64), y.numpy()
    norms = (t**2).sum(axis=1)
    d2 = np.maximum(norms[:, None] + norms[None, :] - 2 * t @ t.T, 0)

    def f(d2, variance):
        return -np.log2(np.exp(-d2 / (2 * variance)).mean(axis=1)).mean()

    classes = [np.flatnonzero(y == label) for label in np.unique(y)]
    given = [(len(c) / len(y), d2[np.ix_(c, c)]) for c in classes]
    return bracket(f, d2, given)


def in_torch(t: torch.Tensor, y: torch.Tensor) -> tuple[float, ...]:
    """The same in single precision, on all threads."""
    norms = (t**2).sum(dim=1)
    d2 = (norms[:, None] + norms[None, :] - 2 * t @ t.T).clamp(min=0)

    def f(d2, variance):
        return -torch.exp(-d2 / (2 * variance)).mean(dim=1).log2().mean().item()

    classes = [torch.nonzero(y == label)[:, 0] for label in y.unique()]
    given = [(len(c) / len(y), d2[c][:, c]) for c in classes]
    return bracket(f, d2, given)


def bracket(f: Callable, d2, given: list) -> tuple[float, ...]:
    """The four bounds from the squared distances of all, and the share and those of each class."""
    upper, lower = f(d2, VARIANCE), f(d2, 4 * VARIANCE)
    given_upper, given_lower = (
        sum(p * f(part, v) for p, part in given) for v in (VARIANCE, 4 * VARIANCE)
    )
    h_y = -sum(p * np.log2(p) for p, _ in given)
    ends = np.clip([lower - given_upper, upper - given_lower], 0, h_y)
    return lower, upper, *ends


TWINS: dict[str, Bounds] = {"NumPy float64": in_numpy, "PyTorch float32": in_torch}


def seen_samples(dataset: Dataset, samples: str) -> np.ndarray:
    return dataset.test if samples == "test" else np.arange(len(dataset.y))


@pytest.mark.parametrize("samples", ["test", "all"])
def test_the_twins_are_right(samples):
    """On the activations of one and the same training: every layer, first and last epoch."""
    whole = experiment(1)
    run = train(whole, dataset=load(whole.task), device="cpu")
    table = information_plane(run, KDE(VARIANCE), samples=samples)
    y = torch.tensor(run.dataset.y[seen_samples(run.dataset, samples)])
    for k in (0, -1):
        found = table[table.epoch == run.epochs[k]].sort_values("layer")[list(FIELDS)].to_numpy()
        for bounds in TWINS.values():
            twin = [bounds(torch.tensor(t[0]), y) for t in run.activations(k, samples)]
            np.testing.assert_allclose(found, twin, atol=1e-3)


class Clock:
    """Wall time and CPU time, in seconds."""

    def __init__(self):
        self._start = self._now()

    @staticmethod
    def _now() -> np.ndarray:
        return np.array([time.perf_counter(), time.process_time()])

    def read(self) -> np.ndarray:
        return self._now() - self._start


def ours(whole: Experiment, dataset: Dataset, samples: str) -> np.ndarray:
    """What training and plane took."""
    clock = Clock()
    run: Run = train(whole, dataset=dataset, device="cpu")
    trained = clock.read()
    table = information_plane(run, KDE(VARIANCE), samples=samples)
    assert len(table) == whole.training.replicates * (EPOCHS + 1) * (len(WIDTHS) - 1)
    return np.stack([trained, clock.read() - trained])


def plain(dataset: Dataset, samples: str, every: int) -> dict[str, np.ndarray]:
    """What training and plane of one network took, by twin.

    Matrices take the same time whatever is in them, so that one epoch in `every` is enough.
    """
    seen, spent = seen_samples(dataset, samples), {name: np.zeros(2) for name in TWINS}
    y, clock = torch.tensor(dataset.y[seen]), Clock()
    for epoch, layers in enumerate(plain_training(dataset, seen)):
        if epoch % every:
            continue
        for name, bounds in TWINS.items():
            start = clock.read()
            for t in layers:
                bounds(t, y)
            spent[name] += clock.read() - start
    trained = clock.read() - sum(spent.values())
    scale = (EPOCHS + 1) / len(range(0, EPOCHS + 1, every))
    return {name: np.stack([trained, scale * plane]) for name, plane in spent.items()}


@pytest.mark.parametrize(
    ("replicates", "samples", "least"), [(1, "test", 0.5), (1, "all", 3.0), (5, "all", 3.0)]
)
def test_from_run_to_plane(replicates, samples, least):
    """Runs alternate; the twin trains its networks in turn, so that one is timed for all.

    Training is the same products of large matrices on both sides. Of 2,000 images it is most of
    the work, and all that can be won is the plane; of 10,000 the plane is most of it.
    """
    whole, pairs = experiment(replicates), []
    dataset = load(whole.task)
    warm = train(experiment(1), dataset=dataset, device="cpu", should_stop=Once(2))
    information_plane(warm, KDE(VARIANCE), samples="test")
    for _ in range(PAIRS):
        slow = plain(dataset, samples, 1 if samples == "test" else EPOCHS)
        pairs.append((ours(whole, dataset, samples), slow))
    print(f"\n{replicates} networks, {samples}: {len(seen_samples(dataset, samples))} images")
    totals, planes = [], []
    for name in TWINS:
        slow = np.array([replicates * s[name] for _, s in pairs])
        fast = np.array([f for f, _ in pairs])
        ratios = np.median(slow.sum(axis=1) / fast.sum(axis=1), axis=0)
        shown = [" + ".join(f"{s:.1f}" for s in np.median(p, axis=0)[:, 0]) for p in (slow, fast)]
        print(
            f"against {name}: {ratios[0]:.2f} times as fast, {ratios[1]:.2f} in CPU time"
            f" (training + plane: {shown[0]} s, {shown[1]} s of ours)"
        )
        totals.append(ratios[0])
        planes.append(np.median(slow[:, 1, 0] / fast[:, 1, 0]))
    # Double precision is what the distances of a thousand units by the identity need.
    assert totals[0] > least
    assert planes[0] > 1.5


class Once:
    """Lets so many steps go by, then stops."""

    def __init__(self, steps: int):
        self._left = steps

    def __call__(self) -> bool:
        self._left -= 1
        return self._left < 0
