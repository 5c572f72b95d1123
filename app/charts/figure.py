"""The main figure: key, plane and curves in one view with one epoch."""

from dataclasses import replace
from functools import lru_cache

import pandas as pd

from charts.curves import VIEWS as CURVE_VIEWS
from charts.curves import curve_panels
from charts.key import VIEW as KEY_VIEW
from charts.key import key_panel
from charts.layers import selections
from charts.plane import NOW, label, plane_panel
from charts.plane import VIEW as PLANE_VIEW
from charts.rows import plane_rows
from charts.settings import PlaneSettings
from charts.spec import layered, specification, template

CHECKPOINT = "checkpoint"
GAP = 16
AXES = 108
"""Pixels beside the plotting areas: two axes with titles and paddings."""


def plane_figure(table: pd.DataFrame, history: pd.DataFrame, settings: PlaneSettings) -> dict:
    """The information plane beside its curves, with an epoch slider: a Vega-Lite specification.

    `table` and `history` are the tidy tables of a run, complete or not; `history` may be
    averaged already (`history_mean`). The
    parameter `checkpoint` is an index into `settings.epochs`; while a run has not
    got there the chart shows the last checkpoint before it. Everything that changes
    with the data or the estimator is in `datasets`; the rest depends on the scales
    alone. Raises ValueError for an epoch that is not in `settings.epochs`.
    """
    scales = replace(settings, title="", estimator_label="")
    return specification(_template(scales), plane_rows(table, history, settings))


@lru_cache(maxsize=64)
def _template(settings: PlaneSettings) -> str:
    inside = settings.width - AXES
    left = round(0.6 * inside)
    panels = curve_panels(settings, inside - left, (settings.height - 3 * GAP) // 4)
    panels[0]["layer"] += layered(label("band", settings, x=inside - left, align="right"))["layer"]
    right = {"vconcat": panels, "spacing": GAP, "bounds": "flush"}
    plane = plane_panel(settings, left, settings.height)
    body = {"hconcat": [plane, right], "spacing": 60, "bounds": "flush"}
    views = [KEY_VIEW, PLANE_VIEW, *CURVE_VIEWS.values()]
    params = [*_epoch(settings), *selections(views)]
    figure = {
        "vconcat": [key_panel(settings, inside), body],
        "spacing": 8,
        "params": params,
        "usermeta": {"embedOptions": {"renderer": "canvas"}},
    }
    return template(figure, settings.theme, settings.width, _words(settings))


def _words(settings: PlaneSettings) -> str:
    return (
        f"Information plane of {settings.n_layers} layers: I(X;T) against I(T;Y) in bits, one path"
        " per layer over the epochs, beside both against the epoch, loss and accuracy."
    )


def _epoch(settings: PlaneSettings) -> list[dict]:
    slider = {"input": "range", "min": 0, "max": len(settings.epochs) - 1, "step": 1}
    return [
        {"name": CHECKPOINT, "value": settings.first_shown, "bind": {**slider, "name": "epoch"}},
        {"name": NOW, "expr": f"data('checkpoints')[{CHECKPOINT}].shown"},
    ]
