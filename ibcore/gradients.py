"""Gradients of minibatches: how much of them is signal, how much is noise.

With the gradients g_1 .. g_n of n minibatches with respect to the weights of one
layer, m = ||mean_b g_b|| is the norm of their mean and s = ||std_b g_b|| that of their
elementwise standard deviation (divisor n), so that s^2 is the trace of their
covariance. Drift is where m exceeds s, diffusion where s exceeds m (Shwartz-Ziv &
Tishby 2017, section 3.3). The published curves follow from m, s and the norm of the
weights, put together differently; see `DEFINITIONS`.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ibcore.experiment import FieldError
from ibcore.networks import Ensemble, example_losses, logits
from ibcore.reprs import brief


@dataclass(frozen=True, eq=False)
class GradientStats:
    """m, s and ||W||; one number for each layer and replicate, say."""

    mean_norm: np.ndarray
    std_norm: np.ndarray
    weight_norm: np.ndarray

    __repr__ = brief


def gradient_stats(g: np.ndarray, w: np.ndarray) -> GradientStats:
    """m, s and ||W|| of one layer from its gradients, one row per minibatch.

    m = ||mean_b g_b||_2, s = ||std_b g_b||_2 with divisor n. `g` is (n, P) or
    (R, n, P), `w` (P,) or (R, P); the results are numbers or (R,). Raises FieldError
    where the shapes do not fit.
    """
    g, w = np.asarray(g, float), np.asarray(w, float)
    if g.ndim not in (2, 3) or g.shape[-2] < 1:
        raise FieldError("g", g.shape, "gradients of shape (n, P) or (R, n, P), n at least 1")
    if w.shape != (*g.shape[:-2], g.shape[-1]):
        raise FieldError("w", w.shape, f"weights of shape {(*g.shape[:-2], g.shape[-1])}")
    mean, std = g.mean(axis=-2), g.std(axis=-2)
    return GradientStats(*(np.linalg.norm(v, axis=-1) for v in (mean, std, w)))


Levels = tuple[np.ndarray, np.ndarray]


def per_layer(m: np.ndarray, s: np.ndarray, w: np.ndarray) -> Levels:
    """m and s, each layer by itself."""
    return m, s


def as_captioned(m: np.ndarray, s: np.ndarray, w: np.ndarray) -> Levels:
    """m/||W|| and s/||W||: the caption of the original figure."""
    return m / w, s / w


def as_coded(m: np.ndarray, s: np.ndarray, w: np.ndarray) -> Levels:
    """M_l = sum_{k<=l} m_k and sqrt(sum_{k<=l} s_k): what the original code draws.

    The root is one too many, so the two sides of the comparison do not even scale
    alike (noticed by Schumacher 2018).
    """
    return np.cumsum(m, axis=-1), np.sqrt(np.cumsum(s, axis=-1))


DEFINITIONS: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], Levels]] = {
    "layer": per_layer,
    "caption": as_captioned,
    "cumulative": as_coded,
}
"""Signal and noise from m, s and ||W||, arrays with the layers 1 .. L on the last axis."""


def signal_and_noise(stats: GradientStats, definition: str = "layer") -> Levels:
    """The two curves that are compared, by one of `DEFINITIONS`.

    Their quotient is the SNR; some use its square, mean^2/variance. Raises
    FieldError for an unknown definition.
    """
    if definition not in DEFINITIONS:
        raise FieldError("definition", definition, "one of " + ", ".join(DEFINITIONS))
    return DEFINITIONS[definition](stats.mean_norm, stats.std_norm, stats.weight_norm)


def floor_stats(stats: GradientStats, n_batches: np.ndarray | int) -> GradientStats:
    """What n minibatches of pure noise as strong as this one would give on average.

    The mean of n independent gradients without any signal still has
    E m^2 = tr Cov / n, and E s^2 = (n - 1)/n tr Cov, so that m is about
    s/sqrt(n - 1). NaN for a single minibatch.
    """
    n = np.asarray(n_batches, float)
    root = np.sqrt(np.where(n > 1, n - 1, np.nan))
    return GradientStats(stats.std_norm / root, stats.std_norm, stats.weight_norm)


def noise_floor(n_batches: int) -> float:
    """m/s of pure noise, about 1/sqrt(n - 1); NaN for a single minibatch."""
    return 1 / math.sqrt(n_batches - 1) if n_batches > 1 else math.nan


def noise_scale(
    stats: GradientStats, n_batches: int, batch_size: int, drawn_from: int | None = None
) -> np.ndarray:
    """B_simple = B tr Cov / |G|^2, in samples: where noise and signal would be level.

    Unlike the SNR it does not depend on the size B of the minibatches. Those that
    together are the training set have |G| = m and tr Cov = s^2 n/(n - 1). Those that
    are each drawn from `drawn_from` samples without repetition vary by a factor of
    1 - B/drawn_from less than B samples of a large population, and their mean still
    has noise: |G|^2 = m^2 - tr Cov/n. (McCandlish et al. 2018, An Empirical Model of
    Large-Batch Training, section 2.2 and appendix A.) NaN for one minibatch, infinite
    where no signal is left.
    """
    if n_batches < 2:
        return np.full(np.shape(stats.mean_norm), np.nan)
    trace, signal = stats.std_norm**2 * (n_batches / (n_batches - 1)), stats.mean_norm**2
    if drawn_from is not None:
        signal = np.maximum(signal - trace / n_batches, 0)
        trace = trace / (1 - batch_size / drawn_from)
    with np.errstate(divide="ignore", invalid="ignore"):
        return batch_size * trace / signal


def minibatch_gradients(ensemble: Ensemble, x: Tensor, y: Tensor) -> list[Tensor]:
    """The gradient of the mean loss of every minibatch in the weights of every layer.

    x is (R, n, D_0, B) and y (R, n, B); the result has one (R, n, D_out, D_in) per
    layer. All R n pairs of a network and a minibatch go as one ensemble.
    """
    return parameter_gradients(ensemble, x, y)[: len(ensemble.weights)]


def parameter_gradients(ensemble: Ensemble, x: Tensor, y: Tensor) -> list[Tensor]:
    """`minibatch_gradients` of all weights, then of all biases."""
    n, batch = x.shape[1], x.shape[3]
    copies = ensemble.map(lambda p: p.detach().repeat_interleave(n, 0).requires_grad_())
    losses = example_losses(logits(copies, x.flatten(0, 1)), y.flatten(0, 1), ensemble.output)
    gradients = torch.autograd.grad(losses.sum() / batch, copies.parameters)
    return [g.unflatten(0, x.shape[:2]) for g in gradients]


def minibatch_stats(ensemble: Ensemble, chunks: Iterable[tuple[Tensor, Tensor]]) -> GradientStats:
    """m, s and ||W|| of every replicate and layer, (R, L), the weights held fixed.

    `chunks` are groups of minibatches as `minibatch_gradients` takes them; one
    group's gradients are in memory at a time.
    """
    total: list[_Moments] = []
    for x, y in chunks:
        new = [_moments(g) for g in minibatch_gradients(ensemble, x, y)]
        total = [a.merged(b) for a, b in zip(total, new, strict=True)] if total else new
    means, stds = (
        [_norms(v) for v in pair] for pair in zip(*(t.levels for t in total), strict=True)
    )
    weights = [_norms(w.detach()) for w in ensemble.weights]
    return GradientStats(*(np.stack(v, axis=1) for v in (means, stds, weights)))


def across_networks(gradients: list[Tensor]) -> tuple[np.ndarray, np.ndarray]:
    """m and s, (L,) each, of one gradient per network, (R, D_out, D_in) per layer."""
    moments = [_moments(g.unsqueeze(0)) for g in gradients]
    means, stds = zip(*(m.levels for m in moments), strict=True)
    return np.concatenate([_norms(m) for m in means]), np.concatenate([_norms(s) for s in stds])


@dataclass(frozen=True, eq=False)
class _Moments:
    """Count, mean and sum of squared deviations, (R, D_out, D_in), in double precision."""

    n: int
    mean: Tensor
    squares: Tensor

    def merged(self, other: "_Moments") -> "_Moments":
        """Of both groups together (Chan, Golub & LeVeque 1983)."""
        n, step = self.n + other.n, other.mean - self.mean
        squares = self.squares + other.squares + step**2 * (self.n * other.n / n)
        return _Moments(n, self.mean + step * (other.n / n), squares)

    @property
    def levels(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation."""
        return self.mean, (self.squares / self.n).sqrt()


def _moments(g: Tensor) -> _Moments:
    g = g.detach().cpu().double()
    mean = g.mean(dim=1)
    return _Moments(g.shape[1], mean, (g - mean.unsqueeze(1)).square().sum(dim=1))


def _norms(values: Tensor) -> np.ndarray:
    return values.detach().flatten(1).double().norm(dim=1).cpu().numpy()


class Along:
    """The gradients met along an epoch, while the weights move, as sums.

    Deviations from the first gradient are summed, so that the standard deviation
    does not drown in rounding where the mean is much larger.
    """

    def __init__(self):
        self._n = 0
        self._sums: list[list[Tensor]] = []

    def add(self, gradients: list[Tensor]) -> None:
        """Take in, and use up, the gradients of one step, (R, D_out, D_in) per layer."""
        self._n += 1
        if self._n == 1:
            self._sums = [[g.detach().clone(), g * 0, g * 0] for g in gradients]
            return
        for (first, sums, squares), g in zip(self._sums, gradients, strict=True):
            # In place: memory for wide layers takes longer to get than to fill.
            step = g.sub_(first)
            sums.add_(step)
            squares.addcmul_(step, step)

    def norms(self) -> tuple[np.ndarray, np.ndarray] | None:
        """m and s, (R, L) each; None before the first gradient."""
        if not self._n:
            return None
        means, stds = zip(*(self._levels(*sums) for sums in self._sums), strict=True)
        return tuple(np.stack([_norms(v) for v in values], axis=1) for values in (means, stds))

    def _levels(self, first: Tensor, sums: Tensor, squares: Tensor) -> tuple[Tensor, Tensor]:
        shift = sums / self._n
        return first + shift, (squares / self._n - shift**2).clamp(min=0).sqrt()

    def state(self) -> dict:
        """All that `restored` needs."""
        return {"n": self._n, "sums": [[t.cpu().clone() for t in sums] for sums in self._sums]}

    @classmethod
    def restored(cls, state: dict | None, device: torch.device) -> "Along":
        """The sums where `state` was taken, on that device; empty for None."""
        along = cls()
        if state is not None:
            along._n = state["n"]
            along._sums = [[t.to(device) for t in sums] for sums in state["sums"]]
        return along
