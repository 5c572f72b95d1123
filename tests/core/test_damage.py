"""Whatever happens to an entry of the cache costs time only."""

import shutil

import numpy as np
import pandas as pd
import pytest

from ibcore.cache import DAMAGED
from ibcore.estimators import KDE, Binning
from ibcore.files import write_checked
from ibcore.probes import WeightProbe
from ibcore.run import Run
from ibcore.theory import TRUTHS
from ibcore.trials import plan

from .stores import DAMAGE, VALUES, damage, train
from .test_run import assert_same, tiny, trained

(QUESTION,) = plan([TRUTHS["cube-12"]], [Binning()], 64, [0])


def untimed(row):
    return {name: value for name, value in row.items() if name != "seconds"}


KINDS = {
    "run": lambda store: train(store, tiny())[0].weights[0],
    "curves": lambda store: store.curves(trained(tiny()), Binning(), VALUES),
    "range": lambda store: store.curves(trained(tiny()), Binning(limits="range"), VALUES),
    "probe": lambda store: store.probed(trained(tiny()), WeightProbe()),
    "sizes": lambda store: store.sample_sizes(trained(tiny()), 1, KDE()),
    "trial": lambda store: pd.Series(untimed(store.trial(QUESTION))),
}


def equal(a, b):
    return np.array_equal(a, b) if isinstance(a, np.ndarray) else a.equals(b)


@pytest.mark.parametrize("how", DAMAGE)
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_entry_is_computed_again_and_said_so(kind, how, told):
    first = KINDS[kind](told.store)
    entry = max(told.store.folder.glob(f"{kind}-*/*"))
    damage(entry, how)
    if kind == "range":
        # Else the curves themselves answer.
        shutil.rmtree(next(told.store.folder.glob("curves-*")))
    assert equal(KINDS[kind](told.store), first)
    assert told == [DAMAGED]
    assert equal(KINDS[kind](told.store), first)
    assert told == [DAMAGED]
    assert entry.is_file()


@pytest.mark.parametrize("kind", KINDS)
def test_an_entry_under_the_name_of_another_is_not_taken_for_it(kind, told):
    first = KINDS[kind](told.store)
    entries = sorted(told.store.folder.glob(f"{kind}-*/*"))
    if kind == "run":
        entries.append(entries[0].with_name("other.npz"))
        trained(tiny(seed=5)).save(entries[1])
    elif len(entries) == 1:
        cache = told.store.cache
        cache.write(kind, "other", cache.read(kind, entries[0].name))
        entries.append(cache.path(kind, "other"))
    shutil.copy(entries[1], entries[0])
    if kind == "range":
        shutil.rmtree(next(told.store.folder.glob("curves-*")))
    assert equal(KINDS[kind](told.store), first)
    assert told == [DAMAGED]


def test_a_table_of_another_epoch_is_not_taken_even_under_its_name(told):
    run, probe = trained(tiny()), WeightProbe()
    first = told.store.probed(run, probe)
    entries = sorted(told.store.folder.glob("probe-*/*"))
    name = f"{entries[0].parent.name} {{}}"
    contents = [told.store.cache.read("probe", e.name) for e in entries]
    write_checked(entries[0], name.format(entries[0].name), contents[1])
    assert told.store.probed(run, probe).equals(first)
    assert told == [DAMAGED]


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_copy_of_an_opened_run_is_written_again(how, told, tmp_path):
    path = tmp_path / "run.npz"
    trained(tiny()).save(path)
    kept = told.store.keep(told.store.open(path))
    damage(kept, how)
    assert_same(told.store.open(path), trained(tiny()))
    assert_same(Run.load(kept), trained(tiny()))


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
    (notice,) = told
    assert notice.startswith(f"cache: {name} is damaged and was ignored (")


def test_the_journal_of_another_training_is_not_taken(told):
    experiment, other = tiny(epochs=10), tiny(epochs=10, learning_rate=0.5)
    for one in (experiment, other):
        train(told.store, one, 8)
    mine, theirs = (told.store._journal(one.key)._folder for one in (experiment, other))
    shutil.rmtree(mine)
    shutil.copytree(theirs, mine)
    run, heard = train(told.store, experiment)
    assert heard[0].done == 1
    assert_same(run, trained(experiment))
    assert all("is damaged and was ignored" in notice for notice in told)


@pytest.mark.parametrize("name", ["partial", "curves-1", "run-3", "opened"])
def test_a_file_in_the_place_of_a_folder_is_removed(name, told):
    folder = told.store.folder / name
    folder.write_text("in the way")
    run, _ = train(told.store, tiny())
    told.store.curves(run, Binning(), VALUES)
    told.store.keep(run)
    train(told.store, tiny(epochs=10), 8)
    assert folder.is_dir()
    assert told.store.holds(tiny())
    assert told == []
