"""Images and labels in IDX files, the format of MNIST (LeCun, Cortes and Burges, 1998).

A file is a big-endian header (magic number 0x0800 + number of dimensions, then
the size of each dimension, 32 bits apiece) and the values as unsigned bytes,
plain or in gzip.
"""

import gzip
import math
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ibcore.experiment import Task, printable
from ibcore.tasks.dataset import Dataset
from ibcore.tasks.files import MAX_VALUES, check_count, check_folder, read_exactly, reading
from ibcore.tasks.images import fixed_dataset, scaled
from ibcore.tasks.labels import class_labels
from ibcore.tasks.split import split_indices

_NAME = re.compile(
    r"(?P<set>.+)-(?:(?P<images>images[-.]idx3)|labels[-.]idx1)-ubyte(?:\.gz)?", re.DOTALL
)
_UNSIGNED_BYTES = 0x0800
_GZIP = b"\x1f\x8b"
_TEST_SETS = ("t10k", "test")
_LISTED = 4


def load(task: Task) -> Dataset:
    """The image sets in the folder `task.path`: x (N, rows, columns) in [0, 1].

    A set is `NAME-images-idx3-ubyte` with `NAME-labels-idx1-ubyte`, each plain or
    with `.gz`. A set whose name ends in `train` and one whose name ends in `t10k`
    or `test` keep their roles (`fixed_split`; train_fraction then has no say);
    a single set is split by `task.train_fraction`. The sorted distinct labels of
    all sets become classes 0..C-1.

    Raises FieldError for a path that is no such folder, and ValueError, naming
    the file, for one that is truncated, mislabelled, damaged or empty.
    """
    check_folder(task.path, "folder of IDX files")
    folder = Path(task.path)
    with reading(folder):
        pairs = _pairs(folder)
        names = _roles(pairs)
    images, labels = zip(*_sets([pairs[name] for name in names]), strict=True)
    with reading(folder):
        return _dataset(task, images, labels)


def _sets(pairs: list[tuple[Path, Path]]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Images and labels of every pair of files; all images together are X."""
    left = MAX_VALUES
    for images_path, labels_path in pairs:
        images, labels = read_pair(images_path, labels_path, left)
        left -= images.size
        yield images, labels


def read_idx(path: Path, n_dims: int, limit: int = MAX_VALUES) -> np.ndarray:
    """The unsigned bytes of one IDX file of `n_dims` dimensions, at most `limit` of them.

    The announced sizes are compared with the data before memory is given to
    them. Raises ValueError, naming the file, where anything does not fit.
    """
    with reading(path), open(path, "rb") as plain:
        packed = plain.read(2) == _GZIP
        plain.seek(0)
        if not packed:
            return _parse(plain, n_dims, limit)
        with gzip.open(plain) as unpacked:
            return _parse(unpacked, n_dims, limit)


def _parse(file: BinaryIO, n_dims: int, limit: int) -> np.ndarray:
    header = file.read(4 * (1 + n_dims))
    wanted = _UNSIGNED_BYTES + n_dims
    if len(header) >= 4 and (magic := int.from_bytes(header[:4], "big")) != wanted:
        raise ValueError(f"magic number 0x{magic:08x}; 0x{wanted:08x} is expected")
    if len(header) < 4 * (1 + n_dims):
        raise ValueError(f"truncated: {len(header)} of {4 * (1 + n_dims)} bytes of header")
    shape = struct.unpack(f">{n_dims}I", header[4:])
    check_count(math.prod(shape), limit)
    data = read_exactly(file, math.prod(shape))
    return np.frombuffer(data, np.uint8).reshape(shape)


def _pairs(folder: Path) -> dict[str, tuple[Path, Path]]:
    images: dict[str, Path] = {}
    labels: dict[str, Path] = {}
    # In sorted order a plain file precedes, and so replaces, its gzip twin.
    for path in sorted(folder.iterdir()):
        if (match := _NAME.fullmatch(path.name)) and path.is_file():
            (images if match["images"] else labels).setdefault(match["set"], path)
    for name in sorted(images.keys() ^ labels.keys()):
        have, lack = ("images", "labels") if name in images else ("labels", "images")
        raise ValueError(f"{printable(name)} has {have} but no {lack}")
    return {name: (images[name], labels[name]) for name in images}


def _roles(names: dict[str, object]) -> list[str]:
    """The only set, or the training set and the test set."""
    train = [name for name in names if name.endswith("train")]
    test = [name for name in names if name.endswith(_TEST_SETS)]
    if len(names) == 1:
        return list(names)
    if len(names) == 2 and len(train) == len(test) == 1:
        return train + test
    raise ValueError(
        f"holds {_listed(names)}; one set of NAME-images-idx3-ubyte and"
        " NAME-labels-idx1-ubyte, or a train and a t10k set, is expected"
    )


def _listed(names: dict[str, object]) -> str:
    if not names:
        return "no such files"
    some = [printable(name) for name in sorted(names)[:_LISTED]]
    return "the sets " + ", ".join(some) + (", ..." if len(names) > _LISTED else "")


def read_pair(
    images_path: Path, labels_path: Path, limit: int = MAX_VALUES
) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, rows, columns) and labels (n,), as bytes, of two files that belong together.

    The images may have `limit` pixels. Raises ValueError, naming the file, where one does not
    fit its format or the other.
    """
    labels = read_idx(labels_path, 1)
    images = read_idx(images_path, 3, limit)
    if len(images) != len(labels):
        with reading(images_path):
            labels_name = printable(labels_path.name)
            raise ValueError(f"{len(images)} images but {len(labels)} labels in {labels_name}")
    return images, labels


def _dataset(task: Task, images: tuple[np.ndarray, ...], labels: tuple[np.ndarray, ...]) -> Dataset:
    sizes = [part.shape[1:] for part in images]
    if len(set(sizes)) > 1:
        raise ValueError(f"train images of {sizes[0]} pixels but test images of {sizes[1]}")
    found = class_labels(np.concatenate(labels))
    y, n_classes = found.y, len(found.classes)
    if len(images) == 2:
        by_set = np.split(y, [len(labels[0])])
        return fixed_dataset(images, by_set, n_classes, found.classes)
    train, test = split_indices(len(y), task.train_fraction, task.split_seed)
    return Dataset(scaled(images), y, n_classes, None, train, test, classes=found.classes)
