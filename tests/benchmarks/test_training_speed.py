"""Speed of training side by side; `-m benchmark -s` prints the ratios."""

import time

import numpy as np
import pytest
import torch

from ibcore.experiment import Experiment, Training
from ibcore.networks import initialise
from ibcore.tasks import load
from ibcore.training import Trainer
from tests.core.test_networks import one_network

pytestmark = pytest.mark.benchmark

N_NETWORKS, BATCH, STEPS, PAIRS = 50, 256, 20, 15
OPTIMIZERS = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}


def networks(experiment):
    """All networks of the ensemble, as people write them: modules and an optimiser for each."""
    training = experiment.training
    ensemble = initialise(
        experiment.network, (12, 10, 7, 5, 4, 3, 2), training.replicates, training.seed
    )
    for r in range(training.replicates):
        network = one_network(ensemble, r)
        kind = OPTIMIZERS[training.optimizer]
        yield network, kind(network.parameters(), lr=training.learning_rate)


def one_step_each(pairs, x, y):
    """A step of every network, on a minibatch that is at hand."""
    for network, optimizer in pairs:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(x), y).backward()
        optimizer.step()


def seconds(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def paired(experiment):
    """Seconds of a step of all networks, (PAIRS, 2): in a loop, and side by side."""
    dataset = load(experiment.task)
    trainer = Trainer(experiment, dataset, torch.device("cpu"))
    rows = dataset.train[:BATCH]
    x, y = torch.tensor(dataset.x[rows]), torch.tensor(dataset.y[rows])
    alone = list(networks(experiment))

    def side_by_side():
        for _ in range(STEPS):
            trainer.advance()

    def pair():
        return seconds(lambda: one_step_each(alone, x, y)), seconds(side_by_side) / STEPS

    pair()
    return np.array([pair() for _ in range(PAIRS)])


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("threads", [1, 2])
def test_an_ensemble_against_a_loop_over_its_networks(optimizer, threads):
    """12-10-7-5-4-3-2 tanh, batch 256, on the symmetric task, all 50 networks in the loop.

    The ensemble also draws, shuffles and gathers its minibatches; the loop is given
    one that is at hand.
    """
    experiment = Experiment(
        training=Training(optimizer, 4e-4, batch_size=BATCH, replicates=N_NETWORKS)
    )
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        times = paired(experiment)
    finally:
        torch.set_num_threads(before)
    ratio = np.median(times[:, 0] / times[:, 1])
    loop, ensemble = 1e6 * np.median(times, axis=0) / N_NETWORKS
    print(
        f"\n{optimizer}, {threads} threads: {ratio:.1f} times as fast side by side"
        f" ({ensemble:.1f} against {loop:.1f} microseconds per network and step)"
    )
    assert ratio > 5
