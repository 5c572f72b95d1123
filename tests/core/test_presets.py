"""The published settings, written out, and changes to them."""

import json
from dataclasses import asdict, fields

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ibcore.estimators import KDE, Binning, Quantised
from ibcore.experiment import (
    ACTIVATION_NAMES,
    Experiment,
    FieldError,
    Network,
    Recording,
    Task,
    Training,
)
from ibcore.networks import ACTIVATIONS
from ibcore.presets import (
    PRESETS,
    changed,
    default_binning,
    default_estimator,
    nearest,
    parsed_changes,
)
from ibcore.tasks import Dataset
from ibcore.training import n_parameters

from .test_experiment import experiments

# Shwartz-Ziv and Tishby 2017: 12-10-7-5-4-3-2 tanh, truncated normal 1/sqrt(fan_in), 80 % of
# the data; Saxe et al. 2018: the same layers, 1/sqrt(layer width), batch 256, 10,000 epochs.
# The output layer, 2 softmax units, follows from the task.
TISHBY = {"layers": "10-7-5-4-3", "activation": "tanh", "init": "fan_in", "output": "softmax"}
SAXE = TISHBY | {"init": "fan_out"}
ADAM = {"optimizer": "adam", "learning_rate": 4e-4, "batch_mode": "mini", "resample_split": False}
SGD = {"optimizer": "sgd", "batch_mode": "mini"}
RULE = {"name": "symmetric", "train_fraction": 0.8, "gamma": None}
DIGITS = {"name": "digits", "train_fraction": 0.8}

PUBLISHED = {
    "quick-tanh": (
        RULE,
        TISHBY,
        ADAM | {"learning_rate": 2e-3, "batch_size": 256, "epochs": 400, "replicates": 5},
        Binning(30, (-1.0, 1.0)),
    ),
    "original-code": (
        RULE,
        TISHBY,
        ADAM | {"batch_size": 512, "epochs": 8000},
        Binning(30, (-1.0, 1.0)),
    ),
    "original-caption": (
        RULE,
        TISHBY,
        ADAM | {"batch_size": 512, "epochs": 8000},
        Binning(30, (-1.0, 1.0)),
    ),
    "original-paper": (
        RULE | {"train_fraction": 0.85, "gamma": 54.48},
        TISHBY | {"output": "sigmoid"},
        SGD | {"epochs": 10_000, "replicates": 50, "resample_split": True},
        Binning(30, (-1.0, 1.0)),
    ),
    "saxe-tanh": (
        RULE,
        SAXE,
        ADAM | {"batch_size": 256, "epochs": 10_000},
        Binning(30, (-1.0, 1.0)),
    ),
    "saxe-relu": (
        RULE,
        SAXE | {"activation": "relu"},
        ADAM | {"batch_size": 256, "epochs": 10_000},
        Binning(100, "range"),
    ),
    "schumacher-tanh": (
        RULE,
        TISHBY,
        ADAM | {"batch_size": 512, "epochs": 8000},
        Binning(30, (-1.0, 1.0)),
    ),
    "schumacher-relu": (
        RULE,
        TISHBY | {"activation": "relu"},
        ADAM | {"batch_size": 512, "epochs": 8000},
        Binning(100, "range"),
    ),
    "lorenzen-tanh": (
        RULE,
        SAXE | {"bits": 8},
        ADAM | {"learning_rate": 1e-4, "batch_size": 256, "epochs": 8000},
        Quantised(8),
    ),
    "lorenzen-relu": (
        RULE,
        SAXE | {"activation": "relu", "bits": 8},
        ADAM | {"learning_rate": 1e-4, "batch_size": 256, "epochs": 8000},
        Quantised(8),
    ),
    "parallel-tanh": (
        RULE,
        TISHBY,
        {"batch_mode": "parallel", "batch_size": 256, "replicates": 12},
        Binning(30, (-1.0, 1.0)),
    ),
    "orhan-digits": (
        DIGITS,
        {"layers": "128-128-128", "activation": "relu"},
        SGD | {"batch_size": 128},
        KDE(0.1),
    ),
    "digits-tanh": (
        DIGITS,
        {"layers": "64-20-20-20", "activation": "tanh"},
        SGD | {"batch_size": 128},
        KDE(0.1),
    ),
    "digits-relu": (
        DIGITS,
        {"layers": "64-20-20-20", "activation": "relu"},
        SGD | {"batch_size": 128},
        KDE(0.1),
    ),
    # The dissertation: 784-1024-20-20-10 tanh; conv32 3x3, conv64 3x3, pool 2, dense 128, ReLU.
    "dissertation-mlp": (
        {"name": "mnist"},
        {"layers": "1024-20-20", "activation": "tanh", "output": "softmax"},
        {"learning_rate": 1e-3, "batch_mode": "mini", "batch_size": 128, "epochs": 20},
        KDE(0.1),
    ),
    "dissertation-cnn": (
        {"name": "mnist"},
        {"layers": "conv32k3-conv64k3-pool2-128", "activation": "relu", "output": "softmax"},
        {"optimizer": "adadelta", "learning_rate": 1.0, "batch_size": 128, "epochs": 12},
        KDE(0.0735),
    ),
    # Saxe et al. 2018 on MNIST: 784-1024-20-20-20-10.
    "saxe-mnist-tanh": (
        {"name": "mnist"},
        SAXE | {"layers": "1024-20-20-20"},
        SGD | {"learning_rate": 1e-3, "batch_size": 128},
        KDE(0.1),
    ),
    "saxe-mnist-relu": (
        {"name": "mnist"},
        SAXE | {"layers": "1024-20-20-20", "activation": "relu"},
        SGD | {"learning_rate": 1e-3, "batch_size": 128},
        KDE(0.1),
    ),
    "orhan-mnist": (
        {"name": "mnist"},
        {"layers": "128-128-128", "activation": "relu"},
        SGD | {"batch_size": 128},
        KDE(0.1),
    ),
    "orhan-cifar100": (
        {"name": "cifar100"},
        {"layers": "128-128-128", "activation": "relu"},
        SGD | {"batch_size": 128},
        KDE(0.1),
    ),
}

# Checkpoints other than 60, of runs that would be large.
RECORDED = dict.fromkeys(
    ("saxe-mnist-tanh", "saxe-mnist-relu", "orhan-mnist", "orhan-cifar100"), Recording(30)
)

# Whose settings these are, and what of ours differs from them.
SAID = {
    "quick-tanh": ("Tishby 2017", "400 epochs instead of 8000"),
    "original-code": ("Tishby 2017", "Ours: 10 replicates"),
    "original-caption": ("Tishby 2017", "divided by the norm of the layer's weights"),
    "original-paper": ("Tishby 2017", "the 50 data sets are 50 splits of one draw of the labels"),
    "saxe-tanh": ("Saxe et al. 2018", "Ours: 10 replicates"),
    "saxe-relu": ("Saxe et al. 2018", "Ours: 10 replicates"),
    "schumacher-tanh": ("Schumacher 2018", "10 replicates here"),
    "schumacher-relu": ("Schumacher 2018", "Ours: 10 replicates"),
    "lorenzen-tanh": ("Lorenzen, Igel & Nielsen 2022", "10 replicates instead of 50"),
    "lorenzen-relu": ("Lorenzen, Igel & Nielsen 2022", "Ours: ReLU clipped at 6"),
    "parallel-tanh": ("dissertation of 2019", "Ours: network, SGD 0.1"),
    "orhan-digits": ("Orhan 2017", "ReLU assumed"),
    "digits-tanh": ("Saxe et al. 2018", "Ours: all images are measured"),
    "digits-relu": ("Saxe et al. 2018", "Ours: all images are measured"),
    "dissertation-mlp": ("dissertation of 2019", "SGD assumed"),
    "dissertation-cnn": ("99.25 % of the test images", "Layers shows both"),
    "saxe-mnist-tanh": ("Saxe et al. 2018", "Ours: 100 epochs, 3 replicates"),
    "saxe-mnist-relu": ("Saxe et al. 2018", "Ours: 100 epochs, 3 replicates"),
    "orhan-mnist": ("Orhan 2017", "ReLU assumed. Ours: SGD 0.1"),
    "orhan-cifar100": ("Orhan 2017", "ReLU assumed. Ours: SGD 0.01"),
}


def test_the_presets_are_these():
    assert list(PRESETS) == list(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_preset_has_the_settings_of_its_source(name):
    task, network, training, estimator = PUBLISHED[name]
    preset = PRESETS[name]
    for section, expected in (("task", task), ("network", network), ("training", training)):
        found = asdict(getattr(preset.experiment, section))
        assert found | expected == found
    assert preset.experiment.recording == RECORDED.get(name, Recording(60))
    assert preset.estimator == estimator
    authors, note = SAID[name]
    assert authors in preset.source
    assert note in preset.note


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_estimator_stands_on_its_ladder(name):
    estimator = PRESETS[name].estimator
    assert getattr(estimator, estimator.parameter) in estimator.default_ladder


IMAGES = {"mnist": ((28, 28), 10), "cifar100": ((3, 32, 32), 100)}


@pytest.mark.parametrize(
    "name", [name for name in PUBLISHED if PUBLISHED[name][0]["name"] in IMAGES]
)
def test_the_run_of_a_preset_of_images_stays_far_below_what_may_be_held(name):
    experiment = PRESETS[name].experiment
    shape, n_classes = IMAGES[experiment.task.name]
    x, train = np.zeros((2, *shape)), np.arange(2)
    dataset = Dataset(x, train, n_classes, None, train, train[:0], fixed_split=True)
    training = experiment.training
    numbers = n_parameters(experiment, dataset) * training.replicates * len(experiment.epochs)
    assert 4 * numbers < 4e9 / 10


@pytest.mark.parametrize("activation", ACTIVATION_NAMES)
def test_the_default_limits_hold_every_activation(activation):
    experiment = Experiment(network=Network(activation=activation))
    estimator = default_estimator(experiment)
    assert estimator.n_bins == 30
    reached = ACTIVATIONS[activation](torch.linspace(-50, 50, 1001))
    if reached.abs().max() > 1:
        assert estimator.limits == "range"
    else:
        assert estimator == Binning()


def test_quantised_networks_are_counted_on_their_own_grid_unless_asked_otherwise():
    experiment = Experiment(network=Network(activation="relu", bits=5))
    assert default_estimator(experiment) == Quantised(5)
    assert default_binning(experiment) == Binning(limits="range")


# How each source took its gradients, and what it compared.
GRADIENTS = {
    "original-code": ("along", "cumulative"),
    "original-caption": ("along", "caption"),
    "original-paper": ("along", "caption"),
    "saxe-tanh": ("along", "layer"),
    "saxe-relu": ("along", "layer"),
    "schumacher-tanh": ("along", "cumulative"),
    "schumacher-relu": ("along", "cumulative"),
    "parallel-tanh": ("networks", "layer"),
    "orhan-digits": ("sampled", "layer"),
    "orhan-mnist": ("sampled", "layer"),
    "orhan-cifar100": ("sampled", "layer"),
}


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_takes_its_gradients_as_its_source_did(name):
    preset = PRESETS[name]
    assert (preset.probe.protocol, preset.definition) == GRADIENTS.get(name, ("epoch", "layer"))
    if preset.probe.protocol == "sampled":
        assert (preset.probe.n_batches, preset.probe.batch_size) == (100, 500)


def test_titles_differ_and_experiments_are_shared_by_those_who_share_a_network():
    assert len({preset.title for preset in PRESETS.values()}) == len(PRESETS)
    names = {}
    for name, preset in PRESETS.items():
        names.setdefault(preset.experiment.key, []).append(name)
    shared = [group for group in names.values() if len(group) > 1]
    assert shared == [["original-code", "original-caption", "schumacher-tanh"]]


file_tasks = st.builds(
    Task,
    st.sampled_from(["npz", "idx"]),
    train_fraction=st.floats(0.01, 1),
    path=st.sampled_from(["/data/my.npz", "12", "null", "a=b", "ü"]),
)
every_experiment = experiments | st.builds(
    Experiment, file_tasks, training=st.builds(Training, resample_split=st.booleans())
)


def flat(experiment):
    """Every field as section.name -> value."""
    return {
        f"{section.name}.{name}": value
        for section in fields(experiment)
        for name, value in asdict(getattr(experiment, section.name)).items()
    }


@given(every_experiment)
def test_the_nearest_preset_and_its_changes_give_the_experiment_back(experiment):
    preset, changes = nearest(experiment)
    assert changed(preset.experiment, changes) == experiment
    mine, wanted = flat(preset.experiment), flat(experiment)
    assert changes == {name: wanted[name] for name in wanted if mine[name] != wanted[name]}
    for other in PRESETS.values():
        theirs = flat(other.experiment)
        assert sum(theirs[name] != wanted[name] for name in wanted) >= len(changes)


@given(every_experiment, every_experiment)
def test_changes_lead_from_any_experiment_to_any_other(one, other):
    assert changed(one, flat(other)) == other


@given(every_experiment)
def test_changes_are_read_back_from_what_a_command_line_says(experiment):
    assignments = [f"{name}={json.dumps(value)}" for name, value in flat(experiment).items()]
    assert parsed_changes(assignments) == flat(experiment)


@given(every_experiment)
def test_text_needs_no_quotes(experiment):
    texts = {n: v for n, v in flat(experiment).items() if isinstance(v, str) and v != "null"}
    assert parsed_changes([f"{name}={value}" for name, value in texts.items()]) == texts


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_preset_is_its_own_nearest(name):
    preset, changes = nearest(PRESETS[name].experiment)
    assert (preset.experiment, changes) == (PRESETS[name].experiment, {})


def test_one_hidden_layer_may_be_a_number():
    changes = parsed_changes(["network.layers=10", "training.epochs=1e3"])
    experiment = changed(Experiment(), changes)
    assert experiment.network == Network("10")
    assert experiment.training.epochs == 1000


@pytest.mark.parametrize(
    ("assignment", "field"),
    [
        ("training.epochs", "set"),
        ("", "set"),
        ("training.epoch=3", "training.epoch"),
        ("epochs=3", "epochs"),
        ("training=3", "training"),
        ("=3", ""),
        ("training.epochs=many", "epochs"),
        ("training.epochs=" + "[" * 100_000, "epochs"),
        ("training.epochs=" + "9" * 5000, "epochs"),
        ("training.learning_rate=NaN", "learning_rate"),
        ("training.resample_split=yes", "resample_split"),
        ("network.layers=null", "layers"),
        ("network.layers=[10, 7]", "layers"),
        ("task.path=/data", "path"),
    ],
)
def test_a_wrong_change_is_named(assignment, field):
    with pytest.raises(FieldError) as caught:
        changed(Experiment(), parsed_changes([assignment]))
    assert caught.value.field == field
    assert len(str(caught.value).splitlines()) == 1
