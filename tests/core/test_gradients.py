"""Gradient statistics against one autograd call per minibatch, and against closed forms."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ibcore.experiment import ACTIVATION_NAMES, FieldError, Network
from ibcore.gradients import (
    Along,
    GradientStats,
    across_networks,
    floor_stats,
    gradient_stats,
    minibatch_gradients,
    minibatch_stats,
    noise_floor,
    noise_scale,
    signal_and_noise,
)
from ibcore.networks import initialise

from .test_networks import one_network


def twin_gradients(network, x, y, output="softmax"):
    """The gradients of the weights on one minibatch, x (B, D), by autograd alone."""
    network.zero_grad()
    z = network(x)
    if output == "softmax":
        loss = torch.nn.functional.cross_entropy(z, y)
    else:
        loss = torch.nn.functional.binary_cross_entropy_with_logits(z[:, 0], y.float())
    loss.backward()
    return [module.weight.grad.clone() for module in network[::2]]


def twin_stats(rows):
    """m and s of one layer from its gradients, by NumPy's own mean and std."""
    g = np.stack([row.double().numpy().ravel() for row in rows])
    return np.linalg.norm(g.mean(0)), np.linalg.norm(g.std(0))


def minibatches(replicates, n, inputs, batch, classes, seed=0):
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(replicates, n, inputs, batch, generator=rng)
    return x, torch.randint(classes, (replicates, n, batch), generator=rng)


# Schumacher's example: two layers, each with the gradients [2, 3] and [4, 5] on two
# minibatches. The mean is [3, 4], its norm 5; every standard deviation is 1, their norm
# sqrt 2. Summed over layers: 5 and 10, sqrt(sqrt 2) and sqrt(2 sqrt 2).
EXAMPLE = np.array([[2.0, 3.0], [4.0, 5.0]])


def test_the_worked_example_of_schumacher():
    one = gradient_stats(EXAMPLE, np.array([3.0, 4.0]))
    assert (one.mean_norm, one.weight_norm) == (5, 5)
    assert one.std_norm == pytest.approx(math.sqrt(2))
    both = GradientStats(*(np.stack([v, v]) for v in vars(one).values()))
    signal, noise = signal_and_noise(both, "cumulative")
    np.testing.assert_allclose(signal, [5, 10])
    np.testing.assert_allclose(noise, [1.18921, 1.68179], atol=5e-6)
    np.testing.assert_allclose(signal_and_noise(both)[1], [1.41421] * 2, atol=5e-6)
    np.testing.assert_allclose(signal_and_noise(both, "caption")[0], [1, 1])


def test_a_batch_of_replicates_is_each_of_them():
    rng = np.random.default_rng(0)
    g, w = rng.normal(size=(3, 7, 5)), rng.normal(size=(3, 5))
    batched = gradient_stats(g, w)
    for r in range(3):
        single = gradient_stats(g[r], w[r])
        for name in vars(single):
            assert getattr(batched, name)[r] == pytest.approx(getattr(single, name))


@pytest.mark.parametrize(("g", "w", "field"), [((4,), (4,), "g"), ((2, 4), (3,), "w")])
def test_shapes_that_do_not_fit_are_named(g, w, field):
    with pytest.raises(FieldError, match=f"^{field}:"):
        gradient_stats(np.ones(g), np.ones(w))


def test_an_unknown_definition_is_named():
    with pytest.raises(FieldError, match="definition: 'mean'"):
        signal_and_noise(gradient_stats(EXAMPLE, np.ones(2)), "mean")


@pytest.mark.parametrize("activation", ACTIVATION_NAMES)
@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_batched_statistics_equal_one_minibatch_at_a_time(activation, output):
    network = Network("6-5", activation, "pytorch", output)
    ensemble = initialise(network, (4, 6, 5, 1 if output == "sigmoid" else 3), 2, seed=1)
    x, y = minibatches(2, 9, 4, 11, 2 if output == "sigmoid" else 3)
    # Groups of different size, the last of a single minibatch.
    chunks = [(x[:, a:b], y[:, a:b]) for a, b in ((0, 3), (3, 8), (8, 9))]
    stats = minibatch_stats(ensemble, chunks)
    for r in range(2):
        alone = one_network(ensemble, r)
        rows = [twin_gradients(alone, x[r, b].T, y[r, b], output) for b in range(9)]
        for layer in range(3):
            mean, std = twin_stats([row[layer] for row in rows])
            assert stats.mean_norm[r, layer] == pytest.approx(mean, rel=1e-5, abs=1e-8)
            assert stats.std_norm[r, layer] == pytest.approx(std, rel=1e-5, abs=1e-8)
            weight = ensemble.weights[layer][r].norm().item()
            assert stats.weight_norm[r, layer] == pytest.approx(weight, rel=1e-6)


def test_statistics_over_networks_take_each_network_on_its_own_minibatch():
    ensemble = initialise(Network("5", "tanh"), (4, 5, 3), 6, seed=3)
    x, y = minibatches(6, 1, 4, 8, 3)
    gradients = [g.squeeze(1) for g in minibatch_gradients(ensemble, x, y)]
    mean, std = across_networks(gradients)
    rows = [twin_gradients(one_network(ensemble, r), x[r, 0].T, y[r, 0]) for r in range(6)]
    for layer in range(2):
        expected = twin_stats([row[layer] for row in rows])
        assert (mean[layer], std[layer]) == pytest.approx(expected, rel=1e-5)


def test_pure_noise_lies_at_the_floor():
    """n gradients without signal have m/s of about 1/sqrt(n - 1)."""
    rng = np.random.default_rng(0)
    for n in (2, 13, 100):
        g = rng.normal(size=(4, n, 20_000))
        stats = gradient_stats(g, np.ones((4, 20_000)))
        np.testing.assert_allclose(stats.mean_norm / stats.std_norm, noise_floor(n), rtol=0.03)
        floor = floor_stats(stats, n)
        np.testing.assert_allclose(floor.mean_norm, stats.mean_norm, rtol=0.03)
    assert noise_floor(13) == pytest.approx(0.2887, abs=1e-4)
    assert noise_floor(469) == pytest.approx(0.0462, abs=1e-4)
    assert math.isnan(noise_floor(1))


def test_the_snr_grows_as_the_root_of_the_batch_and_the_noise_scale_does_not():
    """On a fixed network, s^2 of minibatches of B is tr Cov / B; B_simple is tr Cov / m^2."""
    ensemble = initialise(Network("6", "tanh"), (5, 6, 2), 1, seed=0)
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(5, 32_768, generator=generator)
    y = (x[0] + 0.5 * torch.randn(32_768, generator=generator) > 0.3).long()
    ratios, scales = [], []
    for size in (16, 64, 256):
        n = 32_768 // size
        parts = x.view(1, 5, n, size).transpose(1, 2), y.view(1, n, size)
        stats = minibatch_stats(ensemble, [parts])
        ratios.append(stats.mean_norm / stats.std_norm)
        scales.append(noise_scale(stats, n, size))
    np.testing.assert_allclose(ratios[1] / ratios[0], 2, rtol=0.05)
    np.testing.assert_allclose(ratios[2] / ratios[1], 2, rtol=0.1)
    np.testing.assert_allclose(scales[1], scales[0], rtol=0.1)
    np.testing.assert_allclose(scales[2], scales[0], rtol=0.2)


def test_the_noise_scale_of_drawn_minibatches_is_that_of_all_samples():
    """Draws without repetition from N samples vary less the nearer B is to N."""
    rng = np.random.default_rng(0)
    g = 0.05 + rng.normal(size=(600, 40))
    expected = g.var(axis=0, ddof=1).sum() / np.square(g.mean(axis=0)).sum()
    for size in (30, 150, 400):
        drawn = [rng.choice(600, size, replace=False) for _ in range(400)]
        stats = gradient_stats(np.stack([g[index].mean(axis=0) for index in drawn]), np.ones(40))
        assert noise_scale(stats, 400, size, 600) == pytest.approx(expected, rel=0.06)
    noise = gradient_stats(rng.normal(size=(6, 5000)), np.ones(5000))
    assert noise_scale(noise, 6, 10, 10_000) > 1e3


def test_the_noise_scale_of_one_minibatch_is_undefined_and_without_signal_infinite():
    stats = GradientStats(np.array([0.0]), np.array([1.0]), np.array([1.0]))
    assert np.isnan(noise_scale(stats, 1, 10)).all()
    assert np.isinf(noise_scale(stats, 5, 10)).all()


@given(st.integers(1, 12), st.floats(-1e3, 1e3), st.integers(0, 99))
def test_gradients_met_along_an_epoch_are_those_of_all_at_once(n, shift, seed):
    """Summing step by step is the mean and standard deviation of the whole."""
    g = shift + np.random.default_rng(seed).normal(size=(n, 2, 3, 4))
    along = Along()
    for step in g:
        along.add([torch.tensor(step)])
    mean, std = along.norms()
    for r in range(2):
        expected = gradient_stats(g[:, r].reshape(n, -1), np.ones(12))
        assert mean[r, 0] == pytest.approx(expected.mean_norm, rel=1e-9)
        assert std[r, 0] == pytest.approx(expected.std_norm, rel=1e-6, abs=1e-7)


def test_along_nothing_there_is_nothing():
    assert Along().norms() is None
    assert Along.restored(None, torch.device("cpu")).norms() is None
