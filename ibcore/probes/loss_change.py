"""How much a gradient step changes the loss, measured and predicted."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ibcore.experiment import FieldError
from ibcore.gradients import parameter_gradients
from ibcore.networks import Ensemble, example_losses, logits
from ibcore.probes._batches import cut, gathered, n_weights
from ibcore.run import Run
from ibcore.tasks import epoch_order

_MAX_MINIBATCHES = 16
_BLOCK_BYTES = 128_000_000
_GROUP_BYTES = 256_000_000
_EPS = np.finfo(float).eps


@dataclass(frozen=True)
class LossChangeProbe:
    """The change of the loss by one plain gradient step, measured and predicted.

    With g_b the gradient of minibatch b over all parameters and mu = E_b g_b, a step
    of -a g_b changes the loss on average by
    -a ||mu||^2 + a^2/2 (mu' H mu + tr H Cov) + ..., of which the first term is the
    prediction. Kinds: `virtual` at `virtual_rate`, `real` at the training's own rate,
    both as plain gradient steps, whatever the optimiser. Where training has found
    sharp places (large H) and little mean gradient, only a very small rate is
    predicted well: hence the default. L is the mean loss over the same minibatches,
    at most 16 of the epoch that follows the checkpoint, so that mu is exactly its
    gradient. In double precision; where the predicted change is smaller than that
    resolves, as in a network that fits perfectly, the measured one is NaN. The loss of a
    quantised network changes in jumps, and g_b, which goes straight through the
    rounding, is not its derivative: there the prediction need not hold. Raises
    FieldError for a rate that is not a positive number. For networks of dense layers.
    """

    family: ClassVar[str] = "loss_change"
    virtual_rate: float = 1e-7

    def __post_init__(self):
        rate = self.virtual_rate
        real = isinstance(rate, int | float) and not isinstance(rate, bool)
        if not real or not 0 < rate <= 1000:
            raise FieldError("virtual_rate", rate, "a number above 0 and at most 1000")
        object.__setattr__(self, "virtual_rate", float(rate))

    def check(self, run: Run) -> None:
        """Refuse convolutions, of which all minibatches at once would not fit into memory."""
        if run.experiment.network.filters:
            raise ValueError("loss change: it is for networks of dense layers only")

    def cost(self, run: Run) -> float:
        """The loss of all minibatches after a step along each, at two rates, in double."""
        size = run.minibatch_size
        n = self._n_batches(run)
        return 4.0 * n_weights(run) * run.n_replicates * n * n * size

    def rows(self, run: Run, k: int) -> pd.DataFrame:
        """Columns epoch, replicate, kind, rate, measured and predicted change in nats."""
        replicates = np.flatnonzero(run.sound(k))
        if not len(replicates):
            return pd.DataFrame()
        rates = {"virtual": self.virtual_rate, "real": run.experiment.training.learning_rate}
        size = max(1, int(_GROUP_BYTES // (16 * n_weights(run) * self._n_batches(run))))
        groups = [replicates[i : i + size] for i in range(0, len(replicates), size)]
        return pd.concat([_changes(run, k, group, rates) for group in groups], ignore_index=True)

    def _n_batches(self, run: Run) -> int:
        n_train = run.n_samples("train")
        return min(_MAX_MINIBATCHES, n_train // run.minibatch_size)


def _changes(run: Run, k: int, replicates: np.ndarray, rates: dict[str, float]) -> pd.DataFrame:
    """The rows of some replicates, whose gradients are in memory together."""
    group = torch.from_numpy(replicates)
    networks = run.ensemble(k).map(lambda parameter: parameter[group].double())
    x, y = _samples(run, k, replicates)
    gradients = parameter_gradients(networks, x, y)
    before = _losses(networks, x, y).numpy()
    squared = sum(g.mean(dim=1).square().flatten(1).sum(dim=1) for g in gradients).numpy()
    tables = []
    for kind, rate in rates.items():
        columns = {"epoch": run.epochs[k], "replicate": replicates, "kind": kind, "rate": rate}
        predicted = -rate * squared
        measured = _after(networks, gradients, rate, x, y) - before
        measured = np.where(-predicted > _resolution(before), measured, np.nan)
        tables.append(pd.DataFrame(columns | {"measured": measured, "predicted": predicted}))
    return pd.concat(tables, ignore_index=True)


def _resolution(loss: np.ndarray) -> np.ndarray:
    """Changes of a mean loss below this are rounding: of the sum, and of each logarithm."""
    return _EPS * (16 * loss + 1 / 16)


def _samples(run: Run, k: int, replicates: np.ndarray) -> tuple[Tensor, Tensor]:
    train, seed = run.sample_index("train"), run.experiment.training.seed
    order = epoch_order(train, seed, int(run.epochs[k]))[replicates]
    x, y = gathered(run, cut(order, run.minibatch_size)[:, :_MAX_MINIBATCHES])
    return x.double(), y


def _after(
    networks: Ensemble, gradients: list[Tensor], rate: float, x: Tensor, y: Tensor
) -> np.ndarray:
    """The mean over minibatches b of the loss (R,) after a step along g_b."""
    n_layers, total = len(networks.weights), 0.0
    for b in range(x.shape[1]):
        moved = [p - rate * g[:, b] for p, g in zip(networks.parameters, gradients, strict=True)]
        stepped = replace(networks, weights=tuple(moved[:n_layers]), biases=tuple(moved[n_layers:]))
        total = total + _losses(stepped, x, y)
    return (total / x.shape[1]).numpy()


@torch.no_grad()
def _losses(networks: Ensemble, x: Tensor, y: Tensor) -> Tensor:
    """The mean loss of every network (R,) over all its minibatches x (R, n, D, B)."""
    samples, labels = x.transpose(1, 2).flatten(2), y.flatten(1)
    widest = max(w.shape[1] for w in networks.weights)
    block = max(1, _BLOCK_BYTES // (8 * widest * len(x)))
    parts = zip(samples.split(block, dim=2), labels.split(block, dim=1), strict=True)
    sums = [example_losses(logits(networks, s), t, networks.output).sum(dim=1) for s, t in parts]
    return torch.stack(sums).sum(dim=0) / labels.shape[1]
