"""The values of an estimator's parameter: their names and their places in a table."""

import math

import pandas as pd

PARAMETERS = {
    "n_bins": ("number of bins", "{:g} bins"),
    "width": ("bin width", "bin width {:g}"),
    "variance": ("noise variance σ²", "σ² = {:g}"),
    "alpha": ("order α", "α = {:g}"),
    "k": ("neighbours k", "k = {:g}"),
    "bits": ("bits of the grid", "{:g}-bit grid"),
}


def parameter_title(parameter: str) -> str:
    """The parameter in words; raises ValueError for one that no estimator has."""
    return _words(parameter)[0]


def value_title(parameter: str, value: float) -> str:
    """One value of the parameter in words."""
    return _words(parameter)[1].format(value)


def _words(parameter: str) -> tuple[str, str]:
    if parameter not in PARAMETERS:
        raise ValueError(f"parameter: {parameter!r} is not allowed; use {', '.join(PARAMETERS)}")
    return PARAMETERS[parameter]


def rung(column: pd.Series, value: float) -> float | None:
    """The value of the column that equals `value` but for rounding, None if there is none."""
    equal = (v for v in column.unique().tolist() if math.isclose(v, value, rel_tol=1e-6))
    return next(equal, None)
