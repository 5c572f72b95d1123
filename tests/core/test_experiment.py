import json
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibcore.experiment import (
    ACTIVATION_NAMES,
    BATCH_MODES,
    GRIDS,
    OPTIMIZER_NAMES,
    Experiment,
    FieldError,
    Network,
    Recording,
    Task,
    Training,
    log_epochs,
    printable,
)
from ibcore.stack import Conv, Dense, Pool

layers = st.lists(st.integers(1, 50), min_size=1, max_size=6).map(
    lambda widths: "-".join(map(str, widths))
)
floating = st.builds(Network, layers, st.sampled_from(ACTIVATION_NAMES))
quantised = st.builds(
    Network, layers, st.sampled_from(sorted(GRIDS)), bits=st.none() | st.integers(1, 16)
)
symmetric = st.builds(
    Task,
    train_fraction=st.floats(0.01, 1),
    gamma=st.none() | st.floats(0.1, 100),
    split_seed=st.integers(0, 2**32 - 1),
)
own = st.builds(
    Task,
    name=st.just("npz"),
    path=st.just("data.npz"),
    bin_y=st.none() | st.integers(2, 100),
    standardise=st.booleans(),
)
experiments = st.builds(
    Experiment,
    task=symmetric | own,
    network=floating | quantised,
    training=st.builds(
        Training,
        optimizer=st.sampled_from(OPTIMIZER_NAMES),
        learning_rate=st.floats(1e-6, 10),
        batch_mode=st.sampled_from(BATCH_MODES),
        epochs=st.integers(1, 10**6),
        replicates=st.integers(1, 1000),
    ),
)


@given(experiments)
def test_json_brings_back_an_equal_experiment_with_an_equal_key(experiment):
    again = Experiment.from_json(experiment.to_json())
    assert again == experiment
    assert again.key == experiment.key


@given(experiments, experiments)
def test_different_experiments_that_both_count_have_different_keys(one, other):
    same = one._canonical() == other._canonical()
    assert (one.key == other.key) == same


def test_the_key_does_not_depend_on_the_process_or_on_the_kind_of_number():
    program = "from ibcore.experiment import Experiment; print(Experiment().key)"
    other = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert other.stdout.strip() == Experiment().key
    assert Experiment(training=Training(epochs=8000.0)) == Experiment()
    assert (
        Experiment(task=Task(train_fraction=1)).key == Experiment(task=Task(train_fraction=1.0)).key
    )


def test_the_format_version_is_part_of_the_key(monkeypatch):
    before = Experiment().key
    monkeypatch.setattr("ibcore.experiment.FORMAT", 2)
    assert Experiment().key != before


def test_experiments_without_bits_are_named_as_before_there_were_bits():
    """Bundled runs and caches are found by these names."""
    assert Experiment().key == "cd1568b73048fded"
    assert "bits" not in Experiment().to_json()
    keys = {Experiment(network=Network(bits=bits)).key for bits in (None, 1, 8, 16)}
    assert len(keys) == 4


@pytest.mark.parametrize("activation", sorted(set(ACTIVATION_NAMES) - set(GRIDS)))
def test_bits_need_an_activation_with_a_grid(activation):
    with pytest.raises(FieldError, match=f"bits: 8 .* use none: {activation} has no grid") as error:
        Network(activation=activation, bits=8)
    assert error.value.field == "bits"


def test_fields_without_influence_do_not_count():
    def key(**fields):
        return Experiment(training=Training(**fields)).key

    assert key(batch_mode="full", batch_size=3) == key(batch_mode="full", batch_size=4)
    assert key(batch_mode="mini", batch_size=3) != key(batch_mode="mini", batch_size=4)
    assert key(optimizer="sgd", momentum=0.5) == key(optimizer="sgd", momentum=0.6)
    assert key(optimizer="momentum", momentum=0.5) != key(optimizer="momentum", momentum=0.6)


@given(st.integers(1, 100), st.integers(2, 60), st.integers(2, 60))
def test_more_checkpoints_than_epochs_do_not_count(last, count, other):
    """Keys are equal where the recorded epochs are."""
    one, two = (
        Experiment(training=Training(epochs=last), recording=Recording(c)) for c in (count, other)
    )
    assert (one.key == two.key) == (one.epochs == two.epochs)


def test_checkpoints_that_fit_count_as_they_are_given():
    experiment = Experiment(training=Training(epochs=400), recording=Recording(60))
    assert experiment._canonical().recording == experiment.recording


WRONG = [
    (Training, "epochs", 10**400),
    (Task, "name", "cifar"),
    (Task, "name", None),
    (Task, "train_fraction", 1.5),
    (Task, "train_fraction", 0),
    (Task, "train_fraction", float("nan")),
    (Task, "train_fraction", "0.8"),
    (Task, "split_seed", -1),
    (Task, "gamma", -3.0),
    (Task, "gamma", float("inf")),
    (Task, "path", "/data"),
    (Task, "bin_y", 10),
    (Task, "standardise", True),
    (Task, "standardise", 1),
    (Network, "layers", "10--7"),
    (Network, "layers", ""),
    (Network, "layers", "10-0"),
    (Network, "layers", "10-x"),
    (Network, "layers", "9" * 400),
    (Network, "layers", "-".join(["2"] * 33)),
    (Network, "layers", "²"),
    (Network, "layers", "10-conv3k3"),
    (Network, "layers", "10-pool2"),
    (Network, "layers", "conv3"),
    (Network, "layers", "conv3k0"),
    (Network, "layers", "conv0k3"),
    (Network, "layers", "pool1"),
    (Network, "layers", "drop0.5-10"),
    (Network, "layers", "10-drop0.5-drop0.5"),
    (Network, "layers", "10-drop0"),
    (Network, "layers", "10-drop1"),
    (Network, "layers", "10-drop-0.5"),
    (Network, "layers", "10-dropnan"),
    (Network, "layers", [10, 7]),
    (Network, "activation", "swish"),
    (Network, "init", "zeros"),
    (Network, "output", "linear"),
    (Network, "bits", 0),
    (Network, "bits", 17),
    (Network, "bits", 2.5),
    (Network, "bits", "8"),
    (Training, "optimizer", "lion"),
    (Training, "learning_rate", 0),
    (Training, "learning_rate", float("nan")),
    (Training, "learning_rate", True),
    (Training, "momentum", 1.0),
    (Training, "batch_mode", "huge"),
    (Training, "batch_size", 0),
    (Training, "batch_size", 2.5),
    (Training, "epochs", 10**9),
    (Training, "replicates", 0),
    (Training, "seed", 2**32),
    (Training, "resample_split", "yes"),
    (Recording, "checkpoints", 1),
]


@pytest.mark.parametrize(("kind", "name", "value"), WRONG)
def test_a_wrong_value_is_named_with_its_field_in_one_line(kind, name, value):
    with pytest.raises(FieldError) as caught:
        kind(**{name: value})
    assert caught.value.field == name
    message = str(caught.value)
    assert message.startswith(name + ": ")
    assert "use " in message
    assert "\n" not in message


@pytest.mark.parametrize("path", ["\ud800", "a\0b", "a\nb"])
def test_a_path_must_be_printable(path):
    with pytest.raises(FieldError, match="path"):
        Task("npz", path=path)


@pytest.mark.parametrize("value", [1, 101, 2.5, "10", True])
def test_y_is_binned_into_2_to_100_classes(value):
    with pytest.raises(FieldError, match=r"^bin_y: .* use a whole number from 2 to 100$"):
        Task("npz", path="data.npz", bin_y=value)


def test_options_of_own_data_are_refused_for_other_tasks():
    with pytest.raises(FieldError, match=r"bin_y: 3 .* use none: it is for task npz, not idx"):
        Task("idx", path="data", bin_y=3)
    with pytest.raises(FieldError, match=r"standardise: True .* use false: it is for task npz"):
        Task("idx", path="data", standardise=True)


def test_own_data_are_named_as_before_there_were_options():
    """Runs in caches are found by these names."""
    plain = Experiment(Task("npz", path="/data/mine.npz"))
    assert plain.key == "beba90e29a2e4b81"
    assert "bin_y" not in plain.to_json()
    assert "standardise" not in plain.to_json()
    assert Experiment.from_json(plain.to_json()) == plain
    options = [{"bin_y": 3}, {"bin_y": 4}, {"standardise": True}]
    others = [Experiment(replace(plain.task, **option)) for option in options]
    assert len({plain.key, *(other.key for other in others)}) == 4
    assert [Experiment.from_json(other.to_json()) for other in others] == others


def test_names_from_outside_become_short_and_printable():
    assert printable("x") == "x"
    assert printable("\x1b[31m\n\ud800\u202e") == "\\x1b[31m\\n\\ud800\\u202e"
    assert printable("é" * 60) == "é" * 60
    assert printable("é" * 61) == "é" * 57 + "..."
    assert printable("\0" * 10**6, 20) == "\\x00" * 4 + "\\..."


@given(st.text(st.characters(exclude_categories=[])), st.integers(3, 100))
def test_what_is_printable_prints(text, length):
    shown = printable(text, length)
    assert shown.isprintable()
    assert len(shown) <= length
    assert shown.encode().decode() == shown


@pytest.mark.parametrize(
    "text",
    [
        '{"\\ud800": 1}',
        '{"task": {"\\u001b[31m": 1}}',
        '{"task": {"name": "\\ud800"}}',
        '{"task": "\\ud800"}',
        '{"\\ud800": {"\\ud800": "\\ud800"}}',
        '{"' + "n" * 10**5 + '": 1}',
        '{"training": {"epochs": ' + "9" * 5000 + "}}",
    ],
)
def test_names_in_json_are_echoed_in_one_clean_line(text):
    with pytest.raises(FieldError) as caught:
        Experiment.from_json(text)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("task", ["npz", "idx"])
@pytest.mark.parametrize(
    "path",
    [r"\\server\share\x.npz", "//server/share", r"\/server\x", r"\\?\UNC\server\x", " //a/b"],
)
def test_a_network_path_is_refused_with_the_way_out(task, path):
    with pytest.raises(FieldError) as refused:
        Task(task, path=path)
    assert str(refused.value) == (
        f"path: {path!r} is not allowed; use a drive letter or a mounted folder instead of a"
        " network path"
    )
    Task(task, path=path.strip()[1:])


def test_file_tasks_need_a_path():
    for name in ("idx", "npz"):
        with pytest.raises(FieldError, match="path"):
            Task(name)
    with pytest.raises(FieldError, match="gamma"):
        Task("digits", gamma=1.0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"format": 99}',
        '{"tasks": {}}',
        '{"task": {"nam": "digits"}}',
        '{"task": 3}',
        '{"training": {"epochs": null}}',
        "[" * 100_000,
    ],
)
def test_wrong_json_is_refused_in_one_line(text):
    with pytest.raises(FieldError) as caught:
        Experiment.from_json(text)
    assert "\n" not in str(caught.value)


def test_absent_fields_take_their_defaults():
    experiment = Experiment.from_json(json.dumps({"training": {"epochs": 5}}))
    assert experiment == Experiment(training=Training(epochs=5))


def test_layers_are_read_whatever_the_spaces():
    assert Network(" 10 - 07-5").layers == "10-7-5"
    assert Network("10-dense7-5").hidden == (Dense(10), Dense(7), Dense(5))


def test_a_stack_has_one_text_and_says_what_it_is():
    network = Network(" conv32k3 - conv064k3-pool2 - drop.250-dense128-drop0.5")
    assert network.layers == "conv32k3-conv64k3-pool2-drop0.25-128-drop0.5"
    assert Network(network.layers) == network
    assert network.hidden == (Conv(32, 3), Conv(64, 3), Pool(2), Dense(128))
    assert network.filters == network.hidden[:3]
    assert network.drops == (0, 0, 0.25, 0.5)


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ("10-conv3k3", "conv3k3 before the first dense layer"),
        ("drop0.5-10", "drop0.5 once and after the layer it belongs to"),
        ("10-drop1", "a probability above 0 and below 1 in dropP"),
        ("conv3k65-10", "a side K from 1 to 64 in convCkK"),
        ("pool1-10", "a side P from 2 to 64 in poolP"),
    ],
)
def test_what_is_wrong_with_a_stack_is_said(layers, said):
    with pytest.raises(FieldError) as caught:
        Network(layers)
    assert str(caught.value) == f"layers: {layers!r} is not allowed; use {said}"


def test_dense_experiments_keep_their_keys():
    assert Experiment().key == "cd1568b73048fded"


@given(st.integers(1, 10**6), st.integers(2, 200))
def test_recorded_epochs_rise_from_0_to_the_last_and_are_as_many_as_asked(last, count):
    epochs = log_epochs(last, count)
    assert epochs[0] == 0
    assert epochs[-1] == last
    assert list(epochs) == sorted(set(epochs))
    assert len(epochs) == min(count, last + 1)


def test_recorded_epochs_are_even_in_log_once_they_are_apart():
    epochs = log_epochs(100_000, 60)
    ratios = [b / a for a, b in pairwise(epochs[20:])]
    assert max(ratios) / min(ratios) < 1.06
