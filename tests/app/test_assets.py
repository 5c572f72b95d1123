"""The runs and tables that come with the program are what the program makes."""

import numpy as np
import pandas as pd
import pytest

from ibcore import KDE, PRESETS, Binning, Run, Store, information_plane, train
from ibcore.plane import checkpoint_curves, with_measured_limits
from tests.core.test_architecture import ROOT

ASSETS = ROOT / "assets"
BUNDLED = ("original-code", "saxe-tanh", "saxe-relu")
ESTIMATORS = (Binning(), Binning(limits="range"), KDE())


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("cache"), shipped=ASSETS / "curves")


def bundled(name):
    return Run.load(ASSETS / "runs" / f"{name}.npz")


def shipped(store, run, estimator):
    """The shipped table; a computation, or nothing, if there were none."""
    table, done = store.known_curves(run, estimator, estimator.default_ladder)
    assert done == len(run.epochs), "the table is not shipped"
    return table


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_run_is_its_presets_and_what_a_fresh_training_begins_with(name):
    run = bundled(name)
    assert run.experiment == PRESETS[name].experiment
    assert run.complete
    assert run.n_replicates == 10
    assert (run.diverged == -1).all()
    heard = []

    def far_enough():
        return bool(heard) and heard[-1].epoch >= 3

    fresh = train(run.experiment, progress=heard.append, should_stop=far_enough, device="cpu")
    n = len(fresh.epochs)
    assert n >= 4
    for mine, theirs in zip(run.weights, fresh.weights, strict=True):
        # Another processor may round differently; three epochs cannot make much of it.
        np.testing.assert_allclose(mine[:n], theirs, atol=1e-4)
    np.testing.assert_allclose(run.train_loss[:n], fresh.train_loss, atol=1e-4)


@pytest.mark.parametrize("name", BUNDLED)
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: e.label)
def test_a_shipped_table_is_what_the_estimator_says(store, name, estimator):
    run = bundled(name)
    table = shipped(store, run, estimator)
    ladder = estimator.default_ladder
    assert len(table) == len(run.epochs) * run.n_layers * run.n_replicates * len(ladder)
    k, values = 45, ladder[7:9]
    fresh = checkpoint_curves(run, k, with_measured_limits(run, estimator), values)
    mine = table[(table["epoch"] == run.epochs[k]) & table[estimator.parameter].isin(values)]
    order = ["layer", "replicate", estimator.parameter]
    pd.testing.assert_frame_equal(
        mine.sort_values(order).reset_index(drop=True)[list(fresh)],
        fresh.sort_values(order).reset_index(drop=True),
        atol=2e-3,
        rtol=0,
        check_dtype=False,
    )


def drops(name, estimator):
    """How far the mean I(X;T) of each layer falls from its highest to the last epochs, bits."""
    table = information_plane(bundled(name), estimator)
    curves = table.groupby(["layer", "epoch"])["i_xt"].mean().unstack()
    return curves.max(axis=1) - curves.iloc[:, -3:].mean(axis=1)


def test_deep_tanh_layers_rise_and_fall_with_30_bins_and_relu_layers_do_not():
    tanh = information_plane(bundled("original-code"), Binning())
    curves = tanh.groupby(["layer", "epoch"])["i_xt"].mean().unstack()
    deep = curves.loc[5]
    assert deep.max() > deep.iloc[0] + 0.5, "it rises"
    assert deep.max() > deep.iloc[-1] + 3, "and falls"
    assert drops("saxe-tanh", Binning())[5] > 1
    assert (drops("saxe-relu", Binning(100, "range")) < 0.1).all()
