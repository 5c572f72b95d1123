"""A run seen through an estimator: where every layer lies in the information plane.

One layer of activations is in memory at a time, with convolutions that of one network.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ibcore.estimators import ESTIMATORS, Estimator, Information, Quantised
from ibcore.experiment import OUTPUT_GRID, FieldError
from ibcore.reprs import brief
from ibcore.run import Piece, Run, not_finite
from ibcore.view import View

_BOUNDS = ("i_xt_lower", "i_xt_upper", "i_ty_lower", "i_ty_upper")
_ERRORS = ("i_xt_se", "i_ty_se")
_COLUMNS = ("i_xt", "i_ty", "h_t", *_BOUNDS, *_ERRORS, "saturated")

Rows = np.ndarray | slice
"""Some of the samples."""

ALL_ROWS = slice(None)


def information_plane(
    run: Run,
    estimator: Estimator,
    *,
    samples: str = "all",
    subset: int | None = None,
    channels: str = "concat",
) -> pd.DataFrame:
    """I(X;T) and I(T;Y) of every layer, epoch and replicate, in bits.

    Columns: epoch, layer (1..L), replicate, i_xt, i_ty, then h_t, the bounds and the
    standard errors where the estimator has them, and saturated. A replicate that diverged has no
    rows from then on. `subset` measures on so many of the samples, chosen at random with
    the classes in their shares, always the same. With the channels T_1 .. T_C of a
    convolutional or pooling layer, each an image,

    - `concat` is I(X; T_1, ..., T_C): all of the layer is one vector of C H W units.
    - `mean` is (1/C) sum_c I(X; T_c), the same for I(T;Y), H(T) and the bounds; so it is
      the information of a typical channel, and no bound of the layer's. The error is the
      mean of the channels' errors, which is not below that of their mean, and
      `saturated` where most of the channels are.

    Dense layers are the same under both. One layer's activations are in memory at a
    time, in runs with convolutions that of one replicate.
    Raises FieldError for unknown samples or channels, ValueError naming layer and epoch for
    activations that are not finite.
    """
    value = getattr(estimator, estimator.parameter)
    view = {"samples": samples, "subset": subset, "channels": channels}
    table = information_curves(run, estimator, [value], **view)
    return table.drop(columns=estimator.parameter)


def information_curves(
    run: Run,
    estimator: Estimator | str,
    values: Sequence[float] | None = None,
    *,
    samples: str = "all",
    subset: int | None = None,
    channels: str = "concat",
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """`information_plane` at every value of the estimator's parameter, in one pass.

    `estimator` is an estimator or the name of a family; `values` are those of
    its `parameter` (such as n_bins, width or variance), by default its whole ladder. The
    table has one more column, of that name. `progress` hears (done, all)
    checkpoints.
    """
    estimator, view = as_estimator(estimator), View(samples, subset, channels)
    values = estimator.default_ladder if values is None else values
    if not len(values):
        raise FieldError("values", values, "at least one value")
    check_any_sound(run)
    per_layer = with_measured_limits(run, estimator, view=view)
    tables = []
    for k in range(len(run.epochs)):
        tables.append(checkpoint_curves(run, k, per_layer, values, view=view))
        if progress is not None:
            progress(k + 1, len(run.epochs))
    return pd.concat([table for table in tables if len(table)], ignore_index=True)


def check_any_sound(run: Run) -> None:
    """Raises ValueError where every replicate had diverged from the start."""
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
    run: Run, estimator: Estimator, *, view: View = View()
) -> tuple[Estimator, ...]:
    """One estimator per layer, with limits that depend on the run made numbers.

    Limits "range" become the smallest and largest activation over all layers,
    epochs and sound replicates (Saxe et al. 2018, section 2), "layer" the same
    within each layer. Limits "grid" are the range of the activation, that of the
    run where it has none, and [0, 1] for the output layer. Other estimators serve every
    layer as they are.
    """
    known = with_known_limits(run, estimator)
    if known is not None:
        return known
    return with_limits(estimator, activation_range(run, view=view))


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


def activation_range(run: Run, *, view: View = View()) -> np.ndarray:
    """Smallest and largest activation of every layer over the whole run, (L, 2).

    Raises ValueError where every replicate had diverged from the start.
    """
    check_any_sound(run)
    ranges = np.tile([np.inf, -np.inf], (run.n_layers, 1))
    for k in range(len(run.epochs)):
        for layer, least, greatest in map(_extremes, sound_pieces(run, k, view=view)):
            low, high = ranges[layer - 1]
            ranges[layer - 1] = min(low, least), max(high, greatest)
    return ranges


def _extremes(piece: Piece) -> tuple[int, float, float]:
    return piece.layer, piece.t.min(initial=np.inf), piece.t.max(initial=-np.inf)


def fixed_limits(estimator: Estimator) -> tuple[float, float] | None:
    """The limits of the bins or levels where they are numbers; None where there are no such."""
    limits = getattr(estimator, "limits", None)
    return limits if isinstance(limits, tuple) and estimator.parameter != "width" else None


def _hold_all(limits: tuple[float, float], run: Run) -> bool:
    """Whether no activation can lie beyond these limits; those of the output never lie beyond 0, 1.

    So that nothing has to be computed for the commonest of them, tanh on [-1, 1].
    """
    hidden = run.experiment.network.limits
    if hidden is None:
        return False
    return limits[0] <= min(hidden[0], OUTPUT_GRID[0]) and limits[1] >= max(
        hidden[1], OUTPUT_GRID[1]
    )


def outside_limits(run: Run, estimator: Estimator, k: int, *, view: View = View()) -> np.ndarray:
    """Which part of every layer's activations (L,) lies beyond fixed limits at checkpoint k.

    These share the outer bins, so that a layer that grows seems to lose
    information. Zeros for estimators without fixed limits.
    """
    limits = fixed_limits(estimator)
    if limits is None or _hold_all(limits, run):
        return np.zeros(run.n_layers)
    low, high = limits

    def counted(piece: Piece) -> tuple[int, int, int]:
        # Limits may be larger than activations can be.
        with np.errstate(over="ignore"):
            outside = (piece.t < low) | (piece.t > high)
        return piece.layer, np.count_nonzero(outside), outside.size

    beyond, counts = np.zeros(run.n_layers), np.zeros(run.n_layers)
    for layer, n, n_all in map(counted, sound_pieces(run, k, view=view)):
        beyond[layer - 1] += n
        counts[layer - 1] += n_all
    return beyond / np.maximum(counts, 1)


@dataclass(frozen=True, eq=False)
class Observed:
    """What estimators see of checkpoint k beside the activations, which `sound_pieces` gives.

    `replicates` (R,) are the numbers of those that had not diverged; `inputs` is X as
    points, (N, D0) or (R, N, D0); `y` are the labels, with a leading replicate axis if
    `own_labels`.
    """

    run: Run
    k: int
    view: View
    replicates: np.ndarray
    inputs: np.ndarray
    y: np.ndarray
    own_labels: bool

    __repr__ = brief

    def ladders(
        self, per_layer: Sequence[Estimator], values: Sequence[float], subsamples: Sequence[Rows]
    ) -> list[list[list[Information]]]:
        """For every subsample and layer the information at every value of the parameter."""
        found = [[[] for _ in per_layer] for _ in subsamples]
        if not len(self.replicates):
            return found

        def ladders(piece: Piece) -> tuple[int, list[list[Information]]]:
            estimator = per_layer[piece.layer - 1]
            return piece.layer, [self._ladder(piece, estimator, values, r) for r in subsamples]

        for layer, ladder_of_rows in map(ladders, sound_pieces(self.run, self.k, view=self.view)):
            for by_layer, ladder in zip(found, ladder_of_rows, strict=True):
                by_layer[layer - 1].append(ladder)
        return [[_side_by_side(parts) for parts in by_layer] for by_layer in found]

    def _ladder(
        self, piece: Piece, estimator: Estimator, values: Sequence[float], rows: Rows
    ) -> list[Information]:
        y = self.y[piece.members][:, rows] if self.own_labels else self.y[rows]
        points = {}
        if getattr(estimator, "needs_inputs", False):
            own = self.inputs if self.inputs.ndim == 2 else self.inputs[piece.members]
            points = {"inputs": own[..., rows, :]}
        per_channel = [
            estimator.ladder(t, y, values, **points)
            for t in self._channels(piece.layer, piece.t[:, rows])
        ]
        return [_mean(channels) for channels in zip(*per_channel, strict=True)]

    def _channels(self, layer: int, t: np.ndarray) -> list[np.ndarray]:
        """The vectors whose information is wanted, as views of T (R, N, D)."""
        shape = self.run.shapes[layer]
        image = self.view.channels == "mean" and not isinstance(shape, int)
        return np.split(t, shape[0], axis=2) if image else [t]


def _mean(channels: Sequence[Information]) -> Information:
    """The means over channels, of one that itself."""
    if len(channels) == 1:
        return channels[0]
    found = {name: [getattr(channel, name) for channel in channels] for name in _COLUMNS}
    means = {n: None if v[0] is None else np.mean(v, axis=0) for n, v in found.items()}
    return Information(**means | {"saturated": means["saturated"] > 0.5})


def _side_by_side(ladders: Sequence[list[Information]]) -> list[Information]:
    """One ladder for all replicates from those of some each."""
    if len(ladders) == 1:
        return ladders[0]
    return [_joined(rungs) for rungs in zip(*ladders, strict=True)]


def _joined(parts: Sequence[Information]) -> Information:
    found = {name: [getattr(part, name) for part in parts] for name in _COLUMNS}
    return Information(
        **{name: None if v[0] is None else np.concatenate(v) for name, v in found.items()}
    )


def observed(run: Run, k: int, view: View) -> Observed:
    """What estimators see of checkpoint k."""
    sound, own_labels = run.sound(k), view.samples != "all"
    y, inputs = run.labels(*view.selection), run.inputs(*view.selection)
    return Observed(
        run=run,
        k=k,
        view=view,
        replicates=np.flatnonzero(sound),
        inputs=inputs if inputs.ndim == 2 else inputs[sound],
        y=y[sound] if own_labels else y,
        own_labels=own_labels,
    )


def sound_pieces(run: Run, k: int, *, view: View = View()) -> Iterator[Piece]:
    """The activations at checkpoint k of the replicates that had not diverged; see `Run.pieces`.

    Raises ValueError naming layer and epoch where a value is not finite.
    """

    def checked(piece: Piece) -> Piece:
        if not np.isfinite(piece.t).all():
            raise not_finite(piece.layer, run.epochs[k])
        return piece

    # A loop would hold on to one piece while the next is computed.
    return map(checked, run.pieces(k, *view.selection))


def checkpoint_curves(
    run: Run,
    k: int,
    per_layer: Sequence[Estimator],
    values: Sequence[float],
    *,
    view: View = View(),
) -> pd.DataFrame:
    """The rows of `information_curves` that belong to checkpoint k."""
    return curve_tables(observed(run, k, view), per_layer, values, [ALL_ROWS])[0]


def curve_tables(
    seen: Observed,
    per_layer: Sequence[Estimator],
    values: Sequence[float],
    subsamples: Sequence[Rows],
) -> list[pd.DataFrame]:
    """The rows of `information_curves` for what is seen of a checkpoint, by subsample."""
    every = seen.ladders(per_layer, values, subsamples)
    return [_table(seen, per_layer, values, ladders) for ladders in every]


def _table(
    seen: Observed,
    per_layer: Sequence[Estimator],
    values: Sequence[float],
    ladders: list[list[Information]],
) -> pd.DataFrame:
    if not len(seen.replicates):
        return pd.DataFrame()
    tables = []
    for layer, ladder in enumerate(ladders, start=1):
        rungs = [_columns(information) for information in ladder]
        rows = {
            "epoch": seen.run.epochs[seen.k],
            "layer": layer,
            "replicate": np.tile(seen.replicates, len(rungs)),
            per_layer[layer - 1].parameter: np.repeat(values, len(seen.replicates)),
        }
        rows |= {name: np.concatenate([rung[name] for rung in rungs]) for name in rungs[0]}
        tables.append(pd.DataFrame(rows))
    return pd.concat(tables, ignore_index=True)


def _columns(information: Information) -> dict[str, np.ndarray]:
    found = {name: getattr(information, name) for name in _COLUMNS}
    return {name: value for name, value in found.items() if value is not None}
