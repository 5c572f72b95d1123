"""m, s and ||W|| of every layer through training, by the protocol of one's choice."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from ibcore.experiment import FieldError
from ibcore.gradients import (
    GradientStats,
    across_networks,
    floor_stats,
    minibatch_gradients,
    minibatch_stats,
    signal_and_noise,
)
from ibcore.probes._batches import chunks, cut, gathered, n_multiplications, sound_ensemble
from ibcore.run import Run
from ibcore.tasks import epoch_order

PROTOCOLS = ("epoch", "sampled", "along", "networks")
_DEFINED = ("signal", "noise", "snr", "floor")
_MOST_DRAWN = 20_000_000
"""Samples of one checkpoint; their numbers alone are a hundred megabytes or two."""
_SAMPLED_STREAM = 1
"""Of [seed, epoch], whose own stream orders the epoch."""


@dataclass(frozen=True)
class GradientProbe:
    """Where the gradients of a layer come from.

    - `epoch`: weights fixed at the checkpoint, the minibatches of the epoch that
      follows it, of equal size, the remainder dropped. `batch_size` is the
      training's own unless given: a virtual one.
    - `sampled`: weights fixed, `n_batches` minibatches of `batch_size` drawn from
      the training samples (Orhan 2017: 100 of 500).
    - `along`: the minibatches of the epoch that ended at the checkpoint, each with
      the weights as they were when it was seen (the original code and Saxe et al.
      2018); recorded in training, absent at epoch 0.
    - `networks`: each parallel network's gradient on its own minibatch, at its own
      weights; statistics over networks, so that there is one replicate.

    Layers that pool have no weights and no rows. Units are left out by dropout along an
    epoch only: there the gradients are those of the training.
    Raises FieldError for values that are not allowed.
    """

    family: ClassVar[str] = "gradients"
    protocol: str = "epoch"
    n_batches: int | None = None
    batch_size: int | None = None

    def __post_init__(self):
        if self.protocol not in PROTOCOLS:
            raise FieldError("protocol", self.protocol, "one of " + ", ".join(PROTOCOLS))
        _check_count("n_batches", self.n_batches, 2, self.protocol == "sampled")
        fixed = self.protocol in ("epoch", "sampled")
        _check_count("batch_size", self.batch_size, 1, fixed)
        if self.protocol == "sampled":
            object.__setattr__(self, "n_batches", self.n_batches or 100)
            object.__setattr__(self, "batch_size", self.batch_size or 500)

    def check(self, run: Run) -> None:
        """Refuse a run that cannot answer: FieldError, or ValueError where it kept nothing."""
        parallel = run.experiment.training.batch_mode == "parallel"
        if parallel != (self.protocol == "networks"):
            allowed = "networks: they are parallel" if parallel else "epoch, sampled or along"
            raise FieldError("protocol", self.protocol, allowed)
        if self.protocol == "along" and run.along_mean is None:
            raise ValueError(
                "protocol: this run kept no gradients along its epochs; train it again for them"
            )
        n_train = run.n_samples("train")
        # Every draw of the whole training set is the same minibatch.
        most = n_train - 1 if self.protocol == "sampled" else n_train
        if self.protocol in ("epoch", "sampled") and self.size(run) > most:
            allowed = f"at most {most}: there are {n_train} training samples"
            raise FieldError("batch_size", self.size(run), allowed)
        if self.protocol == "sampled":
            room = _MOST_DRAWN // (run.n_replicates * self.batch_size)
            if self.n_batches > room:
                allowed = f"at most {room:,} of {self.batch_size} for {run.n_replicates} networks"
                raise FieldError("n_batches", self.n_batches, allowed)

    def size(self, run: Run) -> int:
        """B, the samples of one minibatch."""
        return run.minibatch_size if self.batch_size is None else self.batch_size

    def cost(self, run: Run) -> float:
        """Forward and backward through every sample that is looked at."""
        n_train = run.n_samples("train")
        samples = {"epoch": n_train, "networks": n_train, "along": 0}.get(self.protocol)
        if samples is None:
            samples = self.n_batches * self.batch_size
        return 3.0 * n_multiplications(run) * run.n_replicates * samples

    def rows(self, run: Run, k: int) -> pd.DataFrame:
        """Columns epoch, layer, replicate, mean_norm, std_norm, weight_norm, n_batches, batch_size.

        `std_norm` is 0 where there is one minibatch only.
        """
        replicates = np.flatnonzero(run.sound(k))
        if not len(replicates) or (self.protocol == "along" and run.epochs[k] == 0):
            return pd.DataFrame()
        stats, n = self._stats(run, k, replicates)
        n_rows, n_layers = stats.mean_norm.shape
        names = replicates if n_rows == len(replicates) else np.zeros(1, int)
        columns = {
            "epoch": run.epochs[k],
            "layer": np.tile(run.weighted_layers, n_rows),
            "replicate": np.repeat(names, n_layers),
        }
        columns |= {name: values.ravel() for name, values in vars(stats).items()}
        return pd.DataFrame(columns | {"n_batches": n, "batch_size": self.size(run)})

    def _stats(self, run: Run, k: int, replicates: np.ndarray) -> tuple[GradientStats, int]:
        """(R, L) each, and n."""
        if self.protocol == "along":
            return _along(run, k, replicates)
        if self.protocol == "networks":
            return _over_networks(run, k, replicates)
        index = self._minibatches(run, k)[replicates]
        return minibatch_stats(sound_ensemble(run, k), chunks(run, index)), index.shape[1]

    def _minibatches(self, run: Run, k: int) -> np.ndarray:
        """Samples (R, n, B) of the minibatches at checkpoint k."""
        train, seed = run.sample_index("train"), run.experiment.training.seed
        epoch, size = int(run.epochs[k]), self.size(run)
        if self.protocol == "epoch":
            return cut(epoch_order(train, seed, epoch), size)
        rng = np.random.default_rng([seed, epoch, _SAMPLED_STREAM])
        drawn = [_drawn(rng, len(row), self.n_batches, size) for row in train]
        return np.take_along_axis(train[:, None], np.stack(drawn), axis=2)


def _check_count(name: str, value: object, least: int, counts: bool) -> None:
    if value is None:
        return
    if not counts:
        raise FieldError(name, value, "none: the protocol has its own minibatches")
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or not least <= value <= 1_000_000:
        raise FieldError(name, value, f"a whole number from {least} to 1000000")


def _drawn(rng: np.random.Generator, n: int, n_batches: int, size: int) -> np.ndarray:
    """Minibatches (n_batches, size) of 0 .. n-1, each without repetition."""
    return np.stack([rng.choice(n, size, replace=False, shuffle=False) for _ in range(n_batches)])


def _along(run: Run, k: int, replicates: np.ndarray) -> tuple[GradientStats, int]:
    weights = sound_ensemble(run, k).weights
    norms = [w.flatten(1).double().norm(dim=1).numpy() for w in weights]
    mean, std = (v[k, replicates].astype(float) for v in (run.along_mean, run.along_std))
    n_train = run.n_samples("train")
    n = n_train // run.minibatch_size
    return GradientStats(mean, std, np.stack(norms, axis=1)), n


def _over_networks(run: Run, k: int, replicates: np.ndarray) -> tuple[GradientStats, int]:
    """One row: ||W|| is the mean of the networks' own."""
    networks = sound_ensemble(run, k)
    x, y = gathered(run, run.sample_index("train")[replicates][:, None])
    gradients = [g.squeeze(1) for g in minibatch_gradients(networks, x, y)]
    mean, std = across_networks(gradients)
    weights = [w.flatten(1).double().norm(dim=1).mean().item() for w in networks.weights]
    stats = GradientStats(mean[None], std[None], np.array(weights)[None])
    return stats, len(replicates)


def defined(table: pd.DataFrame, definition: str = "layer") -> pd.DataFrame:
    """The rows of a `GradientProbe` by a definition: `signal`, `noise`, `snr`, `floor`.

    Columns epoch, layer, replicate, then those; `snr` = signal/noise, `floor` is
    the signal of pure noise (see `ibcore.gradients.floor_stats`). Undefined values are
    NaN. Raises FieldError for an unknown definition.
    """
    if table.empty:
        return pd.DataFrame(columns=["epoch", "layer", "replicate", *_DEFINED])
    ordered = table.sort_values(["epoch", "replicate", "layer"], ignore_index=True)
    n_layers = ordered["layer"].nunique()

    def by_layer(name: str) -> np.ndarray:
        return ordered[name].to_numpy(float).reshape(-1, n_layers)

    stats = GradientStats(*(by_layer(n) for n in ("mean_norm", "std_norm", "weight_norm")))
    with np.errstate(divide="ignore", invalid="ignore"):
        signal, noise = signal_and_noise(stats, definition)
        floor, _ = signal_and_noise(floor_stats(stats, by_layer("n_batches")), definition)
        snr = np.where((signal > 0) & (noise > 0), signal / noise, np.nan)
    columns = dict(zip(_DEFINED, (signal, noise, snr, floor), strict=True))
    kept = ordered[["epoch", "layer", "replicate"]]
    return kept.assign(**{name: values.ravel() for name, values in columns.items()})
