"""What takes long at the first visit, done before the server answers: no visitor waits for it."""

from contextlib import suppress
from dataclasses import replace

import runs
import state
from charts import THEMES
from ibcore.presets import PRESETS
from ibcore.training import estimated_seconds
from looks import WIDTH, make_look
from sidebar import network_picture
from views.scales import scales


def load_training() -> None:
    """Load what PyTorch loads at the first step of a training only."""
    experiment = PRESETS["quick-tanh"].experiment
    estimated_seconds(experiment, runs.dataset(experiment))


def make_first_look() -> None:
    """Keep the look at the first preset's run, in both themes."""
    experiment, settings = PRESETS[state.FIRST_PRESET].experiment, state.defaults()
    # What fails here fails again where it is asked for, and is said there.
    with suppress(Exception):
        shown = runs.Shown(*runs.find(experiment), experiment)
        estimator, view = state.estimator(settings), state.view(settings, shown.run)
        figure = scales(shown.run, estimator, view, WIDTH)
        for theme in THEMES:
            network_picture(experiment, runs.shapes(experiment), theme)
            make_look(shown, estimator, view, replace(figure, theme=theme))
