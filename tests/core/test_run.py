"""Runs: what they keep, what they recompute, and every file that is none."""

import io
import json
import pickle
import random
import re
import subprocess
import sys
import tracemalloc
import zipfile
from dataclasses import fields, replace
from functools import cache

import numpy as np
import pytest
import torch

from ibcore.experiment import Experiment, FieldError, Network, Recording, Task, Training
from ibcore.run import Run, train
from ibcore.tasks import load, replicate_splits
from ibcore.training import Trainer, stream

from .test_networks import MODULES, one_network

TASK = Task(train_fraction=0.05)


def tiny(task=TASK, network=None, checkpoints=4, **training):
    """An experiment that trains in a moment."""
    settings = {"optimizer": "sgd", "learning_rate": 0.05, "epochs": 4, "replicates": 2}
    return Experiment(
        task, network or Network("5-3"), Training(**settings | training), Recording(checkpoints)
    )


@cache
def trained(experiment):
    """Its run, trained once for all tests."""
    return train(experiment, device="cpu")


def assert_same(one, other):
    """Two runs equal in every field, their arrays bit for bit."""
    for name in (field.name for field in fields(Run)):
        a, b = getattr(one, name), getattr(other, name)
        if isinstance(a, tuple):
            assert all(np.array_equal(*pair, equal_nan=True) for pair in zip(a, b, strict=True))
        elif isinstance(a, np.ndarray):
            np.testing.assert_array_equal(a, b)
            assert a.dtype == b.dtype
        else:
            assert a == b


def diverged(run, replicate, epoch):
    """The run as if that replicate had diverged at that epoch."""
    lost = run.epochs >= epoch

    def blanked(values):
        values = values.copy()
        values[lost, replicate] = np.nan
        return values

    ends = run.diverged.copy()
    ends[replicate] = epoch
    return replace(
        run,
        weights=tuple(blanked(w) for w in run.weights),
        biases=tuple(blanked(b) for b in run.biases),
        train_loss=blanked(run.train_loss),
        diverged=ends,
    )


@pytest.mark.parametrize(
    "experiment",
    [
        tiny(),
        tiny(Task(train_fraction=1), epochs=1),
        tiny(Task(train_fraction=0.05, gamma=54.48), Network("4", "relu", output="sigmoid")),
        tiny(resample_split=True),
        tiny(network=Network("5-3", "relu", bits=3)),
    ],
    ids=["plain", "no test set", "sigmoid", "own splits", "quantised"],
)
def test_a_saved_run_comes_back_whole(experiment, tmp_path):
    run = trained(experiment)
    run.save(tmp_path / "run.npz")
    assert_same(Run.load(tmp_path / "run.npz"), run)
    assert_same(Run.load(str(tmp_path / "run.npz")), run)
    assert_same(Run.load(io.BytesIO(run.to_bytes())), run)


def test_a_run_with_a_lost_replicate_and_a_partial_one_come_back_whole():
    run = diverged(trained(tiny()), 1, 2)
    assert_same(Run.load(io.BytesIO(run.to_bytes())), run)
    asked = iter([False] * 2 + [True])
    partial = train(tiny(), device="cpu", should_stop=lambda: next(asked))
    again = Run.load(io.BytesIO(partial.to_bytes()))
    assert not again.complete
    assert_same(again, partial)


def test_the_file_holds_plain_arrays_and_json_only():
    run = trained(tiny())
    with zipfile.ZipFile(io.BytesIO(run.to_bytes())) as archive:
        arrays = {}
        for name in archive.namelist():
            with archive.open(name) as member:
                arrays[name] = np.lib.format.read_array(member, allow_pickle=False)
    meta = json.loads(str(arrays.pop("meta.npy")))
    assert Experiment.from_json(json.dumps(meta["experiment"])) == run.experiment
    assert meta["fingerprint"] == load(TASK).fingerprint
    assert {array.dtype.kind for array in arrays.values()} == {"i", "f"}


def test_a_pickled_run_leaves_the_data_behind():
    run = train(tiny(), device="cpu")
    before = pickle.dumps(run)
    run.activations(0, "test")
    assert len(pickle.dumps(run)) == len(before)
    assert_same(pickle.loads(before), run)


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_activations_are_those_of_the_plain_network(activation, output):
    run = trained(tiny(network=Network("5-3", activation, output=output)))
    x = torch.tensor(load(TASK).x)
    squash = {"softmax": torch.nn.Softmax(dim=1), "sigmoid": torch.nn.Sigmoid()}[output]
    for k in range(len(run.epochs)):
        layers = run.activations(k)
        assert [t.shape for t in layers] == [(2, 4096, d) for d in (5, 3, len(layers[2][0, 0]))]
        for r in range(2):
            twin = one_network(run.ensemble(k), r)
            assert isinstance(twin[1], MODULES[activation])
            for layer, module in enumerate((twin[:2], twin[:4], twin[:5].append(squash))):
                expected = module(x).detach().numpy()
                np.testing.assert_allclose(layers[layer][r], expected, atol=1e-5)


@pytest.mark.parametrize("resample", [False, True])
@pytest.mark.parametrize("samples", ["train", "test"])
def test_samples_are_the_rows_of_each_replicates_own_split(samples, resample):
    run = trained(tiny(resample_split=resample))
    splits = replicate_splits(load(TASK), TASK, run.experiment.training)
    rows = splits[("train", "test").index(samples)]
    assert np.array_equal(rows[0], rows[1]) != resample
    for all_t, t in zip(run.activations(2), run.activations(2, samples), strict=True):
        for r in range(2):
            np.testing.assert_allclose(t[r], all_t[r, rows[r]], atol=1e-6)
    assert np.array_equal(run.labels(samples), load(TASK).y[rows])
    assert np.array_equal(run.labels(), load(TASK).y)


def test_labels_are_soft_where_the_task_knows_them():
    task = Task(train_fraction=0.05, gamma=10.0)
    run, dataset = trained(tiny(task)), load(task)
    assert np.array_equal(run.labels(), dataset.p_y_given_x)
    assert np.array_equal(run.labels("train")[1], dataset.p_y_given_x[dataset.train])


def test_unknown_samples_are_refused():
    with pytest.raises(FieldError, match="samples: 'valid' is not allowed; use one of all"):
        trained(tiny()).activations(0, "valid")


def test_history_has_a_row_for_each_epoch_and_sound_replicate():
    run = diverged(trained(tiny()), 0, 2)
    table = run.history()
    assert list(table) == [
        *("epoch", "replicate", "train_loss", "train_accuracy", "test_loss", "test_accuracy")
    ]
    rows = list(zip(table["epoch"], table["replicate"], strict=True))
    assert rows == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 1), (4, 1)]
    for epoch, replicate, *measures in table.itertuples(index=False):
        k = run.epochs.tolist().index(epoch)
        names = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")
        assert measures == [getattr(run, name)[k, replicate] for name in names]
    assert np.isfinite(table.to_numpy()).all()


def test_a_replicate_is_sound_before_the_epoch_at_which_it_diverged():
    run = diverged(trained(tiny()), 1, 2)
    assert run.epochs.tolist() == [0, 1, 2, 4]
    assert [run.sound(k).tolist() for k in range(4)] == [[True, True]] * 2 + [[True, False]] * 2


def test_a_run_needs_a_checkpoint():
    with pytest.raises(ValueError, match="at least one checkpoint"):
        Run.from_checkpoints(tiny(), "", [])


def test_checkpoints_with_a_gap_are_no_run():
    experiment = tiny()
    first, second, third, last = stream(Trainer(experiment, load(TASK), torch.device("cpu")))
    before = Run.from_checkpoints(experiment, "", [first])
    assert Run.from_checkpoints(experiment, "", [second, third], before=before).epochs[-1] == 2
    for gap in ([first, third], [second], [first, second, third, last, last]):
        with pytest.raises(ValueError, match="are not the first that the experiment records"):
            Run.from_checkpoints(experiment, "", gap)
    with pytest.raises(ValueError, match=r"their epochs \[0, 2\] are not the first"):
        Run.from_checkpoints(experiment, "", [third], before=before)


def test_checkpoint_keys_follow_from_the_content_alone():
    run = trained(tiny())
    first = tiny(epochs=2, checkpoints=3)
    assert Run.load(io.BytesIO(run.to_bytes())).checkpoint_keys == run.checkpoint_keys
    assert trained(first).checkpoint_keys == run.checkpoint_keys[:3]
    other = trained(tiny(network=Network("5-3", "relu")))
    lost = diverged(run, 0, 2)
    assert lost.checkpoint_keys[:2] == run.checkpoint_keys[:2]
    keys = {*run.checkpoint_keys, *other.checkpoint_keys, *lost.checkpoint_keys[2:]}
    assert len(keys) == 4 + 4 + 2


# Files that are no run


def arrays():
    """What a sound file holds, member by member."""
    with np.load(io.BytesIO(trained(tiny()).to_bytes()), allow_pickle=False) as content:
        return dict(content)


def packed(**changes):
    """A file like that of a run, with some members changed; None leaves them out."""
    members = {name: value for name, value in (arrays() | changes).items() if value is not None}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **members)
    return buffer.getvalue()


def with_meta(text=None, **changes):
    """A file whose meta is that text, or is changed in some entries."""
    meta = json.loads(str(arrays()["meta"])) | changes
    return packed(meta=np.array(json.dumps(meta) if text is None else text))


def zipped(name, content, method=zipfile.ZIP_DEFLATED):
    """A run's file with the bytes of one member replaced."""
    sound = zipfile.ZipFile(io.BytesIO(packed(**{name: None})))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for member in sound.namelist():
            archive.writestr(member, sound.read(member))
        archive.writestr(f"{name}.npy", content, method)
    return buffer.getvalue()


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def announcing(shape, data=b""):
    """The bytes of an array whose header promises more than follows."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header + data


def with_nan():
    weights = arrays()["w2"].copy()
    weights[1, 0, 0, 0] = np.nan
    return weights


def bomb():
    """A file whose directory announces 4 GiB for every member."""
    data = bytearray(packed())
    start = data.find(b"PK\1\2")
    while start >= 0:
        data[start + 24 : start + 28] = b"\xf0\xff\xff\xff"
        start = data.find(b"PK\1\2", start + 4)
    return bytes(data)


def encrypted():
    data = bytearray(packed())
    data[data.find(b"PK\1\2") + 8] |= 1
    return bytes(data)


def xy():
    buffer = io.BytesIO()
    np.savez(buffer, x=np.zeros((4, 2)), y=np.array([0, 1, 0, 1]))
    return buffer.getvalue()


def experiment_json(**sections):
    return json.loads(trained(tiny()).experiment.to_json()) | sections


DAMAGED = "it is damaged or no .npz file"
NO_RUN = "this is not a run file: it holds no experiment"
WRONG = {
    "empty": (lambda: b"", DAMAGED),
    "text": (lambda: b"epoch,layer\n0,1\n", DAMAGED),
    "an array alone": (lambda: npy(np.zeros(3)), DAMAGED),
    "a pickle": (lambda: pickle.dumps({"a": 1}), DAMAGED),
    "truncated": (lambda: packed()[:-100], DAMAGED),
    "beheaded": (lambda: packed()[100:], "is damaged"),
    "encrypted": (encrypted, DAMAGED),
    "packed otherwise": (lambda: zipped("w1", npy(np.zeros(3)), zipfile.ZIP_LZMA), DAMAGED),
    "unpacks to too much": (bomb, "'meta.npy' is damaged"),
    "someone's data": (xy, NO_RUN),
    "objects": (lambda: packed(w1=np.array([None, {}])), "'w1.npy' holds pickled objects"),
    "no array": (lambda: zipped("w1", b"nothing"), "'w1.npy' is damaged"),
    "header without data": (lambda: zipped("w1", announcing("(9, 9)")), "'w1.npy' is damaged"),
    "header of nonsense": (lambda: zipped("w1", announcing("(9")), "'w1.npy' is damaged"),
    "negative shape": (lambda: zipped("w1", announcing("(-1,)")), "'w1.npy' is damaged"),
    "array and more": (lambda: zipped("epochs", npy(np.arange(4)) + b"?"), "'epochs.npy' is dam"),
    "a million million": (lambda: zipped("w1", announcing(f"({10**12},)")), "is damaged"),
    "no weights": (lambda: packed(w2=None), "the array w2 is missing"),
    "no epochs": (lambda: packed(epochs=None), "the array epochs is missing"),
    "no meta": (lambda: packed(meta=None), NO_RUN),
    "half a test set": (lambda: packed(test_loss=None), "the array test_loss is missing"),
    "weights of a wider layer": (
        lambda: packed(w2=np.zeros((4, 2, 4, 5), np.float32)),
        "w2 has shape (4, 2, 4, 5), its experiment needs (4, 2, 3, 5)",
    ),
    "flat weights": (lambda: packed(w3=np.zeros(8, np.float32)), "w3 has shape (8,)"),
    "fewer losses": (lambda: packed(train_loss=np.zeros((3, 2), np.float32)), "train_loss has sh"),
    "more replicates": (lambda: packed(diverged=np.zeros(3, int)), "diverged has shape (3,)"),
    "double weights": (lambda: packed(w1=arrays()["w1"].astype(float)), "w1 has type float64"),
    "big-endian weights": (lambda: packed(b1=arrays()["b1"].astype(">f4")), "b1 has type >f4"),
    "text as weights": (lambda: packed(b1=arrays()["b1"].astype(str)), "b1 has type <U"),
    "fractions as epochs": (lambda: packed(epochs=np.array([0.0, 1, 2, 4])), "epochs has type f"),
    "one epoch": (lambda: packed(epochs=np.array(4)), "epochs has shape ()"),
    "a table of epochs": (lambda: packed(epochs=np.zeros((2, 2), int)), "epochs has shape (2, 2)"),
    "no epoch": (lambda: packed(epochs=np.zeros(0, int)), "epochs are not those of its"),
    "other epochs": (lambda: packed(epochs=np.array([0, 1, 3, 4])), "epochs are not those of its"),
    "more epochs": (lambda: packed(epochs=np.array([0, 1, 2, 4, 5])), "epochs are not those"),
    "NaN weights": (lambda: packed(w2=with_nan()), "the weights of layer 2 at epoch 1 are not fin"),
    "meta of prose": (lambda: with_meta("hello"), NO_RUN),
    "meta of bytes": (lambda: zipped("meta", npy(np.array(b"{"))), NO_RUN),
    "meta without end": (lambda: with_meta("[" * 100_000), NO_RUN),
    "meta of digits": (lambda: with_meta("9" * 10_000), NO_RUN),
    "meta of a list": (lambda: with_meta("[]"), NO_RUN),
    "another format": (lambda: with_meta(format=99), "format 99 is not 1"),
    "a format of two lines": (lambda: with_meta(format="1\n2"), "format '1\\n2' is not 1"),
    "no experiment": (lambda: with_meta(experiment=None), "experiment: 'null' is not allowed"),
    "unknown activation": (
        lambda: with_meta(experiment=experiment_json(network={"activation": "swish"})),
        "activation: 'swish' is not allowed",
    ),
    "unknown field": (lambda: with_meta(experiment=experiment_json(more=1)), "more: 1 is not"),
    "another network": (
        lambda: with_meta(experiment=experiment_json(network={"layers": "5-3-3"})),
        "the array w4 is missing",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_refused_in_one_clear_line(name, tmp_path):
    content, expected = WRONG[name]
    path = tmp_path / "run.npz"
    path.write_bytes(content())
    for file in (path, io.BytesIO(path.read_bytes())):
        with pytest.raises(ValueError) as caught:
            Run.load(file)
        message = str(caught.value)
        assert message.startswith("run file: ")
        assert expected in message
        assert len(message.splitlines()) == 1


def test_an_absent_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"nothing\.npz' does not exist"):
        Run.load(tmp_path / "nothing.npz")
    with pytest.raises(ValueError, match="is not a regular file"):
        Run.load(tmp_path)


def flipped(data, rng):
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 3, 20])):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def cut(data, rng):
    return data[: rng.randrange(len(data))]


def spliced(data, rng):
    start = rng.randrange(len(data))
    return data[:start] + rng.randbytes(rng.randrange(1, 50)) + data[start + rng.randrange(50) :]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("damage", [flipped, cut, spliced])
def test_damage_is_refused_in_one_line_or_has_changed_nothing(damage, save):
    run, rng, buffer = trained(tiny()), random.Random(5), io.BytesIO()
    save(buffer, **arrays())
    refused = [complaint(damage(buffer.getvalue(), rng), run) for _ in range(300)]
    refused = [text for text in refused if text is not None]
    assert len(refused) > 200
    for text in refused:
        assert text.startswith("run file: ")
        assert len(text.splitlines()) == 1


def complaint(content, run):
    """What the reader has against the file; None where it holds that very run."""
    try:
        again = Run.load(io.BytesIO(content))
    except ValueError as error:
        return str(error)
    assert_same(again, run)
    return None


def test_weights_and_data_that_do_not_belong_together_are_refused():
    run = trained(tiny())
    with pytest.raises(ValueError, match="the data of symmetric have changed since this run"):
        replace(run, fingerprint="0" * 16).activations(0)
    narrower = replace(run, weights=(run.weights[0][..., :7], *run.weights[1:]))
    with pytest.raises(ValueError, match="its weights do not fit the data of task symmetric"):
        Run.load(io.BytesIO(narrower.to_bytes())).activations(0)


def test_a_run_with_its_data_at_hand_does_not_load_them(monkeypatch):
    run, dataset = trained(tiny()), load(tiny().task)
    monkeypatch.setattr("ibcore.run.load", None)
    for known in (train(tiny(), dataset=dataset, device="cpu"), run.on(dataset)):
        assert known.dataset is dataset
        assert_same(known, run)
    with pytest.raises(ValueError, match="the data of symmetric have changed"):
        replace(run, fingerprint="0" * 16).on(dataset)


# Large files, and small ones that say they are large


OPENED = """
import sys
from ibcore.run import Run
def memory():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))
Run.load(sys.argv[1])
before = memory()
run = Run.load(sys.argv[2], mapped=True)
opened = memory() - before
keys = run.checkpoint_keys
used = memory() - before
del run
print(opened, used, memory() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory as Linux tells it")
def test_a_large_run_is_opened_without_taking_memory(tmp_path):
    trained(tiny(network=Network("700-700-700"))).save(tmp_path / "large.npz")
    trained(tiny()).save(tmp_path / "small.npz")
    size = (tmp_path / "large.npz").stat().st_size
    assert size > 30_000_000
    command = [sys.executable, "-c", OPENED, tmp_path / "small.npz", tmp_path / "large.npz"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    opened, used, closed = map(int, result.stdout.split())
    assert opened < size / 4
    assert used < size / 4
    assert closed < size / 4


def test_a_mapped_run_is_that_of_the_file_and_cannot_be_written_to(tmp_path):
    path, run = tmp_path / "run.npz", trained(tiny())
    run.save(path)
    content = path.read_bytes()
    mapped = Run.load(path, mapped=True)
    assert_same(mapped, run)
    assert all(w.flags.aligned for w in (*mapped.weights, *mapped.biases))
    with pytest.raises(ValueError, match="read-only"):
        mapped.weights[0][:] = 7
    assert_same(Run.load(io.BytesIO(content)), run)


@pytest.mark.parametrize("mapped", [False, True])
def test_a_run_stays_whole_while_its_file_is_replaced(mapped, tmp_path):
    path, run = tmp_path / "run.npz", trained(tiny())
    run.save(path)
    opened = Run.load(path, mapped=mapped)
    trained(tiny(seed=1)).save(path)
    assert_same(opened, run)
    path.unlink()
    assert_same(opened, run)


def test_a_run_stays_whole_while_its_file_is_written_over(tmp_path):
    path, run = tmp_path / "run.npz", trained(tiny())
    run.save(path)
    opened = Run.load(path)
    path.write_bytes(b"?" * path.stat().st_size)
    assert_same(opened, run)


def test_sizes_that_the_file_cannot_have_are_refused_at_once(tmp_path):
    """The directory of the file says of a stored array that it has 2^62 bytes."""
    path, content = tmp_path / "run.npz", bytearray(trained(tiny()).to_bytes())
    size = (1 << 62).to_bytes(8, "little")
    for start in re.finditer(b"w1.npy", bytes(content)):
        # Of the two only the directory's entry has sizes of its own before its name.
        entry = start.start() - 46
        if content[entry : entry + 4] == b"PK\1\2":
            content[entry + 20 : entry + 28] = b"\xff" * 8
            name, extra = 6, content[entry + 30] | content[entry + 31] << 8
            more = b"\1\0" + (16).to_bytes(2, "little") + size + size
            content[entry + 30 : entry + 32] = (extra + len(more)).to_bytes(2, "little")
            content[entry + 46 + name : entry + 46 + name] = more
            break
    end = len(content) - 22
    grown = int.from_bytes(content[end + 12 : end + 16], "little") + len(more)
    content[end + 12 : end + 16] = grown.to_bytes(4, "little")
    path.write_bytes(content)
    for mapped in (False, True):
        with pytest.raises(ValueError, match=r"run file: 'w1\.npy' is damaged"):
            Run.load(path, mapped=mapped)


def test_compressed_files_of_before_are_read(tmp_path):
    np.savez_compressed(tmp_path / "run.npz", **arrays())
    assert_same(Run.load(tmp_path / "run.npz"), trained(tiny()))


def test_only_the_arrays_of_a_run_are_read():
    junk = np.zeros(10**8)
    content = packed(junk=junk)
    assert len(content) < 10**6
    tracemalloc.start()
    run = Run.load(io.BytesIO(content))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert_same(run, trained(tiny()))
    assert peak < 10**7


def test_arrays_are_sized_by_their_headers_before_they_are_read():
    content = packed(w1=np.zeros((4, 2, 10**4, 10**3), np.float32))
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"w1 has shape \(4, 2, 10000, 1000\), its experiment"):
        Run.load(io.BytesIO(content))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10**7


def test_a_compressed_file_unpacks_to_a_limit(monkeypatch, tmp_path):
    size = sum(a.nbytes for name, a in arrays().items())
    monkeypatch.setattr("ibcore.archive.MAX_UNPACKED", size - 1)
    with pytest.raises(ValueError, match="it unpacks to more than"):
        Run.load(io.BytesIO(packed()))
    trained(tiny()).save(tmp_path / "run.npz")
    assert_same(Run.load(tmp_path / "run.npz"), trained(tiny()))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -1.0])
@pytest.mark.parametrize("name", ["train_loss", "train_accuracy", "test_loss", "test_accuracy"])
def test_losses_and_accuracies_that_are_none_are_refused_by_name(name, value):
    wrong = arrays()[name].copy()
    wrong[1, 0] = value
    with pytest.raises(ValueError, match=f"run file: {name} at epoch 1 is not "):
        Run.load(io.BytesIO(packed(**{name: wrong})))


def test_an_accuracy_beyond_one_is_refused():
    wrong = arrays()["test_accuracy"].copy()
    wrong[1, 0] = 1.5
    with pytest.raises(ValueError, match="test_accuracy at epoch 1 is not from 0 to 1"):
        Run.load(io.BytesIO(packed(test_accuracy=wrong)))


@pytest.mark.parametrize("epoch", [-5, -2, 5, 10**9])
def test_an_epoch_of_divergence_that_is_none_is_refused(epoch):
    with pytest.raises(ValueError, match=f"diverged holds {epoch}; it is an epoch up to 4, or -1"):
        Run.load(io.BytesIO(packed(diverged=np.array([-1, epoch]))))


@pytest.mark.parametrize("fingerprint", ["", "0" * 15, "x" * 16, "\x1b[31m", 7, None])
def test_a_fingerprint_of_another_form_is_refused(fingerprint):
    with pytest.raises(ValueError, match="is not 16 hexadecimal digits") as caught:
        Run.load(io.BytesIO(with_meta(fingerprint=fingerprint)))
    assert str(caught.value).isprintable()


def test_a_format_of_true_is_no_number():
    with pytest.raises(ValueError, match="format True is not 1"):
        Run.load(io.BytesIO(with_meta(format=True)))
