"""What a notebook prints of a value: short, and of a run three lines."""

import importlib
import inspect
import io
import pkgutil
import zipfile
from dataclasses import is_dataclass, replace
from pathlib import Path

import numpy as np

import ibcore
from ibcore import phases
from ibcore.archive import Header
from ibcore.cache import LIMITS, Item
from ibcore.checks import beyond_limits
from ibcore.claims import Claim
from ibcore.estimators import ESTIMATORS, Binning, Information
from ibcore.estimators.information import samples
from ibcore.experiment import Network, Task
from ibcore.gradients import gradient_stats
from ibcore.networks import Masks
from ibcore.plane import observed
from ibcore.presets import PRESETS, Preset
from ibcore.probes import PROBES
from ibcore.stack import Conv, Dense, Drop, Pool
from ibcore.tasks import SOURCES, Dataset, load
from ibcore.tasks.downloads import Source
from ibcore.tasks.labels import class_labels
from ibcore.tasks.npy import StoredArray
from ibcore.theory import TRUTHS, Truth
from ibcore.training import Progress, Trainer, resolve_device
from ibcore.trials import CONTENDERS, Trial
from ibcore.view import View

from .test_run import diverged, tiny, trained

RNG = np.random.default_rng(0)


def public_dataclasses():
    """Those of all modules of the package, by name."""
    found = {}
    for module in pkgutil.walk_packages(ibcore.__path__, "ibcore."):
        if module.name.endswith("__main__"):
            continue
        for name, kind in inspect.getmembers(importlib.import_module(module.name), is_dataclass):
            if inspect.isclass(kind) and not name.startswith("_"):
                found[name] = kind
    return found


def examples():
    """Real objects, as large as they come."""
    experiment = tiny(Task("digits", train_fraction=0.5), Network("200-100", "relu"), replicates=30)
    run = trained(experiment)
    epochs, curves = np.arange(1, 41), RNG.random((30, 40))
    truth = next(iter(TRUTHS.values()))
    t = RNG.random((30, 50, 4)).astype(np.float32)
    trainer = Trainer(experiment, run.dataset, resolve_device("cpu"))
    source = next(iter(SOURCES.values()))
    archive = zipfile.ZipFile(io.BytesIO(trained(tiny()).to_bytes()))
    return [
        *(run, run.dataset, experiment, experiment.task, experiment.network, experiment.training),
        *(experiment.recording, next(run.pieces(0)), run.ensemble(0), trainer.checkpoint()),
        *(observed(run, 0, View()), Binning().information(t, RNG.integers(0, 2, 50))),
        *samples(t, RNG.integers(0, 2, 50)),
        gradient_stats(RNG.random((30, 5, 40)), RNG.random((30, 40))),
        phases.crossing(curves, curves, epochs),
        phases.snr_onset(curves, curves, epochs),
        phases.loss_kink(curves, epochs),
        phases.compression(curves, epochs),
        *(kind() for kind in ESTIMATORS.values()),
        *(kind() for kind in PROBES.values()),
        *(PRESETS.values()),
        *(TRUTHS.values()),
        Trial(truth, CONTENDERS[0], 100, 0),
        beyond_limits(run, Binning(limits=(-1.0, 1e-3)), View()),
        *(Progress(1, 2, 1, None), View(), Masks(0, 0, 0), source, source.files[0]),
        *(LIMITS.values()),
        Item(Path("/a/file"), "run", 10, 0.0),
        class_labels(np.arange(5000)),
        Header((5, 6), np.dtype("<f4"), False, 128),
        StoredArray(
            archive, archive.infolist()[0], "w1", Header((5, 6), np.dtype("<f4"), False, 128)
        ),
        *(Dense(3), Conv(3, 3), Pool(2), Drop(0.5), Claim("maximum", "holds", (1, 2), ())),
    ]


def test_every_public_value_is_short():
    seen = examples()
    assert public_dataclasses().keys() == {type(value).__name__ for value in seen}
    for value in seen:
        # The texts of presets, cases and sources are written by hand.
        most = 2000 if isinstance(value, Preset | Truth | Trial | Source) else 1000
        assert len(repr(value)) < most, type(value).__name__
        assert len(repr(value).splitlines()) <= 3, type(value).__name__


def test_a_run_is_three_lines():
    run = trained(tiny())
    (train,), (test,) = ([a[-1].mean()] for a in (run.train_accuracy, run.test_accuracy))
    assert repr(run) == (
        "Run: symmetric, 5-3 tanh\n"
        "4 checkpoints to epoch 4 of 4, complete; replicates: 2\n"
        f"accuracy at the end {train:.3f} (training), {test:.3f} (test)"
    )


def test_a_run_that_stopped_or_diverged_says_so():
    run = trained(tiny(Task(train_fraction=1)))
    part = replace(
        run,
        epochs=run.epochs[:2],
        weights=tuple(w[:2] for w in run.weights),
        biases=tuple(b[:2] for b in run.biases),
        train_loss=run.train_loss[:2],
        train_accuracy=run.train_accuracy[:2],
    )
    assert "2 checkpoints to epoch 1 of 4, partial; replicates: 2\n" in repr(part)
    one = diverged(run, 1, 2)
    assert "replicates: 2, diverged: 1\n" in repr(one)
    assert f"accuracy at the end {run.train_accuracy[-1, 0]:.3f} (training)" in repr(one)
    assert "(test)" not in repr(one)
    none = diverged(one, 0, 2)
    assert repr(none).splitlines()[1:] == [
        "4 checkpoints to epoch 4 of 4, complete; replicates: 2, diverged: 2"
    ]


def test_a_dataset_is_two_lines():
    data = Dataset(np.eye(4), np.arange(4) % 2, 2, None, np.arange(3), np.arange(3, 4))
    assert repr(data) == (
        "Dataset: 4 samples of shape (4,), 2 classes, H(Y) = 1.000 bits\n3 to train, 1 to test"
    )
    soft = load(Task(gamma=30.0))
    assert ", soft labels, H(Y) = " in repr(soft)


def test_few_numbers_are_shown_and_many_are_not():
    assert repr(Information(1.5, np.arange(3))).startswith("Information(i_xt=1.5, i_ty=[0, 1, 2],")
    assert "i_ty=int64 (11,)" in repr(Information(1.5, np.arange(11)))
