"""Quantised networks: on their grid, with gradients straight through the rounding."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from ibcore.experiment import GRIDS, OUTPUT_GRID, Network
from ibcore.gradients import parameter_gradients
from ibcore.networks import (
    ACTIVATIONS,
    Ensemble,
    example_losses,
    forward,
    initialise,
    logits,
    rounded,
)
from ibcore.probes import GradientProbe, LossChangeProbe, WeightProbe
from ibcore.run import train
from ibcore.store import Store

from .test_run import assert_same, tiny, trained

SIZES = (4, 6, 5, 3)


def levels(bits, limits):
    return np.linspace(*limits, 2**bits, dtype=np.float64)


def nearest(t, bits, limits):
    """The level nearest to each value, by looking at all of them."""
    grid = levels(bits, limits)
    return grid[np.abs(t.double().numpy()[..., None] - grid).argmin(axis=-1)]


def some(bits, activation="tanh", output="softmax"):
    sizes = (*SIZES[:-1], 1) if output == "sigmoid" else SIZES
    network = Network("6-5", activation, "pytorch", output, bits)
    ensemble = initialise(network, sizes, 2, seed=1).map(lambda p: 4 * p)
    return ensemble, torch.randn(2, 4, 50, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("activation", GRIDS)
@pytest.mark.parametrize("bits", [1, 3, 8])
def test_every_layer_is_the_level_nearest_to_what_a_plain_network_makes_of_the_last(
    activation, bits
):
    ensemble, x = some(bits, activation)
    below = x
    for weight, bias, t in zip(
        ensemble.weights[:-1], ensemble.biases[:-1], forward(ensemble, x)[:-1], strict=True
    ):
        plain = ACTIVATIONS[activation](weight @ below + bias).clamp(*GRIDS[activation])
        step = np.diff(GRIDS[activation])[0] / (2**bits - 1)
        expected = torch.from_numpy(nearest(plain, bits, GRIDS[activation])).float()
        # Halfway between two levels the last digit decides which is the nearest.
        sure = (plain - expected).abs() < 0.499 * step
        torch.testing.assert_close(t[sure], expected[sure], rtol=0, atol=1e-6)
        assert len(t.unique()) <= 2**bits
        below = t
    z = ensemble.weights[-1] @ below + ensemble.biases[-1]
    torch.testing.assert_close(logits(ensemble, x), z)


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_the_output_is_measured_on_its_grid_and_the_loss_sees_it_unrounded(output):
    ensemble, x = some(4, output=output)
    z, p = logits(ensemble, x), forward(ensemble, x)[-1]
    plain = torch.softmax(z, dim=1) if output == "softmax" else torch.sigmoid(z)
    np.testing.assert_allclose(p.numpy(), nearest(plain, 4, OUTPUT_GRID), atol=1e-6)
    y = torch.zeros(2, 50, dtype=torch.long)
    own = plain[:, 0] if output == "softmax" else 1 - plain[:, 0]
    torch.testing.assert_close(example_losses(z, y, output), -torch.log(own))


@pytest.mark.parametrize("limits", [(-1.0, 1.0), (0.0, 6.0)])
@pytest.mark.parametrize("bits", [1, 5, 16])
def test_levels_stay_where_they_are_and_halves_go_up(bits, limits):
    grid = torch.from_numpy(levels(bits, limits)).float()
    torch.testing.assert_close(rounded(grid, bits, limits), grid, rtol=0, atol=1e-6)
    middle = torch.tensor([sum(limits) / 2])
    torch.testing.assert_close(rounded(middle, bits, limits)[0], grid[2**bits // 2])


def test_the_gradient_of_one_unit_goes_straight_through():
    """By hand, on 2 bits: tanh(1) = 0.76 lies between the levels 1/3 and 1, nearer to 1.

    z = v 1 = 2 and L = -log(1 - s(z)) for class 0, so that dL/dz = s(2), dL/dv = s(2) T = s(2)
    and dL/dw = s(2) v (1 - tanh(1)^2) x, as if T were tanh.
    """
    w, v = (torch.tensor([[[value]]], requires_grad=True) for value in (1.0, 2.0))
    none = torch.zeros(1, 1, 1)
    ensemble = Ensemble((w, v), (none, none), "tanh", "sigmoid", bits=2)
    z = logits(ensemble, torch.ones(1, 1, 1))
    example_losses(z, torch.zeros(1, 1, dtype=torch.long), "sigmoid").sum().backward()
    s = 1 / (1 + math.exp(-2))
    assert z.item() == pytest.approx(2)
    assert v.grad.item() == pytest.approx(s)
    assert w.grad.item() == pytest.approx(s * 2 * (1 - math.tanh(1) ** 2))


def test_there_is_no_gradient_where_the_activation_is_clipped():
    """2 bits on [0, 6]: levels 0, 2, 4, 6; the slope is 1 inside and 0 beyond."""
    a = torch.tensor([-1.0, 0.9, 2.2, 3.0, 5.1, 7.0]).reshape(1, 1, -1).requires_grad_()
    one, none = torch.ones(1, 1, 1), torch.zeros(1, 1, 1)
    t = forward(Ensemble((one, one), (none, none), "relu", "sigmoid", 2), a)[0]
    t.sum().backward()
    assert t.flatten().tolist() == [0, 0, 2, 4, 6, 6]
    assert a.grad.flatten().tolist() == [0, 1, 1, 1, 1, 0]


@pytest.mark.parametrize("activation", GRIDS)
def test_gradients_of_minibatches_are_those_of_functional_transforms(activation):
    """One minibatch at a time by torch.func, which knows its own rules for detached values."""
    ensemble, x = some(3, activation)
    x, y = x.unflatten(2, (5, 10)).movedim(2, 1), torch.arange(100).reshape(2, 5, 10) % 3

    def loss(weights, x, y):
        z = logits(replace(ensemble, weights=weights), x)
        return example_losses(z, y, "softmax").sum() / 10

    alone = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 1, 1), out_dims=1)
    found = parameter_gradients(ensemble, x, y)
    for mine, theirs in zip(found, alone(ensemble.weights, x, y), strict=False):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


def test_an_interrupted_training_ends_as_if_it_had_not_been(tmp_path):
    experiment = tiny(network=Network("5-3", bits=4), optimizer="adam")
    asked = iter([False] * 2 + [True])
    store = Store(tmp_path)
    part = store.train(experiment, should_stop=lambda: next(asked), device="cpu")
    assert not part.complete
    whole = store.train(experiment, device="cpu")
    assert_same(whole, trained(experiment))
    assert_same(store.find(experiment), whole)


def test_equal_weights_on_different_grids_are_different_checkpoints():
    runs = [trained(tiny(network=Network("5-3", bits=bits))) for bits in (None, 3, 4)]
    for layers in zip(*(run.weights for run in runs), strict=True):
        assert np.array_equal(layers[0][0], layers[1][0])
        assert np.array_equal(layers[0][0], layers[2][0])
    assert len({run.checkpoint_keys[0] for run in runs}) == 3
    assert len({run.content_key for run in runs}) == 3


def test_a_quantised_network_learns_and_is_probed():
    network = Network("8-6", "relu", bits=4)
    run = train(
        tiny(network=network, optimizer="adam", learning_rate=0.02, epochs=100), device="cpu"
    )
    assert (run.train_accuracy[-1] > run.train_accuracy[0] + 0.1).all()
    for probe in (GradientProbe(), GradientProbe("along"), WeightProbe(), LossChangeProbe(1e-3)):
        rows = probe.rows(run, len(run.epochs) - 1)
        assert len(rows)
        assert not rows.isna().any(axis=None)
