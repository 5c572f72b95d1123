"""A network before and after its training: where each layer was, where it is, and how surely."""

from dataclasses import replace

import pandas as pd
from scipy.special import stdtrit

from ibcore.run import Run
from ibcore.view import CHANNELS, View

QUANTITIES = ("i_xt", "i_ty")
CONFIDENCE = 0.95


def by_channels(run: Run, view: View) -> dict[str, View]:
    """The view of the run for each way to join channels; one where it has no images."""
    names = CHANNELS if run.experiment.network.filters else CHANNELS[:1]
    return {name: replace(view, channels=name) for name in names}


def compared(plane: pd.DataFrame, first: int, last: int) -> pd.DataFrame:
    """Every layer at two epochs of a plane, one row per layer and epoch that the plane has.

    Means are over the replicates that the plane has at both epochs, so that one that
    diverged in between moves nothing. Columns: layer, epoch, moment ("before" or "after"),
    replicates (their number), and for I(X;T) and I(T;Y) the mean with `_low` and `_high`, all
    in bits: where the estimator has bounds (`bounded`), their means over replicates; else
    the ends of Student's 95 % interval for the mean, not below 0, NaN for a single replicate.
    """
    moments = {"before": first, "after": last}
    tables = {name: plane[plane["epoch"] == e] for name, e in moments.items() if len(plane)}
    there = {name: table for name, table in tables.items() if len(table)}
    if not there:
        return pd.DataFrame()
    shared = set.intersection(*(set(table["replicate"]) for table in there.values()))
    parts = [
        _summary(table[table["replicate"].isin(shared)]).assign(epoch=moments[name], moment=name)
        for name, table in there.items()
    ]
    return pd.concat(parts, ignore_index=True)


def _summary(plane: pd.DataFrame) -> pd.DataFrame:
    layers, bounded = plane.groupby("layer"), "i_xt_lower" in plane
    columns = {"replicates": layers.size()}
    for name in QUANTITIES:
        columns[name] = layers[name].mean()
        if bounded:
            ends = layers[f"{name}_lower"].mean(), layers[f"{name}_upper"].mean()
        else:
            n = layers[name].size()
            half = stdtrit(n - 1, (1 + CONFIDENCE) / 2) * layers[name].sem(ddof=1)
            ends = (columns[name] - half).clip(lower=0), columns[name] + half
        columns[f"{name}_low"], columns[f"{name}_high"] = ends
    return pd.DataFrame(columns).reset_index().assign(bounded=bounded)
