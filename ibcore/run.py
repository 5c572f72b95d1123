"""A run: what was done, and the weights and losses at every recorded epoch.

A run keeps weights, not activations; these are recomputed one checkpoint at a
time by a forward pass.
"""

import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import islice, repeat
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
import torch

from ibcore.archive import release
from ibcore.experiment import Experiment, FieldError
from ibcore.journal import Journal
from ibcore.networks import (
    Ensemble,
    Shape,
    assembled,
    forward,
    layer_shapes,
    layers,
    units,
    weight_shapes,
)
from ibcore.reprs import brief
from ibcore.run_file import ALONG, MEASURES, read_run, sound_at, weighted_layers, write_run
from ibcore.tasks import Dataset, load, replicate_splits, stratified
from ibcore.training import (
    Checkpoint,
    Progress,
    Stopped,
    Trainer,
    few_threads,
    minibatch_size,
    resolve_device,
    stream,
)

SAMPLES = ("all", "train", "test")
_BLOCK_BYTES = 32_000_000
_SUBSET_SEED = 0


def run_key(experiment: Experiment, fingerprint: str) -> str:
    """The experiment's key; where the data come from a file, their fingerprint too."""
    return experiment.key + (f"-{fingerprint}" if experiment.task.path is not None else "")


@dataclass(frozen=True, eq=False)
class Piece:
    """T (R, N, D) of one layer, 1 .. L, for some of the replicates that had not diverged.

    `members` (R,) are their places among these.
    """

    layer: int
    members: np.ndarray
    t: np.ndarray

    __repr__ = brief


@dataclass(frozen=True, eq=False)
class Run:
    """An experiment and its K checkpoints.

    `epochs` is (K,); `weights[l]` is (K, R, D_out, D_in), of a convolution
    (K, R, C_out, C_in, k, k), and `biases[l]` (K, R, D_out), for every layer that has
    some (`weighted_layers`); losses (nats) and accuracies are (K, R), those of the test set
    None where there is none. `diverged` (R,) is the epoch by which a replicate's
    numbers were no longer finite, -1 for those that stayed sound. `fingerprint`
    identifies the data. `along_mean` and `along_std`, (K, R) and the weighted layers, are
    the gradients met along the epochs that end in a checkpoint (see `Checkpoint`), None in
    runs that did not record them. A run with fewer checkpoints than its experiment records
    is partial (`complete` is False).
    """

    experiment: Experiment
    fingerprint: str
    epochs: np.ndarray
    weights: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray, ...]
    train_loss: np.ndarray
    train_accuracy: np.ndarray
    test_loss: np.ndarray | None
    test_accuracy: np.ndarray | None
    diverged: np.ndarray
    along_mean: np.ndarray | None = None
    along_std: np.ndarray | None = None

    def __repr__(self) -> str:
        """What was trained on what, how far it is, and how well it ended: three lines."""
        network, sound = self.experiment.network, self.sound(-1)
        on = f"Run: {self.experiment.task.name}, {network.layers} {network.activation}"
        last = f"epoch {self.epochs[-1]:,} of {self.experiment.training.epochs:,}"
        state = "complete" if self.complete else "partial"
        far = f"{len(self.epochs)} checkpoints to {last}, {state}; replicates: {self.n_replicates}"
        lost = "" if sound.all() else f", diverged: {np.count_nonzero(~sound)}"
        return "\n".join([on, far + lost, *self._accuracies(sound)])

    def _accuracies(self, sound: np.ndarray) -> list[str]:
        kinds = {"training": self.train_accuracy, "test": self.test_accuracy}
        means = [
            f"{a[-1][sound].mean():.3f} ({kind})"
            for kind, a in kinds.items()
            if a is not None and sound.any()
        ]
        return [f"accuracy at the end {', '.join(means)}"] if means else []

    @classmethod
    def from_checkpoints(
        cls,
        experiment: Experiment,
        fingerprint: str,
        checkpoints: Sequence[Checkpoint],
        *,
        before: "Run | None" = None,
    ) -> "Run":
        """The run of these checkpoints, following those of `before`.

        Raises ValueError where there is no checkpoint, or where their epochs are
        not the first ones of those that the experiment records.
        """
        if not checkpoints:
            raise ValueError("a run needs at least one checkpoint")

        def joined(earlier, values: Sequence[np.ndarray]) -> np.ndarray:
            stacked = np.stack(values)
            return stacked if before is None else np.concatenate([earlier, stacked])

        def measure(name: str) -> np.ndarray | None:
            values = [getattr(c, name) for c in checkpoints]
            earlier = getattr(before, name, None)
            if any(v is None for v in values) or (before is not None and earlier is None):
                return None
            return joined(earlier, values)

        def layers(name: str) -> tuple[np.ndarray, ...]:
            per_layer = zip(*(getattr(c, name) for c in checkpoints), strict=True)
            earlier = repeat(None) if before is None else getattr(before, name)
            return tuple(joined(*pair) for pair in zip(earlier, per_layer, strict=False))

        epochs = joined(getattr(before, "epochs", None), [np.array(c.epoch) for c in checkpoints])
        if tuple(epochs) != experiment.epochs[: len(epochs)]:
            raise ValueError(
                f"checkpoints: their epochs {epochs.tolist()} are not the first that the"
                " experiment records"
            )
        return cls(
            experiment,
            fingerprint,
            epochs,
            layers("weights"),
            layers("biases"),
            *(measure(name) for name in MEASURES),
            checkpoints[-1].diverged,
            *(measure(name) for name in ALONG),
        )

    @property
    def key(self) -> str:
        """See `run_key`."""
        return run_key(self.experiment, self.fingerprint)

    @property
    def complete(self) -> bool:
        """Whether every epoch that the experiment records is there."""
        return len(self.epochs) == len(self.experiment.epochs)

    @property
    def n_layers(self) -> int:
        """L, the output layer included."""
        return len(self.experiment.network.hidden) + 1

    @property
    def weighted_layers(self) -> tuple[int, ...]:
        """The numbers, from 1, of the layers that have weights: of all but those that pool."""
        return weighted_layers(self.experiment)

    @property
    def n_replicates(self) -> int:
        """R."""
        return self.weights[0].shape[1]

    @cached_property
    def dataset(self) -> Dataset:
        """The data, loaded when first asked for.

        Raises ValueError where they are no longer those the run was trained on, or
        do not fit its weights.
        """
        return self._checked(load(self.experiment.task))

    def on(self, dataset: Dataset) -> "Run":
        """The same run with its data at hand, which are loaded otherwise.

        Raises ValueError as `dataset` does.
        """
        run = replace(self)
        run.__dict__["dataset"] = run._checked(dataset)
        return run

    def _checked(self, dataset: Dataset) -> Dataset:
        name = self.experiment.task.name
        if dataset.fingerprint != self.fingerprint:
            raise ValueError(f"task: the data of {name} have changed since this run")
        try:
            wanted = weight_shapes(self.experiment.network, self._shapes_on(dataset))
        except FieldError:
            wanted = ()
        if tuple(w.shape[2:] for w in self.weights) != wanted:
            raise ValueError(f"run: its weights do not fit the data of task {name}")
        return dataset

    def _shapes_on(self, dataset: Dataset) -> tuple[Shape, ...]:
        return layer_shapes(self.experiment.network, dataset.x.shape[1:], dataset.n_classes)

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        """Those of X and of the layers: D units, or an image (C, H, W)."""
        return self._shapes_on(self.dataset)

    @cached_property
    def _splits(self) -> tuple[np.ndarray, np.ndarray]:
        return replicate_splits(self.dataset, self.experiment.task, self.experiment.training)

    def __getstate__(self) -> dict:
        return self._fields()

    def _fields(self) -> dict:
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @property
    def minibatch_size(self) -> int:
        """Examples in one step of a replicate."""
        return minibatch_size(self.experiment.training, self.n_samples("train"))

    @cached_property
    def checkpoint_keys(self) -> tuple[str, ...]:
        """A name for every checkpoint that follows from its content alone.

        A run that was continued, saved or copied has the same names.
        """
        network = self.experiment.network
        head = f"{self.fingerprint} {network.activation} {network.output}"
        if network.bits is not None:
            head += f" {network.bits} bits"
        if network.filters:
            # Pooling leaves no trace in the weights.
            head += f" {network.layers}"
        return tuple(self._checkpoint_key(k, head) for k in range(len(self.epochs)))

    def _checkpoint_key(self, k: int, head: str) -> str:
        digest = hashlib.sha256(f"{head} {self.epochs[k]} {self.sound(k).tolist()}".encode())
        for parameters in (*self.weights, *self.biases):
            digest.update(np.ascontiguousarray(parameters[k]))
            release(parameters)
        return digest.hexdigest()[:32]

    @cached_property
    def content_key(self) -> str:
        """A name for all of the run that follows from its content and its experiment."""
        along = (self.along_key(k) for k in range(len(self.epochs)))
        parts = "\n".join([self.experiment.key, *self.checkpoint_keys, *along])
        return hashlib.sha256(parts.encode()).hexdigest()[:32]

    def along_key(self, k: int) -> str:
        """A name for the gradients met along the epoch that ended at checkpoint k."""
        if self.along_mean is None:
            return "none"
        content = self.along_mean[k].tobytes() + self.along_std[k].tobytes()
        return hashlib.sha256(content).hexdigest()[:32]

    def sound(self, k: int) -> np.ndarray:
        """Which replicates (R,) had not diverged at checkpoint k."""
        return sound_at(self.epochs[k], self.diverged)

    def ensemble(self, k: int) -> Ensemble:
        """The networks at checkpoint k."""
        network = self.experiment.network
        # Copies: weights mapped from a file are read-only.
        weights = [torch.tensor(w[k]) for w in self.weights]
        biases = [torch.tensor(b[k]).unsqueeze(-1) for b in self.biases]
        return assembled(network, weights, biases, self.shapes[0] if network.filters else 0)

    @torch.no_grad()
    def activations(
        self, k: int, samples: str = "all", subset: int | None = None
    ) -> list[np.ndarray]:
        """T_1 .. T_L at checkpoint k, each (R, N, D_l) float32, in memory together.

        `samples` is all, train or test; with a split per replicate every row
        of the result has its own. `subset` is as in `sample_index`. Raises FieldError for
        other samples, or for the test set where there is none.
        """
        inputs = torch.tensor(self.inputs(samples, subset).swapaxes(-1, -2))
        return [_samples_first(t) for t in forward(self.ensemble(k), inputs)]

    def pieces(self, k: int, samples: str = "all", subset: int | None = None) -> Iterator[Piece]:
        """`activations` of the replicates that had not diverged, a layer at a time.

        With convolutions, one layer of one replicate at a time.
        """
        sound = np.flatnonzero(self.sound(k))
        inputs, ensemble = self.inputs(samples, subset), self.ensemble(k)
        if ensemble.filters:
            yield from _large_pieces(ensemble, inputs, sound)
            return
        whole = layers(ensemble, torch.tensor(inputs.swapaxes(-1, -2)))
        for number, t in enumerate(whole, start=1):
            yield Piece(number, np.arange(len(sound)), _samples_first(t)[sound])

    @torch.no_grad()
    def activations_of(self, k: int, row: int, replicate: int = 0) -> list[np.ndarray]:
        """T_0 = X, T_1 .. T_L of one network at checkpoint k for one row of the data.

        Each in the shape of its layer, (D,) or (C, H, W). Raises FieldError for a row or a
        replicate that is not there, ValueError naming layer and epoch for activations
        that are not finite.
        """
        _check_index("row", row, len(self.dataset.x))
        _check_index("replicate", replicate, self.n_replicates)
        x = self.dataset.x[row].reshape(-1)
        alone = self.ensemble(k).map(lambda p: p[replicate : replicate + 1])
        seen = [x, *(t[0, :, 0].numpy() for t in layers(alone, torch.tensor(x)[:, None]))]
        for layer, t in enumerate(seen):
            if not np.isfinite(t).all():
                raise not_finite(layer, self.epochs[k])
        return [t.reshape(shape) for t, shape in zip(seen, self.shapes, strict=True)]

    def inputs(self, samples: str = "all", subset: int | None = None) -> np.ndarray:
        """X, flattened, for the samples of `activations`.

        (N, D0), or (R, n, D0) where replicates have their own samples.
        """
        index = self.sample_index(samples, subset)
        x = self.dataset.x.reshape(len(self.dataset.x), -1)
        if index is None:
            return x
        shared = index.ndim == 2 and self.experiment.training.shares_samples
        return x[index[0]] if shared else x[index]

    def sample_index(self, samples: str, subset: int | None = None) -> np.ndarray | None:
        """The rows of the data that `samples` names, (R, n), or (n,) or None for all of them.

        Of these a random `subset` in which the classes have their shares, always the
        same one (see `ibcore.tasks.stratified`); all of them where there are no more.
        """
        if samples not in SAMPLES:
            raise FieldError("samples", samples, "one of " + ", ".join(SAMPLES))
        if samples == "all":
            return None if subset is None else _subset_of(self.dataset.y, subset)
        index = self._splits[SAMPLES.index(samples) - 1]
        if index.shape[1] == 0:
            raise FieldError("samples", samples, "all or train: the run has no test set")
        if subset is None:
            return index
        return np.stack([row[_subset_of(self.dataset.y[row], subset)] for row in index])

    def n_samples(self, samples: str = "all", subset: int | None = None) -> int:
        """How many rows of the data these are, for each replicate."""
        index = self.sample_index(samples, subset)
        return len(self.dataset.y) if index is None else index.shape[-1]

    def n_activations(self, samples: str = "all", subset: int | None = None) -> int:
        """How many numbers the activations of one checkpoint are, of all layers and replicates."""
        widths = map(units, self.shapes[1:])
        return self.n_replicates * self.n_samples(samples, subset) * sum(widths)

    def labels(self, samples: str = "all", subset: int | None = None) -> np.ndarray:
        """Y, or p(y|x) where it is known, for the samples of `activations`.

        (N,) or (N, C) for all samples; with a leading replicate axis otherwise.
        """
        soft = self.dataset.p_y_given_x
        y = self.dataset.y if soft is None else soft
        index = self.sample_index(samples, subset)
        return y if index is None else y[index]

    def history(self) -> pd.DataFrame:
        """Losses (nats) and accuracies, one row per epoch and replicate still sound."""
        rows = np.stack([self.sound(k) for k in range(len(self.epochs))])
        k, replicate = np.nonzero(rows)
        columns = {"epoch": self.epochs[k], "replicate": replicate}
        for name in MEASURES:
            values = getattr(self, name)
            if values is not None:
                columns[name] = values[k, replicate].astype(float)
        return pd.DataFrame(columns)

    def save(self, file: str | Path | BinaryIO) -> None:
        """Write the run as uncompressed .npz: arrays, and JSON for the rest; no pickle."""
        write_run(file, self._fields())

    def to_bytes(self) -> bytes:
        """The content of the file that `save` writes."""
        buffer = io.BytesIO()
        self.save(buffer)
        return buffer.getvalue()

    @classmethod
    def load(cls, file: str | Path | BinaryIO, *, mapped: bool = False) -> "Run":
        """Read what `save` wrote.

        `mapped`: leave the arrays of an uncompressed file on the disk until they are used;
        only for a path where nobody changes the file meanwhile.

        Raises ValueError, in one line, for a file that is no run, is damaged,
        holds pickled objects, or does not fit its own experiment.
        """
        return cls(**read_run(file, mapped=mapped))


def not_finite(layer: int, epoch: int) -> ValueError:
    """What is to be said of activations that are no numbers."""
    return ValueError(f"activations of layer {layer} at epoch {epoch} are not finite")


def _check_index(name: str, value: object, count: int) -> None:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or not 0 <= value < count:
        raise FieldError(name, value, f"a whole number from 0 to {count - 1}")


def _samples_first(t: torch.Tensor) -> np.ndarray:
    return t.transpose(1, 2).contiguous().numpy()


def _large_pieces(ensemble: Ensemble, inputs: np.ndarray, sound: np.ndarray) -> Iterator[Piece]:
    """Each from the inputs anew: another forward pass is cheap, the layer below is large."""
    for number in range(1, len(ensemble.widths) + 1):
        for member, replicate in enumerate(sound):
            alone = ensemble.map(lambda p, r=replicate: p[r : r + 1])
            x = inputs if inputs.ndim == 2 else inputs[replicate]
            yield Piece(number, np.array([member]), _one_layer(alone, number, x)[None])


def _one_layer(ensemble: Ensemble, number: int, x: np.ndarray) -> np.ndarray:
    """T (N, D) of one layer of one network, from x (N, D_0), by blocks of samples."""
    block = max(1, _BLOCK_BYTES // (4 * max(ensemble.widths)))
    t = np.empty((len(x), ensemble.widths[number - 1]), np.float32)
    for start in range(0, len(x), block):
        below = torch.tensor(x[start : start + block].T)
        t[start : start + block] = next(islice(layers(ensemble, below), number - 1, None))[0].T
    return t


def _subset_of(y: np.ndarray, subset: object) -> np.ndarray:
    check_subset(subset)
    return stratified(y, subset, _SUBSET_SEED)


def check_subset(subset: object, otherwise: str = "none") -> None:
    """Raises FieldError for what is no number of samples; `otherwise` is allowed too."""
    whole = isinstance(subset, int) and not isinstance(subset, bool)
    if not whole or subset < 2:
        raise FieldError("subset", subset, f"a whole number of samples from 2, or {otherwise}")


def train(
    experiment: Experiment,
    *,
    dataset: Dataset | None = None,
    progress: Callable[[Progress], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    device: str = "auto",
    journal: Journal | None = None,
) -> Run:
    """Train the experiment's ensemble and return its run.

    `progress` is told where training stands. Once `should_stop()` is true the
    run comes back partial; with a `journal` the next call goes on from there
    and ends with the same run, bit for bit on as many threads of the CPU. Raises FieldError where
    the network does not fit the task, ValueError for data or devices that are
    not there.
    """
    dataset = load(experiment.task) if dataset is None else dataset
    trainer = Trainer(experiment, dataset, resolve_device(device))
    kept = _resumed(trainer, journal)
    with few_threads(trainer):
        try:
            for checkpoint in stream(
                trainer,
                progress=progress,
                should_stop=should_stop,
                every_step=journal and (lambda: journal.save_state(trainer, now=False)),
            ):
                kept[checkpoint.epoch] = checkpoint
                if journal is not None:
                    journal.add(checkpoint)
        except Stopped:
            if journal is not None:
                journal.save_state(trainer, now=True)
    checkpoints = [kept[epoch] for epoch in sorted(kept)]
    return Run.from_checkpoints(experiment, dataset.fingerprint, checkpoints).on(dataset)


def _resumed(trainer: Trainer, journal: Journal | None) -> dict[int, Checkpoint]:
    """The checkpoints that need not be made again, by epoch; `trainer` is put after them."""
    state, checkpoints = journal.resume(trainer.experiment) if journal is not None else (None, [])
    if state is None:
        return {}
    step, per_epoch = state["step"], trainer.steps_per_epoch
    # An epoch that ends on this very step comes once more, one that ended before does not.
    needed = [epoch for epoch in trainer.experiment.epochs if epoch * per_epoch < step]
    kept = {c.epoch: c for c in checkpoints if c.epoch * per_epoch <= step}
    if not all(epoch in kept for epoch in needed):
        return {}
    trainer.restore(state)
    return kept
