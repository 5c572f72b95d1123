"""Probes of a run against one network and one minibatch at a time."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import torch

from ibcore import probes
from ibcore.experiment import ACTIVATION_NAMES, FieldError, Network, Task
from ibcore.gradients import noise_floor
from ibcore.probes import GradientProbe, LossChangeProbe, WeightProbe, defined, loss_change, probed
from ibcore.probes.weights import mean_cosine
from ibcore.run import Run
from ibcore.store import Store
from ibcore.tasks import epoch_order, replicate_splits

from .test_gradients import twin_gradients, twin_stats
from .test_networks import one_network
from .test_run import diverged, tiny, trained

MINI = tiny(batch_size=20, epochs=6, checkpoints=6)
PARALLEL = tiny(batch_mode="parallel", batch_size=40, replicates=4, epochs=5, checkpoints=3)


def samples(run, index):
    x = run.dataset.x[index]
    return torch.tensor(x), torch.tensor(run.dataset.y[index])


def twin_rows(run, k, r, batches):
    """m and s of every layer of one network, from one autograd call per minibatch."""
    network = one_network(run.ensemble(k), r)
    rows = [twin_gradients(network, *samples(run, batch)) for batch in batches]
    return np.array([twin_stats([row[layer] for row in rows]) for layer in range(run.n_layers)])


def found(table, epoch, r):
    rows = table[(table["epoch"] == epoch) & (table["replicate"] == r)].sort_values("layer")
    return rows[["mean_norm", "std_norm"]].to_numpy()


@pytest.mark.parametrize("activation", ACTIVATION_NAMES)
@pytest.mark.parametrize("resample", [False, True])
def test_the_epoch_protocol_takes_the_minibatches_of_the_epoch_to_come(activation, resample):
    run = trained(tiny(network=Network("5-3", activation), batch_size=20, resample_split=resample))
    table = probed(run, GradientProbe())
    train, _ = replicate_splits(run.dataset, run.experiment.task, run.experiment.training)
    n = train.shape[1] // 20
    assert (table["n_batches"] == n).all()
    for k, epoch in enumerate(run.epochs):
        order = epoch_order(train, run.experiment.training.seed, epoch)
        for r in range(run.n_replicates):
            batches = [order[r, 20 * b : 20 * b + 20] for b in range(n)]
            twin = twin_rows(run, k, r, batches)
            np.testing.assert_allclose(found(table, epoch, r), twin, rtol=1e-5, atol=1e-8)


def test_the_protocol_along_takes_the_weights_as_they_move():
    run = trained(MINI)
    table = probed(run, GradientProbe("along"))
    assert sorted(table["epoch"].unique()) == [e for e in run.epochs if e > 0]
    whole = trained(replace(MINI, recording=replace(MINI.recording, checkpoints=7)))
    assert whole.epochs.tolist() == [0, 1, 2, 3, 4, 5, 6]
    train, _ = replicate_splits(run.dataset, run.experiment.task, run.experiment.training)
    for r in range(run.n_replicates):
        network = one_network(run.ensemble(0), r)
        optimizer = torch.optim.SGD(network.parameters(), run.experiment.training.learning_rate)
        for epoch in range(6):
            order, rows = epoch_order(train, run.experiment.training.seed, epoch)[r], []
            for start in range(0, len(order), 20):
                batch = order[start : start + 20]
                gradients = twin_gradients(network, *samples(run, batch))
                rows += [gradients] if len(batch) == 20 else []
                optimizer.step()
            twin = [twin_stats([row[layer] for row in rows]) for layer in range(3)]
            if epoch + 1 in run.epochs:
                np.testing.assert_allclose(found(table, epoch + 1, r), twin, rtol=1e-5, atol=1e-7)


def test_sampled_minibatches_are_drawn_from_the_training_samples_without_repetition():
    run = trained(tiny(resample_split=True))
    probe = GradientProbe("sampled", 7, 30)
    train, _ = replicate_splits(run.dataset, run.experiment.task, run.experiment.training)
    drawn = probe._minibatches(run, 1)
    assert drawn.shape == (2, 7, 30)
    for r, batches in enumerate(drawn):
        assert set(batches.ravel()) <= set(train[r])
        assert all(len(set(batch)) == 30 for batch in batches)
        assert len({tuple(sorted(batch)) for batch in batches}) == 7
    table = probed(run, probe)
    twin = twin_rows(run, 1, 1, list(drawn[1]))
    np.testing.assert_allclose(found(table, run.epochs[1], 1), twin, rtol=1e-5, atol=1e-8)
    assert probed(run, probe).equals(table)


def test_parallel_networks_start_alike_and_see_their_own_minibatch_only():
    run = trained(PARALLEL)
    for w in (*run.weights, *run.biases):
        assert (w[0] == w[0, :1]).all()
        assert not np.array_equal(w[-1, 0], w[-1, 1])
    train, test = replicate_splits(run.dataset, run.experiment.task, run.experiment.training)
    assert train.shape == (4, 40)
    assert len(set(train.ravel())) == 160
    assert set(train.ravel()) <= set(run.dataset.train)
    assert set(test.ravel()) == set(run.dataset.test)
    network = one_network(run.ensemble(0), 2)
    optimizer = torch.optim.SGD(network.parameters(), run.experiment.training.learning_rate)
    for _ in range(5):
        twin_gradients(network, *samples(run, train[2]))
        optimizer.step()
    expected = network[0].weight.detach().numpy()
    np.testing.assert_allclose(run.weights[0][-1, 2], expected, atol=2e-6)


def test_the_protocol_networks_is_over_networks():
    run = trained(PARALLEL)
    table = probed(run, GradientProbe("networks"))
    assert (table["replicate"] == 0).all()
    assert (table["n_batches"] == 4).all()
    train = run.sample_index("train")
    for k, epoch in enumerate(run.epochs):
        rows = [
            twin_gradients(one_network(run.ensemble(k), r), *samples(run, train[r]))
            for r in range(4)
        ]
        twin = [twin_stats([row[layer] for row in rows]) for layer in range(3)]
        np.testing.assert_allclose(found(table, epoch, 0), twin, rtol=1e-5, atol=1e-8)


def test_the_full_batch_has_no_noise_and_a_virtual_minibatch_has():
    run = trained(tiny(batch_mode="full"))
    table = probed(run, GradientProbe())
    assert (table["std_norm"] == 0).all()
    assert (table["n_batches"] == 1).all()
    assert defined(table)["snr"].isna().all()
    virtual = defined(probed(run, GradientProbe(batch_size=20)))
    assert np.isfinite(virtual["snr"]).all()


def test_single_examples_are_minibatches_of_one():
    run = trained(tiny(batch_mode="single", epochs=1, checkpoints=2))
    table = probed(run, GradientProbe())
    n_train = run.sample_index("train").shape[1]
    assert (table["n_batches"] == n_train).all()
    twin = twin_rows(run, 1, 0, [[i] for i in run.sample_index("train")[0]])
    np.testing.assert_allclose(found(table, 1, 0), twin, rtol=1e-5, atol=1e-8)


def test_a_dead_replicate_is_undefined_and_leaves_the_others():
    """Without any active unit in layer 1 no weight but the output's has a gradient."""
    run = trained(tiny(network=Network("5-3", "relu"), batch_size=20, replicates=3))
    biases = tuple(b.copy() for b in run.biases)
    biases[0][:, 1] = -100
    table = defined(probed(replace(run, biases=biases), GradientProbe()))
    hidden = table[table["layer"] < 3]
    assert hidden[hidden["replicate"] == 1]["snr"].isna().all()
    alive = defined(probed(run, GradientProbe()))
    columns = ["epoch", "layer", "replicate", "snr"]
    kept = [frame.loc[frame["replicate"] != 1, columns] for frame in (table, alive)]
    pd.testing.assert_frame_equal(*kept)


def test_diverged_replicates_have_no_rows():
    run = diverged(trained(MINI), 1, 3)
    for probe in (GradientProbe(), GradientProbe("along"), WeightProbe(), LossChangeProbe()):
        table = probed(run, probe)
        assert table[table["replicate"] == 1]["epoch"].max() < 3
        assert set(table[table["replicate"] == 0]["epoch"]) >= set(run.epochs[1:])


def test_definitions_follow_from_the_norms():
    table = probed(trained(MINI), GradientProbe())
    one = table[(table["epoch"] == 3) & (table["replicate"] == 1)].sort_values("layer")
    m, s, w = (one[name].to_numpy() for name in ("mean_norm", "std_norm", "weight_norm"))
    n = one["n_batches"].iloc[0]
    expected = {
        "layer": (m, s),
        "caption": (m / w, s / w),
        "cumulative": (np.cumsum(m), np.sqrt(np.cumsum(s))),
    }
    for name, (signal, noise) in expected.items():
        rows = defined(table, name)
        rows = rows[(rows["epoch"] == 3) & (rows["replicate"] == 1)].sort_values("layer")
        np.testing.assert_allclose(rows["signal"], signal)
        np.testing.assert_allclose(rows["noise"], noise)
        np.testing.assert_allclose(rows["snr"], signal / noise)
        if name != "cumulative":
            np.testing.assert_allclose(rows["floor"] / rows["noise"], noise_floor(n))


@pytest.mark.parametrize("activation", ["tanh", "softplus"])
def test_the_measured_change_is_that_of_a_step_along_every_minibatch(activation):
    run = trained(tiny(network=Network("5-3", activation), batch_size=40))
    table = probed(run, LossChangeProbe(1e-3))
    k, r = 2, 1
    order = epoch_order(run.sample_index("train"), 0, run.epochs[k])[r]
    n = min(16, len(order) // 40)
    x, y = samples(run, order[: 40 * n])
    cross_entropy = torch.nn.functional.cross_entropy

    def fresh():
        return one_network(run.ensemble(k), r).double()

    before = cross_entropy(fresh()(x.double()), y).item()
    network = fresh()
    cross_entropy(network(x.double()), y).backward()
    squared = sum(p.grad.square().sum().item() for p in network.parameters())
    for kind, rate in (("virtual", 1e-3), ("real", 0.05)):
        changes = []
        for b in range(n):
            network = fresh()
            part = slice(40 * b, 40 * b + 40)
            cross_entropy(network(x[part].double()), y[part]).backward()
            with torch.no_grad():
                for p in network.parameters():
                    p -= rate * p.grad
            changes.append(cross_entropy(network(x.double()), y).item() - before)
        row = table[
            (table["epoch"] == run.epochs[k]) & (table["replicate"] == r) & (table["kind"] == kind)
        ]
        assert row["measured"].item() == pytest.approx(np.mean(changes), rel=1e-6)
        assert row["predicted"].item() == pytest.approx(-rate * squared, rel=1e-6)
        assert row["rate"].item() == rate


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_a_virtual_step_changes_the_loss_as_predicted(activation):
    """The first order holds for a small rate: measured/predicted is 1 to within 5 %."""
    run = trained(tiny(network=Network("5-3", activation, "pytorch"), epochs=60))
    rows = probed(run, LossChangeProbe())
    rows = rows[rows["kind"] == "virtual"]
    np.testing.assert_allclose(rows["measured"] / rows["predicted"], 1, atol=0.05)


def test_a_change_below_what_numbers_resolve_is_not_measured():
    """Without any gradient left there is nothing to measure, and rounding is no change."""
    run = trained(tiny(network=Network("5-3", "relu"), batch_size=40))
    biases = tuple(b.copy() for b in run.biases)
    biases[-1][...] = np.where(np.arange(2) == 0, 500.0, -500.0)
    zeros = np.zeros_like(run.dataset.y)
    certain = replace(run, biases=biases)
    vars(certain)["dataset"] = replace(run.dataset, y=zeros)
    rows = probed(certain, LossChangeProbe())
    assert rows["measured"].isna().all()
    assert (rows["predicted"].abs() < 1e-17).all()


def test_the_mean_cosine_is_that_over_pairs():
    rng = np.random.default_rng(0)
    w = rng.normal(size=(4, 6))
    pairs = [abs(a @ b) / np.linalg.norm(a) / np.linalg.norm(b) for a, b in combinations(w, 2)]
    assert mean_cosine(w) == pytest.approx(np.mean(pairs))
    assert mean_cosine(np.eye(3)) == pytest.approx(0)
    assert mean_cosine(np.array([[1.0, 2.0], [-2.0, -4.0]])) == pytest.approx(1)
    assert np.isnan(mean_cosine(w[:1]))
    assert mean_cosine(np.vstack([w, np.zeros(6)])) == pytest.approx(np.mean(pairs))


def test_weights_of_every_layer():
    run = trained(MINI)
    table = probed(run, WeightProbe())
    row = table[(table["epoch"] == 3) & (table["layer"] == 2) & (table["replicate"] == 1)]
    w = run.weights[1][run.epochs.tolist().index(3), 1]
    assert row["weight_norm"].item() == pytest.approx(np.linalg.norm(w), rel=1e-6)
    assert row["cosine"].item() == pytest.approx(mean_cosine(w))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"protocol": "sometimes"}, "protocol: 'sometimes'"),
        ({"protocol": "sampled", "n_batches": 1}, "n_batches: 1"),
        ({"protocol": "sampled", "batch_size": 0}, "batch_size: 0"),
        ({"protocol": "along", "batch_size": 5}, "batch_size: 5"),
        ({"protocol": "epoch", "n_batches": 5}, "n_batches: 5"),
        ({"batch_size": 2.5}, "batch_size: 2.5"),
        ({"batch_size": True}, "batch_size: True"),
        ({"family": "loss_change", "virtual_rate": 0}, "virtual_rate: 0"),
        ({"family": "loss_change", "virtual_rate": float("nan")}, "virtual_rate: nan"),
        ({"family": "weights", "protocol": "epoch"}, "protocol: 'epoch'"),
        ({"family": "colour"}, "family: 'colour'"),
    ],
)
def test_wrong_settings_are_named(settings, message):
    with pytest.raises(FieldError, match=message):
        probes.from_dict({"family": "gradients"} | settings)


@pytest.mark.parametrize("probe", [GradientProbe("sampled"), LossChangeProbe(0.1), WeightProbe()])
def test_a_probe_survives_json(probe):
    assert probes.from_dict(probes.to_dict(probe)) == probe


def test_a_run_that_cannot_answer_says_why():
    run = trained(MINI)
    with pytest.raises(FieldError, match="batch_size: 5000 is not allowed; use at most"):
        probed(run, GradientProbe(batch_size=5000))
    with pytest.raises(FieldError, match="batch_size: 205 is not allowed; use at most 204"):
        probed(run, GradientProbe("sampled", 3, 205))
    with pytest.raises(FieldError, match="protocol: 'networks' is not allowed; use epoch"):
        probed(run, GradientProbe("networks"))
    with pytest.raises(FieldError, match="protocol: 'epoch' is not allowed; use networks"):
        probed(trained(PARALLEL), GradientProbe())
    with pytest.raises(ValueError, match="kept no gradients along its epochs"):
        probed(replace(run, along_mean=None, along_std=None), GradientProbe("along"))


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"batch_size": 1000, "replicates": 1}, "batch_size: 1000 is not allowed; use at most 205"),
        ({"batch_size": 50, "replicates": 5}, "replicates: 5 is not allowed; use at most 4"),
        ({"resample_split": True}, "resample_split"),
    ],
)
def test_parallel_networks_need_minibatches_of_their_own(training, message):
    with pytest.raises(FieldError, match=message):
        trained(tiny(batch_mode="parallel", **training))


def test_what_was_recorded_along_survives_the_file(tmp_path):
    run = trained(MINI)
    run.save(tmp_path / "run.npz")
    again = Run.load(tmp_path / "run.npz")
    np.testing.assert_array_equal(again.along_mean, run.along_mean)
    np.testing.assert_array_equal(again.along_std, run.along_std)
    assert np.isnan(run.along_mean[0]).all()
    assert np.isfinite(run.along_mean[1:]).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_gradients_along_that_cannot_be_are_refused_in_a_file(bad, tmp_path):
    run = trained(MINI)
    along = run.along_mean.copy()
    along[2, 1, 0] = bad
    replace(run, along_mean=along).save(tmp_path / "run.npz")
    with pytest.raises(ValueError, match="along_mean at epoch 2 is not finite and at least 0"):
        Run.load(tmp_path / "run.npz")


def test_altered_gradients_along_are_not_served_for_the_others(tmp_path):
    run, store, probe = trained(MINI), Store(tmp_path), GradientProbe("along")
    sound = store.probed(run, probe)
    other = replace(run, along_mean=2 * run.along_mean)
    assert other.content_key != run.content_key
    altered = store.probed(other, probe)
    np.testing.assert_allclose(altered["mean_norm"], 2 * sound["mean_norm"], rtol=1e-6)


def test_runs_that_end_alike_have_names_of_their_own():
    """Where all replicates diverged, the last checkpoints are all NaN."""
    one, other = trained(MINI), trained(replace(MINI, training=replace(MINI.training, seed=1)))
    lost = [replace(run, diverged=np.zeros_like(run.diverged)) for run in (one, other)]
    assert lost[0].content_key != lost[1].content_key


def test_more_samples_than_fit_in_memory_are_refused_at_once():
    with pytest.raises(FieldError, match="n_batches: 1000000 is not allowed; use at most 100,000"):
        GradientProbe("sampled", 1_000_000, 100).check(trained(MINI))


def test_replicates_in_groups_answer_as_together(monkeypatch):
    run, probe = trained(MINI), LossChangeProbe()
    together = probe.rows(run, 2)
    monkeypatch.setattr(loss_change, "_GROUP_BYTES", 1)
    apart = probe.rows(run, 2).sort_values(["kind", "replicate"], ignore_index=True)
    together = together.sort_values(["kind", "replicate"], ignore_index=True)
    pd.testing.assert_frame_equal(together, apart, rtol=1e-6)


@pytest.mark.parametrize("probe", [GradientProbe(), LossChangeProbe(), WeightProbe()])
def test_answers_are_kept_checkpoint_by_checkpoint(probe, tmp_path, monkeypatch):
    run, store = trained(MINI), Store(tmp_path)
    asked = iter([False, False, True])
    part = store.probed(run, probe, should_stop=lambda: next(asked))
    assert part["epoch"].nunique() == 2
    assert store.known_probed(run, probe)[1] == 2
    whole = store.probed(run, probe)
    pd.testing.assert_frame_equal(whole, probed(run, probe))
    monkeypatch.setattr(type(probe), "rows", lambda *_: pytest.fail("computed again"))
    pd.testing.assert_frame_equal(Store(tmp_path).probed(run, probe), whole)
    other = replace(run, experiment=replace(MINI, task=Task(train_fraction=0.05, split_seed=9)))
    assert store.known_probed(other, probe)[1] == 0
