"""A run seen through an estimator: where every layer lies in the information plane."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ibcore.estimators import ESTIMATORS, Estimator, Information, Quantised
from ibcore.experiment import OUTPUT_GRID, FieldError
from ibcore.run import Run

_BOUNDS = ("i_xt_lower", "i_xt_upper", "i_ty_lower", "i_ty_upper")
_ERRORS = ("i_xt_se", "i_ty_se")


def information_plane(run: Run, estimator: Estimator, *, samples: str = "all") -> pd.DataFrame:
    """I(X;T) and I(T;Y) of every layer, epoch and replicate, in bits.

    Columns: epoch, layer (1..L), replicate, i_xt, i_ty, then h_t, the bounds and the
    standard errors where the estimator has them, and saturated. A replicate that diverged has no
    rows from then on. One checkpoint's activations are in memory at a time.
    Raises FieldError for unknown samples, ValueError naming layer and epoch for
    activations that are not finite.
    """
    value = getattr(estimator, estimator.parameter)
    table = information_curves(run, estimator, [value], samples=samples)
    return table.drop(columns=estimator.parameter)


def information_curves(
    run: Run,
    estimator: Estimator | str,
    values: Sequence[float] | None = None,
    *,
    samples: str = "all",
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """`information_plane` at every value of the estimator's parameter, in one pass.

    `estimator` is an estimator or the name of a family; `values` are those of
    its `parameter` (such as n_bins, width or variance), by default its whole ladder. The
    table has one more column, of that name. `progress` hears (done, all)
    checkpoints.
    """
    estimator = as_estimator(estimator)
    values = estimator.default_ladder if values is None else values
    if not len(values):
        raise FieldError("values", values, "at least one value")
    _check_any_sound(run)
    per_layer = with_measured_limits(run, estimator, samples=samples)
    tables = []
    for k in range(len(run.epochs)):
        tables.append(checkpoint_curves(run, k, per_layer, values, samples=samples))
        if progress is not None:
            progress(k + 1, len(run.epochs))
    return pd.concat([table for table in tables if len(table)], ignore_index=True)


def _check_any_sound(run: Run) -> None:
    if not run.sound(0).any():
        raise ValueError(f"run: every replicate had diverged by epoch {run.epochs[0]}")


def as_estimator(estimator: Estimator | str) -> Estimator:
    """The estimator itself, or the default one of the family with that name."""
    if not isinstance(estimator, str):
        return estimator
    if estimator not in ESTIMATORS:
        raise FieldError("estimator", estimator, "one of " + ", ".join(ESTIMATORS))
    return ESTIMATORS[estimator]()


def with_measured_limits(
    run: Run, estimator: Estimator, *, samples: str = "all"
) -> tuple[Estimator, ...]:
    """One estimator per layer, with limits that depend on the run made numbers.

    Limits "range" become the smallest and largest activation over all layers,
    epochs and sound replicates (Saxe et al. 2018, section 2), "layer" the same
    within each layer. Limits "grid" are the range of the activation, that of the
    run where it has none, and [0, 1] for the output layer. Other estimators serve every
    layer as they are.
    """
    known = with_known_limits(run, estimator)
    return known or with_limits(estimator, activation_range(run, samples=samples))


def with_known_limits(run: Run, estimator: Estimator) -> tuple[Estimator, ...] | None:
    """`with_measured_limits` where nothing is to be measured, else None."""
    if not getattr(estimator, "needs_range", False):
        return (estimator,) * run.n_layers
    limits = run.experiment.network.limits
    if estimator.limits != "grid" or limits is None:
        return None
    return with_limits(estimator, np.array([limits] * run.n_layers))


def with_limits(estimator: Estimator, ranges: np.ndarray) -> tuple[Estimator, ...]:
    """One estimator per layer with its limits taken from `ranges` (L, 2)."""
    if estimator.limits in ("range", "grid"):
        ranges = np.tile([ranges[:, 0].min(), ranges[:, 1].max()], (len(ranges), 1))
    if estimator.limits == "grid":
        ranges[-1] = OUTPUT_GRID
    # A constant layer lies in one bin whatever the limits; they must only rise.
    pairs = [(low, high if high > low else low + 1.0 + abs(low)) for low, high in ranges.tolist()]
    return tuple(replace(estimator, limits=pair) for pair in pairs)


def exactness(run: Run, estimator: Estimator) -> str | None:
    """Whether what `Quantised` counts is the network's own information; None for others.

    `"exact"`: the activations of the run live on a grid that is no finer than the
    estimator's, and rounding to that keeps all of its levels apart. `"rounded"`: it is
    that of a copy of the network whose activations were rounded to be counted.
    """
    if not isinstance(estimator, Quantised):
        return None
    bits = run.experiment.network.bits
    apart = bits is not None and bits <= estimator.bits and estimator.limits == "grid"
    return "exact" if apart else "rounded"


def activation_range(run: Run, *, samples: str = "all") -> np.ndarray:
    """Smallest and largest activation of every layer over the whole run, (L, 2).

    Raises ValueError where every replicate had diverged from the start.
    """
    _check_any_sound(run)
    lows, highs = [], []
    for k in range(len(run.epochs)):
        layers = sound_activations(run, k, samples=samples)
        lows.append([t.min(initial=np.inf) for t in layers])
        highs.append([t.max(initial=-np.inf) for t in layers])
    return np.stack([np.min(lows, axis=0), np.max(highs, axis=0)], axis=1).astype(float)


def outside_limits(run: Run, estimator: Estimator, k: int, *, samples: str = "all") -> np.ndarray:
    """Which part of every layer's activations (L,) lies beyond fixed limits at checkpoint k.

    These share the outer bins, so that a layer that grows seems to lose
    information. Zeros for estimators without fixed limits.
    """
    limits = getattr(estimator, "limits", None)
    if isinstance(limits, str) or limits is None or estimator.parameter != "n_bins":
        return np.zeros(run.n_layers)
    low, high = limits
    layers = sound_activations(run, k, samples=samples)
    parts = [((t < low) | (t > high)).mean() if t.size else 0.0 for t in layers]
    return np.array(parts)


@dataclass(frozen=True, eq=False)
class Observed:
    """What estimators see of one checkpoint: the replicates that had not diverged.

    `replicates` (R,) are their numbers, `layers` their T_1 .. T_L, each (R, N, D);
    `inputs` is X as points, (N, D0) or (R, N, D0); `y` are the labels, with a leading
    replicate axis if `own_labels`. `epoch` names the checkpoint.
    """

    epoch: int
    replicates: np.ndarray
    layers: tuple[np.ndarray, ...]
    inputs: np.ndarray
    y: np.ndarray
    own_labels: bool

    def at(self, rows: np.ndarray) -> "Observed":
        """The same of some of the samples."""
        return replace(
            self,
            layers=tuple(t[:, rows] for t in self.layers),
            inputs=self.inputs[..., rows, :],
            y=self.y[:, rows] if self.own_labels else self.y[rows],
        )

    def ladders(
        self, per_layer: Sequence[Estimator], values: Sequence[float]
    ) -> list[list[Information]]:
        """For every layer the information at every value of its estimator's parameter."""
        if not len(self.replicates):
            return []
        return [
            estimator.ladder(t, self.y, values, **self._points(estimator))
            for estimator, t in zip(per_layer, self.layers, strict=True)
        ]

    def _points(self, estimator: Estimator) -> dict[str, np.ndarray]:
        return {"inputs": self.inputs} if getattr(estimator, "needs_inputs", False) else {}


def observed(run: Run, k: int, *, samples: str = "all") -> Observed:
    """What estimators see of checkpoint k.

    Raises ValueError naming layer and epoch where an activation is not finite.
    """
    sound, own_labels = run.sound(k), samples != "all"
    y, inputs = run.labels(samples), run.inputs(samples)
    return Observed(
        epoch=run.epochs[k],
        replicates=np.flatnonzero(sound),
        layers=tuple(sound_activations(run, k, samples=samples)),
        inputs=inputs if inputs.ndim == 2 else inputs[sound],
        y=y[sound] if own_labels else y,
        own_labels=own_labels,
    )


def sound_activations(run: Run, k: int, *, samples: str = "all") -> list[np.ndarray]:
    """T_1 .. T_L at checkpoint k of the replicates that had not diverged.

    Raises ValueError naming layer and epoch where a value is not finite.
    """
    layers = [t[run.sound(k)] for t in run.activations(k, samples)]
    for layer, t in enumerate(layers, start=1):
        if not np.isfinite(t).all():
            raise ValueError(
                f"activations of layer {layer} at epoch {run.epochs[k]} are not finite"
            )
    return layers


def checkpoint_curves(
    run: Run,
    k: int,
    per_layer: Sequence[Estimator],
    values: Sequence[float],
    *,
    samples: str = "all",
) -> pd.DataFrame:
    """The rows of `information_curves` that belong to checkpoint k."""
    return curve_rows(observed(run, k, samples=samples), per_layer, values)


def curve_rows(
    seen: Observed, per_layer: Sequence[Estimator], values: Sequence[float]
) -> pd.DataFrame:
    """The rows of `information_curves` for what is seen of a checkpoint."""
    tables = []
    for layer, ladder in enumerate(seen.ladders(per_layer, values), start=1):
        rungs = [_columns(information) for information in ladder]
        rows = {
            "epoch": seen.epoch,
            "layer": layer,
            "replicate": np.tile(seen.replicates, len(rungs)),
            per_layer[layer - 1].parameter: np.repeat(values, len(seen.replicates)),
        }
        rows |= {name: np.concatenate([rung[name] for rung in rungs]) for name in rungs[0]}
        tables.append(pd.DataFrame(rows))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def _columns(information: Information) -> dict[str, np.ndarray]:
    names = ("i_xt", "i_ty", "h_t", *_BOUNDS, *_ERRORS, "saturated")
    found = {name: getattr(information, name) for name in names}
    return {name: value for name, value in found.items() if value is not None}
