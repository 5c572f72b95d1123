"""MNIST, Fashion-MNIST and CIFAR, on files of a few images in their true formats."""

import gzip
import io
import tarfile

import numpy as np
import pytest

from ibcore.experiment import Experiment, Task
from ibcore.tasks import SOURCES, load
from ibcore.tasks.downloads import Source, is_known

from .served import described
from .test_idx import packed, real_mnist

RNG = np.random.default_rng(0)
MNIST_NAMES = [file.name for file in SOURCES["mnist"].files]


@pytest.fixture
def given(tmp_path, monkeypatch):
    """Puts files where those of a task belong, and takes them for the known ones."""
    monkeypatch.setenv("IBCORE_DATA_DIR", str(tmp_path))

    def put(name: str, contents: dict[str, bytes]) -> Task:
        files = [described(n, content, "http://x.invalid/" + n) for n, content in contents.items()]
        monkeypatch.setitem(SOURCES, name, Source(name, tuple(files)))
        (tmp_path / name).mkdir()
        for n, content in contents.items():
            (tmp_path / name / n).write_bytes(content)
        return Task(name, train_fraction=0.3)

    return put


def grey(n: int) -> np.ndarray:
    return RNG.integers(0, 256, (n, 28, 28), dtype=np.uint8)


def mnist(train=5, test=3, labels=(0, 9, 4, 4, 1, 2, 0, 9)) -> tuple[np.ndarray, dict[str, bytes]]:
    images, labels = grey(train + test), np.array(labels, np.uint8)
    arrays = (images[:train], labels[:train], images[train:], labels[train:])
    files = {name: gzip.compress(packed(a)) for name, a in zip(MNIST_NAMES, arrays, strict=True)}
    return images, files


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_the_four_files_are_one_data_set(name, given):
    images, files = mnist()
    data = load(given(name, files))
    assert data.x.dtype == np.float32
    assert data.x == pytest.approx(images / 255, abs=1e-7)
    assert data.y.tolist() == [0, 9, 4, 4, 1, 2, 0, 9]
    assert (data.n_classes, data.p_y_given_x, data.fixed_split) == (10, None, True)
    assert (data.train.tolist(), data.test.tolist()) == ([0, 1, 2, 3, 4], [5, 6, 7])


def test_what_does_not_fit_together_is_refused(given, refusal):
    _, files = mnist()
    files["t10k-labels-idx1-ubyte.gz"] = gzip.compress(packed(np.zeros(4, np.uint8)))
    task = given("mnist", files)
    assert "3 images but 4 labels" in refusal(lambda: load(task))


def test_labels_beyond_the_classes_are_refused(given, refusal):
    task = given("mnist", mnist(labels=(0, 9, 4, 4, 1, 2, 0, 10))[1])
    assert "y: 10 is not allowed; use labels from 0 to 9" in refusal(lambda: load(task))


def archive(members: dict[str, bytes]) -> bytes:
    """The members as a .tar.gz, with a folder and a text beside them as in the published one."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, data in {"folder/readme.html": b"text", **members}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return content.getvalue()


def records(labels: np.ndarray, images: np.ndarray) -> bytes:
    return np.hstack([labels, images.reshape(len(images), -1)]).astype(np.uint8).tobytes()


TEN = "cifar-10-batches-bin/"
HUNDRED = "cifar-100-binary/"


def cifar(name: str) -> tuple[np.ndarray, np.ndarray, dict[str, bytes]]:
    """Images, their labels and the archive's members, the test set first as in neither."""
    images = RNG.integers(0, 256, (12, 3, 32, 32), dtype=np.uint8)
    if name == "cifar100":
        labels = np.stack([np.arange(12), 99 - np.arange(12)], axis=1)
        members = {HUNDRED + "test.bin": slice(10, 12), HUNDRED + "train.bin": slice(0, 10)}
    else:
        labels = np.arange(12)[:, None] % 10
        members = {TEN + "test_batch.bin": slice(10, 12)}
        members |= {f"{TEN}data_batch_{i}.bin": slice(2 * i - 2, 2 * i) for i in (2, 1, 3, 5, 4)}
    files = {member: records(labels[part], images[part]) for member, part in members.items()}
    return images, labels[:, -1], files


ARCHIVES = {name: SOURCES[name].files[0].name for name in ("cifar10", "cifar100")}


@pytest.mark.parametrize(("name", "n_classes"), [("cifar10", 10), ("cifar100", 100)])
def test_the_records_of_an_archive_are_one_data_set(name, n_classes, given):
    images, labels, members = cifar(name)
    data = load(given(name, {ARCHIVES[name]: archive(members)}))
    assert data.x.dtype == np.float32
    assert data.x.shape == (12, 3, 32, 32)
    assert data.x == pytest.approx(images / 255, abs=1e-7)
    assert data.y.tolist() == labels.tolist()
    assert (data.n_classes, data.fixed_split) == (n_classes, True)
    assert (data.train.tolist(), data.test.tolist()) == (list(range(10)), [10, 11])


def wrong_archives():
    """Archives that are refused and what is said of them."""
    members = cifar("cifar10")[2]
    last, test = TEN + "data_batch_5.bin", TEN + "test_batch.bin"
    packed = archive(members)
    beyond = records(np.array([[10]]), np.zeros((1, 3, 32, 32)))
    return {
        "a file is lacking": (archive({n: members[n] for n in members if n != last}), last),
        "half a record": (archive(members | {last: members[last][:-1]}), f"{last}: 6145 bytes are"),
        "an empty file": (archive(members | {test: b""}), f"{test}: 0 bytes are no records of"),
        "a label beyond": (archive(members | {test: beyond}), "y: 10 is not allowed"),
        "half an archive": (packed[: len(packed) // 2], "cannot be read"),
        "no archive": (b"<!DOCTYPE html>", "cannot be read"),
        "an empty archive": (b"", "cannot be read"),
    }


@pytest.mark.parametrize("case", wrong_archives())
def test_a_wrong_archive_is_refused(case, given, refusal):
    content, message = wrong_archives()[case]
    task = given("cifar10", {ARCHIVES["cifar10"]: content})
    text = refusal(lambda: load(task))
    assert message in text
    assert ARCHIVES["cifar10"] in text


def test_what_a_fixed_split_leaves_open_does_not_name_the_run():
    mnist, other = Experiment(Task("mnist")), Experiment(Task("mnist", 0.5, 3))
    assert mnist.key == other.key
    assert mnist.key != Experiment(Task("fashion_mnist")).key
    assert Experiment(Task("digits")).key != Experiment(Task("digits", 0.5)).key


def test_the_real_test_images_are_the_known_ones(monkeypatch):
    folder = real_mnist()
    files = SOURCES["mnist"].files[2:]
    if not all((folder / file.name).exists() for file in files):
        pytest.skip("the test images of MNIST are not there")
    assert all(is_known(folder / file.name, file) for file in files)
    assert [(folder / file.name).stat().st_size for file in files] == [f.size for f in files]
    # The training images may not be there: the test images stand in for them.
    monkeypatch.setitem(SOURCES, "mnist", Source("mnist", files * 2))
    data = load(Task("mnist"))
    assert data.x.shape == (20_000, 28, 28)
    assert (data.x[data.train] == data.x[data.test]).all()
    counts = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(data.y[data.test]).tolist() == counts
