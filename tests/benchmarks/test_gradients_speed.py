"""What recording and probing gradients cost; `-m benchmark -s` prints the ratios."""

import numpy as np
import pytest
import torch

from ibcore.presets import PRESETS
from ibcore.probes import GradientProbe
from ibcore.run import Run
from ibcore.tasks import epoch_order, load
from ibcore.training import Trainer, few_threads
from tests.core.test_gradients import twin_gradients, twin_stats
from tests.core.test_networks import one_network

from .test_training_speed import seconds

pytestmark = pytest.mark.benchmark

EPOCHS, PAIRS = 40, 15


def test_recording_along_slows_training_by_less_than_a_third():
    """On the original preset: epochs that are recorded against epochs that are not."""
    experiment = PRESETS["original-code"].experiment
    trainer = Trainer(experiment, load(experiment.task), torch.device("cpu"))

    def epochs(recorded):
        trainer._epochs_along = frozenset(range(10_000) if recorded else ())
        for _ in range(EPOCHS * trainer.steps_per_epoch):
            trainer.advance()

    with few_threads(trainer):
        epochs(True)
        pairs = [
            (seconds(lambda: epochs(True)), seconds(lambda: epochs(False))) for _ in range(PAIRS)
        ]
    recorded = float(np.median([a / b for a, b in pairs])) - 1
    share = len(experiment.epochs) / experiment.training.epochs
    print(f"\nrecording along: +{recorded:.0%} in an epoch that ends in a checkpoint,")
    print(f"+{recorded * share:.2%} of the whole training")
    assert recorded * share < 1 / 3


def test_probing_costs_less_than_a_third_of_the_training():
    """On the original preset: all checkpoints probed after training, protocol `epoch`."""
    experiment = PRESETS["original-code"].experiment
    run = _first_checkpoint(experiment)
    trainer = Trainer(experiment, run.dataset, torch.device("cpu"))

    def epochs():
        for _ in range(EPOCHS * trainer.steps_per_epoch):
            trainer.advance()

    with few_threads(trainer):
        epochs()
        pairs = [
            (seconds(lambda: GradientProbe().rows(run, 0)), seconds(epochs) / EPOCHS)
            for _ in range(PAIRS)
        ]
    one = float(np.median([probe / epoch for probe, epoch in pairs]))
    whole = one * len(experiment.epochs) / experiment.training.epochs
    print(
        f"\nprobing a checkpoint takes {one:.1f} epochs, all of them +{whole:.1%} of the training"
    )
    assert whole < 1 / 3


def test_a_batch_of_networks_and_minibatches_beats_one_autograd_call_each():
    """The slow twin: every network, one minibatch at a time."""
    experiment = PRESETS["original-code"].experiment
    run = _first_checkpoint(experiment)
    order = epoch_order(run.sample_index("train"), experiment.training.seed, 0)
    size = experiment.training.batch_size
    x, y = torch.tensor(run.dataset.x), torch.tensor(run.dataset.y)

    def twin():
        for r in range(run.n_replicates):
            network = one_network(run.ensemble(0), r)
            batches = [order[r, b * size : (b + 1) * size] for b in range(order.shape[1] // size)]
            rows = [twin_gradients(network, x[batch], y[batch]) for batch in batches]
            for layer in range(run.n_layers):
                twin_stats([row[layer] for row in rows])

    GradientProbe().rows(run, 0)
    pairs = [(seconds(twin), seconds(lambda: GradientProbe().rows(run, 0))) for _ in range(PAIRS)]
    ratio = float(np.median([slow / fast for slow, fast in pairs]))
    print(f"\ngradient statistics side by side: {ratio:.1f} times one call per minibatch")
    assert ratio > 2


def _first_checkpoint(experiment):
    dataset = load(experiment.task)
    checkpoint = Trainer(experiment, dataset, torch.device("cpu")).checkpoint()
    return Run.from_checkpoints(experiment, dataset.fingerprint, [checkpoint])
