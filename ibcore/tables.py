"""Tidy tables as arrays."""

import numpy as np
import pandas as pd


def by_replicate(table: pd.DataFrame, *names: str) -> tuple[np.ndarray, list[np.ndarray]]:
    """Epochs (K,) and each named column as (R, K); NaN where a replicate has no row.

    `table` has the columns epoch and replicate, one row for each pair of them.
    """
    wide = table.pivot(index="replicate", columns="epoch", values=list(names))
    epochs = np.sort(table["epoch"].unique())
    return epochs, [wide[name][epochs].to_numpy(float) for name in names]
