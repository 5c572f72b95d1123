"""Information-plane analysis of neural networks; see README.md for a tour."""

import os

# Idle OpenMP threads that spin, the default, made training a hundred times slower on
# a machine whose cores were also busy elsewhere. PyTorch reads this when first loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from ibcore import phases
from ibcore.checks import violations
from ibcore.estimators import (
    ESTIMATORS,
    KDE,
    KSG,
    Binning,
    Gaussian,
    Information,
    Quantised,
    Renyi,
    Sampling,
    tuned_variance,
)
from ibcore.events import gradient_events, loss_events, turning_events
from ibcore.experiment import (
    Experiment,
    FieldError,
    Network,
    Recording,
    Task,
    Training,
)
from ibcore.gradients import DEFINITIONS, GradientStats, gradient_stats
from ibcore.plane import exactness, information_curves, information_plane
from ibcore.presets import PRESETS
from ibcore.probes import (
    PROBES,
    GradientProbe,
    LossChangeProbe,
    WeightProbe,
    defined,
    probed,
)
from ibcore.run import Run, train
from ibcore.store import Store
from ibcore.tasks import TASKS, Dataset, DownloadError, MissingData, fetch, load
from ibcore.theory import TRUTHS, Truth
from ibcore.verdicts import robustness, verdict_map
from ibcore.view import View, default_view

__all__ = [
    "DEFINITIONS",
    "ESTIMATORS",
    "KDE",
    "KSG",
    "PRESETS",
    "PROBES",
    "TASKS",
    "TRUTHS",
    "Binning",
    "Dataset",
    "DownloadError",
    "Experiment",
    "FieldError",
    "Gaussian",
    "GradientProbe",
    "GradientStats",
    "Information",
    "LossChangeProbe",
    "MissingData",
    "Network",
    "Quantised",
    "Recording",
    "Renyi",
    "Run",
    "Sampling",
    "Store",
    "Task",
    "Training",
    "Truth",
    "View",
    "WeightProbe",
    "default_view",
    "defined",
    "exactness",
    "fetch",
    "gradient_events",
    "gradient_stats",
    "information_curves",
    "information_plane",
    "load",
    "loss_events",
    "phases",
    "probed",
    "robustness",
    "train",
    "tuned_variance",
    "turning_events",
    "verdict_map",
    "violations",
]
