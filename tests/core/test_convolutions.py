"""Convolutional ensembles against PyTorch's own modules, and their information by hand."""

import io
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch

from ibcore import run as run_module
from ibcore.estimators import KDE, Binning
from ibcore.experiment import FieldError, Network, Task
from ibcore.networks import Masks, forward, initialise, layer_shapes, logits, weight_shapes
from ibcore.plane import activation_range, information_plane, outside_limits, sound_pieces
from ibcore.probes import GradientProbe, LossChangeProbe, WeightProbe, probed
from ibcore.run import Run
from ibcore.sample_size import subsampled
from ibcore.store import Store
from ibcore.tasks import load, replicate_splits, stratified
from ibcore.training import Trainer, check_size, n_parameters, stream
from ibcore.view import View

from .test_run import assert_same, diverged, tiny, trained

CPU = torch.device("cpu")
STACK = "conv4k3-conv6k3-pool2-10"
TASK = Task("digits", train_fraction=0.1)


@pytest.fixture(autouse=True)
def one_thread():
    """Threads cost more than they save in networks as small as these."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def small(layers=STACK, task=TASK, checkpoints=3, **training):
    """An experiment on 8 x 8 images that trains in a moment."""
    return tiny(task, Network(layers, "relu"), checkpoints, **{"batch_size": 32} | training)


def one_network(weights, biases, r):
    """Replicate r of STACK in modules."""
    modules = [
        torch.nn.Conv2d(1, 4, 3),
        torch.nn.ReLU(),
        torch.nn.Conv2d(4, 6, 3),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Flatten(),
        torch.nn.Linear(24, 10),
        torch.nn.ReLU(),
        torch.nn.Linear(10, 10),
    ]
    network = torch.nn.Sequential(*modules)
    with torch.no_grad():
        for module, weight, bias in zip(
            modules[0:3:2] + modules[6::2], weights, biases, strict=True
        ):
            module.weight.copy_(weight[r])
            module.bias.copy_(bias[r].flatten())
    return network


def test_shapes_follow_from_the_input():
    mnist = Network("conv32k3-conv64k3-pool2-128")
    expected = ((1, 28, 28), (32, 26, 26), (64, 24, 24), (64, 12, 12), 128, 10)
    assert layer_shapes(mnist, (28, 28), 10) == expected
    assert layer_shapes(mnist, (1, 28, 28), 10) == expected
    weights = weight_shapes(mnist, expected)
    assert weights == ((32, 1, 3, 3), (64, 32, 3, 3), (128, 9216), (10, 128))
    # Odd sides lose their last row and column.
    assert layer_shapes(Network("pool2-conv5k2"), (3, 9, 32), 2)[1:3] == ((3, 4, 16), (5, 3, 15))
    data = load(TASK)
    # 4 (9 + 1) + 6 (36 + 1) + 10 (24 + 1) + 10 (10 + 1)
    assert n_parameters(small(), data) == 622
    assert check_size(small(), data) == (64, 144, 96, 24, 10, 10)


@pytest.mark.parametrize(
    ("layers", "shape", "said"),
    [
        ("conv3k3", (12,), "dense layers only: inputs of shape (12,) are no images"),
        ("conv3k9-5", (8, 8), "fewer or smaller layers: conv3k9 does not fit into 8 x 8 pixels"),
        ("conv3k3-pool2-pool2-pool2", (8, 8), "pool2 does not fit into 1 x 1 pixels"),
    ],
)
def test_images_that_are_none_or_too_small_are_refused(layers, shape, said):
    with pytest.raises(FieldError) as caught:
        layer_shapes(Network(layers), shape, 10)
    assert said in str(caught.value)
    assert caught.value.field == "layers"


@pytest.mark.parametrize(("init", "fan"), [("fan_in", 20 * 9), ("fan_out", 40 * 9)])
def test_the_fans_of_a_kernel_count_its_pixels(init, fan):
    network = Network("conv20k3-conv40k3", init=init)
    ensemble = initialise(network, layer_shapes(network, (8, 8), 2), 1, seed=0)
    # 7,200 draws of a normal truncated at two standard deviations.
    assert ensemble.weights[1].std().item() == pytest.approx(0.8796 / fan**0.5, rel=0.04)
    assert ensemble.weights[1].abs().max() <= 2 / fan**0.5


@pytest.mark.parametrize("shared", [True, False])
def test_every_replicate_equals_its_own_modules(shared):
    network = Network(STACK, "relu", "pytorch")
    ensemble = initialise(network, layer_shapes(network, (8, 8), 10), 3, seed=1)
    x = torch.rand(3, 64, 7, generator=torch.Generator().manual_seed(0))
    x = x[0].expand_as(x) if shared else x
    given = x[0] if shared else x
    found, z = forward(ensemble, given), logits(ensemble, given)
    assert tuple(t.shape[1] for t in found) == ensemble.widths == (144, 96, 24, 10, 10)
    for r in range(3):
        twin, images = one_network(ensemble.weights, ensemble.biases, r), x[r].T.reshape(7, 1, 8, 8)
        for layer, end in enumerate((2, 4, 5, 8)):
            torch.testing.assert_close(found[layer][r].T, twin[:end](images).flatten(1))
        torch.testing.assert_close(z[r].T, twin(images))
        torch.testing.assert_close(found[-1][r].T, torch.softmax(twin(images), dim=1))


TWINS = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "adadelta": torch.optim.Adadelta,
}


@pytest.mark.parametrize(("optimizer", "rate"), [("sgd", 0.1), ("adam", 0.01), ("adadelta", 1.0)])
def test_ten_steps_side_by_side_are_ten_steps_of_each_alone(optimizer, rate):
    experiment = small(optimizer=optimizer, learning_rate=rate, replicates=3)
    data = load(TASK)
    trainer = Trainer(experiment, data, CPU)
    before = trainer.ensemble.map(lambda p: p.detach().clone())
    for _ in range(10):
        trainer.advance()
    train, _ = replicate_splits(data, TASK, experiment.training)
    for r in range(3):
        network = one_network(before.weights, before.biases, r)
        steps = TWINS[optimizer](network.parameters(), rate)
        for step in range(10):
            epoch, start = divmod(step, -(-train.shape[1] // 32))
            order = np.random.default_rng([0, epoch]).permuted(train, axis=1)[r]
            rows = order[start * 32 : start * 32 + 32]
            steps.zero_grad()
            z = network(torch.tensor(data.x[rows])[:, None])
            torch.nn.functional.cross_entropy(z, torch.tensor(data.y[rows])).backward()
            steps.step()
        mine = [
            p[r].detach().squeeze(-1) if p.shape[-1] == 1 else p[r]
            for p in trainer.ensemble.parameters
        ]
        theirs = [p for p in network.parameters() if p.dim() > 1]
        theirs += [p for p in network.parameters() if p.dim() == 1]
        for a, b in zip(mine, theirs, strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-4)
            assert not torch.equal(a, before.parameters[0][r])


def test_dropout_leaves_out_units_and_scales_the_others():
    network = Network("conv4k3-drop0.25-10-drop0.5", "relu")
    ensemble = initialise(network, layer_shapes(network, (8, 8), 3), 2, seed=0)
    x = torch.rand(64, 50, generator=torch.Generator().manual_seed(0))
    masks = Masks(seed=3, epoch=1, step=2)
    expected = []
    for r in range(2):
        alone = [(w[r], b[r, :, 0]) for w, b in zip(ensemble.weights, ensemble.biases, strict=True)]
        images = torch.relu(torch.nn.functional.conv2d(x.T.reshape(50, 1, 8, 8), *alone[0]))
        below = (images * masks.of(0, r, 0.25, images)).flatten(1)
        t = torch.relu(torch.nn.functional.linear(below, *alone[1])).T
        expected.append((alone[2][0] @ (t * masks.of(1, r, 0.5, t))).T + alone[2][1])
    torch.testing.assert_close(logits(ensemble, x, masks), torch.stack(expected).transpose(1, 2))
    assert not torch.allclose(logits(ensemble, x), logits(ensemble, x, masks))


def test_masks_follow_from_their_numbers_alone():
    t = torch.zeros(400, 300)
    mask = Masks(0, 1, 2).of(0, 0, 0.2, t)
    assert mask.unique().tolist() == pytest.approx([0, 1.25])
    # 120,000 draws: the standard error of the share is 0.0012.
    assert (mask > 0).double().mean().item() == pytest.approx(0.8, abs=0.006)
    assert torch.equal(mask, Masks(0, 1, 2).of(0, 0, 0.2, t))
    others = [Masks(1, 1, 2), Masks(0, 2, 2), Masks(0, 1, 3)]
    drawn = [other.of(0, 0, 0.2, t) for other in others]
    drawn += [Masks(0, 1, 2).of(*place, 0.2, t) for place in ((1, 0), (0, 1))]
    for other in drawn:
        assert not torch.equal(mask, other)


@pytest.mark.parametrize("layers", ["conv4k3-pool2-drop0.25-10-drop0.5", "20-drop0.5"])
def test_a_training_with_dropout_that_was_interrupted_ends_the_same(layers):
    experiment = small(layers, epochs=2)
    whole = list(stream(Trainer(experiment, load(TASK), CPU)))[-1]
    broken_off = Trainer(experiment, load(TASK), CPU)
    for _ in range(4):
        broken_off.advance()
    continued = Trainer(experiment, load(TASK), CPU)
    continued.restore(broken_off.state())
    last = list(stream(continued))[-1]
    for a, b in zip(
        (*whole.weights, whole.along_std), (*last.weights, last.along_std), strict=True
    ):
        assert np.array_equal(a, b)
    dry = replace(
        experiment, network=Network(layers.replace("-drop0.25", "")[: -len("-drop0.5")], "relu")
    )
    assert not np.array_equal(
        list(stream(Trainer(dry, load(TASK), CPU)))[-1].weights[0], whole.weights[0]
    )


@pytest.mark.parametrize("bits", [None, 4])
def test_a_convolutional_run_comes_back_whole_and_fits_its_data(bits):
    experiment = small()
    run = trained(replace(experiment, network=replace(experiment.network, bits=bits)))
    again = Run.load(io.BytesIO(run.to_bytes()))
    assert_same(again, run)
    assert again.n_layers == 5
    assert again.weighted_layers == (1, 2, 4, 5)
    assert again.along_mean.shape == (3, 2, 4)
    assert [t.shape for t in again.activations(0)] == [(2, 1797, d) for d in (144, 96, 24, 10, 10)]
    if bits is not None:
        levels = again.activations(2)[1] / (6 / 15)
        np.testing.assert_allclose(levels, levels.round(), atol=1e-4)


@pytest.mark.parametrize("layer", range(4))
def test_weights_of_another_shape_are_refused(layer):
    run = trained(small())
    weights = list(run.weights)
    weights[layer] = weights[layer][:, :, 1:]
    with pytest.raises(ValueError, match="run file: "):
        Run.load(io.BytesIO(replace(run, weights=tuple(weights)).to_bytes()))
    weights = list(run.weights)
    weights[2] = weights[2][..., 1:]
    with pytest.raises(ValueError, match="do not fit the data of task digits"):
        Run.load(io.BytesIO(replace(run, weights=tuple(weights)).to_bytes())).activations(0)


def test_the_measures_are_those_of_the_networks(monkeypatch):
    monkeypatch.setattr("ibcore.training._IMAGE_BYTES", 4 * 144 * 2 * 100)
    experiment = small(seed=5)
    run = trained(experiment)
    twin = one_network(*([torch.tensor(p[-1]) for p in ps] for ps in (run.weights, run.biases)), 1)
    data = run.dataset
    z = twin(torch.tensor(data.x[data.test])[:, None])
    y = torch.tensor(data.y[data.test])
    loss = torch.nn.functional.cross_entropy(z, y).item()
    assert run.test_loss[-1, 1] == pytest.approx(loss, abs=1e-5)
    accuracy = (z.argmax(1) == y).double().mean().item()
    assert run.test_accuracy[-1, 1] == pytest.approx(accuracy, abs=1e-3)


def by_hand(run, estimator, channels, samples="all", subset=None):
    """(i_xt, i_ty) for every epoch, layer and sound replicate, with loops."""
    found, n_channels = {}, (4, 6, 6, 1, 1)
    for k, epoch in enumerate(run.epochs):
        for layer, t in enumerate(run.activations(k, samples, subset), start=1):
            for r in np.flatnonzero(run.sound(k)):
                y = run.labels(samples, subset)
                y = y[r] if samples != "all" else y
                parts = np.split(t[r], n_channels[layer - 1] if channels == "mean" else 1, axis=1)
                results = [estimator.information(part, y) for part in parts]
                pairs = [(one.i_xt, one.i_ty) for one in results]
                found[epoch, layer, r] = np.mean(pairs, axis=0)
    return found


@pytest.mark.parametrize("estimator", [Binning(5, (0.0, 1.0)), KDE(0.1)])
@pytest.mark.parametrize("channels", ["concat", "mean"])
@pytest.mark.parametrize(("samples", "subset"), [("all", 150), ("train", 90), ("test", 90)])
def test_the_information_of_layers_and_of_channels(
    estimator, channels, samples, subset, monkeypatch
):
    """Also in blocks of a few images, as large networks are."""
    monkeypatch.setattr(run_module, "_BLOCK_BYTES", 4 * 144 * 40)
    run = diverged(trained(small(resample_split=True)), 0, 2)
    seen = {"samples": samples, "subset": subset}
    table = information_plane(run, estimator, channels=channels, **seen)
    expected = by_hand(run, estimator, channels, **seen)
    found = table.set_index(["epoch", "layer", "replicate"])
    assert set(found.index) == set(expected)
    for place, pair in expected.items():
        assert found.loc[place, ["i_xt", "i_ty"]].to_numpy(float) == pytest.approx(pair, abs=1e-5)


def test_channels_differ_from_their_layer_and_dense_layers_have_none():
    run = trained(small())
    planes = [information_plane(run, KDE(), subset=200, channels=c) for c in ("concat", "mean")]
    layer, (concat, mean) = planes[0]["layer"], planes
    assert concat[layer > 3].equals(mean[layer > 3])
    assert (concat[layer <= 3]["i_xt"] > mean[layer <= 3]["i_xt"]).all()
    with pytest.raises(FieldError, match="channels: 'sum' is not allowed; use one of concat, mean"):
        information_plane(run, KDE(), channels="sum")


def test_a_subset_has_the_classes_in_their_shares():
    run = trained(small())
    rows = run.sample_index("all", 300)
    assert np.array_equal(rows, stratified(run.dataset.y, 300, 0))
    assert run.n_samples("all", 300) == len(run.labels("all", 300)) == 300
    assert run.inputs("train", 90).shape == (90, 64)
    assert np.array_equal(run.sample_index("all", 5000), np.arange(1797))
    for wrong in (1, 2.5, True, "3"):
        with pytest.raises(FieldError, match="subset"):
            run.sample_index("all", wrong)


def test_one_layer_of_one_network_is_in_memory_at_a_time(monkeypatch):
    run, seen, compute = trained(small()), [], run_module._one_layer

    def watched(*args):
        assert not any(ref() is not None for ref in seen)
        t = compute(*args)
        assert t.shape[0] == 150
        seen.append(weakref.ref(t))
        return t

    monkeypatch.setattr(run_module, "_one_layer", watched)
    information_plane(run, Binning(limits="range"), subset=150, channels="mean")
    # Once for the range and once to be counted, at three epochs.
    assert len(seen) == 2 * 3 * 5 * 2


def test_each_piece_is_a_layer_of_a_network():
    run = trained(small())
    whole = run.activations(0)
    pieces = list(sound_pieces(run, 0))
    assert len(pieces) == 5 * 2
    for piece in pieces:
        np.testing.assert_allclose(piece.t, whole[piece.layer - 1][piece.members], atol=1e-6)


def test_ranges_and_what_lies_beyond_are_those_of_all_networks():
    run = trained(small())
    layers = [run.activations(k) for k in range(3)]
    lows, highs = ([[f(t) for t in ts] for ts in layers] for f in (np.min, np.max))
    expected = np.stack([np.min(lows, axis=0), np.max(highs, axis=0)], axis=1)
    np.testing.assert_allclose(activation_range(run), expected, atol=1e-6)
    parts = outside_limits(run, Binning(5, (-1.0, 0.3)), 2)
    assert parts == pytest.approx([(t > 0.3).mean() for t in layers[2]], abs=1e-4)


def test_samples_suffice_or_not_within_a_subset():
    run = trained(small())
    table = subsampled(run, 1, (Binning(),) * 5, 100, view=View("all", 200, "mean"))
    assert sorted(table["draw"].unique()) == [0, 1]
    assert len(table) == 2 * 5 * 2
    all_of_them = subsampled(run, 1, (Binning(),) * 5, 200, view=View("all", 200))
    plane = information_plane(run, Binning(), subset=200)
    plane = plane[plane["epoch"] == run.epochs[1]]
    assert all_of_them["i_xt"].tolist() == pytest.approx(plane["i_xt"].tolist())


def test_views_are_cached_apart(tmp_path):
    run, store, values = trained(small()), Store(tmp_path), (3, 10)
    views = [View(), View("all", 200), View("all", None, "mean"), View("all", 200, "mean")]
    tables = [store.curves(run, Binning(limits="range"), values, view=view) for view in views]
    for i, (view, table) in enumerate(zip(views, tables, strict=True)):
        again, done = store.known_curves(run, Binning(limits="range"), values, view=view)
        assert done == 3
        assert again.equals(table)
        assert not any(table.equals(other) for other in tables[:i])


def test_checkpoints_that_differ_in_what_they_pool_have_other_names():
    runs = [trained(small(f"conv4k3-{pools}-5")) for pools in ("pool2-pool3", "pool3-pool2")]
    assert np.array_equal(runs[0].weights[1][0], runs[1].weights[1][0])
    assert runs[0].checkpoint_keys[0] != runs[1].checkpoint_keys[0]


def test_gradients_of_kernels_are_those_of_the_modules():
    run = trained(small())
    probe = GradientProbe("epoch", batch_size=60)
    table = probed(run, probe).set_index(["epoch", "layer", "replicate"])
    assert sorted({layer for _, layer, _ in table.index}) == [1, 2, 4, 5]
    data, k, r = run.dataset, 1, 1
    twin = one_network(*([torch.tensor(p[k]) for p in ps] for ps in (run.weights, run.biases)), r)
    order = np.random.default_rng([0, run.epochs[k]]).permuted(run.sample_index("train"), axis=1)[r]
    rows = []
    for batch in (order[:60], order[60:120], order[120:180]):
        twin.zero_grad()
        z = twin(torch.tensor(data.x[batch])[:, None])
        torch.nn.functional.cross_entropy(z, torch.tensor(data.y[batch])).backward()
        rows.append([p.grad.flatten().numpy().copy() for p in twin.parameters() if p.dim() > 1])
    for layer, gradients in zip(
        (1, 2, 4, 5), zip(*rows[: len(order) // 60], strict=True), strict=True
    ):
        g, found = np.array(gradients, float), table.loc[(run.epochs[k], layer, r)]
        assert found["mean_norm"] == pytest.approx(np.linalg.norm(g.mean(axis=0)), rel=1e-4)
        assert found["std_norm"] == pytest.approx(np.linalg.norm(g.std(axis=0)), rel=1e-4)
    along = probed(run, GradientProbe("along"))
    assert sorted(along["layer"].unique()) == [1, 2, 4, 5]
    weights = probed(run, WeightProbe()).set_index(["epoch", "layer", "replicate"])
    norm = np.linalg.norm(run.weights[1][k, r].astype(float))
    assert weights.loc[(run.epochs[k], 2, r), "weight_norm"] == pytest.approx(norm)
    with pytest.raises(ValueError, match="loss change: it is for networks of dense layers only"):
        probed(run, LossChangeProbe())


def test_activations_of_are_those_of_one_sample_in_their_shapes():
    run = trained(small(replicates=2, epochs=2))
    row = int(run.sample_index("test")[1][3])
    for k in (0, len(run.epochs) - 1):
        whole = run.activations(k)
        found = run.activations_of(k, row, 1)
        assert [t.shape for t in found] == [
            (1, 8, 8),
            (4, 6, 6),
            (6, 4, 4),
            (6, 2, 2),
            (10,),
            (10,),
        ]
        np.testing.assert_array_equal(found[0].ravel(), run.dataset.x[row].ravel())
        for t, expected in zip(found[1:], whole, strict=True):
            np.testing.assert_allclose(t.ravel(), expected[1, row], atol=1e-6)


@pytest.mark.parametrize(("row", "replicate", "field"), [(1797, 0, "row"), (0, 2, "replicate")])
def test_activations_of_name_what_is_not_there(row, replicate, field):
    run = trained(small(replicates=2, epochs=1, checkpoints=2))
    with pytest.raises(
        FieldError, match=rf"{field}: \d+ is not allowed; use a whole number from 0"
    ):
        run.activations_of(0, row, replicate)
