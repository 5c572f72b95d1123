"""Signal, noise and their ratio: means over replicates, as the rows of a chart."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from charts.spread import geometric_table, positive

SERIES = ("signal", "noise", "floor")


def ratio_title(squared: bool = False) -> str:
    """The ratio in words."""
    return "signal² / noise²" if squared else "signal / noise"


def signal_means(table: pd.DataFrame, by: Sequence[str], squared: bool = False) -> pd.DataFrame:
    """Geometric means of `signal`, `noise`, `floor`, and of `ratio` and `ratio_floor`.

    The ratio is the table's `snr`, its floor `floor` / `noise`, both squared if asked.
    """
    power = 2 if squared else 1
    with np.errstate(divide="ignore", invalid="ignore"):
        floor = (table["floor"].to_numpy() / table["noise"].to_numpy()) ** power
    table = table.assign(ratio=table["snr"] ** power, ratio_floor=floor)
    return geometric_table(table, [*SERIES, "ratio", "ratio_floor"], by)


def signal_tips(means: pd.DataFrame, ratio: str) -> list[str]:
    """All numbers of one checkpoint, one below the other, after its `name`."""
    fields = ["name", "epoch", *SERIES, "ratio", "replicates"]
    rows = zip(*(means[field].tolist() for field in fields), strict=True)
    return [
        f"{name}\nepoch {epoch:,}\nsignal {_short(signal)}\nnoise {_short(noise)}\n"
        f"{ratio} {_short(value)}\nfloor {_short(floor)}\nreplicates: {n}"
        for name, epoch, signal, noise, floor, value, n in rows
    ]


def _short(value: float) -> str:
    return f"{value:.3g}" if np.isfinite(value) else "undefined"


def level_rows(means: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """One row per checkpoint and `series` with its `value`, `low` and `high`."""
    parts = [
        means[[*keys, name, f"{name}_low", f"{name}_high"]]
        .set_axis([*keys, "value", "low", "high"], axis=1)
        .assign(series=name)
        for name in SERIES
    ]
    return positive(pd.concat(parts, ignore_index=True), "value")


def ratio_rows(means: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """One row per checkpoint with the ratio as `value`, `low`, `high`, and its `floor`."""
    fields = ["ratio", "ratio_low", "ratio_high", "ratio_floor"]
    renamed = means[[*keys, *fields]].set_axis([*keys, "value", "low", "high", "floor"], axis=1)
    return positive(renamed, "value")
