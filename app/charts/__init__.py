"""Charts: tidy tables in, Vega-Lite specifications out. No page and no network in here."""

from charts.activations import Seen
from charts.caption import with_caption
from charts.comparison import comparison_figure
from charts.definitions import definitions_figure
from charts.epoch_settings import EpochSettings
from charts.figure import plane_figure
from charts.gradients import gradient_figure
from charts.heat import heat_map
from charts.loss_change import loss_change_figure
from charts.multiples import small_multiples
from charts.network import DrawnLayer, network_drawing
from charts.neurons import gain_figure, squash_figure
from charts.sample_size import sample_size_figure
from charts.settings import PlaneSettings
from charts.spec import Packed, packed, plain
from charts.tables import history_mean, mean_table
from charts.theme import THEMES
from charts.trial_map import trial_map
from charts.trial_settings import TrialSettings
from charts.trials import trial_figure
from charts.tuning import tuning_figure
from charts.verdicts import VerdictPanel, verdict_figure, verdict_words
from charts.weights import weights_figure

__all__ = [
    "THEMES",
    "DrawnLayer",
    "EpochSettings",
    "Packed",
    "PlaneSettings",
    "Seen",
    "TrialSettings",
    "VerdictPanel",
    "comparison_figure",
    "definitions_figure",
    "gain_figure",
    "gradient_figure",
    "heat_map",
    "history_mean",
    "loss_change_figure",
    "mean_table",
    "network_drawing",
    "packed",
    "plain",
    "plane_figure",
    "sample_size_figure",
    "small_multiples",
    "squash_figure",
    "trial_figure",
    "trial_map",
    "tuning_figure",
    "verdict_figure",
    "verdict_words",
    "weights_figure",
    "with_caption",
]
