import errno
import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibcore.experiment import Task
from ibcore.tasks import load

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (6, 3, 2), dtype=np.uint8)
LABELS = np.array([0, 1, 2, 1, 0, 2], np.uint8)


def packed(array: np.ndarray, magic: int | None = None, shape: tuple[int, ...] | None = None):
    """The array as IDX, or with another magic number or announced shape."""
    magic = 0x0800 + array.ndim if magic is None else magic
    shape = array.shape if shape is None else shape
    return struct.pack(f">{1 + len(shape)}I", magic, *shape) + array.tobytes()


def write(folder: Path, name: str = "data", images=IMAGES, labels=LABELS, suffix="") -> Task:
    """One set of files; `images` and `labels` are arrays, or the bytes of a file."""
    for kind, content in (("images-idx3", images), ("labels-idx1", labels)):
        content = content if isinstance(content, bytes) else packed(content)
        content = gzip.compress(content) if suffix == ".gz" else content
        (folder / f"{name}-{kind}-ubyte{suffix}").write_bytes(content)
    return Task(name="idx", path=str(folder))


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_one_set_is_split(tmp_path, suffix):
    write(tmp_path, suffix=suffix)
    data = load(Task(name="idx", path=str(tmp_path), train_fraction=0.5))
    assert data.x.dtype == np.float32
    assert data.x == pytest.approx(IMAGES / 255, abs=1e-7)
    assert (data.x.shape, data.y.tolist(), data.n_classes) == ((6, 3, 2), LABELS.tolist(), 3)
    assert (len(data.train), len(data.test), data.fixed_split) == (3, 3, False)


@pytest.mark.parametrize("test_name", ["t10k", "test"])
def test_train_and_test_sets_keep_their_roles(tmp_path, test_name):
    write(tmp_path, test_name, IMAGES[:2], LABELS[:2])
    data = load(write(tmp_path, "train", IMAGES[2:], LABELS[2:], ".gz"))
    assert data.fixed_split
    assert data.x[data.train] == pytest.approx(IMAGES[2:] / 255, abs=1e-7)
    assert data.y[data.train].tolist() == LABELS[2:].tolist()
    assert data.y[data.test].tolist() == LABELS[:2].tolist()


def test_labels_of_both_sets_are_mapped_together(tmp_path):
    write(tmp_path, "train", IMAGES[:3], np.array([9, 4, 4], np.uint8))
    data = load(write(tmp_path, "t10k", IMAGES[3:], np.array([7, 9, 7], np.uint8)))
    assert data.n_classes == 3
    assert data.y.tolist() == [2, 0, 0, 1, 2, 1]


def test_names_with_a_dot_serve_and_other_files_are_ignored(tmp_path):
    (tmp_path / "train-images.idx3-ubyte").write_bytes(packed(IMAGES))
    (tmp_path / "train-labels.idx1-ubyte").write_bytes(packed(LABELS))
    (tmp_path / "README").write_text("notes")
    assert len(load(Task(name="idx", path=str(tmp_path))).y) == 6


def test_a_plain_file_precedes_its_compressed_twin(tmp_path):
    write(tmp_path, suffix=".gz", images=b"damaged")
    assert len(load(write(tmp_path)).y) == 6


def test_compression_is_told_from_the_content(tmp_path):
    task = write(tmp_path, images=gzip.compress(packed(IMAGES)))
    assert load(task).x == pytest.approx(IMAGES / 255, abs=1e-7)


WRONG_IMAGES = {
    "empty file": (b"", "truncated: 0 of 16 bytes"),
    "half a header": (packed(IMAGES)[:9], "truncated: 9 of 16 bytes"),
    "truncated data": (packed(IMAGES)[:-1], "truncated: 35 of the 36"),
    "trailing data": (packed(IMAGES) + b"\0", "more than the 36"),
    "labels as images": (packed(LABELS), "magic number 0x00000801"),
    "another type": (packed(IMAGES, magic=0x0D03), "magic number 0x00000d03"),
    "no images": (packed(IMAGES[:0]), "announces 0 values"),
    "no pixels": (packed(IMAGES[:, :0]), "announces 0 values"),
    "more images than data": (packed(IMAGES, shape=(2**20, 16, 16)), "truncated: 36 of the"),
    "more than any memory": (packed(IMAGES, shape=(2**32 - 1,) * 3), "announces 79228"),
    "fewer images than labels": (packed(IMAGES[:5]), "5 images but 6 labels"),
    "text": (b"<!DOCTYPE html><html></html>", "magic number 0x3c21444f"),
}


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("case", WRONG_IMAGES)
def test_wrong_images_are_refused(tmp_path, refusal, case, suffix):
    content, message = WRONG_IMAGES[case]
    task = write(tmp_path, images=content, suffix=suffix)
    text = refusal(lambda: load(task))
    assert message in text
    assert "images-idx3-ubyte" in text


WRONG_LABELS = {
    "empty file": (b"", "truncated: 0 of 8 bytes"),
    "truncated": (packed(LABELS)[:-1], "truncated: 5 of the 6"),
    "images as labels": (packed(IMAGES), "magic number 0x00000803"),
    "one class": (packed(LABELS * 0), "at least 2 classes"),
    "no labels": (packed(LABELS[:0]), "announces 0 values"),
}


@pytest.mark.parametrize("case", WRONG_LABELS)
def test_wrong_labels_are_refused(tmp_path, refusal, case):
    content, message = WRONG_LABELS[case]
    text = refusal(lambda: load(write(tmp_path, labels=content)))
    assert message in text
    assert str(tmp_path) in text


def changed(content: bytes, place: int, value: int) -> bytes:
    return content[:place] + bytes([value]) + content[place + 1 :]


PACKED = gzip.compress(packed(IMAGES))
WRONG_GZIP = {
    "truncated": PACKED[:-9],
    "without its checksum": PACKED[:-8],
    "of another method": changed(PACKED, 2, 7),
    "with a wrong checksum": changed(PACKED, len(PACKED) - 6, PACKED[-6] ^ 1),
    "with damaged data": changed(PACKED, 12, PACKED[12] ^ 255),
    "followed by something": PACKED + b"more",
    "of two bytes": PACKED[:2],
}


@pytest.mark.parametrize("case", WRONG_GZIP)
def test_damaged_gzip_is_refused(tmp_path, refusal, case):
    task = write(tmp_path, images=WRONG_GZIP[case])
    assert "images-idx3-ubyte: " in refusal(lambda: load(task))


def test_a_bomb_is_not_unpacked(tmp_path, refusal):
    bomb = gzip.compress(packed(IMAGES) + bytes(50_000_000), compresslevel=9)
    task = write(tmp_path, images=bomb)
    assert "more than the 36" in refusal(lambda: load(task))


@pytest.mark.parametrize("names", [["data", "more"], ["train", "my-train"], ["a", "train", "t10k"]])
def test_sets_without_clear_roles_are_refused(tmp_path, refusal, names):
    tasks = [write(tmp_path, name) for name in names]
    assert "one set of NAME" in refusal(lambda: load(tasks[0]))


def test_a_folder_without_sets_is_refused(tmp_path, refusal):
    (tmp_path / "images.png").write_bytes(b"")
    assert "holds no such files" in refusal(lambda: load(Task(name="idx", path=str(tmp_path))))


def test_a_file_instead_of_a_folder_is_refused(tmp_path, refusal):
    path = tmp_path / "file"
    path.write_bytes(packed(IMAGES))
    text = refusal(lambda: load(Task(name="idx", path=str(path))))
    assert "an existing folder" in text


@pytest.mark.parametrize("lacking", ["images", "labels"])
def test_half_a_set_is_refused(tmp_path, refusal, lacking):
    task = write(tmp_path)
    next(tmp_path.glob(f"*{lacking}*")).unlink()
    assert f"but no {lacking}" in refusal(lambda: load(task))


def test_what_is_no_file_is_no_part_of_a_set(tmp_path, refusal):
    task = write(tmp_path)
    images = next(tmp_path.glob("*images*"))
    images.unlink()
    os.mkfifo(images)
    assert "but no images" in refusal(lambda: load(task))


def test_sets_of_different_image_sizes_are_refused(tmp_path, refusal):
    write(tmp_path, "train")
    task = write(tmp_path, "t10k", IMAGES[:, :2])
    assert "(3, 2) pixels but test images of (2, 2)" in refusal(lambda: load(task))


def test_images_of_both_sets_share_one_limit(tmp_path, refusal, monkeypatch):
    monkeypatch.setattr("ibcore.tasks.idx.MAX_VALUES", 40)
    assert len(load(write(tmp_path, "train")).y) == 6
    task = write(tmp_path, "t10k")
    assert "t10k-images-idx3-ubyte: announces 36 values; at most 4" in refusal(lambda: load(task))


@pytest.mark.parametrize("pairs", [[("b", IMAGES[:5])], [("b", IMAGES), ("c", IMAGES)]])
def test_names_of_files_are_echoed_short_and_printable(tmp_path, refusal, pairs):
    for name, images in pairs:
        task = write(tmp_path, f"\x1b[31m\udcff{name}" + "n" * 200, images)
    text = refusal(lambda: load(task))
    assert text.isprintable()
    assert "\\x1b[31m\\udcff" in text
    assert len(text) < 2 * len(str(tmp_path)) + 400


def test_a_folder_without_permission_is_named_so(tmp_path, refusal, monkeypatch):
    task = write(tmp_path)

    def denied(path, **_):
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr(os, "stat", denied)
    assert "cannot be read: permission denied" in refusal(lambda: load(task))


@given(data=st.data(), compressed=st.booleans())
def test_damage_is_refused_or_harmless(tmp_path_factory, complaint, data, compressed):
    """Whatever is done to the bytes of a file, it is read or refused by one line naming it."""
    content = PACKED if compressed else packed(IMAGES)
    place = data.draw(st.integers(0, len(content) - 1))
    end = data.draw(st.integers(place, len(content)))
    content = content[:place] + data.draw(st.binary(max_size=4)) + content[end:]
    task = write(tmp_path_factory.mktemp("idx"), images=content)
    text = complaint(lambda: load(task))
    assert text is None or (task.path in text and len(text.splitlines()) == 1)


def real_mnist() -> Path:
    folder = Path(os.environ.get("IBCORE_DATA_DIR", "")) / "mnist"
    if "IBCORE_DATA_DIR" not in os.environ or not folder.is_dir():
        pytest.skip("IBCORE_DATA_DIR names no folder with mnist in it")
    return folder


def test_real_mnist_test_images():
    data = load(Task(name="idx", path=str(real_mnist())))
    # The folder may hold the training images too; the test images are then `test`.
    chosen = data.test if data.fixed_split else slice(None)
    images, labels = data.x[chosen], data.y[chosen]
    assert images.shape == (10_000, 28, 28)
    assert images.dtype == np.float32
    assert (images.min(), images.max()) == (0, 1)
    counts = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(labels).tolist() == counts
    assert labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    # The mean of the test images, known from the normalisation used everywhere.
    assert images.mean() == pytest.approx(0.1325, abs=5e-4)
