"""One-line warnings about a table of estimates."""

from collections.abc import Sequence

import pandas as pd

from ibcore.checks import KINDS, beyond_limits, broken_laws, worst
from ibcore.estimators import Estimator
from ibcore.phases import LEAST_REPLICATES
from ibcore.run import Run
from ibcore.view import View

SATURATED = KINDS[-1]
SURE_REPLICATES = 10
"""With fewer of them the interval of a verdict is weak."""


def remarks(
    run: Run,
    estimator: Estimator,
    view: View,
    table: pd.DataFrame,
    *,
    only: Sequence[int] | None = None,
) -> list[str]:
    """What casts doubt on the estimates in `table`, of which the checkpoints may be some `only`.

    Limits that cut activations off, broken laws and saturation, as the page names them. The
    table is that of `information_plane`, or of `information_curves` at several values.
    """
    beyond = beyond_limits(run, estimator, view, only=only)
    cut = [f"{beyond}: the limits may cause a fall of I(X;T)"] if beyond else []
    return cut + _laws(run, estimator.parameter, view, table)


def few_replicates(run: Run) -> list[str]:
    """That verdicts on compression are missing or weak for want of replicates."""
    n = run.n_replicates
    some = f"{n} replicate{'' if n == 1 else 's'}"
    if n < LEAST_REPLICATES:
        return [f"{some}: too few for a verdict on compression, {LEAST_REPLICATES} are needed"]
    if n < SURE_REPLICATES:
        return [f"{some}: with fewer than {SURE_REPLICATES} the interval of a verdict is weak"]
    return []


def _laws(run: Run, parameter: str, view: View, table: pd.DataFrame) -> list[str]:
    planes = dict(list(table.groupby(parameter))) if parameter in table else {None: table}
    broken = pd.concat(
        [broken_laws(run, view, plane).assign(value=value) for value, plane in planes.items()]
    ).reset_index(drop=True)
    n_epochs = table["epoch"].nunique()
    lines = []
    for kind in KINDS:
        rows = broken[broken["kind"] == kind]
        if rows.empty:
            continue
        values = rows["value"].nunique()
        holds = f"; this holds at {values} of {len(planes)} values of {parameter}"
        words = (
            _saturated(rows, n_epochs) if kind == SATURATED else _worst_at(kind, rows, parameter)
        )
        lines.append(words + (holds if len(planes) > 1 else ""))
    return lines


def _worst_at(kind: str, rows: pd.DataFrame, parameter: str) -> str:
    """The worst, of each layer once, and the value of the parameter where there are several."""
    each = rows.loc[rows.groupby("layer")["bits"].idxmax()]
    value = each.loc[each["bits"].idxmax(), "value"]
    return worst(kind, each) + ("" if value is None else f" (at {parameter} {value:g})")


def _saturated(rows: pd.DataFrame, n_epochs: int) -> str:
    """Every layer with the most epochs at which it is, at any one value."""
    often = rows.groupby("layer")["share"].max() * n_epochs
    parts = [f"layer {layer} at {round(n)}" for layer, n in often.items()]
    where = f"{', '.join(parts)} of {n_epochs} recorded epochs"
    return f"saturated: {where}; the number of samples decides there"
