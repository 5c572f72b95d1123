"""The estimate from a subsample is the estimator on just those samples."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ibcore.estimators import KDE, KSG, Binning, Renyi
from ibcore.experiment import FieldError, Task
from ibcore.plane import information_plane, with_measured_limits
from ibcore.sample_size import growth, subsample_sizes, subsampled
from ibcore.view import View

from .test_run import tiny, trained


@pytest.fixture(scope="module")
def run():
    return trained(tiny(Task("digits", train_fraction=0.1), checkpoints=2, resample_split=True))


def test_sizes_double_up_to_all_samples():
    assert subsample_sizes(4096) == (32, 64, 128, 256, 512, 1024, 2048, 4096)
    assert subsample_sizes(1797) == (56, 112, 224, 449, 898, 1797)
    assert subsample_sizes(20) == (20,)


def test_no_more_samples_than_the_estimator_takes():
    """Beyond them nothing would change, and it would look settled."""
    assert subsample_sizes(4096, KSG(rows=500)) == (62, 125, 250, 500)
    assert subsample_sizes(4096, Renyi(1.5))[-1] == 1000
    assert subsample_sizes(4096, Renyi())[-1] == subsample_sizes(4096, KDE())[-1] == 4096
    assert subsample_sizes(100, KSG(rows=500))[-1] == 100


def test_all_samples_give_the_plane(run):
    estimator = KDE(0.1)
    table = subsampled(run, 1, (estimator,) * run.n_layers, 1797)
    plane = information_plane(run, estimator)
    plane = plane[plane["epoch"] == run.epochs[1]].reset_index(drop=True)
    np.testing.assert_allclose(table[["i_xt", "i_ty"]], plane[["i_xt", "i_ty"]], atol=1e-5)
    assert (table["draw"] == 0).all()


@pytest.mark.parametrize("samples", ["all", "train", "test"])
def test_draws_are_disjoint_parts_of_the_samples(run, samples):
    """By hand: the shuffle is cut into pieces, and each goes through the estimator."""
    per_layer = with_measured_limits(run, Binning(limits="range"), view=View(samples))
    table = subsampled(run, 1, per_layer, 50, view=View(samples), seed=3)
    layers, y = run.activations(1, samples), run.labels(samples)
    n = layers[0].shape[1]
    assert table["draw"].nunique() == min(8, n // 50)
    order = np.random.default_rng([3, n]).permutation(n)
    for (draw, layer), rows in table.groupby(["draw", "layer"]):
        part = order[draw * 50 : draw * 50 + 50]
        t, labels = layers[layer - 1][:, part], y[part] if samples == "all" else y[:, part]
        found = per_layer[layer - 1].information(t, labels)
        np.testing.assert_allclose(rows["i_xt"], found.i_xt, atol=1e-12)
        np.testing.assert_allclose(rows["i_ty"], found.i_ty, atol=1e-12)


def test_a_size_that_is_not_there_is_named(run):
    for n in (0, 1798):
        with pytest.raises(FieldError, match="a whole number from 1 to 1797"):
            subsampled(run, 0, (Binning(),) * run.n_layers, n)


def test_where_every_replicate_had_diverged_there_is_one_line(run):
    lost = replace(run, diverged=np.zeros_like(run.diverged))
    with pytest.raises(ValueError, match="every replicate had diverged by epoch"):
        subsampled(lost, 0, (Binning(),) * run.n_layers, 50)


def test_growth_is_what_the_last_doubling_adds():
    """Layer 1 gains a bit with every doubling, as a saturated estimate does; layer 2 nothing."""
    rows = [
        {"n": n, "draw": d, "layer": layer, "replicate": r, "i_xt": i_xt, "i_ty": 0.5}
        for n in (64, 128, 256)
        for d in range(2)
        for r in range(3)
        for layer, i_xt in ((1, np.log2(n)), (2, 1.0 + 0.01 * (-1) ** d))
    ]
    found = growth(pd.DataFrame(rows)).set_index("layer")
    assert found.loc[1, "i_xt"] == pytest.approx(1)
    assert found.loc[2, "i_xt"] == pytest.approx(0, abs=1e-12)
    assert found["settled"].tolist() == [False, True]
    assert growth(pd.DataFrame(rows[:6])).empty
