"""Tidy tables as arrays."""

import numpy as np
import pandas as pd


def by_replicate(table: pd.DataFrame, *names: str) -> tuple[np.ndarray, list[np.ndarray]]:
    """Epochs (K,) and each named column as (R, K); NaN where a replicate has no row.

    `table` has the columns epoch and replicate, one row for each pair of them.
    """
    epochs, k = np.unique(table["epoch"].to_numpy(), return_inverse=True)
    replicates, r = np.unique(table["replicate"].to_numpy(), return_inverse=True)
    columns = []
    for name in names:
        values = np.full((len(replicates), len(epochs)), np.nan)
        values[r, k] = table[name].to_numpy(float)
        columns.append(values)
    return epochs, columns


def by_layer(
    plane: pd.DataFrame, *names: str
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Layers (L,), epochs (K,) and each named column as (L, R, K); NaN where there is no row.

    `plane` has the columns layer, replicate and epoch, one row for each triple of them.
    """
    layers, at_layer = np.unique(plane["layer"].to_numpy(), return_inverse=True)
    replicates, r = np.unique(plane["replicate"].to_numpy(), return_inverse=True)
    epochs, k = np.unique(plane["epoch"].to_numpy(), return_inverse=True)
    columns = {}
    for name in names:
        columns[name] = np.full((len(layers), len(replicates), len(epochs)), np.nan)
        columns[name][at_layer, r, k] = plane[name].to_numpy(float)
    return layers, epochs, columns
