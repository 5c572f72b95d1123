"""Logarithmic axes whose ends follow the data, though the specification does not.

Ends and choice of ticks stand in the data set `labels`, as numbers and not as lists:
a page may send rows in a format whose lists are no arrays to Vega.
"""

import json
import math

import altair as alt
import numpy as np

EXTENT = 44
"""Pixels from an axis to its title: the same for all, so that stacked panels align."""
SHORTEST = math.log10(5)
"""Of an axis in decades, so that some ladder has two ticks or more in it."""
MARGIN = 0.04
MOST_TICKS = 6
EXPONENTS = range(-30, 16)
LADDERS = (
    *(
        [float(f"{digit}e{p}") for p in EXPONENTS for digit in digits]
        for digits in ((1, 1.5, 2, 3, 5, 7), (1, 2, 5))
    ),
    *([float(f"1e{p}") for p in EXPONENTS if p % step == 0] for step in (1, 2, 3, 5, 10)),
)
"""Ticks from fine to coarse, those beyond the ends of an axis included."""
LABEL = (
    "datum.value < 0.001 || datum.value >= 10000 ? format(datum.value, '.2~e')"
    " : format(datum.value, '~g')"
)


def log_row(name: str, values: np.ndarray) -> dict[str, float]:
    """Ends and ladder of ticks of the axis `name` that shows all finite values above 0."""
    logs = _logs(values)
    low, high = (logs.min(), logs.max()) if logs.size else (-1.0, 0.0)
    lacking = max(0.0, SHORTEST - (high - low)) / 2
    margin = lacking + MARGIN * (high - low)
    low, high = float(10 ** (low - margin)), float(10 ** (high + margin))
    return {f"{name}_low": low, f"{name}_high": high, f"{name}_ladder": _ladder(low, high)}


def _logs(values: np.ndarray) -> np.ndarray:
    array = np.asarray(values, dtype=float).ravel()
    return np.log10(array[np.isfinite(array) & (array > 0)])


def _ladder(low: float, high: float) -> int:
    """The finest ladder with few enough ticks between the ends."""
    counts = [sum(low <= tick <= high for tick in ladder) for ladder in LADDERS]
    return next((i for i, n in enumerate(counts) if n <= MOST_TICKS), len(LADDERS) - 1)


def log_params(*names: str) -> list[dict]:
    """The parameters that hold the ends and ticks of the axes `names`."""
    row, ladders = "data('labels')[0]", json.dumps(LADDERS)
    return [
        param
        for name in names
        for param in (
            {"name": f"{name}_domain", "expr": f"[{row}.{name}_low, {row}.{name}_high]"},
            {"name": f"{name}_ticks", "expr": f"{ladders}[{row}.{name}_ladder]"},
        )
    ]


def log_y(name: str, field: str, title: str | None, labels: bool = True) -> alt.Y:
    """The field on the logarithmic axis `name`."""
    axis = alt.Axis(
        values=alt.ExprRef(f"{name}_ticks"),
        tickCount=MOST_TICKS + 2,
        labelExpr=LABEL,
        labels=labels,
        ticks=labels,
        minExtent=EXTENT if labels else 0,
        maxExtent=EXTENT,
    )
    scale = alt.Scale(type="log", domain=alt.ExprRef(f"{name}_domain"), nice=False)
    return alt.Y(f"{field}:Q", title=title, axis=axis, scale=scale)
