"""Whether the samples suffice: information of a checkpoint against a growing subsample.

An estimate that still grows with N says how many samples there are; one that has
settled says something of the network. (How counting and kernels depend on N: Paninski
2003, Estimation of entropy and mutual information, Section 4.)
"""

import numbers
from collections.abc import Sequence

import numpy as np
import pandas as pd

from ibcore.estimators import Estimator
from ibcore.experiment import FieldError
from ibcore.plane import curve_tables, observed
from ibcore.run import Run
from ibcore.view import View

SMALLEST = 32
MOST_DRAWS = 8
SETTLED = 0.05
"""Bits that a settled estimate may still change by when the samples double."""


def subsample_sizes(n_samples: int, estimator: Estimator | None = None) -> tuple[int, ...]:
    """n_samples, or what the estimator takes of them, and halves of it down to 32, rising."""
    most = getattr(estimator, "most_samples", None)
    sizes = [n_samples if most is None else min(n_samples, most)]
    while sizes[-1] // 2 >= SMALLEST:
        sizes.append(sizes[-1] // 2)
    return tuple(reversed(sizes))


def subsampled(
    run: Run,
    k: int,
    per_layer: Sequence[Estimator],
    n: int,
    *,
    view: View = View(),
    seed: int = 0,
) -> pd.DataFrame:
    """I(X;T) and I(T;Y) of every layer at checkpoint k from n of the samples, in bits.

    `per_layer` are estimators with measured limits (`plane.with_measured_limits`). The
    samples are shuffled once and cut into disjoint subsamples of n, up to eight of
    which are used: their spread is that of drawing n samples. Columns: n, draw, and
    those of `information_plane`. Raises FieldError for an n that is not there, ValueError
    where every replicate had diverged.
    """
    n_samples = run.n_samples(*view.selection)
    if not isinstance(n, numbers.Integral) or not 1 <= n <= n_samples:
        raise FieldError("n", n, f"a whole number from 1 to {n_samples}")
    if not run.sound(k).any():
        raise ValueError(f"run: every replicate had diverged by epoch {run.epochs[k]}")
    seen = observed(run, k, view)
    order = np.random.default_rng([seed, n_samples]).permutation(n_samples)
    estimator = per_layer[0]
    value = getattr(estimator, estimator.parameter)
    draws = [order[i * n : (i + 1) * n] for i in range(min(MOST_DRAWS, n_samples // n))]
    tables = curve_tables(seen, per_layer, [value], draws)
    numbered = [table.assign(draw=draw) for draw, table in enumerate(tables)]
    return pd.concat(numbered, ignore_index=True).assign(n=n).drop(columns=estimator.parameter)


def growth(table: pd.DataFrame) -> pd.DataFrame:
    """What the last doubling of the samples changes, of a table of several sizes.

    Columns: layer, i_xt and i_ty (bits, the mean over replicates and draws at the
    largest n less that at the next smaller one), and `settled`, whether both changed
    by less than 0.05 bits. Empty for fewer than two sizes.
    """
    means = table.groupby(["n", "layer"])[["i_xt", "i_ty"]].mean()
    sizes = sorted(table["n"].unique())
    if len(sizes) < 2:
        return pd.DataFrame(columns=["layer", "i_xt", "i_ty", "settled"])
    change = means.loc[sizes[-1]] - means.loc[sizes[-2]]
    settled = (change.abs() < SETTLED).all(axis=1)
    return change.assign(settled=settled).reset_index()
