"""What the literature reports, trained anew: minutes, so `-m slow` asks for them."""

import numpy as np
import pytest

from ibcore import KDE, PRESETS, Binning, information_plane, train
from ibcore.presets import changed

pytestmark = pytest.mark.slow


def mean_curves(run, estimator):
    """Mean I(X;T) over replicates, one row per layer, one column per epoch."""
    table = information_plane(run, estimator)
    return table.groupby(["layer", "epoch"])["i_xt"].mean().unstack()


def drop(curve):
    """From the highest point to the mean of the last three, bits."""
    return curve.max() - curve.iloc[-3:].mean()


@pytest.mark.parametrize("name", ["quick-tanh", "original-code", "saxe-tanh"])
def test_the_last_hidden_tanh_layer_rises_and_falls_with_30_bins(name):
    """Shwartz-Ziv and Tishby 2017, figure 2; Saxe et al. 2018, figure 1A."""
    run = train(changed(PRESETS[name].experiment, {"training.replicates": 5}), device="cpu")
    curve = mean_curves(run, Binning()).loc[5]
    assert curve.max() > curve.iloc[0] + 0.3
    assert drop(curve) > 1
    assert run.test_accuracy[-1].mean() > 0.93


def test_no_hidden_relu_layer_falls_with_bins_over_the_range_of_the_run():
    """Saxe et al. 2018, figure 1B. Five replicates leave 0.2 bits of chance in a mean curve."""
    run = train(changed(PRESETS["saxe-relu"].experiment, {"training.replicates": 5}), device="cpu")
    for estimator in (Binning(100, "range"), Binning(30, "range")):
        hidden = mean_curves(run, estimator).loc[: run.n_layers - 1]
        assert all(drop(curve) < 0.4 for _, curve in hidden.iterrows()), estimator.label


def test_relu_layers_seem_to_fall_where_the_limits_cut_them_off():
    """An artefact to be shown as one: on [-1, 1] all activations above 1 share the last bin."""
    run = train(changed(PRESETS["saxe-relu"].experiment, {"training.replicates": 5}), device="cpu")
    assert drop(mean_curves(run, Binning()).loc[5]) > 1


def test_eight_bits_are_as_accurate_as_floating_point():
    """Lorenzen et al. 2022, appendix F."""
    short = {"training.replicates": 3, "training.epochs": 4000}
    preset = changed(PRESETS["saxe-tanh"].experiment, short)
    floats, eight = (
        train(changed(preset, {"network.bits": bits}), device="cpu") for bits in (None, 8)
    )
    assert floats.test_accuracy[-1].mean() > 0.93
    for name in ("train_accuracy", "test_accuracy"):
        one, other = (getattr(run, name)[-1].mean() for run in (floats, eight))
        assert abs(one - other) < 0.01, name


@pytest.mark.parametrize("name", ["digits-tanh", "digits-relu"])
def test_digits_are_learned_and_the_kde_keeps_its_order(name):
    """Bounds in order, and the last layer's I(T;Y) close to H(Y) once the digits are known."""
    run = train(changed(PRESETS[name].experiment, {"training.replicates": 2}), device="cpu")
    assert run.test_accuracy[-1].mean() > 0.93
    table = information_plane(run, KDE(0.1))
    assert (table["i_xt_lower"] <= table["i_xt_upper"] + 1e-9).all()
    last = table[(table["epoch"] == run.epochs[-1]) & (table["layer"] == run.n_layers)]
    assert last["i_ty"].mean() > 0.8 * run.dataset.h_y
    assert np.isfinite(table.select_dtypes("number")).all().all()
