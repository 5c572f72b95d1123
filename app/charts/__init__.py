"""Charts: tidy tables in, Vega-Lite specifications out. No page and no network in here."""

from charts.caption import with_caption
from charts.figure import plane_figure
from charts.heat import heat_map
from charts.multiples import small_multiples
from charts.network import network_drawing
from charts.settings import PlaneSettings
from charts.spec import plain
from charts.tables import history_mean, mean_table
from charts.theme import THEMES

__all__ = [
    "THEMES",
    "PlaneSettings",
    "heat_map",
    "history_mean",
    "mean_table",
    "network_drawing",
    "plain",
    "plane_figure",
    "small_multiples",
    "with_caption",
]
