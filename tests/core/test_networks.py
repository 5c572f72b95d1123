import math

import numpy as np
import pytest
import torch
from scipy.stats import truncnorm

from ibcore.experiment import ACTIVATION_NAMES, INIT_NAMES, FieldError, Network
from ibcore.networks import (
    ACTIVATIONS,
    INITIALISATIONS,
    example_losses,
    forward,
    initialise,
    layer_shapes,
    logits,
    predictions,
)

MODULES = {
    "tanh": torch.nn.Tanh,
    "relu": torch.nn.ReLU,
    "sigmoid": torch.nn.Sigmoid,
    "linear": torch.nn.Identity,
    "softsign": torch.nn.Softsign,
    "softplus": torch.nn.Softplus,
    "leaky_relu": torch.nn.LeakyReLU,
    "elu": torch.nn.ELU,
    "gelu": torch.nn.GELU,
    "hardtanh": torch.nn.Hardtanh,
}


def one_network(ensemble, r):
    """Replicate r as the modules PyTorch users know: the slow twin."""
    modules = []
    for weight, bias in zip(ensemble.weights, ensemble.biases, strict=True):
        linear = torch.nn.Linear(weight.shape[2], weight.shape[1])
        linear.weight.data, linear.bias.data = weight[r].clone(), bias[r, :, 0].clone()
        modules += [linear, MODULES[ensemble.activation]()]
    return torch.nn.Sequential(*modules[:-1])


def test_the_vocabulary_is_implemented():
    assert tuple(ACTIVATIONS) == ACTIVATION_NAMES
    assert tuple(INITIALISATIONS) == INIT_NAMES


@pytest.mark.parametrize("activation", ACTIVATION_NAMES)
@pytest.mark.parametrize("shared", [True, False])
def test_every_replicate_equals_its_own_sequential_network(activation, shared):
    network = Network("6-5", activation, "pytorch")
    ensemble = initialise(network, (4, 6, 5, 3), 3, seed=1)
    x = torch.randn(3, 4, 7, generator=torch.Generator().manual_seed(0))
    x = x[0].expand_as(x) if shared else x
    z, layers = logits(ensemble, x[0] if shared else x), forward(ensemble, x[0] if shared else x)
    for r in range(3):
        twin = one_network(ensemble, r)
        h = x[r].T
        for index in (1, 3):
            torch.testing.assert_close(layers[index // 2][r].T, twin[: index + 1](h))
        torch.testing.assert_close(z[r].T, twin(h))
        torch.testing.assert_close(layers[-1][r].T, torch.softmax(twin(h), dim=1))


def test_sigmoid_output_is_the_probability_of_class_one():
    ensemble = initialise(Network("4", output="sigmoid"), (2, 4, 1), 2, seed=0)
    x = torch.randn(2, 2, 50, generator=torch.Generator().manual_seed(0))
    z, y = logits(ensemble, x), torch.ones(2, 50, dtype=torch.long)
    p = forward(ensemble, x)[-1]
    assert p.shape == (2, 1, 50)
    torch.testing.assert_close(example_losses(z, y, "sigmoid"), -torch.log(p[:, 0]))
    torch.testing.assert_close(example_losses(z, 1 - y, "sigmoid"), -torch.log(1 - p[:, 0]))
    assert ((p[:, 0] > 0.5).long() == predictions(z, "sigmoid")).all()


def test_sigmoid_output_needs_two_classes():
    with pytest.raises(FieldError, match="output"):
        layer_shapes(Network(output="sigmoid"), 64, 10)


def test_sizes_run_from_the_inputs_to_the_output():
    assert layer_shapes(Network("10-7-5-4-3"), 12, 2) == (12, 10, 7, 5, 4, 3, 2)
    assert layer_shapes(Network("5", output="sigmoid"), 12, 2) == (12, 5, 1)


@pytest.mark.parametrize(("init", "fan"), [("fan_in", 300), ("fan_out", 200)])
def test_truncated_normal_has_the_stated_scale_and_zero_bias(init, fan):
    ensemble = initialise(Network("200", init=init), (300, 200, 2), 1, seed=0)
    std = 1 / math.sqrt(fan)
    weight = ensemble.weights[0].numpy().ravel()
    assert np.abs(weight).max() <= 2 * std
    # 60,000 draws: the standard error of the spread is below 0.3 %.
    assert weight.std() == pytest.approx(std * truncnorm(-2, 2).std(), rel=0.01)
    assert (ensemble.biases[0] == 0).all()


def test_pytorch_init_is_that_of_linear():
    ensemble = initialise(Network("200", init="pytorch"), (300, 200, 2), 1, seed=0)
    torch.manual_seed(0)
    twin = torch.nn.Linear(300, 200)
    for mine, theirs in ((ensemble.weights[0], twin.weight), (ensemble.biases[0], twin.bias)):
        assert mine.std().item() == pytest.approx(theirs.std().item(), rel=0.12)
        assert mine.abs().max().item() <= 1 / math.sqrt(300)


def test_replicates_are_different_and_stay_when_more_are_asked_for():
    few = initialise(Network(), (12, 10, 7, 5, 4, 3, 2), 2, seed=5)
    more = initialise(Network(), (12, 10, 7, 5, 4, 3, 2), 4, seed=5)
    other = initialise(Network(), (12, 10, 7, 5, 4, 3, 2), 2, seed=6)
    for a, b, c in zip(few.weights, more.weights, other.weights, strict=True):
        assert torch.equal(a, b[:2])
        assert not torch.equal(a[0], a[1])
        assert not torch.equal(a, c)
