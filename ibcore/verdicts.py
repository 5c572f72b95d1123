"""Whether a layer compresses, at every value of an estimator's parameter.

Where compression is a property of the network, the row of a layer has one verdict
from end to end; where it is one of the estimator, the verdict changes with the value.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ibcore.phases import compression
from ibcore.tables import by_replicate

LEAST_CHECKPOINTS = 8
"""Fewer of them show no phases."""

COLUMNS = (
    *("drop", "drop_lower", "drop_upper", "epoch", "epoch_lower", "epoch_upper"),
    *("resolved", "verdict"),
)


def verdict_map(curves: pd.DataFrame, parameter: str, *, seed: int = 0) -> pd.DataFrame:
    """`ibcore.phases.compression` of every layer at every value of the parameter.

    `curves` is the table of `information_curves` with its column `parameter`. Columns:
    layer, that of the parameter, and the fields of `Compression` (bits and epochs, NaN
    where unknown). Empty for fewer than 8 checkpoints.
    """
    keys = ["layer", parameter]
    if curves["epoch"].nunique() < LEAST_CHECKPOINTS:
        return pd.DataFrame(columns=[*keys, *COLUMNS])
    rows = [
        dict(zip(keys, at, strict=True)) | _compression(table, seed)
        for at, table in curves.groupby(keys, sort=True)
    ]
    return pd.DataFrame(rows, columns=[*keys, *COLUMNS])


def _compression(table: pd.DataFrame, seed: int) -> dict:
    epochs, (i_xt,) = by_replicate(table, "i_xt")
    found = vars(compression(i_xt, epochs, seed=seed))
    return {name: np.nan if value is None else value for name, value in found.items()}


def robustness(verdicts: pd.DataFrame, parameter: str) -> dict[int, tuple[str, list[float]]]:
    """By layer: "robust", "depends" or "absent", and the values at which it compresses.

    Robust: at every value of the ladder; absent: at none of them. Layers without
    a verdict (too few replicates) are left out.
    """
    found = {}
    for layer, rows in verdicts.groupby("layer"):
        if (rows["verdict"] == "too few replicates").any():
            continue
        values = rows.loc[rows["verdict"] == "compresses", parameter].tolist()
        everywhere = len(values) == len(rows)
        found[layer] = ("robust" if everywhere else "depends" if values else "absent", values)
    return found


def together(found: Sequence[Mapping[int, tuple[str, list[float]]]]) -> dict[int, str]:
    """By layer, what several `robustness` agree on: "robust" or "absent", else "depends".

    Layers that one of them leaves out are left out.
    """
    layers = sorted(set.intersection(*map(set, found))) if found else []
    kinds = {layer: {outcome[layer][0] for outcome in found} for layer in layers}
    return {layer: kind.pop() if len(kind) == 1 else "depends" for layer, kind in kinds.items()}
