"""What is kept of curves: each is computed once, and served for what it is of only."""

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest

from ibcore import entries
from ibcore import store as store_module
from ibcore.estimators import KDE, Binning, Quantised
from ibcore.experiment import FieldError, Task
from ibcore.plane import information_curves, with_measured_limits
from ibcore.sample_size import subsample_sizes, subsampled
from ibcore.store import Store
from ibcore.view import View

from .stores import VALUES, kept, train
from .test_run import diverged, tiny, trained


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
    for kind in ("curves", "range"):
        monkeypatch.setitem(entries.KINDS, kind, entries.KINDS[kind] + 1)
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
    assert kept(reader) == []

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
