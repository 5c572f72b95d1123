"""Settings, links and experiments say the same thing."""

import shlex
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import commands
import state
from ibcore import KDE, Binning, FieldError, Gaussian, Quantised, Renyi, Sampling, View
from ibcore.__main__ import _estimator as parsed_estimator
from ibcore.__main__ import _experiment, _parser
from ibcore.presets import PRESETS, changed, parsed_changes
from ibcore.view import read_subset
from tests.core.test_experiment import experiments
from tests.core.test_run import tiny, trained


@given(experiments)
def test_an_experiment_survives_its_settings(experiment):
    again = state.experiment(state.defaults() | state.of_experiment(experiment))
    for setting in state.SETTINGS:
        mine, theirs = (
            getattr(getattr(e, setting.section), setting.name) for e in (again, experiment)
        )
        assert mine == (pytest.approx(theirs, rel=1e-5) if isinstance(theirs, float) else theirs)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_shown_exactly_as_it_is(name):
    settings = state.defaults() | state.of_preset(PRESETS[name])
    assert state.experiment(settings) == PRESETS[name].experiment
    assert state.estimator(settings) == PRESETS[name].estimator


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "act": st.sampled_from(state.BY_KEY["act"].choices),
            "bins": st.sampled_from(state.CHOICES["bins"]),
            "width": st.sampled_from(state.CHOICES["width"]),
            "var": st.sampled_from(state.CHOICES["var"]),
            "bits": st.sampled_from(state.PRECISIONS),
            "epochs": st.integers(1, 10**6),
            "low": st.floats(-1e6, 1e6).map(lambda v: float(f"{v:g}")),
            "resample": st.booleans(),
            "maps": st.lists(st.sampled_from(state.CHOICES["maps"]), unique=True),
            "layers": st.sampled_from(["3", "10-7"]),
            "biny": st.sampled_from(["", "10"]),
            "std": st.booleans(),
            "samples": st.sampled_from(state.CHOICES["samples"]),
            "sub": st.sampled_from(state.CHOICES["sub"]),
            "chan": st.sampled_from(state.CHOICES["chan"]),
        },
    )
)
def test_a_value_in_a_link_is_read_back_as_it_was(values):
    for key, value in values.items():
        assert state.read(key, state.as_text(value)) == value


WRONG_LINKS = [
    ("bins", "9999"),
    ("bins", "x"),
    ("var", "0.3"),
    ("width", "-1"),
    ("est", "edge"),
    ("maps", "kde,edge"),
    ("limits", "all"),
    ("samples", "some"),
    ("sub", "3000"),
    ("chan", "sum"),
    ("preset", "nope"),
    ("act", "swish"),
    ("bits", "17"),
    ("epochs", "many"),
    ("epochs", "1e99"),
    ("seed", "9" * 30),
    ("resample", "maybe"),
    ("low", "left"),
    ("low", "inf"),
    ("low", "nan"),
    ("colour", "red"),
]


@pytest.mark.parametrize(("key", "text"), WRONG_LINKS)
def test_a_wrong_value_in_a_link_is_refused_in_one_line(key, text):
    with pytest.raises(FieldError) as caught:
        state.read(key, text)
    assert str(caught.value).startswith(f"{key}: ")
    assert "\n" not in str(caught.value)


WRONG_FIELDS = [
    ("layers", "10--7"),
    ("layers", ""),
    ("train", "1.5"),
    ("train", "nan"),
    ("train", ""),
    ("lr", "fast"),
    ("lr", "-1"),
    ("lr", "1e999"),
    ("reps", 0),
    ("reps", 10**9),
    ("epochs", 0),
    ("batch", 0),
    ("seed", -1),
    ("ckpt", 1),
    ("gamma", "-2"),
    ("mom", "1"),
    ("split", -5),
]


@pytest.mark.parametrize(("key", "value"), WRONG_FIELDS)
def test_every_wrong_field_is_named_by_its_key(key, value):
    settings = state.defaults() | {key: value}
    assert set(state.mistakes(settings)) == {key}


def test_bits_that_the_activation_has_no_grid_for_are_named_as_bits():
    settings = state.defaults() | {"act": "gelu", "bits": "8"}
    assert set(state.mistakes(settings)) == {"bits"}
    assert "gelu has no grid" in str(state.mistakes(settings)["bits"])


def test_all_wrong_fields_are_named_at_once():
    wrong = {"layers": "a", "lr": "b", "reps": 0}
    assert set(state.mistakes(state.defaults() | wrong)) == set(wrong)


def test_a_file_task_without_a_path_is_named():
    assert set(state.mistakes(state.defaults() | {"task": "npz"})) == {"path"}


def test_options_of_own_data_count_for_that_task_only():
    settings = state.defaults() | {"biny": "10", "std": True, "path": "data.npz"}
    assert state.experiment(settings).task == state.experiment(state.defaults()).task
    task = state.experiment(settings | {"task": "npz"}).task
    assert (task.bin_y, task.standardise) == (10, True)


@pytest.mark.parametrize("text", ["1", "2.5", "ten", "1000"])
def test_a_wrong_number_of_classes_of_y_is_named(text):
    settings = state.defaults() | {"task": "npz", "path": "data.npz", "biny": text}
    assert set(state.mistakes(settings)) == {"biny"}


@pytest.mark.parametrize(
    "estimator",
    [
        Binning(),
        Binning(100, "range"),
        Binning(10, "rank", correction="miller-madow"),
        Binning(width=0.07, null=20),
        KDE(0.2),
        Binning(5, (0, 2)),
        Sampling(0.2),
        Gaussian(0.4),
        Renyi(1.5),
        Quantised(5),
    ],
)
@pytest.mark.parametrize("name", PRESETS)
def test_the_command_of_a_caption_makes_the_same_run_and_estimator(name, estimator):
    changes = {"training.epochs": 7, "network.layers": "4-3"}
    if PRESETS[name].experiment.training.batch_mode != "parallel":
        changes["training.resample_split"] = True
    wanted = changed(PRESETS[name].experiment, changes)
    view = View("train", 500, "mean")
    command = commands.reproduction(wanted, estimator, view)
    words = shlex.split(command)
    assert words[:3] == ["python", "-m", "ibcore"]
    options = _parser().parse_args(words[3:])
    experiment, default = _experiment(options.experiment)
    assert changed(experiment, parsed_changes(options.changes)) == wanted
    parsed = parsed_estimator(options, default)
    assert state.of_estimator(parsed) == state.of_estimator(estimator)
    assert View(options.samples, read_subset(options.subset), options.channels) == view


@pytest.mark.parametrize("estimator", [Binning(10, "range"), KDE(0.2), Renyi(1.5)])
def test_the_commands_of_verdicts_and_sizes_make_the_same_estimator(estimator):
    wanted = PRESETS["saxe-relu"].experiment
    verdicts = commands.verdict_command(wanted, estimator, View("test"))
    sizes = commands.sizes_command(wanted, estimator, View(), 100)
    both = commands.chained([verdicts, sizes]).split(" && ")
    assert len(both) == 3
    for command, samples in zip(both[1:], ("test", "all"), strict=True):
        options = _parser().parse_args(shlex.split(command)[3:])
        found = parsed_estimator(options, [Gaussian()])
        assert View(options.samples, read_subset(options.subset)) == View(samples)
        if samples == "test":
            # Any value stands for the whole ladder.
            value = getattr(estimator, estimator.parameter)
            found = replace(found, **{estimator.parameter: value})
        assert found == estimator
    assert options.epoch == 100


@pytest.mark.parametrize(
    ("link", "view"),
    [
        ({}, View()),
        ({"samples": "all", "sub": "500"}, View("all", 500)),
        ({"samples": "test"}, View("test")),
        ({"sub": "10000", "chan": "mean"}, View()),
    ],
)
def test_the_view_of_a_link_is_that_of_the_run(link, view):
    settings = state.defaults() | {key: state.read(key, text) for key, text in link.items()}
    run = trained(tiny(checkpoints=2))
    assert state.view(settings, run) == view
