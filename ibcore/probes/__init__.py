"""Probes: what is asked of the networks of a checkpoint beside their information.

One file per probe; `PROBES` is the registry.
"""

from collections.abc import Callable
from dataclasses import fields

import pandas as pd

from ibcore.experiment import FieldError
from ibcore.probes.gradients import PROTOCOLS, GradientProbe, defined
from ibcore.probes.loss_change import LossChangeProbe
from ibcore.probes.protocol import Probe
from ibcore.probes.weights import WeightProbe
from ibcore.run import Run

PROBES: dict[str, type[Probe]] = {
    probe.family: probe for probe in (GradientProbe, LossChangeProbe, WeightProbe)
}


def to_dict(probe: Probe) -> dict:
    """The probe as plain values, for JSON."""
    return {"family": probe.family} | vars(probe)


def from_dict(values: dict) -> Probe:
    """The probe in `values`; FieldError for an unknown family, field or value."""
    settings = dict(values)
    family = settings.pop("family", None)
    if family not in tuple(PROBES):
        raise FieldError("family", family, "one of " + ", ".join(PROBES))
    kind = PROBES[family]
    known = [field.name for field in fields(kind)]
    for name, value in settings.items():
        if name not in known:
            allowed = "only the fields " + ", ".join(known) if known else "it with other probes"
            raise FieldError(name, value, allowed)
    return kind(**settings)


def probed(
    run: Run, probe: Probe, *, progress: Callable[[int, int], None] | None = None
) -> pd.DataFrame:
    """The rows of a probe at every checkpoint of the run; `progress` hears (done, all).

    Raises what `probe.check` raises where the run cannot answer it.
    """
    probe.check(run)
    tables = []
    for k in range(len(run.epochs)):
        tables.append(probe.rows(run, k))
        if progress is not None:
            progress(k + 1, len(run.epochs))
    return joined(tables)


def joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """The rows of several checkpoints as one table."""
    tables = [table for table in tables if len(table)]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


__all__ = [
    "PROBES",
    "PROTOCOLS",
    "GradientProbe",
    "LossChangeProbe",
    "Probe",
    "WeightProbe",
    "defined",
    "from_dict",
    "joined",
    "probed",
    "to_dict",
]
