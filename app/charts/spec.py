"""Small Altair charts put together into one Vega-Lite specification, and given their rows.

Altair copies a composed chart with all its rows at every step, which takes
seconds here. So single marks are Altair charts, and the rest is plain values:
JSON text that depends on the scales alone, and rows that are added at the end.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

import altair as alt
import pandas as pd
import pyarrow as pa

from charts.theme import chart_config

Rows = pd.DataFrame | list[dict]
"""A data set: a table where there are many rows, because lists of them are slow to send."""


class _Chart(alt.Chart):
    """A chart of which Altair need not find out what its channels are.

    For each that is a text or a value Altair hashes all its schemas: most of the time a
    figure takes.
    """

    def encode(self, **channels: object) -> alt.Chart:
        return super().encode(**{name: _channel(name, each) for name, each in channels.items()})


def _channel(name: str, content: object) -> object:
    """The channel where it is a text, as `"epoch:Q"`, or a value, as `alt.value` makes it."""
    if isinstance(content, list):
        return [_channel(name, each) for each in content]
    kind = name[0].upper() + name[1:]
    if isinstance(content, str):
        return getattr(alt, kind)(content)
    if isinstance(content, dict) and content.keys() == {"value"}:
        return getattr(alt, f"{kind}Value")(**content)
    return content


def named(name: str) -> alt.Chart:
    """A chart over the data set of that name."""
    return _Chart(alt.NamedData(name=name))


def layered(*charts: alt.Chart, **properties: object) -> dict:
    """Single marks one above the other, on the same axes."""
    return {"layer": [_unit(chart) for chart in charts], **properties}


def _unit(chart: alt.Chart) -> dict:
    spec = chart.to_dict(validate=False)
    return {name: value for name, value in spec.items() if name not in ("$schema", "config")}


def template(body: dict, theme: str, width: int, description: str) -> str:
    """The specification as JSON text with its whole look and its description, without rows.

    Its width in pixels and its theme stand in `usermeta`, for captions and exports.
    """
    whole = {
        "$schema": alt.SCHEMA_URL,
        "config": chart_config(theme),
        "description": description,
        "autosize": {"type": "pad", "contains": "padding"},
        **body,
        "usermeta": {"width": width, "theme": theme, **body.get("usermeta", {})},
    }
    return json.dumps(whole)


def specification(text: str, rows: Mapping[str, Rows | pa.Table]) -> dict:
    """A new specification from a template and its named data sets."""
    return {**json.loads(text), "datasets": rows}


@dataclass(frozen=True, eq=False)
class Packed:
    """A chart that is kept and sent more than once: its JSON text, its rows as Arrow tables.

    Python searches all dictionaries that are kept for garbage after every look at a page.
    """

    text: str
    tables: dict[str, pa.Table]

    def unpacked(self) -> dict:
        """The specification, for a page."""
        return specification(self.text, self.tables)


def packed(chart: dict) -> Packed:
    """The chart to be kept."""
    rows = chart["datasets"]
    text = json.dumps({name: value for name, value in chart.items() if name != "datasets"})
    return Packed(text, {name: _packed(table) for name, table in rows.items()})


def _packed(rows: Rows) -> pa.Table:
    if isinstance(rows, pd.DataFrame):
        return pa.Table.from_pandas(rows, preserve_index=False)
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table({name: [row.get(name) for row in rows] for name in names})


def plain(chart: dict) -> dict:
    """The chart with every data set as a list of JSON values; what is not finite is None."""
    return {**chart, "datasets": {name: _records(rows) for name, rows in chart["datasets"].items()}}


def _records(rows: Rows) -> list[dict]:
    if not isinstance(rows, pd.DataFrame):
        return [{name: _finite(value) for name, value in row.items()} for row in rows]
    values = [[_finite(v) for v in rows[name].tolist()] for name in rows]
    return [dict(zip(rows.columns, row, strict=True)) for row in zip(*values, strict=True)]


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value
