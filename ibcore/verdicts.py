"""Whether a layer compresses, at every value of an estimator's parameter.

Where compression is a property of the network, the row of a layer has one verdict
from end to end; where it is one of the estimator, the verdict changes with the value.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ibcore.phases import Compression, compression
from ibcore.tables import by_layer

LEAST_CHECKPOINTS = 8
"""Fewer of them show no phases."""

COLUMNS = (
    *("drop", "drop_lower", "drop_upper", "epoch", "epoch_lower", "epoch_upper"),
    *("resolved", "verdict", "saturated"),
)
LAST = 3
"""Checkpoints at the end of a curve, to which a drop leads."""


def verdict_map(curves: pd.DataFrame, parameter: str, *, seed: int = 0) -> pd.DataFrame:
    """`ibcore.phases.compression` of every layer at every value of the parameter.

    `curves` is the table of `information_curves` with its column `parameter`; at one value
    every layer has the same epochs. Columns:
    layer, that of the parameter, the fields of `Compression` (bits and epochs, NaN where
    unknown), and `saturated`: whether most estimates of the last three checkpoints are, so
    that a drop could not have been seen. Empty for fewer than 8 checkpoints.
    """
    keys = ["layer", parameter]
    if curves["epoch"].nunique() < LEAST_CHECKPOINTS:
        return pd.DataFrame(columns=[*keys, *COLUMNS])
    rows = [
        {parameter: value, **row}
        for value, plane in curves.groupby(parameter)
        for row in _compressions(plane, seed)
    ]
    verdicts = pd.DataFrame(rows, columns=[*keys, *COLUMNS])
    return verdicts.sort_values(keys, ignore_index=True)


def _compressions(plane: pd.DataFrame, seed: int) -> list[dict]:
    layers, epochs, columns = by_layer(plane, "i_xt", "saturated")
    ends = columns["saturated"][:, :, -LAST:]
    # More of them saturated than not, of those that there are.
    ends = np.nansum(ends, axis=(1, 2)) > np.nansum(1 - ends, axis=(1, 2))
    return [
        {"layer": layer, **_known(compression(i_xt, epochs, seed=seed)), "saturated": bool(end)}
        for layer, i_xt, end in zip(layers, columns["i_xt"], ends, strict=True)
    ]


def _known(found: Compression) -> dict:
    return {name: np.nan if value is None else value for name, value in vars(found).items()}


def robustness(verdicts: pd.DataFrame, parameter: str) -> dict[int, tuple[str, list[float]]]:
    """By layer: "robust", "depends", "absent" or "untold", and the values at which it compresses.

    Values at which the estimate is saturated to the end tell nothing, unless it
    compresses all the same: untold where they are all of that kind. Of the others,
    robust: at every one, if they are half of the ladder or more; absent: at none. Layers
    without a verdict (too few replicates)
    are left out.
    """
    found = {}
    for layer, rows in verdicts.groupby("layer"):
        if (rows["verdict"] == "too few replicates").any():
            continue
        sure = rows["verdict"] == "compresses"
        values, told = rows.loc[sure, parameter].tolist(), int((sure | ~rows["saturated"]).sum())
        found[layer] = (_kind(len(values), told, len(rows)), values)
    return found


def _kind(sure: int, told: int, total: int) -> str:
    if not told:
        return "untold"
    if sure == told and 2 * told >= total:
        return "robust"
    return "depends" if sure else "absent"


def together(found: Sequence[Mapping[int, tuple[str, list[float]]]]) -> dict[int, str]:
    """By layer, what several `robustness` agree on: "robust" or "absent", else "depends".

    Those that tell nothing of a layer do not count, unless none tells anything: "untold".
    Layers that one of them leaves out are left out.
    """
    layers = sorted(set.intersection(*map(set, found))) if found else []
    kinds = {layer: {outcome[layer][0] for outcome in found} for layer in layers}
    told = {layer: kind - {"untold"} or kind for layer, kind in kinds.items()}
    return {layer: kind.pop() if len(kind) == 1 else "depends" for layer, kind in told.items()}
