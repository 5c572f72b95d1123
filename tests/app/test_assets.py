"""The runs and tables that come with the program are what the program makes."""

import numpy as np
import pandas as pd
import pytest

from ibcore import (
    KDE,
    PRESETS,
    Binning,
    GradientProbe,
    LossChangeProbe,
    Run,
    Store,
    defined,
    information_plane,
    probed,
    train,
)
from ibcore.events import gradient_events
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


def crossings(run):
    events = gradient_events(defined(probed(run, GradientProbe())))
    return events[events["kind"] == "crossing"].set_index("layer")


def test_the_first_tanh_layer_crosses_before_the_last():
    """Shwartz-Ziv and Tishby 2017 have one epoch for all layers; here they go one by one."""
    found = crossings(bundled("original-code"))
    assert found["words"].eq("crossed").all()
    assert found["epoch"].is_monotonic_increasing
    epochs = found["epoch"]
    assert 20 < epochs[1] < 45
    assert 50 < epochs[3] < 85
    assert 130 < epochs[5] < 230


@pytest.mark.parametrize("name", ["original-code", "saxe-relu"])
def test_a_virtual_step_changes_the_loss_as_predicted(name):
    """To first order by -a ||mu||^2, to within 5 %, sharp and noisy places included."""
    run, probe = bundled(name), LossChangeProbe()
    for k in range(0, len(run.epochs), 12):
        rows = probe.rows(run, k)
        virtual = rows[rows["kind"] == "virtual"]
        assert virtual["measured"].mean() / virtual["predicted"].mean() == pytest.approx(
            1, abs=0.05
        )


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_runs_kept_the_gradients_along_their_epochs(name):
    run = bundled(name)
    assert np.isfinite(run.along_mean[1:]).all()
    assert (run.along_std[1:] > 0).all()
