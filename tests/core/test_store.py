"""The cache: nothing is done twice, nothing is lost, and damage costs time only."""

import errno
import io
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ibcore import store as store_module
from ibcore.estimators import KDE, Binning, Quantised
from ibcore.experiment import FieldError, Network, Task
from ibcore.plane import information_curves, with_measured_limits
from ibcore.run import Run
from ibcore.sample_size import subsample_sizes, subsampled
from ibcore.store import Store, cache_folder
from ibcore.tasks import load
from ibcore.view import View

from .test_run import assert_same, diverged, tiny, trained

VALUES = (5, 30)


class Told(list):
    """A store in a folder of its own, and every notice it gave."""

    def __init__(self, folder, **options):
        super().__init__()
        self.store = Store(folder, notice=self.append, **options)


@pytest.fixture
def told(tmp_path):
    return Told(tmp_path / "cache")


@pytest.fixture
def store(told):
    """A store of which no notice is expected."""
    yield told.store
    assert told == []


def train(store, experiment, steps=None):
    """The run, asked to stop after so many steps, and the progress heard."""
    heard, asked = [], iter(range(10**9))
    run = store.train(
        experiment,
        progress=heard.append,
        should_stop=None if steps is None else lambda: next(asked) >= steps,
        device="cpu",
    )
    return run, heard


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


def test_a_cache_begun_by_another_process_is_known_at_once(store, monkeypatch):
    train(store, tiny())
    for path in store.folder.rglob("func_code.py"):
        path.unlink()
    monkeypatch.setattr("joblib.memory._FUNCTION_HASHES", {})
    assert Store(store.folder).holds(tiny())


def test_damage_to_the_notes_of_joblib_wipes_nothing(store):
    train(store, tiny())
    for note in store.folder.rglob("func_code.py"):
        note.write_text("")
    assert Store(store.folder, notice=pytest.fail).holds(tiny())


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
    read_one = store_module.Journal._read
    monkeypatch.setattr(
        store_module.Journal,
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


def damage(path, how):
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(
        {
            "truncated": content[:middle],
            "emptied": b"",
            "overwritten": b"?" * len(content),
            "zeroed": content[: middle - 40] + bytes(80) + content[middle + 40 :],
        }[how]
    )


DAMAGE = ["truncated", "emptied", "overwritten", "zeroed"]


def entries(store):
    return sorted(Path(store.folder).rglob("output.pkl"))


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_run_is_trained_again_and_said_so(how, told):
    train(told.store, tiny())
    (entry,) = entries(told.store)
    damage(entry, how)
    assert told.store.find(tiny()) is None
    run, heard = train(told.store, tiny())
    assert heard
    assert_same(run, trained(tiny()))
    assert told == ["cache: a damaged entry is computed again"] * 2
    assert_same(told.store.find(tiny()), run)
    assert len(told) == 2


@pytest.mark.parametrize("how", DAMAGE)
def test_damaged_curves_are_computed_again_and_said_so(how, told):
    run = trained(tiny())
    table = told.store.curves(run, Binning(), VALUES)
    damage(entries(told.store)[1], how)
    pd.testing.assert_frame_equal(told.store.curves(run, Binning(), VALUES), table)
    assert told == ["cache: a damaged entry is computed again"]


@pytest.mark.parametrize("how", DAMAGE)
@pytest.mark.parametrize("name", ["checkpoint-1.pt", "state.pt"])
def test_a_damaged_journal_costs_time_only(name, how, told):
    experiment = tiny(epochs=10)
    train(told.store, experiment, 8)
    (path,) = told.store.folder.rglob(name)
    damage(path, how)
    run, heard = train(told.store, experiment)
    assert heard[0].done == 1
    assert_same(run, trained(experiment))
    assert told == [f"cache: {name} is damaged and left aside"]


def test_a_partial_run_ends_before_its_first_damaged_checkpoint(told):
    experiment = tiny(epochs=10)
    assert experiment.epochs == (0, 1, 3, 10)
    train(told.store, experiment, 8)
    (path,) = told.store.folder.rglob("checkpoint-1.pt")
    damage(path, "truncated")
    assert told.store.find(experiment).epochs.tolist() == [0]
    assert told == ["cache: checkpoint-1.pt is damaged and left aside"]


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
    assert told == [f"cache: {path.name} is damaged and left aside"]


def test_a_single_wrong_bit_in_a_checkpoint_is_noticed(told):
    experiment = tiny(epochs=10)
    part, _ = train(told.store, experiment, 8)
    (path,) = told.store.folder.rglob("checkpoint-1.pt")
    content, weights = bytearray(path.read_bytes()), part.weights[0][1].tobytes()
    assert weights in content
    content[content.find(weights)] ^= 1
    path.write_bytes(content)
    assert_same(train(told.store, experiment)[0], trained(experiment))
    assert told == ["cache: checkpoint-1.pt is damaged and left aside"]


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
        assert len(told) == 2
        for line in told:
            assert line.startswith(f"cache: {folder}")
            assert "cannot be written, nothing is kept" in line
            assert "\n" not in line


def test_a_full_disk_ends_the_journal_but_not_the_training(told, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store_module.tempfile, "mkstemp", full)
    run, _ = train(told.store, tiny())
    assert_same(run, trained(tiny()))
    (line,) = told
    assert "cannot be written, nothing is kept" in line
    assert "No space left on device" in line
    assert told.store.holds(tiny())


def test_a_journal_that_another_process_cleared_goes_on(store, monkeypatch):
    experiment, save, saved = tiny(), store_module.torch.save, []

    def cleared_meanwhile(content, file):
        save(content, file)
        saved.append(file)
        if len(saved) == 2:
            store_module.shutil.rmtree(store.folder / "partial")

    monkeypatch.setattr(store_module.torch, "save", cleared_meanwhile)
    train(store, experiment, 2)
    assert sorted(path.name for path in store.folder.glob("partial/*/*")) == [
        "checkpoint-1.pt",
        "checkpoint-2.pt",
        "state.pt",
    ]
    assert_same(train(store, experiment)[0], trained(experiment))


def test_what_could_not_be_written_leaves_nothing_behind(told, monkeypatch):
    def full(_content, file):
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store_module.torch, "save", full)
    monkeypatch.setattr(Run, "save", full)
    train(told.store, tiny(), 2)
    with pytest.raises(OSError, match="No space left"):
        told.store.keep(trained(tiny()))
    assert len(told) == 1
    for folder in ("partial", "opened"):
        assert [path for path in told.store.folder.glob(f"{folder}/**/*") if path.is_file()] == []


def test_results_that_could_not_be_kept_are_one_notice(told, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("joblib.numpy_pickle.dump", full)
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


# Curves


@pytest.fixture
def computed(monkeypatch):
    """The checkpoints for which curves are computed, as they are."""
    seen, compute = [], store_module.checkpoint_curves

    def watched(run, k, *args, **kwargs):
        seen.append(k)
        return compute(run, k, *args, **kwargs)

    monkeypatch.setattr(store_module, "checkpoint_curves", watched)
    return seen


@pytest.mark.parametrize(
    ("estimator", "values"),
    [
        (Binning(), VALUES),
        (Binning(limits="range"), VALUES),
        (Binning(limits="layer"), VALUES),
        (Binning(width=0.1), (0.1, 0.5)),
        (Quantised(), (2, 8)),
    ],
)
@pytest.mark.parametrize("samples", ["all", "test"])
def test_curves_are_those_of_the_plane_and_computed_once(
    estimator, values, samples, store, computed
):
    run = trained(tiny(resample_split=True))
    call = partial(store.curves, run, estimator, values, view=View(samples))
    expected = information_curves(run, estimator, values, samples=samples)
    pd.testing.assert_frame_equal(call(), expected)
    assert computed == [0, 1, 2, 3]
    heard = []
    pd.testing.assert_frame_equal(call(progress=lambda *step: heard.append(step)), expected)
    assert computed == [0, 1, 2, 3]
    assert heard == [(1, 4), (2, 4), (3, 4), (4, 4)]
    known, done = store.known_curves(run, estimator, values, view=View(samples))
    pd.testing.assert_frame_equal(known, expected)
    assert done == 4


def test_where_one_stands_on_the_ladder_does_not_count(store, computed):
    run = trained(tiny())
    store.curves(run, Binning(5), VALUES)
    store.curves(run, Binning(30), list(VALUES))
    store.curves(run, Binning(7), np.array(VALUES))
    assert computed == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "other",
    [
        lambda store, run: store.curves(run, Binning(), (5, 31)),
        lambda store, run: store.curves(run, Binning(), (5,)),
        lambda store, run: store.curves(run, Binning(limits=(-1.0, 2.0)), VALUES),
        lambda store, run: store.curves(run, Binning(), VALUES, view=View("train")),
        lambda store, run: store.curves(trained(tiny(seed=1)), Binning(), VALUES),
        lambda store, run: store.curves(diverged(run, 0, 1), Binning(limits="layer"), VALUES),
    ],
)
def test_what_counts_is_not_mixed_up(other, store):
    run = trained(tiny())
    first = store.curves(run, Binning(), VALUES)
    assert not first.equals(other(store, run))
    pd.testing.assert_frame_equal(store.curves(run, Binning(), VALUES), first)


def test_a_mended_estimator_computes_again_what_was_estimated_and_that_only(
    store, computed, monkeypatch
):
    run, _ = train(store, tiny())
    binning = Binning(limits="range")
    table = store.curves(run, binning, VALUES)
    monkeypatch.setattr(store_module, "ESTIMATES", 2)
    assert store.known_curves(run, binning, VALUES)[1] == 0
    pd.testing.assert_frame_equal(store.curves(run, binning, VALUES), table)
    assert computed == [0, 1, 2, 3] * 2
    assert store.holds(tiny())


def test_the_samples_of_another_split_are_not_mixed_up(store):
    run = trained(tiny())
    other = replace(
        run, experiment=replace(run.experiment, task=Task(train_fraction=0.05, split_seed=1))
    )
    for samples in ("all", "train"):
        table = store.curves(other, Binning(), VALUES, view=View(samples))
        pd.testing.assert_frame_equal(
            table, information_curves(other, Binning(), VALUES, samples=samples)
        )
        same = store.curves(run, Binning(), VALUES, view=View(samples)).equals(table)
        assert same == (samples == "all")


def test_curves_stopped_are_a_part_and_go_on(store, computed):
    run = trained(tiny())
    whole = information_curves(run, Binning(), VALUES)
    asked = iter([False, False, True])
    part = store.curves(run, Binning(), VALUES, should_stop=lambda: next(asked))
    pd.testing.assert_frame_equal(part, whole[whole["epoch"] <= 1])
    known, done = store.known_curves(run, Binning(), VALUES)
    assert done == 2
    pd.testing.assert_frame_equal(known, part)
    pd.testing.assert_frame_equal(store.curves(run, Binning(), VALUES), whole)
    assert computed == [0, 1, 2, 3]


@pytest.mark.parametrize("limits", [(-1.0, 1.0), "range"])
def test_sample_sizes_are_kept_size_by_size(limits, store, monkeypatch):
    run, estimator = trained(tiny()), Binning(limits=limits)
    per_layer = with_measured_limits(run, estimator)
    sizes = subsample_sizes(run.n_samples())
    expected = [subsampled(run, 2, per_layer, n) for n in sizes]
    assert store.known_sample_sizes(run, 2, estimator)[1] == 0
    asked = iter([False, False, True])
    part = store.sample_sizes(run, 2, estimator, should_stop=lambda: next(asked))
    pd.testing.assert_frame_equal(part, pd.concat(expected[:2], ignore_index=True))
    assert store.known_sample_sizes(run, 2, estimator)[1:] == (2, len(sizes))
    whole = store.sample_sizes(run, 2, estimator)
    pd.testing.assert_frame_equal(whole, pd.concat(expected, ignore_index=True))
    monkeypatch.setattr(store_module, "subsampled", lambda *_, **__: pytest.fail("again"))
    pd.testing.assert_frame_equal(store.sample_sizes(run, 2, estimator), whole)
    assert store.known_sample_sizes(run, 1, estimator)[1] == 0, "another checkpoint is another"


@pytest.mark.parametrize("view", [View(), View("test", 40)])
def test_some_checkpoints_are_rows_of_all_and_kept_for_all(view, store, computed):
    run, estimator, heard = trained(tiny()), Binning(limits="range"), []
    whole = information_curves(run, estimator, VALUES, **vars(view))
    ask = partial(store.curves, run, estimator, VALUES, view=view)
    table = ask(only=[3, 1, 3], progress=lambda *step: heard.append(step))
    rows = whole[whole["epoch"].isin(run.epochs[[1, 3]])]
    pd.testing.assert_frame_equal(table, rows.reset_index(drop=True))
    assert heard == [(1, 2), (2, 2)]
    known = partial(store.known_curves, run, estimator, VALUES, view=view)
    assert known(only=[1, 3])[1] == 2
    assert known()[1] == known(only=[0, 1])[1] == 0
    pd.testing.assert_frame_equal(ask(), whole)
    assert computed == [1, 3, 0, 2]
    with pytest.raises(FieldError, match="only: 4 is not allowed; use checkpoints from 0 to 3"):
        ask(only=[4])


def test_curves_stopped_at_once_are_empty(store):
    run = trained(tiny())
    assert len(store.curves(run, Binning(), VALUES, should_stop=lambda: True)) == 0
    assert store.known_curves(run, Binning(), VALUES)[1] == 0


def test_curves_of_a_partial_run_serve_the_whole_one(store, computed):
    experiment = tiny(epochs=10)
    part, _ = train(store, experiment, 5)
    store.curves(part, Binning(), VALUES)
    run, _ = train(store, experiment)
    assert store.known_curves(run, Binning(), VALUES)[1] == len(part.epochs) == 3
    store.curves(run, Binning(), VALUES)
    assert computed == [0, 1, 2, 3]


def test_a_range_that_is_not_measured_yet_is_not_measured_to_know_the_curves(store, monkeypatch):
    monkeypatch.setattr(store_module, "activation_range", None)
    table, done = store.known_curves(trained(tiny()), Binning(limits="range"), VALUES)
    assert (len(table), done) == (0, 0)


def test_the_range_is_measured_once_for_both_kinds_of_limits(store, monkeypatch):
    run, measured, measure = trained(tiny()), [], store_module.activation_range
    monkeypatch.setattr(
        store_module,
        "activation_range",
        lambda *args, **kwargs: measured.append(1) or measure(*args, **kwargs),
    )
    for limits in ("range", "layer"):
        store.curves(run, Binning(limits=limits), VALUES)
    assert measured == [1]


def test_no_values_and_wrong_ones_are_refused(store):
    run = trained(tiny())
    for values in ([], [5, 1], [5, "x"], [None]):
        for ask in (store.curves, store.known_curves):
            with pytest.raises(FieldError):
                ask(run, Binning(), values)


# Tables that came with the program


@pytest.mark.parametrize("estimator", [Binning(limits="range"), KDE()])
def test_shipped_tables_are_preferred_and_equal_to_single_precision(estimator, tmp_path, computed):
    run = trained(tiny(Task("digits", train_fraction=0.1), checkpoints=3))
    values = VALUES if estimator.parameter == "n_bins" else (0.05, 0.1)
    ask = {"estimator": estimator, "values": values, "view": View("train")}
    maker = Store(tmp_path / "made")
    table = maker.curves(run, **ask)
    path = maker.export_curves(tmp_path / "shipped", run, **ask)
    with np.load(path, allow_pickle=False) as content:
        kinds = {content[name].dtype for name in content.files}
    assert kinds == {np.dtype(np.float32), np.dtype(np.int32), np.dtype(bool)}

    computed.clear()
    reader = Store(tmp_path / "empty", shipped=tmp_path / "shipped")
    found = reader.curves(run, **ask)
    known, done = reader.known_curves(run, **ask)
    assert done == len(run.epochs)
    pd.testing.assert_frame_equal(known, found)
    some, done = reader.known_curves(run, **ask, only=[2, 0])
    assert done == 2
    rows = found[found["epoch"] != run.epochs[1]]
    pd.testing.assert_frame_equal(some, rows.reset_index(drop=True))
    assert computed == []
    pd.testing.assert_frame_equal(found, table, rtol=1e-6, atol=1e-6)
    assert set(found[estimator.parameter]) == set(values)
    assert list(found.dtypes) == list(table.dtypes)
    assert entries(reader) == []

    ask["view"] = View("test")
    reader.curves(run, **ask)
    assert computed == [0, 1, 2]


def test_a_shipped_table_serves_its_own_run_only(tmp_path, computed):
    maker = Store(tmp_path / "made")
    maker.export_curves(tmp_path / "shipped", trained(tiny()), Binning(), VALUES)
    computed.clear()
    reader = Store(tmp_path / "empty", shipped=tmp_path / "shipped")
    reader.curves(trained(tiny()), Binning(), VALUES)
    assert computed == []
    reader.curves(trained(tiny(seed=1)), Binning(), VALUES)
    assert computed == [0, 1, 2, 3]


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


def test_the_folder_is_that_of_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("IBCORE_CACHE_DIR", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    train(Store(), tiny())
    assert entries(Store())
    assert all(path.is_relative_to(tmp_path / "mine") for path in entries(Store()))
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
