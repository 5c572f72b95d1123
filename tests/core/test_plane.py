"""The plane against the estimators called by hand, one checkpoint at a time."""

import math
import weakref
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ibcore.estimators import ESTIMATORS, KDE, KSG, Binning, Gaussian, Quantised, Renyi, Sampling
from ibcore.experiment import FieldError, Network, Task
from ibcore.plane import (
    activation_range,
    as_estimator,
    exactness,
    information_curves,
    information_plane,
    with_limits,
    with_measured_limits,
)
from ibcore.run import Run
from ibcore.view import View, default_view, read_subset, resolved
from tests.estimators import twins

from .test_run import diverged, tiny, trained

SMALL = Task("digits", train_fraction=0.1)
KEYS = ["epoch", "layer", "replicate"]
BINNED = [*KEYS, "i_xt", "i_ty", "h_t", "saturated"]
NOISY = [*KEYS, "i_xt", "i_ty", "i_xt_lower", "i_xt_upper", "i_ty_lower", "i_ty_upper", "saturated"]


def digits(**training):
    """A run on few samples, for the costly estimator."""
    return trained(tiny(SMALL, checkpoints=3, **training))


def by_hand(run, estimator, samples="all"):
    """The plane with loops, a network and a layer at a time."""
    rows, x = [], run.dataset.x.reshape(len(run.dataset.x), -1)
    for k, epoch in enumerate(run.epochs):
        for layer, t in enumerate(run.activations(k, samples), start=1):
            for r in np.flatnonzero(run.sound(k)):
                y, of_x = run.labels(samples), {}
                if getattr(estimator, "needs_inputs", False):
                    of_x["inputs"] = x if samples == "all" else x[run.sample_index(samples)[r]]
                found = estimator.information(t[r], y if samples == "all" else y[r], **of_x)
                row = {"epoch": epoch, "layer": layer, "replicate": r} | vars(found)
                rows.append({name: value for name, value in row.items() if value is not None})
    return pd.DataFrame(rows)


def assert_tables_agree(table, expected, atol=1e-9):
    pd.testing.assert_frame_equal(
        table.sort_values(KEYS, ignore_index=True),
        expected[list(table)].sort_values(KEYS, ignore_index=True),
        rtol=0,
        atol=atol,
    )


@pytest.mark.parametrize("samples", ["train", "test", "all"])
@pytest.mark.parametrize("resample", [False, True])
def test_the_plane_is_the_estimator_on_every_layer_and_network(samples, resample):
    run = trained(tiny(resample_split=resample))
    table = information_plane(run, Binning(7), samples=samples)
    assert list(table) == BINNED
    assert_tables_agree(table, by_hand(run, Binning(7), samples))


@pytest.mark.parametrize(
    ("estimator", "columns"),
    [
        (KDE(0.05), NOISY),
        (Binning(width=0.07), BINNED),
        (Sampling(0.05), [*KEYS, "i_xt", "i_ty", "i_xt_se", "i_ty_se", "saturated"]),
        (Gaussian(0.05), [*KEYS, "i_xt", "i_ty", "saturated"]),
        (Renyi(), BINNED),
        (KSG(2, rows=50), [*KEYS, "i_xt", "i_ty", "saturated"]),
    ],
)
def test_other_estimators_serve_as_well(estimator, columns):
    run = digits()
    table = information_plane(run, estimator, samples="train")
    assert list(table) == columns
    assert_tables_agree(table, by_hand(run, estimator, "train"))
    assert table["layer"].unique().tolist() == [1, 2, 3]
    assert table["saturated"].dtype == bool


@pytest.mark.parametrize("samples", ["all", "train"])
def test_points_go_with_the_activations_of_their_replicate(samples):
    """Each replicate has its own samples, and the first is lost on the way."""
    run = diverged(trained(tiny(SMALL, checkpoints=3, resample_split=True)), 0, 2)
    table = information_plane(run, KSG(rows=60), samples=samples)
    assert_tables_agree(table, by_hand(run, KSG(rows=60), samples))
    assert run.inputs(samples).ndim == (2 if samples == "all" else 3)
    assert 0 < (table["replicate"] == 0).sum() < (table["replicate"] == 1).sum()


def test_soft_labels_are_used_where_they_are_known():
    run = trained(tiny(Task(train_fraction=0.05, gamma=3.0)))
    soft = information_plane(run, Binning())
    assert_tables_agree(soft, by_hand(run, Binning()))
    hard = Binning().information(run.activations(0)[0], run.dataset.y)
    assert abs(soft["i_ty"][:2] - hard.i_ty).min() > 0.1
    assert_tables_agree(
        information_plane(run, Binning(), samples="train"), by_hand(run, Binning(), "train")
    )


@pytest.mark.parametrize(
    ("estimator", "values"),
    [
        (Binning(), (3, 30, 100)),
        (Binning(limits="range"), (5, 30)),
        (Binning(width=0.1), (0.02, 0.5)),
        (KDE(), (0.1, 0.01, 0.2)),
        (Sampling(), (0.1, 0.01)),
        (Gaussian(), (0.1, 0.01)),
        (Renyi(), (2, 0.75)),
        (KSG(rows=50), (1, 4)),
        (Quantised(), (1, 4, 16)),
    ],
)
def test_curves_at_a_value_are_the_plane_at_that_value(estimator, values):
    run, heard = digits(), []
    # Orders other than 2 need the eigenvalues of a matrix of all samples.
    samples = "train" if isinstance(estimator, Renyi) else "test"
    curves = information_curves(
        run, estimator, values, samples=samples, progress=lambda *step: heard.append(step)
    )
    assert heard == [(1, 3), (2, 3), (3, 3)]
    assert sorted(set(curves[estimator.parameter])) == sorted(values)
    for value in values:
        plane = information_plane(
            run, replace(estimator, **{estimator.parameter: value}), samples=samples
        )
        here = curves[curves[estimator.parameter] == value]
        # On a ladder of ratio 2 the kernels are squared, in single precision.
        assert_tables_agree(plane, here.drop(columns=estimator.parameter), atol=1e-6)


def test_a_family_stands_for_its_default_and_its_whole_ladder():
    run = digits()
    curves = information_curves(run, "binning", samples="train")
    assert tuple(curves["n_bins"].unique()) == Binning().default_ladder
    for name, kind in ESTIMATORS.items():
        assert as_estimator(name) == kind()
    with pytest.raises(FieldError, match="estimator: 'edge' is not allowed; use one of binning"):
        information_plane(run, as_estimator("edge"))


def measured(run, samples):
    """Least and greatest activation of each layer, (L, 2), a number at a time."""
    ranges = [[math.inf, -math.inf] for _ in range(run.n_layers)]
    for k in range(len(run.epochs)):
        for layer, t in enumerate(run.activations(k, samples)):
            for value in t[run.sound(k)].ravel().tolist():
                ranges[layer] = [min(ranges[layer][0], value), max(ranges[layer][1], value)]
    return ranges


@pytest.mark.parametrize("samples", ["train", "all"])
def test_limits_are_measured_over_the_whole_run(samples):
    run = diverged(trained(tiny(network=Network("5-3", "relu"), resample_split=True)), 1, 2)
    ranges = measured(run, samples)
    assert activation_range(run, view=View(samples)).tolist() == ranges
    everywhere = (min(low for low, _ in ranges), max(high for _, high in ranges))
    assert everywhere[1] > 1
    for limits, expected in (
        ("layer", [Binning(9, tuple(pair)) for pair in ranges]),
        ("range", [Binning(9, everywhere)] * 3),
    ):
        assert list(with_measured_limits(run, Binning(9, limits), view=View(samples))) == expected
        table = information_plane(run, Binning(9, limits), samples=samples)
        for layer, estimator in enumerate(expected, start=1):
            twin = by_hand(run, estimator, samples)
            assert_tables_agree(table[table["layer"] == layer], twin[twin["layer"] == layer])


@pytest.mark.parametrize(
    ("network", "limits"),
    [
        (Network("5-3", "tanh"), (-1, 1)),
        (Network("5-3", "sigmoid"), (0, 1)),
        (Network("5-3", "tanh", bits=3), (-1, 1)),
        (Network("5-3", "relu", bits=3), (0, 6)),
    ],
)
def test_layers_with_a_grid_are_counted_on_it_and_nothing_is_measured(network, limits, monkeypatch):
    monkeypatch.setattr("ibcore.plane.activation_range", None)
    run = trained(tiny(network=network))
    expected = (Quantised(4, limits), Quantised(4, limits), Quantised(4, (0, 1)))
    assert with_measured_limits(run, Quantised(4)) == expected


@pytest.mark.parametrize("activation", ["relu", "linear"])
def test_layers_without_a_grid_are_counted_on_the_range_of_the_run(activation):
    run = trained(tiny(network=Network("5-3", activation)))
    ranges = np.array(measured(run, "all"))
    everywhere = Quantised(4, (ranges[:, 0].min(), ranges[:, 1].max()))
    expected = (everywhere, everywhere, Quantised(4, (0, 1)))
    assert with_measured_limits(run, Quantised(4)) == expected


def test_what_is_exact_is_told_from_what_is_rounded():
    for bits, estimator, word in (
        (None, Quantised(8), "rounded"),
        (3, Quantised(2), "rounded"),
        (3, Quantised(3), "exact"),
        (3, Quantised(16), "exact"),
        (3, Quantised(3, (-1, 1)), "rounded"),
        (3, Binning(8), None),
    ):
        assert exactness(trained(tiny(network=Network("5-3", bits=bits))), estimator) == word


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_exact_values_are_those_of_the_activations_themselves_at_every_finer_grid(activation):
    """H of the distinct rows of T, at all bits from those of the network on."""
    run = trained(tiny(network=Network("5-3", activation, bits=4), learning_rate=0.5))
    table = information_curves(run, Quantised(), range(4, 17)).set_index(["epoch", "layer"])
    for k, epoch in enumerate(run.epochs):
        for layer, t in enumerate(run.activations(k), start=1):
            truths = [twins.counted(network, run.dataset.y) for network in t]
            rows = table.loc[(epoch, layer)].groupby("replicate")
            for r, found in rows[["h_t", "i_xt", "i_ty"]]:
                h_t, i_ty = truths[r]
                assert np.abs(found - [h_t, h_t, i_ty]).max(axis=None) < 1e-9


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_exact_values_obey_the_data_processing_inequality(activation):
    """Y - X - T_1 - ... - T_L is a chain of the very variables that are counted."""
    run = trained(tiny(network=Network("5-4-3", activation, bits=3), learning_rate=0.5))
    table = information_plane(run, Quantised(3))
    for name in ("i_xt", "i_ty"):
        by_layer = table.pivot(index=["epoch", "replicate"], columns="layer", values=name)
        assert (by_layer.diff(axis=1).iloc[:, 1:] < 1e-9).all(axis=None)


def test_given_limits_are_kept_and_nothing_is_measured(monkeypatch):
    monkeypatch.setattr("ibcore.plane.activation_range", None)
    run = trained(tiny())
    for estimator in (Binning(5, (-2.0, 3.0)), Binning(width=0.1, limits="range"), KDE()):
        assert with_measured_limits(run, estimator) == (estimator,) * 3


def constant(run, value):
    """The run with a first layer whose activation is `value` (linear) for every sample."""
    weights = (np.zeros_like(run.weights[0]), *run.weights[1:])
    biases = (np.full_like(run.biases[0], value), *run.biases[1:])
    return replace(run, weights=weights, biases=biases)


@pytest.mark.parametrize("value", [0.0, -0.3, 1e20, -1e20])
@pytest.mark.parametrize("limits", ["layer", "range", (-1.0, 1.0)])
def test_a_constant_layer_tells_nothing(value, limits):
    run = constant(trained(tiny(network=Network("5-3", "linear"))), value)
    table = information_plane(run, Binning(30, limits))
    first = table[table["layer"] == 1]
    assert (first[["i_xt", "i_ty", "h_t"]] == 0).all(axis=None)
    assert not first["saturated"].any()


def test_limits_always_rise():
    for value in (0.0, 1.0, -1.0, 3e38, -3e38, 1e-40):
        (estimator,) = with_limits(Binning(limits="layer"), np.array([[value, value]]))
        assert estimator.limits[0] == value < estimator.limits[1]


@pytest.mark.parametrize("estimator", [Binning(), Binning(limits="range"), KDE()])
def test_activations_that_are_not_finite_are_named_with_layer_and_epoch(estimator):
    run = trained(tiny(network=Network("5-3", "relu")))
    weights = [w.copy() for w in run.weights]
    for layer in (0, 1):
        # Finite weights whose product is beyond single precision from epoch 2 on.
        weights[layer][2:] = 1e30
    run = replace(run, weights=tuple(weights))
    with pytest.raises(ValueError, match="activations of layer 2 at epoch 2 are not finite"):
        information_plane(run, estimator)


def test_a_diverged_replicate_has_no_rows_from_then_on():
    whole = trained(tiny())
    run = diverged(whole, 0, 2)
    for samples in ("all", "train"):
        table = information_plane(run, Binning(), samples=samples)
        assert not ((table["replicate"] == 0) & (table["epoch"] >= 2)).any()
        rows = information_plane(whole, Binning(), samples=samples)
        kept = rows[(rows["replicate"] == 1) | (rows["epoch"] < 2)]
        assert_tables_agree(table, kept)


def test_epochs_at_which_all_have_diverged_are_left_out():
    run = replace(trained(tiny()), diverged=np.array([2, 4]))
    table = information_plane(run, Binning())
    assert {(e, r) for e, r in zip(table["epoch"], table["replicate"], strict=True)} == {
        *((0, 0), (0, 1), (1, 0), (1, 1), (2, 1))
    }
    lost = replace(run, diverged=np.array([0, 0]))
    for estimator in (Binning(), Binning(limits="layer")):
        with pytest.raises(ValueError, match="every replicate had diverged by epoch 0"):
            information_plane(lost, estimator)


def test_unknown_samples_and_no_values_are_refused():
    run = trained(tiny())
    with pytest.raises(FieldError, match="samples"):
        information_plane(run, Binning(), samples="some")
    with pytest.raises(FieldError, match="values"):
        information_curves(run, Binning(), [])
    with pytest.raises(FieldError, match="n_bins"):
        information_curves(run, Binning(), [3, 1])


@pytest.mark.parametrize("limits", [(-1.0, 1.0), "range"])
def test_one_layers_activations_are_in_memory_at_a_time(limits, monkeypatch):
    seen, pieces = [], Run.pieces

    def watched(run, k, samples="all", subset=None):
        def noted(piece):
            assert not any(ref() is not None for *_, ref in seen)
            seen.append((k, piece.layer, weakref.ref(piece.t)))
            return piece

        return map(noted, pieces(run, k, samples, subset))

    monkeypatch.setattr(Run, "pieces", watched)
    information_curves(trained(tiny()), Binning(limits=limits), [2, 30])
    passes = 2 if limits == "range" else 1
    expected = [(k, layer) for k in range(4) for layer in (1, 2, 3)]
    assert [(k, layer) for k, layer, _ in seen] == expected * passes


def run_of(folder, n, train_fraction):
    """A run on n samples of three classes."""
    np.savez(
        folder / f"{n}.npz", x=np.random.default_rng(0).normal(size=(n, 2)), y=np.arange(n) % 3
    )
    task = Task("npz", path=str(folder / f"{n}.npz"), train_fraction=train_fraction)
    return trained(tiny(task, Network("2"), checkpoints=2, epochs=1, batch_mode="full"))


@pytest.mark.parametrize(
    ("n", "train_fraction", "expected"),
    [
        (5000, 0.5, View()),
        (5001, 0.5, View("test", 2000)),
        (5001, 0.7, View("test")),
        (5001, 1.0, View("train", 2000)),
    ],
)
def test_large_data_are_measured_on_a_subset(n, train_fraction, expected, tmp_path):
    run = run_of(tmp_path, n, train_fraction)
    assert default_view(run) == expected


def test_samples_and_subset_are_automatic_each_by_itself(tmp_path):
    run = run_of(tmp_path, 5001, 0.5)
    assert resolved(run, "train") == View("train", 2000)
    assert resolved(run, "all", channels="mean") == View("all", 2000), "it has no images"
    assert resolved(run, subset=None) == View("test")
    assert resolved(run, subset=500) == View("test", 500)
    assert resolved(run, "all", 5001) == View(), "a subset of all is none"
    assert [read_subset(text) for text in ("all", "auto", "500")] == [None, "auto", 500]


def test_views_that_are_not_there_are_refused_in_one_line():
    run = trained(tiny(Task(train_fraction=1.0), checkpoints=2))
    wrong = {
        "samples: 'test' is not allowed; use all or train": lambda: resolved(run, "test"),
        "samples: 'some'": lambda: resolved(run, "some"),
        "subset: 1 is not allowed": lambda: resolved(run, subset=1),
        "subset: '1e3' is not allowed; use .* all or auto": lambda: read_subset("1e3"),
        "subset: 1 is not allowed; use .* or auto": lambda: read_subset("1"),
        "channels: 'sum'": lambda: resolved(run, channels="sum"),
    }
    for line, ask in wrong.items():
        with pytest.raises(FieldError, match=line):
            ask()
