"""The cache: nothing is done twice, nothing is lost, and damage costs time only."""

import errno
import io
import shutil
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from ibcore import files, journal
from ibcore import store as store_module
from ibcore.cache import DAMAGED
from ibcore.estimators import Binning
from ibcore.experiment import Network, Task
from ibcore.journal import Journal
from ibcore.plane import information_curves
from ibcore.run import Run
from ibcore.run import train as train_alone
from ibcore.store import Store, cache_folder
from ibcore.tasks import load

from .stores import VALUES, Told, damage, kept, train
from .test_run import assert_same, tiny, trained

# Training


def test_what_is_trained_is_not_trained_again(store, monkeypatch):
    experiment = tiny()
    assert not store.holds(experiment)
    assert store.find(experiment) is None
    run, heard = train(store, experiment)
    assert_same(run, trained(experiment))
    assert heard
    assert store.holds(experiment)
    assert not any((store.folder / "partial").iterdir())

    monkeypatch.setattr(store_module, "train", None)
    again, heard = train(store, experiment)
    assert_same(again, run)
    assert heard == []
    assert_same(store.find(experiment), run)
    assert_same(Store(store.folder).find(experiment, load(experiment.task)), run)


def test_an_equal_experiment_is_served_under_its_own_settings(store):
    train(store, tiny(momentum=0.1, batch_mode="full", batch_size=3))
    same = tiny(momentum=0.9, batch_mode="full", batch_size=4)
    run, heard = train(store, same)
    assert heard == []
    assert run.experiment == store.find(same).experiment == same


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "adadelta"])
@pytest.mark.parametrize(
    "batch",
    [
        {"batch_mode": "full"},
        {"batch_mode": "mini", "batch_size": 60},
        {"batch_mode": "mini", "batch_size": 60, "resample_split": True},
        {"batch_mode": "single", "epochs": 2},
    ],
    ids=["full", "mini", "own splits", "single"],
)
def test_an_interrupted_run_ends_as_if_it_had_not_been(optimizer, batch, store):
    experiment = tiny(Task(train_fraction=0.03), optimizer=optimizer, epochs=3, checkpoints=3)
    experiment = replace(experiment, training=replace(experiment.training, **batch))
    whole = trained(experiment)
    per_epoch = {"full": 1, "mini": 3, "single": 123}[batch["batch_mode"]]
    done = 0
    for steps in (1, per_epoch):
        part, _ = train(store, experiment, steps)
        done += steps
        assert not part.complete
        reached = [epoch for epoch in experiment.epochs if epoch * per_epoch <= done]
        assert part.epochs.tolist() == reached
        assert_same(store.find(experiment), part)
        assert not store.holds(experiment)
    run, heard = train(store, experiment)
    assert heard[0].done == done + 1
    assert_same(run, whole)
    pd.testing.assert_frame_equal(run.history(), whole.history(), check_exact=True)
    assert_same(store.find(experiment), whole)


def test_a_run_stopped_at_once_has_its_first_checkpoint(store):
    run, _ = train(store, tiny(), steps=0)
    assert run.epochs.tolist() == [0]
    assert_same(store.find(tiny()), run)


def test_a_replicate_stays_lost_when_training_goes_on(store):
    experiment = tiny(
        network=Network("5-3", "linear"), learning_rate=1000.0, epochs=300, checkpoints=6
    )
    whole = trained(experiment)
    assert (whole.diverged > 1).all()
    part, _ = train(store, experiment, int(whole.diverged.min()) + 1)
    assert (part.diverged > 0).any() or part.epochs[-1] < whole.diverged.min()
    assert_same(train(store, experiment)[0], whole)


def test_a_partial_run_is_found_piece_by_piece(store, monkeypatch):
    experiment = tiny(epochs=20, checkpoints=8)
    part, _ = train(store, experiment, 5)
    known = store.find(experiment)
    more, _ = train(store, experiment, 6)
    assert len(part.epochs) < len(more.epochs) < 8
    read = []
    read_one = Journal._read
    monkeypatch.setattr(
        Journal,
        "_read",
        lambda journal, path: read.append(path.name) or read_one(journal, path),
    )
    assert_same(store.find(experiment, known=known), more)
    assert f"checkpoint-{part.epochs[-1]}.pt" not in read
    other = tiny(seed=9)
    assert store.find(other, known=known) is None
    assert store.find(experiment, known=more) is more


def test_another_seed_or_data_set_is_another_run(store):
    train(store, tiny())
    for other in (tiny(seed=1), tiny(Task(train_fraction=0.06)), tiny(epochs=5)):
        assert not store.holds(other)


def test_changed_data_are_not_served_from_the_cache(store, tmp_path):
    path = tmp_path / "data.npz"
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 3))
    experiment = tiny(Task("npz", path=str(path)))

    np.savez(path, x=x, y=np.arange(50) % 2)
    first, _ = train(store, experiment)
    assert store.holds(experiment)
    np.savez(path, x=x, y=np.arange(50) % 3)
    assert not store.holds(experiment)
    assert store.find(experiment) is None
    with pytest.raises(ValueError, match="the data of npz have changed"):
        store.curves(Run.load(io.BytesIO(first.to_bytes())), Binning(), VALUES)
    assert len(store.curves(first, Binning(), VALUES)), "it has its data with it"
    second, heard = train(store, experiment)
    assert heard
    assert second.weights[-1].shape[2] == 3
    np.savez(path, x=x, y=np.arange(50) % 2)
    again, heard = train(store, experiment)
    assert heard == []
    assert_same(again, first)


# Damage


def test_a_damaged_run_hides_nothing_of_the_training_that_replaces_it(told):
    train(told.store, tiny())
    (entry,) = kept(told.store)
    damage(entry, "zeroed")
    assert told.store.find(tiny()) is None
    assert not told.store.holds(tiny())
    asked = []
    part = told.store.train(tiny(), should_stop=lambda: asked.append(1) or len(asked) > 1)
    assert not part.complete
    assert_same(told.store.find(tiny()), part)
    assert told == [DAMAGED]


def test_of_two_who_find_a_damaged_run_the_second_finds_it_gone(told, monkeypatch):
    train(told.store, tiny())
    (entry,) = kept(told.store)
    damage(entry, "zeroed")
    monkeypatch.setattr(told.store.cache, "has", lambda kind, key: True)
    assert told.store.find(tiny()) is None
    assert told.store.find(tiny()) is None
    assert told == [DAMAGED]


def test_a_run_that_cannot_be_read_for_the_moment_is_not_removed(told, monkeypatch):
    run, _ = train(told.store, tiny())
    (entry,) = kept(told.store)

    def too_many(*_args, **_kwargs):
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(files.os, "open", too_many)
        assert told.store.find(tiny()) is None
    assert entry.exists()
    assert_same(told.store.find(tiny()), run)
    assert told == []


def test_a_partial_run_ends_before_its_first_damaged_checkpoint(told):
    experiment = tiny(epochs=10)
    assert experiment.epochs == (0, 1, 3, 10)
    train(told.store, experiment, 8)
    (path,) = told.store.folder.rglob("checkpoint-1.pt")
    damage(path, "truncated")
    assert told.store.find(experiment).epochs.tolist() == [0]
    (notice,) = told
    assert notice.startswith("cache: checkpoint-1.pt is damaged and was ignored (")


@pytest.mark.parametrize("steps", [3, 4, 6])
def test_a_damaged_checkpoint_at_the_epoch_reached_is_made_again(steps, told):
    experiment = tiny(Task(train_fraction=0.03), batch_size=60, checkpoints=5)
    assert experiment.epochs == (0, 1, 2, 3, 4)
    train(told.store, experiment, steps)
    (path,) = told.store.folder.rglob(f"checkpoint-{steps // 3}.pt")
    damage(path, "truncated")
    run, _ = train(told.store, experiment)
    assert run.complete
    assert_same(run, trained(experiment))
    (notice,) = told
    assert notice.startswith(f"cache: {path.name} is damaged and was ignored (")


def test_a_single_wrong_bit_in_a_checkpoint_is_noticed(told):
    experiment = tiny(epochs=10)
    part, _ = train(told.store, experiment, 8)
    (path,) = told.store.folder.rglob("checkpoint-1.pt")
    content, weights = bytearray(path.read_bytes()), part.weights[0][1].tobytes()
    assert weights in content
    content[content.find(weights)] ^= 1
    path.write_bytes(content)
    assert_same(train(told.store, experiment)[0], trained(experiment))
    (notice,) = told
    assert notice.startswith("cache: checkpoint-1.pt is damaged and was ignored (")


def test_a_checkpoint_after_the_state_is_made_again(store):
    experiment = tiny(epochs=10)
    train(store, experiment, 2)
    (state,) = store.folder.rglob("state.pt")
    early = state.read_bytes()
    train(store, experiment, 5)
    state.write_bytes(early)
    run, heard = train(store, experiment)
    assert heard[0].done == 3
    assert_same(run, trained(experiment))


# A disk that refuses


def test_a_cache_that_cannot_be_made_stops_nothing(tmp_path):
    (tmp_path / "file").write_text("in the way")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        told = Told(folder)
        run, _ = train(told.store, tiny())
        assert_same(run, trained(tiny()))
        table = told.store.curves(run, Binning(), VALUES)
        pd.testing.assert_frame_equal(table, information_curves(run, Binning(), VALUES))
        assert told.store.known_curves(run, Binning(), VALUES)[1] == 0
        assert told.store.find(tiny()) is None
        assert not told.store.holds(tiny())
        (line,) = told
        assert line.startswith(f"cache: {folder}")
        assert "cannot be written, nothing is kept" in line
        assert "\n" not in line


def full(*_args, **_kwargs):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_ends_the_journal_but_not_the_training(told, monkeypatch):
    monkeypatch.setattr("ibcore.journal.write_checked", full)
    run, _ = train(told.store, tiny())
    assert_same(run, trained(tiny()))
    (line,) = told
    assert line.startswith("cache: the training could not be kept in ")
    assert "No space left on device" in line
    assert told.store.holds(tiny())


def test_a_journal_that_another_process_cleared_goes_on(store, monkeypatch):
    experiment, save, saved = tiny(), torch.save, []

    def cleared_meanwhile(content, file):
        save(content, file)
        saved.append(file)
        if len(saved) == 2:
            shutil.rmtree(store.folder / "partial")

    monkeypatch.setattr(torch, "save", cleared_meanwhile)
    train(store, experiment, 2)
    assert sorted(path.name for path in store.folder.glob("partial/*/*")) == [
        "checkpoint-1.pt",
        "checkpoint-2.pt",
        "state.pt",
    ]
    assert_same(train(store, experiment)[0], trained(experiment))


def test_what_could_not_be_written_leaves_nothing_behind(told, monkeypatch):
    monkeypatch.setattr(files.os, "fsync", full)
    train(told.store, tiny(), 2)
    with pytest.raises(OSError, match="No space left"):
        told.store.keep(trained(tiny()))
    assert len(told) == 1
    assert [path for path in told.store.folder.rglob("*") if path.is_file()] == []


def test_results_that_could_not_be_kept_are_one_notice(told, monkeypatch):
    for name in ("write_whole", "write_checked"):
        monkeypatch.setattr(f"ibcore.cache.{name}", full)
    run, _ = train(told.store, tiny())
    assert_same(run, trained(tiny()))
    assert told == [
        "cache: what is computed could not be kept ([Errno 28] No space left on device)"
    ]
    table = told.store.curves(run, Binning(), VALUES)
    pd.testing.assert_frame_equal(table, information_curves(run, Binning(), VALUES))
    assert len(told) == 1
    assert not told.store.holds(tiny())
    assert_same(told.store.find(tiny()), run)


def test_without_a_listener_notices_are_warnings(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.warns(UserWarning, match="cannot be written, nothing is kept"):
        Store(tmp_path / "file")


# Runs from elsewhere, and where things lie


def test_a_run_from_elsewhere_is_kept_once(store):
    run = trained(tiny())
    path = store.keep(run)
    assert_same(Run.load(path), run)
    stamp = path.stat().st_mtime_ns
    assert store.keep(Run.load(path)) == path
    assert path.stat().st_mtime_ns == stamp
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    assert store.keep(trained(tiny(seed=1))) != path


def test_runs_that_differ_in_more_than_their_weights_are_kept_apart(store):
    """Before its first step a run has the weights of every other optimiser's."""
    run = trained(tiny())
    starts = [
        train_alone(tiny(optimizer=name), device="cpu", should_stop=lambda: True)
        for name in ("sgd", "adam")
    ]
    for one in (replace(run, along_mean=None, along_std=None), run, *starts):
        assert_same(Run.load(store.keep(one)), one)


def test_the_folder_is_that_of_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("IBCORE_CACHE_DIR", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    train(Store(), tiny())
    assert kept(Store())
    assert all(path.is_relative_to(tmp_path / "mine") for path in kept(Store()))
    for value in ("", None):
        if value is None:
            monkeypatch.delenv("IBCORE_CACHE_DIR")
        else:
            monkeypatch.setenv("IBCORE_CACHE_DIR", value)
        assert cache_folder().name == "ibcore"


def test_nothing_is_warned_about_on_the_way(store):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run, _ = train(store, tiny())
        store.curves(run, Binning(limits="range"), VALUES)
        Store(store.folder).curves(run, Binning(limits="range"), VALUES)
    assert caught == []


# Runs that are opened


@pytest.mark.parametrize("compress", [False, True])
def test_an_opened_run_is_that_of_the_file_whatever_becomes_of_it(compress, store, tmp_path):
    path, run = tmp_path / "run.npz", trained(tiny())
    run.save(path)
    if compress:
        with np.load(path) as content:
            np.savez_compressed(path, **content)
    for file in (path, str(path), io.BytesIO(path.read_bytes())):
        opened = store.open(file)
        assert_same(opened, run)
    path.write_bytes(b"")
    assert_same(opened, run)
    (kept_file,) = (store.folder / "opened").iterdir()
    assert kept_file == store.keep(opened)


@pytest.mark.parametrize("content", [b"", b"text", trained(tiny()).to_bytes()[:-10]])
def test_a_wrong_file_leaves_nothing_in_the_cache(content, store, tmp_path):
    (tmp_path / "run.npz").write_bytes(content)
    with pytest.raises(ValueError, match="run file: it is damaged"):
        store.open(tmp_path / "run.npz")
    assert [path for path in store.folder.rglob("*") if path.is_file()] == []


def test_a_run_is_opened_where_the_disk_is_full(told, monkeypatch, tmp_path):
    trained(tiny()).save(tmp_path / "run.npz")
    monkeypatch.setattr(files.os, "fsync", full)
    assert_same(told.store.open(tmp_path / "run.npz"), trained(tiny()))
    (line,) = told
    assert line.startswith("cache: the opened run could not be kept (")
    assert "No space left" in line


def test_a_run_on_the_disk_has_no_limit_that_is_of_compressed_ones(store, tmp_path, monkeypatch):
    monkeypatch.setattr("ibcore.archive.MAX_UNPACKED", 100)
    path, run = tmp_path / "run.npz", trained(tiny())
    run.save(path)
    assert_same(store.open(path), run)
    with np.load(path) as content:
        np.savez_compressed(path, **content)
    with pytest.raises(ValueError, match="it unpacks to more than 100 bytes"):
        store.open(path)


def test_sessions_that_open_the_same_run_share_one_copy(store, tmp_path):
    trained(tiny()).save(tmp_path / "run.npz")
    store.open(tmp_path / "run.npz")
    (kept_file,) = (store.folder / "opened").iterdir()
    inode = kept_file.stat().st_ino
    store.open(tmp_path / "run.npz")
    assert [path.stat().st_ino for path in (store.folder / "opened").iterdir()] == [inode]


def test_a_training_is_kept_again_once_the_disk_has_room(told, monkeypatch):
    write, calls = journal.write_checked, []

    def full_at_first(*args):
        calls.append(args)
        if len(calls) < 3:
            full()
        write(*args)

    monkeypatch.setattr("ibcore.journal.write_checked", full_at_first)
    train(told.store, tiny(epochs=10), 8)
    assert len(told) == 1
    assert (told.store.folder / "partial").is_dir()
