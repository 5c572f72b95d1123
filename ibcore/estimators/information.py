"""What an estimator is given and what it returns.

Activations T arrive as (N, D) or, for R networks side by side, (R, N, D);
labels Y as whole numbers or as class probabilities p(y|x). Everything is
checked here, once, and split into replicates.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from ibcore.reprs import brief

LARGEST = 1e100
"""Activations beyond this size are refused: their squares would overflow."""


@dataclass(frozen=True, eq=False)
class Information:
    """Estimates in bits; floats for one network, arrays (R,) for R of them.

    `i_xt` is I(X;T), `i_ty` is I(T;Y), `h_t` is H(T); `_lower` and `_upper` are
    bounds of the quantity they name, `_se` its standard error over random numbers of
    the estimator's own. What an estimator does not know is None.
    `saturated`: I(X;T) is within half a bit of log2 N, so the number of samples
    limits it and not the network.
    """

    i_xt: float | np.ndarray
    i_ty: float | np.ndarray
    h_t: float | np.ndarray | None = None
    i_xt_lower: float | np.ndarray | None = None
    i_xt_upper: float | np.ndarray | None = None
    i_ty_lower: float | np.ndarray | None = None
    i_ty_upper: float | np.ndarray | None = None
    i_xt_se: float | np.ndarray | None = None
    i_ty_se: float | np.ndarray | None = None
    saturated: bool | np.ndarray = False

    __repr__ = brief


@dataclass(frozen=True, eq=False)
class Sample:
    """One network: activations `t` (N, D), labels `y` and input ids `x` (N,) or None.

    `y` holds dense class numbers 0..C-1 (N,), or p(y|x) as float64 (N, C).
    """

    t: np.ndarray
    y: np.ndarray
    x: np.ndarray | None = None

    __repr__ = brief

    @property
    def soft(self) -> bool:
        return self.y.ndim == 2

    @property
    def class_weights(self) -> np.ndarray:
        """p(y|x_i) of every sample, (N, C) float64; rows of 0 and 1 for plain labels."""
        return self.y if self.soft else np.eye(self.y.max() + 1)[self.y]


def samples(t: np.ndarray, y: np.ndarray, x: np.ndarray | None = None) -> list[Sample]:
    """The replicates of a batch, checked.

    Raises ValueError, in one line, for shapes that do not fit, values that are
    not finite (naming replicate and unit, counted from 0) and rows of class
    probabilities that do not sum to 1.
    """
    batch = _activations(t)
    n_replicates, n = batch.shape[:2]
    labels = _labels(y, n_replicates, n)
    inputs = [None] * n_replicates if x is None else _ids("x", x, n_replicates, n)
    return [Sample(*parts) for parts in zip(batch, labels, inputs, strict=True)]


def require_function(checked: Sequence[Sample]) -> None:
    """Raises ValueError, naming the replicate, where equal inputs have different activations.

    An estimator that adds its own noise to T sees I(X;T~) = I(T;T~) only if T is a
    function of X.
    """
    for replicate, s in enumerate(checked):
        if s.x is None:
            continue
        _, first = np.unique(s.x, return_index=True)
        if not np.array_equal(s.t[first[s.x]], s.t):
            raise ValueError(
                f"x: equal inputs have different activations at replicate {replicate};"
                " this estimator needs T to be a function of X"
            )


def stack(results: Sequence[Information], batched: bool) -> Information:
    """The results of all replicates as one: arrays (R,) if `batched`, else the only one."""
    if not batched:
        return results[0]
    names = [f.name for f in fields(Information)]
    absent = {name for name in names if getattr(results[0], name) is None}
    columns = {name: [getattr(r, name) for r in results] for name in names}
    return Information(
        **{name: None if name in absent else np.array(columns[name]) for name in names}
    )


def is_saturated(i_xt: float, n: int) -> bool:
    """Whether I(X;T) > log2 N - 1/2: the number of samples limits the estimate.

    One sample has nothing to saturate.
    """
    return bool(n > 1 and i_xt > math.log2(n) - 0.5)


def entropy_bits(p: np.ndarray) -> float:
    """H = -sum p log2 p of probabilities of any shape, in bits; 0 log 0 is 0."""
    p = p[p > 0]
    return max(0.0, -float(np.dot(p, np.log2(p))))


def label_entropy(y: np.ndarray) -> float | np.ndarray:
    """H(Y) in bits of labels (N,), (R, N) or of p(y|x) (N, C), (R, N, C).

    Soft labels count with their mean, p(y) = (1/N) sum_i p(y|x_i). Arrays (R,)
    for batched labels. Raises ValueError for labels `samples` would refuse.
    """
    y = np.asarray(y)
    batched = y.ndim == (3 if y.dtype.kind == "f" else 2)
    shape = y.shape if batched else (1, *y.shape)
    if len(shape) < 2 or 0 in shape:
        raise ValueError(f"y: shape {y.shape} is not allowed; use {_LABEL_SHAPES}")
    entropies = [dense_label_entropy(labels) for labels in _labels(y, *shape[:2])]
    return np.array(entropies) if batched else entropies[0]


_LABEL_SHAPES = "(N,) or (R, N) whole numbers, or (N, C) or (R, N, C) probabilities"


def dense_label_entropy(labels: np.ndarray) -> float:
    """H(Y) in bits of the labels of a `Sample`."""
    totals = labels.sum(axis=0) if labels.ndim == 2 else np.bincount(labels)
    return entropy_bits(totals / len(labels))


def _activations(t: np.ndarray) -> np.ndarray:
    t = np.asarray(t)
    if t.dtype.kind not in "fiub" or t.ndim not in (2, 3) or 0 in t.shape:
        raise ValueError(
            f"t: {t.dtype} of shape {t.shape} is not allowed; use numbers of shape (N, D)"
            " or (R, N, D), none of them 0"
        )
    if t.dtype not in (np.float32, np.float64):
        t = t.astype(np.float64)
    t = t if t.ndim == 3 else t[None]
    # Both extremes are NaN where any value is, and NaN compares as false.
    if not (float(t.max()) <= LARGEST and float(t.min()) >= -LARGEST):
        _refuse_activations(t)
    return t


def _refuse_activations(t: np.ndarray) -> None:
    bad = ~(np.abs(t.astype(np.float64)) <= LARGEST)
    replicate, row, unit = (int(i) for i in np.argwhere(bad)[0])
    raise ValueError(
        f"t: {t[replicate, row, unit]} at replicate {replicate}, unit {unit} is not allowed;"
        f" use finite numbers up to {LARGEST:g} in size"
    )


def _labels(y: np.ndarray, n_replicates: int, n: int) -> Sequence[np.ndarray]:
    y = np.asarray(y)
    if y.dtype.kind == "f":
        return _probabilities(y, n_replicates, n)
    return _ids("y", y, n_replicates, n)


def _ids(name: str, values: np.ndarray, n_replicates: int, n: int) -> list[np.ndarray]:
    values = np.asarray(values)
    if values.dtype.kind not in "iub" or values.shape not in ((n,), (n_replicates, n)):
        raise ValueError(
            f"{name}: {values.dtype} of shape {values.shape} is not allowed; use whole numbers"
            f" of shape ({n},) or ({n_replicates}, {n})"
        )
    if values.ndim == 1:
        return [_dense(values)] * n_replicates
    return [_dense(row) for row in values]


def _dense(values: np.ndarray) -> np.ndarray:
    return np.unique(values, return_inverse=True)[1].reshape(-1)


def _probabilities(y: np.ndarray, n_replicates: int, n: int) -> np.ndarray:
    fits = y.ndim >= 2 and y.shape[-1] > 0 and y.shape[:-1] in ((n,), (n_replicates, n))
    if not fits:
        raise ValueError(
            f"y: {y.dtype} of shape {y.shape} is not allowed; use whole numbers, or class"
            f" probabilities of shape ({n}, C) or ({n_replicates}, {n}, C)"
        )
    y = y.astype(np.float64)
    if not (np.all(y >= 0) and np.all(np.abs(y.sum(axis=-1) - 1) < 1e-5)):
        raise ValueError("y: class probabilities must be at least 0 and each row must sum to 1")
    # Rows are made to sum to 1 exactly, so that rounded input costs no bits.
    return np.broadcast_to(y / y.sum(axis=-1, keepdims=True), (n_replicates, n, y.shape[-1]))
