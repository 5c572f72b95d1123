"""The figure of the page "Layers": planes and activations, before and after training."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

import pandas as pd

from charts.activations import VIEW as ACTIVATIONS_VIEW
from charts.activations import Seen, Shape, activation_panel, activation_rows
from charts.comparison_planes import plane_panels, plane_rows, views
from charts.key import VIEW as KEY_VIEW
from charts.key import key_panel
from charts.layers import selections
from charts.rows import layer_rows
from charts.settings import PlaneSettings
from charts.spec import specification, template

AXES = 72
"""Pixels beside the plotting areas."""


def comparison_figure(
    planes: Mapping[str, pd.DataFrame], seen: Seen, settings: PlaneSettings
) -> dict:
    """The plane before beside the one after, and below it what the layers answer to one input.

    `planes` are tables of `ibcore.comparison.compared` (empty ones leave the panel empty) by
    the definition of a layer's information, "concat" or "mean"; one row of panels for each.
    Marks have bars from the lower to the upper end. Pointing at a layer, or a click on it,
    lights it in all panels.
    """
    bare = replace(settings, title="", estimator_label="", start_at=None)
    text = _template(bare, tuple(planes), seen.shapes)
    return specification(text, _rows(planes, seen, settings))


def _rows(planes: Mapping[str, pd.DataFrame], seen: Seen, settings: PlaneSettings) -> dict:
    labels = {
        f"{definition}_{moment}": f"{title} · {DEFINITIONS[definition]}"
        for definition in planes
        for moment, title in zip(("before", "after"), seen.headings, strict=True)
    }
    if len(planes) == 1:
        labels = dict(zip(labels, seen.headings, strict=True))
    return {
        "planes": plane_rows(planes, settings),
        "layers": layer_rows(settings),
        "labels": [labels],
        **activation_rows(seen, settings, settings.width - AXES),
    }


DEFINITIONS = {
    "concat": "concat: all channels of a layer as one vector",
    "mean": "mean over the channels of a layer",
}


@lru_cache(maxsize=32)
def _template(
    settings: PlaneSettings, definitions: tuple[str, ...], shapes: Sequence[Shape]
) -> str:
    inside = settings.width - AXES
    body = {
        "vconcat": [
            key_panel(settings, inside),
            plane_panels(settings, definitions, inside),
            activation_panel(settings, shapes, inside),
        ],
        "spacing": 34,
        "params": selections([KEY_VIEW, *views(definitions), ACTIVATIONS_VIEW]),
        "usermeta": {"embedOptions": {"renderer": "canvas"}},
    }
    words = (
        f"The information plane of {settings.n_layers} layers before and after training, and their"
        " activations for one input."
    )
    return template(body, settings.theme, settings.width, words)
