"""CIFAR-10 and CIFAR-100 in the binary form (Krizhevsky, 2009), read out of its archive.

A record is one byte of label (CIFAR-100: the coarse label, then the fine one) and 3072
bytes of colour: 1024 red, 1024 green, 1024 blue, each row by row.
"""

import math
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ibcore.experiment import Task
from ibcore.tasks.dataset import Dataset
from ibcore.tasks.files import reading
from ibcore.tasks.images import fixed_dataset
from ibcore.tasks.sources import SOURCES

_SHAPE = (3, 32, 32)
_PIXELS = math.prod(_SHAPE)


@dataclass(frozen=True)
class _Layout:
    """The files in the archive, and the bytes of label in a record: the last one counts."""

    train: tuple[str, ...]
    test: tuple[str, ...]
    n_labels: int
    n_classes: int


_LAYOUTS = {
    "cifar10": _Layout(
        tuple(f"cifar-10-batches-bin/data_batch_{i}.bin" for i in range(1, 6)),
        ("cifar-10-batches-bin/test_batch.bin",),
        1,
        10,
    ),
    "cifar100": _Layout(("cifar-100-binary/train.bin",), ("cifar-100-binary/test.bin",), 2, 100),
}


def load(task: Task) -> Dataset:
    """50,000 images to train on and 10,000 to test, x (60000, 3, 32, 32) in [0, 1].

    Ten classes, or the hundred fine ones of CIFAR-100. Raises MissingData where the
    archive is not there (see `ibcore.tasks.fetch`), and ValueError, naming it, where it
    cannot be read.
    """
    layout = _LAYOUTS[task.name]
    (archive,) = SOURCES[task.name].paths()
    with reading(archive):
        members = _members(archive, (*layout.train, *layout.test))
        sets = [_set(members, names, layout.n_labels) for names in (layout.train, layout.test)]
        return fixed_dataset(*zip(*sets, strict=True), layout.n_classes)


def _members(archive: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    """The files of these names, taken as they come: going back would unpack all again."""
    with tarfile.open(archive, "r|gz") as files:
        members = {
            file.name: files.extractfile(file).read() for file in files if file.name in names
        }
    for name in names:
        if name not in members:
            raise ValueError(f"holds no {name}")
    return members


def _set(
    members: dict[str, bytes], names: tuple[str, ...], n_labels: int
) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 3, 32, 32) and labels (n,) of the records in these files."""
    records = np.concatenate([_records(name, members[name], n_labels) for name in names])
    return records[:, n_labels:].reshape(-1, *_SHAPE), records[:, n_labels - 1]


def _records(name: str, data: bytes, n_labels: int) -> np.ndarray:
    size = n_labels + _PIXELS
    if not data or len(data) % size:
        raise ValueError(f"{name}: {len(data)} bytes are no records of {size}")
    return np.frombuffer(data, np.uint8).reshape(-1, size)
