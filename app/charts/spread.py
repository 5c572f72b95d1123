"""Geometric mean and spread over replicates, for what is drawn on a logarithmic axis."""

from collections.abc import Sequence

import numpy as np
import pandas as pd


def geometric_table(table: pd.DataFrame, names: Sequence[str], by: Sequence[str]) -> pd.DataFrame:
    """exp of the mean of the logarithms: one row per group of `by`, sorted.

    For each of `names` the columns are the geometric mean g, `_low` = g / f and `_high`
    = g f with the geometric standard deviation f = exp(sd of the logarithms), divisor
    R - 1, NaN for one replicate. What is not finite or not above 0 is left out of a
    mean; a mean of nothing is NaN. `replicates` counts the rows that any of them used.
    """
    values = table[list(names)].to_numpy(dtype=float)
    usable = np.isfinite(values) & (values > 0)
    logs = pd.DataFrame(np.log(np.where(usable, values, np.nan)), columns=list(names))
    keys = [table[name].to_numpy() for name in by]
    groups = logs.groupby(keys, sort=True)
    mean, sd = groups.mean(), groups.std(ddof=1)
    columns = {}
    for name in names:
        columns[name] = np.exp(mean[name])
        columns[f"{name}_low"] = np.exp(mean[name] - sd[name])
        columns[f"{name}_high"] = np.exp(mean[name] + sd[name])
    result = pd.DataFrame(columns)
    result["replicates"] = pd.Series(usable.any(axis=1)).groupby(keys).sum()
    return result.rename_axis(list(by)).reset_index()


def positive(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """The rows whose value in the column is finite and above 0."""
    usable = np.isfinite(table[column]) & (table[column] > 0)
    return table[usable].reset_index(drop=True)


def replicate_words(table: pd.DataFrame, mean: str, band: str) -> str:
    """What lines and bands are, in words; nothing where there are no rows."""
    n = table["replicate"].nunique()
    several = f"{mean} of {n} replicates, {band}"
    return several if n > 1 else "1 replicate" if n else ""
