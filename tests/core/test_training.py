"""Training against the obvious slow twin: one PyTorch network at a time."""

import numpy as np
import pytest
import torch

from ibcore.experiment import Experiment, FieldError, Network, Recording, Task, Training
from ibcore.networks import initialise
from ibcore.presets import PRESETS
from ibcore.run import train
from ibcore.tasks import load, replicate_splits
from ibcore.training import Trainer, check_size, resolve_device, steps_per_epoch, stream

from .test_networks import one_network

CPU = torch.device("cpu")
TASK = Task(train_fraction=0.02)


def small(**training):
    fields = {"optimizer": "sgd", "learning_rate": 0.03, "epochs": 2, "replicates": 3}
    return Experiment(TASK, Network("5-3"), Training(**(fields | training)), Recording(3))


def twin_optimizer(training, parameters):
    kinds = {
        "sgd": lambda: torch.optim.SGD(parameters, training.learning_rate),
        "momentum": lambda: torch.optim.SGD(
            parameters, training.learning_rate, momentum=training.momentum
        ),
        "adam": lambda: torch.optim.Adam(parameters, training.learning_rate),
        "adadelta": lambda: torch.optim.Adadelta(parameters, training.learning_rate),
    }
    return kinds[training.optimizer]()


def twin(experiment, r):
    """Train replicate r alone, with PyTorch's own modules, losses and loops."""
    training, dataset = experiment.training, load(experiment.task)
    ensemble = initialise(
        experiment.network, (12, 5, 3, 2), training.replicates, seed=training.seed
    )
    network = one_network(ensemble, r)
    optimizer = twin_optimizer(training, network.parameters())
    rows, _ = replicate_splits(dataset, experiment.task, training)
    size = {"full": rows.shape[1], "mini": training.batch_size, "single": 1}[training.batch_mode]
    for epoch in range(training.epochs):
        rng = np.random.default_rng([training.seed, epoch])
        order = rng.permuted(rows, axis=1)[r]
        for start in range(0, len(order), size):
            batch = order[start : start + size]
            loss = torch.nn.functional.cross_entropy(
                network(torch.tensor(dataset.x[batch])), torch.tensor(dataset.y[batch])
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return network


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "adadelta"])
@pytest.mark.parametrize(
    "batch",
    [
        {"batch_mode": "full"},
        {"batch_mode": "mini", "batch_size": 20},
        {"batch_mode": "mini", "batch_size": 500},
        {"batch_mode": "single"},
        {"batch_mode": "mini", "batch_size": 30, "resample_split": True},
        {"batch_mode": "full", "resample_split": True},
    ],
)
def test_every_replicate_trains_as_it_would_alone(optimizer, batch):
    experiment = small(optimizer=optimizer, **batch)
    run = train(experiment, device="cpu")
    for r in range(3):
        alone = twin(experiment, r)
        for layer in range(3):
            expected = alone[2 * layer].weight.detach().numpy()
            np.testing.assert_allclose(run.weights[layer][-1, r], expected, atol=2e-5)


def test_losses_and_accuracies_are_those_of_the_networks():
    experiment = small(epochs=3)
    run, dataset = train(experiment, device="cpu"), load(TASK)
    network = twin(experiment, 1)
    for name, rows in (("train", dataset.train), ("test", dataset.test)):
        z, y = network(torch.tensor(dataset.x[rows])), torch.tensor(dataset.y[rows])
        loss = torch.nn.functional.cross_entropy(z, y).item()
        accuracy = (z.argmax(1) == y).double().mean().item()
        assert getattr(run, f"{name}_loss")[-1, 1] == pytest.approx(loss, abs=1e-4)
        assert getattr(run, f"{name}_accuracy")[-1, 1] == pytest.approx(accuracy, abs=0.002)


def test_same_seed_same_run_bit_for_bit_and_another_seed_another():
    one, same, other = (train(small(seed=s), device="cpu") for s in (4, 4, 5))
    for a, b, c in zip(one.weights, same.weights, other.weights, strict=True):
        assert np.array_equal(a, b)
        assert not np.array_equal(a, c)


def test_the_number_of_threads_does_not_change_the_result():
    before = torch.get_num_threads()
    runs = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            trainer = Trainer(small(replicates=20), load(TASK), CPU)
            runs.append(list(stream(trainer))[-1])
    finally:
        torch.set_num_threads(before)
    for a, b in zip(runs[0].weights, runs[1].weights, strict=True):
        assert np.array_equal(a, b)


def test_minibatches_are_reshuffled_each_epoch_and_differ_between_replicates():
    trainer = Trainer(small(), load(TASK), CPU)
    first, second = trainer._order(0), trainer._order(1)
    rows = np.sort(load(TASK).train)
    for order in (*first, *second):
        assert np.array_equal(np.sort(order), rows)
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first[0], second[0])


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "adadelta"])
@pytest.mark.parametrize("steps", [1, 7, 11])
def test_a_restored_trainer_goes_on_to_the_bit(optimizer, steps):
    experiment = small(optimizer=optimizer, batch_size=20, epochs=4)
    whole = list(stream(Trainer(experiment, load(TASK), CPU)))[-1]
    broken_off = Trainer(experiment, load(TASK), CPU)
    for _ in range(steps):
        broken_off.advance()
    state = broken_off.state()
    broken_off.advance()
    continued = Trainer(experiment, load(TASK), CPU)
    continued.restore(state)
    last = list(stream(continued))[-1]
    for a, b in zip(whole.weights, last.weights, strict=True):
        assert np.array_equal(a, b)
    assert np.array_equal(whole.along_mean, last.along_mean)
    assert np.array_equal(whole.along_std, last.along_std)


def test_a_replicate_that_diverges_is_named_and_leaves_the_others_alone():
    experiment = small(optimizer="sgd", epochs=6)
    sound = list(stream(Trainer(experiment, load(TASK), CPU)))
    trainer = Trainer(experiment, load(TASK), CPU)
    checkpoints = []
    for checkpoint in stream(trainer):
        checkpoints.append(checkpoint)
        if checkpoint.epoch == 1:
            with torch.no_grad():
                trainer.ensemble.weights[0][1] = torch.inf
    assert checkpoints[-1].diverged[1] == 2
    assert checkpoints[-1].diverged[[0, 2]].tolist() == [-1, -1]
    assert np.isnan(checkpoints[-1].weights[0][1]).all()
    assert np.isnan(checkpoints[-1].train_loss[1])
    for mine, theirs in zip(checkpoints[-1].weights, sound[-1].weights, strict=True):
        assert np.array_equal(mine[[0, 2]], theirs[[0, 2]])


def test_a_learning_rate_far_too_high_ends_quickly_with_every_replicate_named():
    experiment = Experiment(
        TASK,
        Network("5-3", "linear"),
        Training("sgd", 1000.0, epochs=100_000, replicates=2),
        Recording(5),
    )
    run = train(experiment, device="cpu")
    assert (run.diverged > 0).all()
    assert (run.diverged < 1000).all()
    assert run.complete
    assert len(run.history()["epoch"].unique()) < 5


def test_no_test_set_leaves_no_test_columns():
    experiment = Experiment(
        Task(train_fraction=1), Network("3"), Training(epochs=1, replicates=1), Recording(2)
    )
    run = train(experiment, device="cpu")
    assert run.test_loss is None
    assert list(run.history()) == ["epoch", "replicate", "train_loss", "train_accuracy"]
    with pytest.raises(FieldError, match="samples"):
        run.activations(0, "test")


def test_progress_rises_to_the_end_and_knows_the_time_left():
    heard = []
    train(small(epochs=200), device="cpu", progress=heard.append)
    assert [p.done for p in heard] == sorted(p.done for p in heard)
    assert heard[-1].done == heard[-1].total == 200
    assert heard[-1].epoch == 200
    assert heard[-1].seconds_left == 0


def test_stopping_gives_a_partial_run():
    asked = iter([False] * 5 + [True] * 100)
    run = train(small(epochs=50), device="cpu", should_stop=lambda: next(asked))
    assert not run.complete
    assert run.epochs.tolist() == [0, 1]


def test_steps_per_epoch():
    assert steps_per_epoch(Training(batch_mode="full"), 3277) == 1
    assert steps_per_epoch(Training(batch_mode="single"), 3277) == 3277
    assert steps_per_epoch(Training(batch_size=512), 3277) == 7


def test_unknown_devices_are_refused_in_one_line():
    assert resolve_device("auto").type in ("cuda", "mps", "cpu")
    for name in ("tpu9", "cuda:77", "meta"):
        with pytest.raises(ValueError, match="device") as caught:
            resolve_device(name)
        assert "\n" not in str(caught.value)


def test_the_network_must_fit_the_task():
    experiment = Experiment(Task("digits"), Network("5", output="sigmoid"))
    with pytest.raises(FieldError, match="output"):
        train(experiment, device="cpu")


@pytest.mark.parametrize(
    ("layers", "training", "named"),
    [
        ("16384-16384", Training(replicates=10), "checkpoints"),
        ("4096-4096-4096", Training(replicates=4, epochs=5000), "checkpoints"),
        ("1000", Training(replicates=1000, batch_mode="full", epochs=1), "a step"),
    ],
)
def test_what_would_not_fit_into_memory_is_refused_before_it_is_tried(layers, training, named):
    experiment = Experiment(Task(train_fraction=1), Network(layers), training, Recording(20))
    with pytest.raises(FieldError, match=named) as caught:
        train(experiment, device="cpu")
    assert "GB" in str(caught.value)


def test_the_published_experiments_fit():
    at_hand = [p for p in PRESETS.values() if p.experiment.task.name in ("symmetric", "digits")]
    assert len(at_hand) > 10
    for preset in at_hand:
        sizes = check_size(preset.experiment, load(preset.experiment.task))
        assert len(sizes) == len(preset.experiment.network.hidden) + 2
