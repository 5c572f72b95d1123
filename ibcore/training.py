"""An experiment and its data, turned into a stream of checkpoints.

The position in training is a single number, the optimiser steps taken, and the
order of the examples in epoch e follows from (seed, e) alone, the units that dropout
leaves out in a step of it from (seed, e, step). Together with the
parameters and the optimiser's moments that number is the whole state, so that an
interrupted training continues to the bit on as many threads of the CPU. A replicate is the
same beside any number of others up to rounding: alone or one of ten, its weights were up to
6e-8 apart after 40 steps of Adam or momentum, and equal with plain SGD and Adadelta.
"""

import copy
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ibcore.experiment import Experiment, FieldError, Training
from ibcore.gradients import Along
from ibcore.networks import (
    Masks,
    Shape,
    example_losses,
    initialise,
    layer_shapes,
    logits,
    predictions,
    units,
    weight_shapes,
)
from ibcore.reprs import brief
from ibcore.tasks import Dataset, check_split, epoch_order, replicate_splits

_GATHER_BYTES = 64_000_000
_EVALUATION_BYTES = 256_000_000
# Convolutions hold what they are given and what they give, and are quicker in the caches.
_IMAGE_BYTES = 32_000_000
# Activations, or their like in multiplications: a core does so many of these in its time.
_WORTH_SHARING = 200_000
_MULTIPLICATIONS = 256
_MAX_RUN_BYTES = 4_000_000_000
_MAX_STEP_BYTES = 8_000_000_000
_DEVICE_TYPES = ("cpu", "cuda", "mps")


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The ensemble after `epoch` whole epochs; losses in nats.

    `weights[l]` is (R, D_out, D_in), of a convolution (R, C_out, C_in, k, k), and
    `biases[l]` (R, D_out), for every layer that has some; the four measures
    are (R,); those of the test set are None where there is none. `along_mean` and
    `along_std`, one number for each replicate and each of these layers, are the norms of
    the mean and of the standard deviation of the gradients met in the epoch that ends
    here, NaN at epoch 0; see `ibcore.gradients.Along`. A replicate that diverged holds
    NaN throughout, and `diverged` (R,) its epoch, else -1.
    """

    epoch: int
    weights: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray, ...]
    train_loss: np.ndarray
    train_accuracy: np.ndarray
    test_loss: np.ndarray | None
    test_accuracy: np.ndarray | None
    diverged: np.ndarray
    along_mean: np.ndarray | None = None
    along_std: np.ndarray | None = None

    __repr__ = brief


@dataclass(frozen=True)
class Progress:
    """How far a long piece of work is: steps done of all, and the time left if known."""

    done: int
    total: int
    epoch: int
    seconds_left: float | None


class Stopped(Exception):
    """Training was asked to stop; its state is that of the last whole step."""


def resolve_device(device: str) -> torch.device:
    """The device of that name; `auto` takes CUDA, then MPS, then the CPU.

    Raises ValueError for a device of another type, and for one that PyTorch cannot
    use here.
    """
    if device == "auto":
        has_mps = torch.backends.mps.is_available()
        device = "cuda" if torch.cuda.is_available() else "mps" if has_mps else "cpu"
    try:
        chosen = torch.device(device)
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError):
        chosen = None
    if chosen is None or chosen.type not in _DEVICE_TYPES:
        raise ValueError(f"device: {device!r} is not available here; use auto or cpu")
    return chosen


def check_size(experiment: Experiment, dataset: Dataset) -> tuple[int, ...]:
    """The layer sizes D_0 .. D_L of the experiment's networks on these data.

    Raises FieldError where the output does not fit the classes or convolutions the
    inputs, where the data cannot be split as asked, and where the checkpoints of the run
    would take more than 4 GB of memory, or the activations of one step more than 8 GB.
    """
    return tuple(map(units, _checked_shapes(experiment, dataset)))


def n_parameters(experiment: Experiment, dataset: Dataset) -> int:
    """Weights and biases of one network. Raises what `check_size` raises."""
    return _n_parameters(experiment, _checked_shapes(experiment, dataset))


def _n_parameters(experiment: Experiment, shapes: tuple[Shape, ...]) -> int:
    weights = weight_shapes(experiment.network, shapes)
    return sum(math.prod(shape) + shape[0] for shape in weights)


def _checked_shapes(experiment: Experiment, dataset: Dataset) -> tuple[Shape, ...]:
    training, network = experiment.training, experiment.network
    check_split(dataset, experiment.task, training)
    shapes = layer_shapes(network, dataset.x.shape[1:], dataset.n_classes)
    parameters = _n_parameters(experiment, shapes)
    run_bytes = 4 * parameters * training.replicates * max(5, len(experiment.epochs))
    if run_bytes > _MAX_RUN_BYTES:
        raise FieldError(
            "layers",
            network.layers,
            f"fewer units, replicates or checkpoints: the run would take {run_bytes / 1e9:,.0f} GB",
        )
    batch = minibatch_size(training, len(dataset.train))
    step_bytes = 8 * batch * training.replicates * sum(map(units, shapes))
    if step_bytes > _MAX_STEP_BYTES:
        raise FieldError(
            "layers",
            network.layers,
            f"fewer units or replicates, or smaller batches: a step would take"
            f" {step_bytes / 1e9:,.0f} GB",
        )
    return shapes


def steps_per_epoch(training: Training, n_train: int) -> int:
    """Optimiser steps in one epoch over `n_train` examples a replicate."""
    return math.ceil(n_train / minibatch_size(training, n_train))


def minibatch_size(training: Training, n_train: int) -> int:
    """Examples in one step of a replicate that trains on `n_train`."""
    size = {"full": n_train, "single": 1}.get(training.batch_mode, training.batch_size)
    return min(size, n_train)


@contextmanager
def few_threads(trainer: "Trainer") -> Iterator[None]:
    """One CPU thread where a step is so small that sharing it costs more than it saves.

    The number of threads is PyTorch's own, for the whole process; it is set back
    at the end. This is for one training at a time in a process: of several at once
    the last to end may set back the number that another had set.

    Sums in single precision are rounded in another order on another number of threads: one
    thread and two gave weights up to 9e-8 apart after 40 steps, with convolutions and with
    full batches, and the same weights with minibatches of dense networks.
    """
    before = torch.get_num_threads()
    if trainer.device.type == "cpu" and trainer.work_per_step < _WORTH_SHARING:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _optimizer(training: Training, parameters: list[Tensor]) -> torch.optim.Optimizer:
    rate = training.learning_rate
    fused = parameters[0].device.type in ("cpu", "cuda")
    if training.optimizer == "adam":
        return torch.optim.Adam(parameters, rate, fused=fused)
    if training.optimizer == "adadelta":
        return torch.optim.Adadelta(parameters, rate)
    momentum = training.momentum if training.optimizer == "momentum" else 0.0
    return torch.optim.SGD(parameters, rate, momentum=momentum, fused=fused)


class Trainer:
    """R networks in training: the one mutable object, owned by whoever steps it."""

    def __init__(self, experiment: Experiment, dataset: Dataset, device: torch.device):
        training = experiment.training
        flat = np.ascontiguousarray(dataset.x.reshape(len(dataset.x), -1))
        shapes = _checked_shapes(experiment, dataset)
        train, test = replicate_splits(dataset, experiment.task, training)
        self.experiment = experiment
        self.device = device
        self.steps_per_epoch = steps_per_epoch(training, train.shape[1])
        self.step = 0
        self.diverged = np.full(training.replicates, -1)
        self._x = torch.tensor(flat, device=device)
        self._y = torch.tensor(dataset.y, device=device)
        self._train, self._test = train, test
        self._ordered: tuple[int, np.ndarray] | None = None
        self._batches: tuple[int, int, Tensor, Tensor] | None = None
        self._whole_batch = minibatch_size(training, train.shape[1])
        self._along = Along()
        self._epochs_along = frozenset(epoch - 1 for epoch in experiment.epochs)
        ensemble = initialise(
            experiment.network,
            shapes,
            training.replicates,
            training.seed,
            same=training.batch_mode == "parallel",
        )
        self.ensemble = ensemble.map(lambda p: p.to(device).requires_grad_())
        self._optimizer = _optimizer(training, self.ensemble.parameters)

    @property
    def epoch(self) -> int:
        """Whole epochs done."""
        return self.step // self.steps_per_epoch

    @property
    def total_steps(self) -> int:
        """Steps of the whole training."""
        return self.experiment.training.epochs * self.steps_per_epoch

    @property
    def work_per_step(self) -> int:
        """R times the batch times the units, or times a 256th of the weights where these are more.

        Both are of one network. Products of wide layers take longer than their activations.
        """
        batch = -(-self._train.shape[1] // self.steps_per_epoch)
        weights = sum(w[0].numel() for w in self.ensemble.weights)
        per_sample = max(sum(self.ensemble.widths), weights // _MULTIPLICATIONS)
        return len(self._train) * batch * per_sample

    def state(self) -> dict:
        """All that `restore` needs, as tensors and plain values."""
        return {
            "step": self.step,
            "diverged": self.diverged.tolist(),
            "parameters": [p.detach().cpu().clone() for p in self.ensemble.parameters],
            "optimizer": copy.deepcopy(self._optimizer.state_dict()),
            "along": self._along.state(),
        }

    def restore(self, state: dict) -> None:
        """Go back to where `state` was taken."""
        with torch.no_grad():
            for parameter, saved in zip(self.ensemble.parameters, state["parameters"], strict=True):
                parameter.copy_(saved)
        self._optimizer.load_state_dict(state["optimizer"])
        self.diverged = np.array(state["diverged"])
        self._along = Along.restored(state.get("along"), self.device)
        self.step = state["step"]

    def advance(self) -> None:
        """Take one optimiser step on every replicate's next minibatch."""
        x, y = self._next_batch()
        masks = Masks(self.experiment.training.seed, *divmod(self.step, self.steps_per_epoch))
        losses = example_losses(logits(self.ensemble, x, masks), y, self.ensemble.output)
        self._optimizer.zero_grad()
        # The sum over replicates leaves every replicate its own gradient.
        (losses.sum() / y.shape[1]).backward()
        self._optimizer.step()
        # Last, since it uses the gradients up.
        self._record_along(y.shape[1])
        self.step += 1
        if self.step % self.steps_per_epoch == 0:
            self._find_divergence()

    def _record_along(self, batch: int) -> None:
        """Take in the gradients of a step, in the epochs that end in a checkpoint."""
        if self.epoch not in self._epochs_along:
            return
        if self.step % self.steps_per_epoch == 0:
            self._along = Along()
        # A smaller last minibatch would have another noise.
        if batch == self._whole_batch:
            self._along.add([w.grad for w in self.ensemble.weights])

    @property
    def all_diverged(self) -> bool:
        """Whether no replicate is left to train."""
        return bool((self.diverged >= 0).all())

    def _next_batch(self) -> tuple[Tensor, Tensor]:
        """The minibatch of this step, x (R, D, B) or shared (D, n), y (R, B)."""
        training = self.experiment.training
        if training.batch_mode in ("full", "parallel"):
            return self._full_batch()
        size = training.batch_size if training.batch_mode == "mini" else 1
        start = (self.step % self.steps_per_epoch) * size
        if self._batches is None or not self._covers(start, size):
            self._batches = self._gather(start, size)
        first, _, x, y = self._batches
        return x[..., start - first : start - first + size], y[:, start - first :][:, :size]

    def _covers(self, start: int, size: int) -> bool:
        first, epoch, _, y = self._batches
        stop = min(start + size, self._train.shape[1])
        return epoch == self.epoch and first <= start and stop <= first + y.shape[1]

    def _gather(self, start: int, size: int) -> tuple[int, int, Tensor, Tensor]:
        """As many of the epoch's coming minibatches as fit the budget, in one copy."""
        per_sample = 4 * self._x.shape[1] * len(self._train)
        stop = start + size * max(1, _GATHER_BYTES // (per_sample * size))
        index = torch.from_numpy(self._order(self.epoch)[:, start:stop]).to(self.device)
        x = self._x[index].transpose(1, 2).contiguous()
        return start, self.epoch, x, self._y[index]

    def _order(self, epoch: int) -> np.ndarray:
        """The training examples (R, n) in the order of that epoch."""
        if self._ordered is None or self._ordered[0] != epoch:
            seed = self.experiment.training.seed
            self._ordered = (epoch, epoch_order(self._train, seed, epoch))
        return self._ordered[1]

    def _full_batch(self) -> tuple[Tensor, Tensor]:
        if self._batches is None:
            index = torch.from_numpy(self._train).to(self.device)
            shared = self.experiment.training.shares_samples
            x = self._x[index[0]].T if shared else self._x[index].transpose(1, 2)
            self._batches = (0, 0, x.contiguous(), self._y[index])
        return self._batches[2], self._batches[3]

    def _find_divergence(self) -> None:
        """Name the epoch of every replicate whose parameters are not finite, and stop it."""
        parameters = [p.detach() for p in self.ensemble.parameters]
        if torch.isfinite(torch.stack(torch._foreach_norm(parameters)).sum()):
            return
        finite = torch.stack([p.flatten(1).isfinite().all(dim=1) for p in parameters]).all(dim=0)
        self._stop_replicates(~finite.cpu().numpy())

    def _stop_replicates(self, broken: np.ndarray) -> None:
        self.diverged = np.where(broken & (self.diverged < 0), self.epoch, self.diverged)
        stopped = torch.from_numpy(self.diverged >= 0).to(self.device)
        with torch.no_grad():
            for parameter in self.ensemble.parameters:
                parameter[stopped] = torch.nan

    def checkpoint(self) -> Checkpoint:
        """The ensemble as it is now, with its losses and accuracies."""
        losses, correct = self._evaluate()
        train_loss, train_accuracy = _means(losses, self._train), _means(correct, self._train)
        has_test = self._test.shape[1] > 0
        measures = [train_loss, train_accuracy]
        if has_test:
            measures += [_means(losses, self._test), _means(correct, self._test)]
        broken = ~np.isfinite(measures).all(axis=0)
        if (broken & (self.diverged < 0)).any():
            self._stop_replicates(broken)
        lost = self.diverged >= 0
        measures = [np.where(lost, np.nan, m).astype(np.float32) for m in measures]
        measures += [] if has_test else [None, None]
        return Checkpoint(
            self.epoch,
            tuple(w.detach().cpu().numpy().copy() for w in self.ensemble.weights),
            tuple(b.detach().squeeze(-1).cpu().numpy().copy() for b in self.ensemble.biases),
            *measures,
            self.diverged.copy(),
            *self._along_norms(lost),
        )

    def _along_norms(self, lost: np.ndarray) -> list[np.ndarray]:
        shape = len(self._train), len(self.ensemble.weights)
        norms = self._along.norms() or (np.full(shape, np.nan),) * 2
        return [np.where(lost[:, None], np.nan, norm).astype(np.float32) for norm in norms]

    @torch.no_grad()
    def _evaluate(self) -> tuple[np.ndarray, np.ndarray]:
        """Loss and correctness of every sample of the data set, (R, N) each."""
        room = _IMAGE_BYTES if self.ensemble.filters else _EVALUATION_BYTES
        block = max(1, room // (4 * max(self.ensemble.widths) * len(self._train)))
        losses, correct = [], []
        for x, y in zip(self._x.split(block), self._y.split(block), strict=True):
            z = logits(self.ensemble, x.T.contiguous())
            y = y.expand(len(self._train), -1)
            losses.append(example_losses(z, y, self.ensemble.output))
            correct.append(predictions(z, self.ensemble.output) == y)
        return torch.cat(losses, 1).cpu().numpy(), torch.cat(correct, 1).cpu().numpy()


def _means(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    return np.take_along_axis(values, index, axis=1).mean(axis=1, dtype=np.float64)


def stream(
    trainer: Trainer,
    *,
    progress: Callable[[Progress], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    every_step: Callable[[], None] | None = None,
) -> Iterator[Checkpoint]:
    """Train on from where `trainer` stands, yielding each recorded epoch still to come.

    `progress` hears about ten times a second, `every_step` after each step.
    Raises Stopped between two steps once `should_stop` says so.
    """
    report = _Reporter(trainer, progress)
    for epoch in trainer.experiment.epochs:
        target = epoch * trainer.steps_per_epoch
        if target < trainer.step:
            continue
        while trainer.step < target:
            if should_stop is not None and should_stop():
                raise Stopped
            if trainer.all_diverged:
                trainer.step = target
                break
            trainer.advance()
            report.tick()
            if every_step is not None:
                every_step()
        yield trainer.checkpoint()
    report.tick(now=True)


def estimated_seconds(experiment: Experiment, dataset: Dataset, device: str = "auto") -> float:
    """How long the training would take here and now, from the time of its first steps.

    A fifth of a second of steps is tried out, at least two. Raises what `train`
    raises for an experiment that cannot be trained.
    """
    trainer = Trainer(experiment, dataset, resolve_device(device))
    with few_threads(trainer):
        trainer.advance()
        started, first = time.monotonic(), trainer.step
        while time.monotonic() - started < 0.2 and trainer.step < trainer.total_steps:
            trainer.advance()
        taken = max(1, trainer.step - first)
        return (time.monotonic() - started) / taken * trainer.total_steps


class _Reporter:
    """Tells the progress at a bounded rate, timing only the steps of this session.

    The first of them is left out: it prepares what the others find there, and may take as
    long as hundreds.
    """

    def __init__(self, trainer: Trainer, progress: Callable[[Progress], None] | None):
        self._trainer, self._progress = trainer, progress
        self._started, self._first_step = None, trainer.step
        self._last = -math.inf

    def tick(self, now: bool = False) -> None:
        clock = time.monotonic()
        if self._started is None:
            self._started, self._first_step = clock, self._trainer.step
        if self._progress is None or (clock - self._last < 0.1 and not now):
            return
        self._last = clock
        trainer = self._trainer
        left = self._seconds_left(clock)
        self._progress(Progress(trainer.step, trainer.total_steps, trainer.epoch, left))

    def _seconds_left(self, clock: float) -> float | None:
        step = self._trainer.step
        rest, taken = self._trainer.total_steps - step, step - self._first_step
        if rest == 0:
            return 0.0
        return rest / taken * (clock - self._started) if taken else None
