"""The command line: what it writes, what it prints, and how it says no."""

import argparse
import errno
import io
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ibcore import __main__ as command_line
from ibcore import results, terminal
from ibcore.comparison import compared
from ibcore.estimators import KDE, KSG, Binning, Quantised
from ibcore.experiment import Experiment, Network, Task
from ibcore.plane import information_curves, information_plane, outside_limits
from ibcore.presets import PRESETS, changed
from ibcore.probes import GradientProbe, LossChangeProbe, WeightProbe, defined, probed
from ibcore.run import Run
from ibcore.store import Store
from ibcore.tasks import SOURCES, load
from ibcore.tasks.downloads import Source
from ibcore.verdicts import verdict_map
from ibcore.view import View
from tests.tasks.served import serving

from .test_run import assert_same, tiny, trained

QUICK = {"training.epochs": 3, "training.replicates": 2, "task.train_fraction": 0.05}
SETTINGS = [word for name, value in QUICK.items() for word in ("--set", f"{name}={value}")]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("IBCORE_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def refused(capsys):
    """The one line with which a command line is refused."""

    def line(*words):
        try:
            status = command_line.main([str(word) for word in words])
        except SystemExit as end:
            status = end.code
        captured = capsys.readouterr()
        assert status == 2
        assert captured.out == ""
        (text,) = captured.err.splitlines()
        assert text.startswith("ibcore: ")
        return text

    return line


def main(*words):
    return command_line.main([str(word) for word in words])


def assert_table(path, expected):
    """A CSV file that says exactly what the table does."""
    assert path.read_text() == expected.to_csv(index=False)
    pd.testing.assert_frame_equal(pd.read_csv(path), expected, rtol=1e-12)


def assert_written(folder, experiment, estimator, samples="all"):
    """The three files of a finished run, against the run made here."""
    run = trained(experiment)
    assert sorted(path.name for path in folder.iterdir()) == [
        "experiment.json",
        "plane.csv",
        "run.npz",
    ]
    assert Experiment.from_json((folder / "experiment.json").read_text()) == experiment
    assert_same(Run.load(folder / "run.npz"), run)
    assert_table(folder / "plane.csv", information_plane(run, estimator, samples=samples))


def test_run_from_a_preset_with_changes(tmp_path):
    assert main("run", "saxe-relu", *SETTINGS, "--out", tmp_path / "out" / "here") == 0
    experiment = changed(PRESETS["saxe-relu"].experiment, QUICK)
    assert_written(tmp_path / "out" / "here", experiment, Binning(100, "range"))


def test_run_from_a_file_with_another_estimator(tmp_path, capsys):
    experiment = tiny(resample_split=True)
    (tmp_path / "mine.json").write_text(experiment.to_json())
    words = ["run", tmp_path / "mine.json", "--out", tmp_path / "out", "--device", "cpu"]
    assert main(*words, "--limits", "-2", "2", "--n-bins", "9", "--samples", "test") == 0
    assert_written(tmp_path / "out", experiment, Binning(9, (-2.0, 2.0)), "test")
    assert capsys.readouterr().out == ""
    assert main(*words, "--width", "0.2") == 0
    assert_written(tmp_path / "out", experiment, Binning(width=0.2))


@pytest.mark.parametrize(
    ("begin", "words", "estimator"),
    [
        (["saxe-relu"], ["--n-bins", "50"], Binning(50, "range")),
        (["saxe-relu"], ["--estimator", "binning"], Binning(100, "range")),
        (["saxe-relu"], ["--limits", "layer"], Binning(100, "layer")),
        (["saxe-relu"], ["--variance", "0.2"], KDE(0.2)),
        (["digits-relu"], ["--n-bins", "50"], Binning(50, "range")),
        (["digits-relu"], [], KDE(0.1)),
        (["quick-tanh"], ["--n-bins", "50"], Binning(50)),
        (["mine.json"], [], Binning(30, "range")),
        (["mine.json"], ["--n-bins", "9"], Binning(9, "range")),
        (["mine.json", "--set", "network.activation=tanh"], [], Binning()),
    ],
)
def test_what_is_not_said_of_the_estimator_is_its_presets_or_fits_the_activation(
    begin, words, estimator, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.json").write_text(tiny(network=Network("5-3", "relu")).to_json())
    seen = []
    monkeypatch.setattr(command_line, "_train", lambda *_: (trained(tiny()), 0))
    plane = command_line._plane_table
    monkeypatch.setattr(
        command_line,
        "_plane_table",
        lambda run, used, view: seen.append(used) or plane(run, Binning(), view),
    )
    assert main("run", *begin, *words, "--out", "out") == 0
    assert seen == [estimator]


@pytest.mark.parametrize(
    ("words", "view"),
    [
        ([], View("test", 60)),
        (["--samples", "all"], View("all", 60)),
        (["--subset", "all"], View("test")),
        (["--samples", "train", "--subset", "20", "--channels", "mean"], View("train", 20, "mean")),
    ],
)
def test_the_view_is_that_of_the_options_or_follows_from_the_data(
    words, view, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("ibcore.view.MOST_SAMPLES", 1000)
    monkeypatch.setattr("ibcore.view.SUBSET", 60)
    digits = Task("digits", train_fraction=0.1)
    run = trained(tiny(digits, Network("conv2k5-pool2", "relu"), checkpoints=2, replicates=1))
    run.save(tmp_path / "run.npz")
    assert main("plane", tmp_path / "run.npz", "--n-bins", "5", *words) == 0
    (tmp_path / "printed.csv").write_text(capsys.readouterr().out)
    expected = information_plane(run, Binning(5, "range"), **vars(view))
    assert_table(tmp_path / "printed.csv", expected)


def test_the_test_samples_are_refused_before_the_training(tmp_path, refused, monkeypatch):
    monkeypatch.setattr(command_line, "_train", None)
    words = ["run", "quick-tanh", "--out", tmp_path, "--samples", "test"]
    line = refused(*words, "--set", "task.train_fraction=1")
    assert "samples: 'test' is not allowed; use all or train" in line


@pytest.mark.parametrize(
    ("error", "line"),
    [(RuntimeError("out of\nmemory"), "out of memory"), (MemoryError(), "MemoryError")],
)
def test_what_a_library_has_to_say_is_one_line(error, line, tmp_path, refused, monkeypatch):
    def failed(*_args, **_kwargs):
        raise error

    monkeypatch.setattr(command_line, "_train", failed)
    assert refused("run", "quick-tanh", "--out", tmp_path) == f"ibcore: {line}"


def test_files_are_utf_8_wherever_one_is(tmp_path):
    text = '{"network": {"activation": "ü"}}'
    (tmp_path / "mine.json").write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-X", "utf8=0", "-m", "ibcore", "run", "mine.json", "--out", "out"],
        cwd=tmp_path,
        env=os.environ | {"LC_ALL": "C"},
        capture_output=True,
        text=True,
    )
    assert "activation: '\\xfc' is not allowed" in done.stderr


def test_run_with_another_task(tmp_path):
    np.savez(tmp_path / "my.npz", x=np.eye(6), y=np.arange(6) % 2)
    path = tmp_path / "my.npz"
    words = ["--set", "task.name=npz", "--set", f"task.path={path}", "--set", "network.layers=4"]
    assert main("run", "quick-tanh", *SETTINGS, *words, "--out", tmp_path / "out") == 0
    changes = QUICK | {"task.name": "npz", "task.path": str(path), "network.layers": "4"}
    experiment = changed(PRESETS["quick-tanh"].experiment, changes)
    assert_written(tmp_path / "out", experiment, Binning())


def test_run_with_options_of_own_data(tmp_path, capsys):
    """Large columns are named in one line, in the words of the page, unless standardised."""
    path = tmp_path / "my.npz"
    x = np.random.default_rng(0).normal(size=(40, 2)) * [1000, 1]
    np.savez(path, x=x, y=np.arange(40) / 7)
    words = ["--set", "task.name=npz", "--set", f"task.path={path}", "--set", "task.bin_y=4"]
    words += ["--set", "task.train_fraction=0.5"]
    assert main("run", "quick-tanh", *SETTINGS, *words, "--out", tmp_path / "out") == 0
    notice = load(Task("npz", path=str(path), bin_y=4)).size_notice
    assert f"ibcore: {notice}\n" in capsys.readouterr().err
    assert Run.load(tmp_path / "out" / "run.npz").weights[-1].shape[2] == 4
    words += ["--set", "task.standardise=true"]
    assert main("run", "quick-tanh", *SETTINGS, *words, "--out", tmp_path / "out") == 0
    assert "counted from 0" not in capsys.readouterr().err
    assert Run.load(tmp_path / "out" / "run.npz").experiment.task.standardise


def test_replicates_that_diverged_are_named(tmp_path, capsys):
    words = ["--set", "network.activation=linear", "--set", "training.optimizer=sgd"]
    words += ["--set", "training.learning_rate=1000", "--set", "training.epochs=300"]
    assert main("run", "quick-tanh", *SETTINGS, *words, "--out", tmp_path / "out") == 0
    run = Run.load(tmp_path / "out" / "run.npz")
    assert (run.diverged > 0).all()
    told = capsys.readouterr().err
    for replicate, epoch in enumerate(run.diverged):
        assert f"replicate {replicate} diverged at epoch {epoch}\n" in told


@pytest.mark.parametrize(
    ("words", "estimator"),
    [
        ([], Binning(limits="range")),
        (["--n-bins", "5"], Binning(5, "range")),
        (["--estimator", "kde", "--variance", "0.1"], KDE(0.1)),
        (["--variance", "0.3"], KDE(0.3)),
        (["--k", "4"], KSG(4)),
        (["--bits", "5"], Quantised(5)),
        (["--bits", "5", "--limits", "0", "2"], Quantised(5, (0, 2))),
        (["--limits", "grid"], Quantised()),
        (["--limits", "layer"], Binning(limits="layer")),
        (["--estimator", "binning", "--n-bins", "7", "--limits", "0", "1e2"], Binning(7, (0, 100))),
    ],
)
def test_plane_prints_the_information_plane(words, estimator, tmp_path, capsys):
    relu = Network("5-3", "relu")
    run = trained(tiny(Task("digits", train_fraction=0.1), relu, checkpoints=2))
    run.save(tmp_path / "run.npz")
    expected = information_plane(run, estimator, samples="train")
    words = [*words, "--samples", "train"]
    assert main("plane", tmp_path / "run.npz", *words) == 0
    (tmp_path / "printed.csv").write_text(capsys.readouterr().out)
    assert main("plane", tmp_path / "run.npz", *words, "--out", tmp_path / "written.csv") == 0
    assert capsys.readouterr().out == ""
    for name in ("printed.csv", "written.csv"):
        assert_table(tmp_path / name, expected)


@pytest.mark.parametrize(
    ("words", "estimator"), [([], Quantised(3)), (["--n-bins", "5"], Binning(5, "range"))]
)
def test_a_quantised_network_is_counted_on_its_own_grid(words, estimator, tmp_path, capsys):
    run = trained(tiny(network=Network("5-3", "relu", bits=3)))
    run.save(tmp_path / "run.npz")
    assert main("plane", tmp_path / "run.npz", *words) == 0
    (tmp_path / "printed.csv").write_text(capsys.readouterr().out)
    assert_table(tmp_path / "printed.csv", information_plane(run, estimator))


@pytest.mark.parametrize(
    ("words", "probe"),
    [
        (["gradients"], GradientProbe()),
        (["gradients", "--protocol", "along", "--definition", "caption"], GradientProbe("along")),
        (
            ["gradients", "--protocol", "sampled", "--n-batches", "3", "--batch-size", "9"],
            GradientProbe("sampled", 3, 9),
        ),
        (["loss_change", "--virtual-rate", "0.001"], LossChangeProbe(1e-3)),
        (["weights"], WeightProbe()),
    ],
)
def test_probe_prints_what_a_run_answers(words, probe, tmp_path, capsys):
    run = trained(tiny())
    run.save(tmp_path / "run.npz")
    assert command_line.main(["probe", str(tmp_path / "run.npz"), *words]) == 0
    found = pd.read_csv(io.StringIO(capsys.readouterr().out))
    expected = probed(run, probe)
    if words[0] == "gradients":
        definition = "caption" if "caption" in words else "layer"
        keys = ["epoch", "layer", "replicate"]
        expected = expected.merge(defined(expected, definition), on=keys)
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["gradients", "--protocol", "networks"], "protocol: 'networks' is not allowed"),
        (["gradients", "--batch-size", "9999"], "batch_size: 9999 is not allowed"),
        (["weights", "--definition", "layer"], "definition: 'layer' is not allowed"),
        (["weights", "--virtual-rate", "1"], "virtual_rate: 1.0 is not allowed"),
        (["colours"], "colours"),
    ],
)
def test_what_a_run_cannot_answer_is_one_line(words, message, tmp_path, refused):
    trained(tiny()).save(tmp_path / "run.npz")
    assert message in refused("probe", tmp_path / "run.npz", *words)


def test_verdicts_and_sizes_are_those_of_the_package(tmp_path, capsys, refused):
    run = trained(tiny(epochs=9, checkpoints=9, replicates=5))
    run.save(tmp_path / "run.npz")
    assert main("verdicts", tmp_path / "run.npz", "--limits", "range") == 0
    found = pd.read_csv(io.StringIO(capsys.readouterr().out))
    expected = verdict_map(information_curves(run, Binning(limits="range")), "n_bins")
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)
    words = ["sizes", tmp_path / "run.npz", "--n-bins", "5", "--samples", "train"]
    words += ["--subset", "100"]
    assert main(*words, "--epoch", "3") == 0
    found = pd.read_csv(io.StringIO(capsys.readouterr().out))
    expected = Store().sample_sizes(
        run, run.epochs.tolist().index(3), Binning(5), view=View("train", 100)
    )
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)
    assert "epoch: 77 is not allowed; use a recorded one: 0, 1, " in refused(
        *words, "--epoch", "77"
    )


def test_layers_are_those_before_and_after_by_both_definitions(tmp_path, capsys):
    run = trained(
        tiny(Task("digits", train_fraction=0.1), Network("conv2k3-4", "relu"), 3, replicates=2)
    )
    run.save(tmp_path / "run.npz")
    words = ["layers", tmp_path / "run.npz", "--variance", "0.0735", "--subset", "300"]
    assert main(*words) == 0
    found = pd.read_csv(io.StringIO(capsys.readouterr().out))
    for name in ("concat", "mean"):
        plane = information_plane(run, KDE(0.0735), subset=300, channels=name)
        rows = found[found["channels"] == name].drop(columns="channels").reset_index(drop=True)
        pd.testing.assert_frame_equal(rows, compared(plane, 0, 4), check_dtype=False)


def wide(**training):
    """A run in which activations leave [-20, 20], and come back before its end."""
    run = trained(tiny(network=Network("5-3", "relu"), **training))
    weights = [w.copy() for w in run.weights]
    weights[0][1] *= 1000
    return replace(run, weights=tuple(weights))


def remarks_of(capsys, *words):
    """What a command has to say of the numbers that it writes."""
    assert main(*words) == 0
    lines = capsys.readouterr().err.splitlines()
    return [line.removeprefix("ibcore: ") for line in lines if line.startswith("ibcore: ")]


@pytest.mark.parametrize("command", ["plane", "verdicts"])
def test_activations_beyond_the_limits_are_named_at_any_epoch(command, tmp_path, capsys):
    run = wide()
    run.save(tmp_path / "run.npz")
    parts = [outside_limits(run, Binning(30, (-20, 20)), k) for k in range(len(run.epochs))]
    assert parts[1].max() > 0.1 > 0.01 > parts[-1].max()
    layer = int(parts[1].argmax()) + 1
    words = [command, tmp_path / "run.npz", "--out", tmp_path / "table.csv"]
    said = remarks_of(capsys, *words, "--limits", "-20", "20")
    fact = f"{parts[1].max():.0%} of the activations in layer {layer} lie beyond the limits of the"
    assert [line for line in said if line.startswith(fact + " bins at epoch 1 and share")]
    for harmless in (["--limits", "range"], ["--limits", "0", "1e5"], ["--width", "0.1"]):
        assert "beyond the limits" not in " ".join(remarks_of(capsys, *words, *harmless))


def test_run_says_what_to_doubt(tmp_path, capsys):
    words = ["run", "quick-tanh", *SETTINGS, "--out", tmp_path / "out"]
    said = remarks_of(capsys, *words, "--n-bins", "9999", "--limits", "-0.9", "0.9")
    assert said[0].endswith("the limits may cause a fall of I(X;T)")
    assert said[1].startswith("saturated: layer 1 at 4, layer 2 at 4, ")
    assert said[-1] == "2 replicates: too few for a verdict on compression, 5 are needed"


@pytest.mark.parametrize(
    ("replicates", "said"),
    [(1, "1 replicate: too few"), (9, "9 replicates: with fewer than 10"), (10, None)],
)
@pytest.mark.parametrize("command", ["plane", "verdicts"])
def test_few_replicates_are_named(command, replicates, said, tmp_path, capsys):
    trained(tiny(replicates=replicates, checkpoints=2)).save(tmp_path / "run.npz")
    words = [command, tmp_path / "run.npz", "--out", tmp_path / "table.csv"]
    lines = [line for line in remarks_of(capsys, *words) if "replicate" in line]
    assert [line.startswith(said) for line in lines] == [True] * (said is not None)


@pytest.mark.parametrize("command", ["sizes", "layers"])
def test_remarks_are_of_the_epochs_that_a_command_looks_at(command, tmp_path, capsys):
    wide().save(tmp_path / "run.npz")
    words = [command, tmp_path / "run.npz", "--limits", "-20", "20", "--out", tmp_path / "t.csv"]
    assert "beyond the limits" not in " ".join(remarks_of(capsys, *words))
    if command == "sizes":
        assert "at epoch 1 " in " ".join(remarks_of(capsys, *words, "--epoch", "1"))


def parsers(parser):
    """A parser and those of its commands."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from parsers(command)


def test_every_option_has_a_sentence():
    helps = [
        (parser.prog, action.dest, action.help)
        for parser in parsers(command_line._parser())
        for action in parser._actions
        if action.dest not in ("help", argparse.SUPPRESS) and action.option_strings
    ]
    assert len(helps) > 40
    for name in helps:
        assert re.fullmatch(r"[A-Z].*[.]", name[-1]), name


@pytest.mark.parametrize("command", ["plane", "run", "trials"])
def test_help_and_version_are_printed(command, capsys):
    for words, begin in ((["--version"], "ibcore "), ([command, "--help"], "usage: ")):
        with pytest.raises(SystemExit) as end:
            main(*words)
        assert end.value.code == 0
        assert capsys.readouterr().out.startswith(begin)


def test_presets_are_listed_and_printed(capsys):
    assert main("presets") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(PRESETS)
    for name, preset in PRESETS.items():
        assert main("presets", name) == 0
        assert Experiment.from_json(capsys.readouterr().out) == preset.experiment


def test_fetch_says_where_the_data_are(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("IBCORE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "*")
    with serving() as server:
        source = Source("cifar10", (server.file("all.tar.gz", bytes(100_000)),))
        monkeypatch.setitem(SOURCES, "cifar10", source)
        assert main("fetch", "cifar10") == 0
    printed, told = capsys.readouterr()
    assert printed == f"{tmp_path / 'cifar10'}\n"
    assert told == ""
    assert (tmp_path / "cifar10" / "all.tar.gz").stat().st_size == 100_000
    assert main("fetch", "cifar10") == 0


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_stops_keeps_and_is_continued(ending, tmp_path, capsys):
    experiment = tiny(epochs=2500, checkpoints=30, batch_mode="full")
    path, out = tmp_path / "mine.json", tmp_path / "out"
    path.write_text(experiment.to_json())
    with subprocess.Popen(
        [sys.executable, "-m", "ibcore", "run", path, "--out", out],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    ) as process:
        try:
            while not list(tmp_path.glob("cache/partial/*/checkpoint-5.pt")):
                assert process.poll() is None
                time.sleep(0.01)
            process.send_signal(ending)
            printed, told = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 128 + ending
    assert printed == ""
    part = Run.load(out / "run.npz")
    assert 5 <= part.epochs[-1] < 2500
    last = told.splitlines()[-1]
    assert last == f"stopped at epoch {part.epochs[-1]}; the same command goes on from there"
    assert "Traceback" not in told
    assert_table(out / "plane.csv", information_plane(part, Binning()))

    assert main("run", path, "--out", out) == 0
    assert_written(out, experiment, Binning())


def test_a_second_interrupt_ends_it_in_one_line(tmp_path, capsys, monkeypatch):
    def interrupted(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(command_line, "_plane_table", interrupted)
    trained(tiny()).save(tmp_path / "run.npz")
    assert main("plane", tmp_path / "run.npz") == 130
    assert capsys.readouterr().err == "ibcore: interrupted\n"


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")
@pytest.mark.parametrize("ending", ["SIGTERM", "SIGHUP"])
def test_a_signal_ends_other_commands_in_one_line(ending, tmp_path, capsys, monkeypatch):
    number = getattr(signal, ending)
    before = signal.getsignal(number)
    monkeypatch.setattr(command_line, "_plane_table", lambda *_: signal.raise_signal(number))
    trained(tiny()).save(tmp_path / "run.npz")
    assert main("plane", tmp_path / "run.npz") == 128 + number
    assert capsys.readouterr().err == f"ibcore: interrupted by {ending}\n"
    assert signal.getsignal(number) == before


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")
def test_a_hangup_that_is_ignored_stays_ignored(tmp_path, monkeypatch):
    plane = command_line._plane_table

    def hung_up(*words):
        signal.raise_signal(signal.SIGHUP)
        return plane(*words)

    monkeypatch.setattr(command_line, "_plane_table", hung_up)
    trained(tiny()).save(tmp_path / "run.npz")
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert main("plane", tmp_path / "run.npz", "--out", tmp_path / "plane.csv") == 0
    finally:
        signal.signal(signal.SIGHUP, before)
    assert (tmp_path / "plane.csv").exists()


def test_a_run_interrupted_after_its_training_is_kept_without_a_plane(tmp_path, capsys):
    out = tmp_path / "out"
    assert main("run", "quick-tanh", *SETTINGS, "--out", out) == 0
    changes = ["--set", "training.seed=5"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command_line, "_plane_table", lambda *_: signal.raise_signal(signal.SIGINT))
        assert main("run", "quick-tanh", *SETTINGS, *changes, "--out", out) == 130
    assert sorted(p.name for p in out.iterdir()) == ["experiment.json", "run.npz"]
    assert Run.load(out / "run.npz").experiment.training.seed == 5
    assert main("run", "quick-tanh", *SETTINGS, *changes, "--out", out) == 0
    assert (out / "plane.csv").exists()
    told = capsys.readouterr().err.splitlines()
    wrote = [line for line in told if line.startswith("wrote ")]
    names = [f"{out / name}" for name in ("experiment.json", "run.npz", "plane.csv")]
    assert wrote == ["wrote " + ", ".join(some) for some in (names, names[:2], names)]


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@contextmanager
def files_of_at_most(size):
    """A file system that takes no longer files, as a full disk takes no more."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_the_earlier_files(tmp_path, capsys):
    out = tmp_path / "out"
    assert main("run", "quick-tanh", *SETTINGS, "--out", out) == 0
    before = content(out)
    capsys.readouterr()
    with files_of_at_most(3000):
        words = [*SETTINGS, "--set", "training.seed=5"]
        assert main("run", "quick-tanh", *words, "--out", out) == 2
        assert main("run", "quick-tanh", *words, "--out", tmp_path / "new" / "folder") == 2
        assert main("plane", out / "run.npz", "--n-bins", "9", "--out", out / "plane.csv") == 2
    assert content(out) == before
    assert not (tmp_path / "new").exists()
    errors = [line for line in capsys.readouterr().err.splitlines() if "cannot be" in line]
    reason = os.strerror(errno.EFBIG)
    for path in (out / "run.npz", tmp_path / "new" / "folder" / "run.npz", out / "plane.csv"):
        assert f"ibcore: {path} cannot be written: {reason}" in errors


def test_a_place_that_takes_no_file_is_refused_before_the_work(tmp_path, refused, monkeypatch):
    def full(**_):
        raise PermissionError

    monkeypatch.setattr(results.tempfile, "TemporaryFile", full)
    monkeypatch.setattr(command_line, "_train", None)
    monkeypatch.setattr(command_line.Run, "load", None)
    out = tmp_path / "a" / "b"
    assert "use a place that can be written to" in refused("run", "quick-tanh", "--out", out)
    assert "can be written to" in refused("plane", "run.npz", "--out", tmp_path / "plane.csv")
    assert not (tmp_path / "a").exists()


def test_a_refused_command_leaves_no_folder(tmp_path, refused):
    refused("run", "quick-tanh", "--out", tmp_path / "a" / "b", "--set", "task.name=mnist")
    assert not (tmp_path / "a").exists()


def test_the_device_is_checked_also_where_the_run_is_known(tmp_path, capsys, refused):
    words = ["run", "quick-tanh", *SETTINGS, "--out", tmp_path / "out"]
    assert main(*words) == 0
    capsys.readouterr()
    assert "device: 'abacus'" in refused(*words, "--device", "abacus")


def test_a_file_is_written_through_a_link_and_into_a_device(tmp_path, capsys):
    trained(tiny()).save(tmp_path / "run.npz")
    (tmp_path / "link.csv").symlink_to(tmp_path / "there.csv")
    assert main("plane", tmp_path / "run.npz", "--out", tmp_path / "link.csv") == 0
    assert (tmp_path / "link.csv").is_symlink()
    assert_table(tmp_path / "there.csv", information_plane(trained(tiny()), Binning()))
    assert main("plane", tmp_path / "run.npz", "--out", os.devnull) == 0
    assert not os.path.isfile(os.devnull)
    assert f"wrote {tmp_path / 'link.csv'}\n" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_a_run_is_read_from_regular_files_only(kind, tmp_path, refused):
    path = {"pipe": tmp_path / "pipe", "folder": tmp_path, "device": os.devnull}[kind]
    if kind == "pipe":
        os.mkfifo(path)
    assert refused("plane", path) == f"ibcore: run file: {str(path)!r} is not a regular file"
    assert "experiment: " in refused("run", path, "--out", tmp_path / "out")


def test_a_file_without_permission_is_named(tmp_path, refused, monkeypatch):
    def denied(*_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    path = tmp_path / "run.npz"
    path.write_text("{}")
    monkeypatch.setattr("ibcore.files.os.open", denied)
    monkeypatch.setattr(results, "_takes", lambda folder: True)
    assert refused("plane", path).endswith(f"'{path}' cannot be read: Permission denied")
    assert refused("run", path, "--out", tmp_path / "out").endswith("read: Permission denied")


def test_output_that_nobody_reads_to_its_end_ends_quietly(tmp_path):
    # Longer than what a pipe holds.
    experiment = tiny(epochs=400, checkpoints=200, batch_mode="full", replicates=4)
    trained(experiment).save(tmp_path / "run.npz")
    with subprocess.Popen(
        [sys.executable, "-m", "ibcore", "plane", tmp_path / "run.npz", "--subset", "50"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        told = process.stderr.read()
    assert process.returncode == 141
    assert [line for line in told.splitlines() if not line.startswith("ibcore: ")] == []
    assert "pipe" not in told


def test_a_closed_stderr_loses_no_file(tmp_path):
    trained(tiny()).save(tmp_path / "run.npz")
    out = tmp_path / "plane.csv"
    words = [sys.executable, "-m", "ibcore", "plane", tmp_path / "run.npz", "--out", out]
    reading, writing = os.pipe()
    os.close(reading)
    try:
        assert subprocess.run(words, stderr=writing).returncode == 0
    finally:
        os.close(writing)
    assert_table(out, information_plane(trained(tiny()), Binning()))


@pytest.mark.parametrize("words", [["plane"], ["sizes"], ["verdicts"], ["probe", "weights"]])
def test_a_bar_is_drawn_on_a_terminal_alone(words, tmp_path, capsys, monkeypatch):
    trained(tiny()).save(tmp_path / "run.npz")
    command, *more = words
    words = [command, tmp_path / "run.npz", *more, "--out", tmp_path / "table.csv"]
    assert main(*words) == 0
    assert "\r" not in capsys.readouterr().err
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert main(*words) == 0
    told = capsys.readouterr().err
    assert "100%" in told
    # After the bar each line begins on its own.
    assert f"wrote {tmp_path / 'table.csv'}" in told.splitlines()


def test_data_that_are_refused_draw_no_bar(tmp_path, refused, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("IBCORE_DATA_DIR", str(tmp_path))
    refused("run", "quick-tanh", "--out", tmp_path / "out", "--set", "task.name=mnist")
    refused("fetch", "digits")
    run = trained(tiny())
    replace(run, fingerprint="0" * 16).save(tmp_path / "other.npz")
    for command in (["plane"], ["sizes"], ["verdicts"], ["layers"]):
        assert "have changed" in refused(*command, tmp_path / "other.npz")
    assert "have changed" in refused("probe", tmp_path / "other.npz", "gradients")


def test_a_notice_has_a_line_of_its_own_beside_a_bar(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    trained(tiny()).save(tmp_path / "run.npz")
    plane = command_line._curves

    def noticed(*words, **more):
        terminal.remark("mind this")
        return plane(*words, **more)

    monkeypatch.setattr(command_line, "_curves", noticed)
    assert main("plane", tmp_path / "run.npz", "--out", tmp_path / "plane.csv") == 0
    assert "ibcore: mind this" in re.split(r"[\r\n]", capsys.readouterr().err)


@pytest.mark.parametrize("command", ["plane", "verdicts", "layers", "sizes"])
def test_a_run_without_a_sound_replicate_is_one_line(command, tmp_path, refused):
    run = trained(tiny())
    replace(run, diverged=np.zeros_like(run.diverged)).save(tmp_path / "run.npz")
    assert "every replicate had diverged by epoch" in refused(command, tmp_path / "run.npz")


def test_what_the_cache_has_to_say_is_one_line(tmp_path, capsys, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("IBCORE_CACHE_DIR", str(tmp_path / "file"))
    assert main("run", "quick-tanh", *SETTINGS, "--out", tmp_path / "out") == 0
    lines = capsys.readouterr().err.splitlines()
    assert any("cannot be written, nothing is kept" in line for line in lines)
    assert all(line.startswith(("ibcore: ", "wrote ")) for line in lines)


def wrong(folder):
    """Words that are refused and what the line about them says, by name."""
    run, damaged, text = folder / "run.npz", folder / "damaged.npz", folder / "text.json"
    trained(tiny()).save(run)
    relu, huge = trained(tiny(network=Network("5-3", "relu"))), folder / "huge.npz"
    scale = np.float32(1e20)
    replace(relu, weights=(relu.weights[0] * scale, *relu.weights[1:])).save(huge)
    damaged.write_bytes(run.read_bytes()[:-50])
    text.write_text("epochs = 3")
    begin = ["run", "quick-tanh", "--out", folder / "out"]
    return {
        "nothing": ([], "see python -m ibcore --help"),
        "unknown command": (["paint"], "see python -m ibcore --help"),
        "unknown option": (["presets", "--all"], "--all"),
        "unknown preset": (["presets", "mine"], "preset: 'mine' is not allowed; use one of quick"),
        "unknown preset to run": (["run", "mine", "--out", folder], "experiment: 'mine'"),
        "no folder": (["run", "quick-tanh"], "--out"),
        "a file as folder": (["run", "quick-tanh", "--out", run], "use a folder, or"),
        "a folder in a file": (["run", "quick-tanh", "--out", run / "a"], "use a folder, or"),
        "no JSON": (["run", text, "--out", folder], "experiment: 'epochs = 3' is not allowed"),
        "not even text": (["run", run, "--out", folder], "which is text in UTF-8"),
        "no equals sign": ([*begin, "--set", "training.epochs"], "set: 'training.epochs'"),
        "unknown field": ([*begin, "--set", "epochs=3"], "epochs: 3 is not allowed; use one of"),
        "wrong value": ([*begin, "--set", "training.epochs=0"], "epochs: 0 is not allowed"),
        "unknown device": ([*begin, *SETTINGS, "--device", "abacus"], "device: 'abacus'"),
        "no data": (
            [*begin, "--set", "task.name=npz", "--set", "task.path=/none"],
            "path: '/none' is not allowed; use an existing .npz file",
        ),
        "no test set": (
            [*begin, *SETTINGS, "--set", "task.train_fraction=1", "--samples", "test"],
            "samples: 'test' is not allowed; use all or train",
        ),
        "data that are not there": (
            [*begin, "--set", "task.name=mnist"],
            "'python -m ibcore fetch mnist' gets them",
        ),
        "no data to fetch": (["fetch", "digits"], "task: 'digits' is not allowed; use one of mni"),
        "absent run": (["plane", folder / "none.npz"], "does not exist"),
        "damaged run": (["plane", damaged], "damaged or no .npz file"),
        "no name of a run": (["plane", ""], "run file: '' does not exist"),
        "no name of a file": (["plane", run, "--out", ""], "out: '' is not allowed"),
        "too long a name": (["plane", run, "--out", "a" * 5000], "(File name too long)"),
        "too long a folder": ([*begin[:2], "--out", "a" * 5000], "(File name too long)"),
        "no name of a folder": (["run", "quick-tanh", "--out", ""], "out: '' is not allowed"),
        "unknown estimator": (["plane", run, "--estimator", "edge"], "invalid choice: 'edge'"),
        "limits of words": (["plane", run, "--limits", "wide"], "limits: 'wide' is not allowed"),
        "limits of two words": (["plane", run, "--limits", "range", "layer"], "limits: "),
        "one limit": (["plane", run, "--limits", "1"], "limits: [1.0] is not allowed"),
        "three limits": (["plane", run, "--limits", "1", "2", "3"], "limits: "),
        "falling limits": (["plane", run, "--limits", "1", "0"], "limits: "),
        "limits without number": (["plane", run, "--limits", "nan", "1"], "limits: "),
        "one bin": (["plane", run, "--n-bins", "1"], "n_bins: 1 is not allowed"),
        "half a bin": (["plane", run, "--n-bins", "2.5"], "invalid int value: '2.5'"),
        "no width": (["plane", run, "--width", "0"], "width: 0.0 is not allowed"),
        "too small a width": (["plane", huge, "--width", "1e-300"], "width: 1e-300 is not allowed"),
        "no variance": (["plane", run, "--variance", "nan"], "variance: nan is not allowed"),
        "no neighbour": (["plane", run, "--k", "0"], "k: 0 is not allowed"),
        "null of neighbours": (["plane", run, "--estimator", "ksg", "--null", "5"], "null: 5"),
        "variance of bins": (["plane", run, "--estimator", "binning", "--variance", "1"], "varia"),
        "unknown samples": (["plane", run, "--samples", "some"], "invalid choice: 'some'"),
        "a word as subset": (["plane", run, "--subset", "few"], "subset: 'few' is not allowed"),
        "a subset of one": ([*begin, "--subset", "1"], "subset: 1 is not allowed; use a whole"),
        "unknown channels": (["plane", run, "--channels", "sum"], "invalid choice: 'sum'"),
        "no place": (["plane", run, "--out", folder / "no" / "where.csv"], "directory"),
    }


def test_wrong_input_is_one_line_and_status_2(tmp_path, refused, monkeypatch):
    monkeypatch.setenv("IBCORE_DATA_DIR", str(tmp_path))
    for name, (words, expected) in wrong(tmp_path).items():
        assert expected in refused(*words), name


# The cache


def test_the_cache_is_listed_pruned_and_cleared(tmp_path, capsys, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("IBCORE_CACHE_DIR", str(folder))
    assert main("cache", "list") == 0
    assert "all               0    0 bytes  never" in capsys.readouterr().out
    assert main("run", "quick-tanh", *SETTINGS, "--out", tmp_path / "out") == 0
    old = folder / "curves-0" / f"{1:032x}"
    old.parent.mkdir()
    old.write_bytes(bytes(1000))
    os.utime(old, (0, 0))
    capsys.readouterr()

    assert main("cache", "list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:-1]] == ["kind", "curves", "run", "all"]
    assert lines[-1] == str(folder)

    assert main("cache", "prune") == 0
    assert capsys.readouterr().out == f"Removed 1 entries (1.0 kB) from {folder}\n"
    assert main("cache", "prune", "--max-mb", "0", "--max-days", "0") == 0
    assert "Removed 0 entries" in capsys.readouterr().out, "what is in use stays"
    for path in folder.rglob("*"):
        os.utime(path, (0, 0))
    assert main("cache", "prune", "--max-mb", "0") == 0
    assert "Removed 0 entries" not in capsys.readouterr().out

    assert main("run", "quick-tanh", *SETTINGS, "--out", tmp_path / "out") == 0
    assert main("cache", "clear") == 0
    assert [path for path in folder.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("value", ["-1", "nan", "inf"])
@pytest.mark.parametrize("option", ["--max-mb", "--max-days"])
def test_limits_of_the_cache_that_are_none_are_refused(option, value, capsys):
    assert main("cache", "prune", option, value) == 2
    line = f"ibcore: {option}: {float(value)} is not allowed; use a number from 0\n"
    assert capsys.readouterr().err == line


def test_a_run_is_not_written_over_by_its_table(tmp_path, refused):
    path = tmp_path / "run.npz"
    trained(tiny()).save(path)
    content = path.read_bytes()
    assert "use another file than the run" in refused("plane", path, "--out", path)
    assert path.read_bytes() == content


def test_a_closed_standard_output_is_said(tmp_path, monkeypatch, refused):
    trained(tiny()).save(tmp_path / "run.npz")
    monkeypatch.setattr("sys.stdout", None)
    assert "standard output cannot be written" in refused("plane", tmp_path / "run.npz")
