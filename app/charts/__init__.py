"""Charts: tidy tables in, Altair charts out. No page and no network in here."""

from charts.figure import plane_figure
from charts.settings import PlaneSettings
from charts.tables import history_mean, mean_table
from charts.theme import THEMES

__all__ = ["THEMES", "PlaneSettings", "history_mean", "mean_table", "plane_figure"]
