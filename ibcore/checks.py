"""What an estimate of mutual information cannot be true of: checks of an information plane.

Layers form a Markov chain Y - X - T_1 - ... - T_L, so that I(X;T_l) and I(T_l;Y) cannot
rise with l (data processing inequality: Cover and Thomas 2006, Theorem 2.8.1), and
I(X;T) <= H(X), I(T;Y) <= H(Y). An estimator that bins every layer, or adds noise to
every layer, measures other variables than T_1 .. T_L, which form no chain: it may
break all of these, and then the number is a property of the estimator.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ibcore.estimators import Estimator, label_entropy
from ibcore.plane import fixed_limits, outside_limits
from ibcore.run import Run
from ibcore.tables import by_layer
from ibcore.view import View

TOLERANCE = 0.05
"""Bits by which the mean over replicates must break a law to be named."""

KINDS = ("i_xt rises", "i_ty rises", "i_xt beyond H(X)", "i_ty beyond H(Y)", "saturated")
COLUMNS = ("kind", "layer", "epoch", "bits", "share")

NOTEWORTHY = 0.01
"""The part of a layer's activations beyond fixed limits that is worth a warning."""

MANY = 2_000_000
"""Activations of a checkpoint of which a part tells what lies beyond limits."""


@dataclass(frozen=True)
class Beyond:
    """Where fixed limits cut off more than 1 % of the activations of a layer.

    `layers` are all of these; `share` is the largest part, that of `layer` at `epoch`.
    `samples` is how many were looked at, None where all were.
    """

    layers: tuple[int, ...]
    layer: int
    epoch: int
    share: float
    samples: int | None = None

    def __str__(self) -> str:
        others = [str(layer) for layer in self.layers if layer != self.layer]
        more = f" (more than 1% also in layer {', '.join(others)})" if others else ""
        seen = "" if self.samples is None else f" of {self.samples} samples"
        return (
            f"{self.share:.0%} of the activations{seen} in layer {self.layer} lie beyond the limits"
            f" of the bins at epoch {self.epoch:,} and share the outer bins{more}"
        )


def beyond_limits(
    run: Run,
    estimator: Estimator,
    view: View,
    *,
    only: Iterable[int] | None = None,
    outside: Callable[..., np.ndarray] = outside_limits,
) -> Beyond | None:
    """What fixed limits cut off, at any layer and checkpoint; None where that is not noteworthy.

    `only` are the checkpoints looked at, all of them by default; of large networks fewer
    samples are, at least 16. `outside` may be an `ibcore.plane.outside_limits` that remembers.
    """
    if fixed_limits(estimator) is None:
        return None
    n_samples = run.n_samples(*view.selection)
    few = max(16, n_samples * MANY // run.n_activations(*view.selection))
    samples = few if few < n_samples else None
    if samples is not None:
        view = replace(view, subset=samples)
    looked = list(range(len(run.epochs)) if only is None else only)
    shares = np.stack([outside(run, estimator, k, view=view) for k in looked])
    worst = shares.max(axis=0)
    if worst.max() <= NOTEWORTHY:
        return None
    layer = int(worst.argmax())
    return Beyond(
        layers=tuple((np.flatnonzero(worst > NOTEWORTHY) + 1).tolist()),
        layer=layer + 1,
        epoch=int(run.epochs[looked[shares[:, layer].argmax()]]),
        share=float(worst[layer]),
        samples=samples,
    )


def broken_laws(run: Run, view: View, plane: pd.DataFrame) -> pd.DataFrame:
    """`violations` of a plane of the run, with H(X) and the most that Y allows of its samples."""
    dataset, index = run.dataset, run.sample_index(*view.selection)
    rows = slice(None) if index is None else np.atleast_2d(index)[0]
    soft = dataset.p_y_given_x is not None
    h_y = dataset.i_xy if soft else float(np.mean(label_entropy(run.labels(*view.selection))))
    return violations(plane, label_entropy(dataset.x_ids[rows]), h_y)


def violations(plane: pd.DataFrame, h_x: float, h_y: float) -> pd.DataFrame:
    """The laws that the means over replicates break, one row for each kind and layer.

    `plane` is the table of `information_plane`; h_x, h_y in bits. Columns: kind (of
    KINDS), layer (of a rise: the later of the two), epoch where it is worst, `bits`
    beyond the law there, and the share of the checkpoints that break it by more than
    0.05 bits. For "saturated", layer and epoch are those where most replicates are
    within half a bit of the most that the samples allow; `bits` is NaN.
    """
    layers, epochs, columns = by_layer(plane, "i_xt", "i_ty", "saturated")
    i_xt, i_ty, saturated = (_mean(column) for column in columns.values())
    often = (saturated > 0.5).astype(float)
    rows = [
        *_rows(KINDS[0], layers[1:], epochs, _rises(i_xt)),
        *_rows(KINDS[1], layers[1:], epochs, _rises(i_ty)),
        *_rows(KINDS[2], layers, epochs, i_xt - h_x),
        *_rows(KINDS[3], layers, epochs, i_ty - h_y),
        *({**row, "bits": np.nan} for row in _rows(KINDS[4], layers, epochs, often)),
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def worst(kind: str, rows: pd.DataFrame) -> str:
    """The worst of the rows of `violations` of one kind, other than "saturated", in words."""
    row = rows.loc[rows["bits"].idxmax()]
    layer, bits, epoch = row["layer"], f"{row['bits']:.2f} bits", f"epoch {row['epoch']:,}"
    others = len(rows) - 1
    more = f", and {others} more layer{'s' if others > 1 else ''}" if others else ""
    if kind in KINDS[:2]:
        letter = "X" if kind == KINDS[0] else "Y"
        told = f"layer {layer} tells {bits} more of {letter} than layer {layer - 1}"
        return f"inequality broken: {told}, {epoch}{more}"
    limit = "I(X;T) above H(X)" if kind == KINDS[2] else "I(T;Y) above H(Y)"
    return f"{limit}: layer {layer} by {bits}, {epoch}{more}"


def _mean(values: np.ndarray) -> np.ndarray:
    """Of the replicates that have a value, (L, R, K) -> (L, K); NaN where none has."""
    there = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(there, values, 0).sum(axis=1) / there.sum(axis=1)


def _rises(means: np.ndarray) -> np.ndarray:
    """From each layer to the next, (L, K) -> (L - 1, K); NaN between two infinities."""
    with np.errstate(invalid="ignore"):
        return np.diff(means, axis=0)


def _rows(kind: str, layers: np.ndarray, epochs: np.ndarray, excess: np.ndarray) -> list[dict]:
    """One for each layer of which the excess (layers, epochs) is somewhere above the tolerance."""
    return [
        {"kind": kind, "layer": layer, "epoch": epochs[np.nanargmax(row)], "bits": np.nanmax(row)}
        | {"share": np.mean(row > TOLERANCE)}
        for layer, row in zip(layers, excess, strict=True)
        if (row > TOLERANCE).any()
    ]
