"""Tidy tables in, the few numbers a chart draws out."""

import math
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

QUANTITIES = ("i_xt", "i_ty", "h_t")
BOUNDS = ("i_xt_lower", "i_xt_upper", "i_ty_lower", "i_ty_upper")
HISTORY_ROWS = 240
Columns = Mapping[str, np.ndarray] | pd.DataFrame


def _spread(mean: Columns, sd: Columns, name: str) -> dict[str, np.ndarray | pd.Series]:
    return {
        name: mean[name],
        f"{name}_sd": sd[name],
        f"{name}_low": mean[name] - sd[name],
        f"{name}_high": mean[name] + sd[name],
    }


def mean_table(table: pd.DataFrame, by: Iterable[str] = ("epoch", "layer")) -> pd.DataFrame:
    """Mean and spread over replicates: one row per group of `by`, sorted.

    For each of `i_xt`, `i_ty`, `h_t` (bits) the columns are the mean, `_sd` (the
    sample standard deviation, divisor R - 1; NaN for one replicate) and `_low`,
    `_high` = mean - sd, mean + sd; the bounds are means alone. What the estimator
    does not give is NaN. `replicates` counts the rows of a group, `saturated` those
    of them whose estimate is saturated.
    """
    keys = table.groupby(list(by), sort=True)
    # Groups of a few rows: what pandas does for each of them takes longer than the sums.
    group, size = keys.ngroup().to_numpy(), keys.size()
    found = {
        name: _mean_and_sd(table[name].to_numpy(float), group, len(size))
        if name in table
        else (np.full(len(size), np.nan),) * 2
        for name in (*QUANTITIES, *BOUNDS)
    }
    mean, sd = ({name: both[i] for name, both in found.items()} for i in range(2))
    columns = {k: v for name in QUANTITIES for k, v in _spread(mean, sd, name).items()}
    columns |= {name: mean[name] for name in BOUNDS}
    saturated = np.bincount(group, weights=table["saturated"], minlength=len(size)).astype(int)
    columns |= {"replicates": size.to_numpy(), "saturated": saturated}
    return pd.DataFrame(columns, index=size.index).reset_index()


def _mean_and_sd(values: np.ndarray, group: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Of the values that are not NaN, in each of the groups 0 .. n - 1."""
    there = ~np.isnan(values)
    values, group = values[there], group[there]
    count = np.bincount(group, minlength=n)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.bincount(group, weights=values, minlength=n) / count
        squares = np.bincount(group, weights=(values - mean[group]) ** 2, minlength=n)
        return mean, np.sqrt(np.where(count > 1, squares / (count - 1), np.nan))


def history_mean(history: pd.DataFrame) -> pd.DataFrame:
    """Mean and spread over replicates of loss (nats) and accuracy, long in `split`.

    Columns `epoch`, `split` ("train", "test"), `loss`, `accuracy` and of both
    `_low`, `_high` = mean -+ sample standard deviation. A run without a test set
    has no rows "test". More than 240 epochs are thinned evenly in log(1 + epoch).
    """
    kept = history[history["epoch"].isin(_thinned(history["epoch"]))]
    splits = [s for s in ("train", "test") if f"{s}_loss" in kept]
    return pd.concat([_split_mean(kept, s) for s in splits], ignore_index=True)


def _split_mean(history: pd.DataFrame, split: str) -> pd.DataFrame:
    names = {f"{split}_loss": "loss", f"{split}_accuracy": "accuracy"}
    groups = history.rename(columns=names).groupby("epoch")[["loss", "accuracy"]]
    mean, sd = groups.mean(), groups.std(ddof=1)
    columns = {k: v for name in names.values() for k, v in _spread(mean, sd, name).items()}
    return pd.DataFrame(columns).reset_index().assign(split=split)


def _thinned(epochs: pd.Series) -> np.ndarray:
    unique = np.unique(epochs)
    if len(unique) <= HISTORY_ROWS:
        return unique
    targets = np.linspace(np.log1p(unique[0]), np.log1p(unique[-1]), HISTORY_ROWS)
    return unique[np.unique(np.abs(np.log1p(unique)[:, None] - targets).argmin(axis=0))]


def with_checkpoint(table: pd.DataFrame, epochs: tuple[int, ...]) -> pd.DataFrame:
    """The table with `k`, the index of its epoch in `epochs`.

    Raises ValueError where the table has an epoch that is not in `epochs`.
    """
    index = {epoch: k for k, epoch in enumerate(epochs)}
    strange = sorted(set(table["epoch"]) - set(index))
    if strange:
        raise ValueError(f"epoch: {strange[0]} of the table is not in the settings' epochs")
    return table.assign(k=table["epoch"].map(index).astype(int))


def turning_points(x: list[float], y: list[float], tolerance: float) -> list[int]:
    """Indices of the points that draw the same path to within `tolerance`, ends included.

    Douglas and Peucker (1973): of the points between two that are kept, the one
    farthest from their straight line is kept if it lies beyond the tolerance.
    """
    kept, stretches = {0, len(x) - 1}, [(0, len(x) - 1)]
    while stretches:
        first, last = stretches.pop()
        dx, dy = x[last] - x[first], y[last] - y[first]
        length = math.hypot(dx, dy)
        farthest, distance = first, tolerance
        for i in range(first + 1, last):
            a, b = x[i] - x[first], y[i] - y[first]
            off = abs(a * dy - b * dx) / length if length > tolerance else math.hypot(a, b)
            if off > distance:
                farthest, distance = i, off
        if farthest != first:
            kept.add(farthest)
            stretches += [(first, farthest), (farthest, last)]
    return sorted(kept)
