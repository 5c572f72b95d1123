"""The command line: what it writes, what it prints, and how it says no."""

import io
import os
import signal
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pandas as pd
import pytest

from ibcore import __main__ as command_line
from ibcore.comparison import compared
from ibcore.estimators import KDE, KSG, Binning, Quantised
from ibcore.experiment import Experiment, Network, Task
from ibcore.plane import information_curves, information_plane
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
    monkeypatch.setattr(command_line, "_train", lambda *_: trained(tiny()))
    monkeypatch.setattr(command_line, "_write_plane", lambda run, used, *_: seen.append(used))
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
    assert "all.tar.gz: 100%" in told
    assert (tmp_path / "cifar10" / "all.tar.gz").stat().st_size == 100_000
    assert main("fetch", "cifar10") == 0


def test_an_interrupt_stops_keeps_and_is_continued(tmp_path, capsys):
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
            process.send_signal(signal.SIGINT)
            printed, told = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
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

    monkeypatch.setattr(command_line, "information_plane", interrupted)
    trained(tiny()).save(tmp_path / "run.npz")
    assert main("plane", tmp_path / "run.npz") == 130
    assert capsys.readouterr().err == "ibcore: interrupted\n"


def test_what_the_cache_has_to_say_is_one_line(tmp_path, capsys, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("IBCORE_CACHE_DIR", str(tmp_path / "file"))
    # Python's own habit, which the tests' own settings replace.
    monkeypatch.setattr("warnings.filters", [])
    assert main("run", "quick-tanh", *SETTINGS, "--out", tmp_path / "out") == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("ibcore: ")]
    assert lines
    assert all("cannot be written, nothing is kept" in line for line in lines)


def wrong(folder):
    """Words that are refused and what the line about them says, by name."""
    run, damaged, text = folder / "run.npz", folder / "damaged.npz", folder / "text.json"
    trained(tiny()).save(run)
    damaged.write_bytes(run.read_bytes()[:-50])
    text.write_text("epochs = 3")
    begin = ["run", "quick-tanh", "--out", folder / "out"]
    return {
        "nothing": ([], "COMMAND"),
        "unknown command": (["paint"], "invalid choice: 'paint'"),
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
        "a folder as run": (["plane", folder], "damaged or no .npz file"),
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
    monkeypatch.setattr(command_line, "tqdm", partial(command_line.tqdm, disable=True))
    monkeypatch.setenv("IBCORE_DATA_DIR", str(tmp_path))
    for name, (words, expected) in wrong(tmp_path).items():
        assert expected in refused(*words), name
