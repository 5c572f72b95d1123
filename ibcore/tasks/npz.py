"""A person's own data: a NumPy archive with arrays `x` and `y`."""

import math
import os
import tokenize
import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ibcore.experiment import FieldError, Task
from ibcore.tasks.dataset import Dataset, class_indices
from ibcore.tasks.files import check_count, read_exactly, reading
from ibcore.tasks.split import split_indices

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
_HEADER_FAULTS = (
    ValueError,
    SyntaxError,
    TypeError,
    tokenize.TokenError,
    RecursionError,
    MemoryError,
)


def load(task: Task) -> Dataset:
    """The samples in the file `task.path`, as `numpy.savez` writes it.

    `x` (N, ...) real and finite, read as float32; `y` (N,) whole numbers from 0,
    whose sorted distinct values become classes 0..C-1. Other arrays in the file
    are ignored, and nothing is ever unpickled.

    Raises FieldError for a path that is no file, and ValueError, naming the file
    and the array, for anything else that does not fit.
    """
    if not os.path.isfile(task.path):
        raise FieldError("path", task.path, "an existing .npz file")
    path = Path(task.path)
    with reading(path):
        x, y = _arrays(path)
        y, n_classes = class_indices(y)
        train, test = split_indices(len(y), task.train_fraction, task.split_seed)
        return Dataset(x, y, n_classes, None, train, test)


def _arrays(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with zipfile.ZipFile(path) as archive:
        return _array(archive, "x"), _array(archive, "y")


def _array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    try:
        info = archive.getinfo(name + ".npy")
    except KeyError:
        raise ValueError(f"holds no array {name}; arrays x and y are expected") from None
    if info.compress_type not in _METHODS or info.flag_bits & _ENCRYPTED:
        raise ValueError(f"array {name} is packed in a way that NumPy does not write")
    with archive.open(info) as file:
        try:
            return _parse(file)
        except ValueError as error:
            raise ValueError(f"array {name}: {error}") from None


def _parse(file: BinaryIO) -> np.ndarray:
    """One array, its announced size compared with the data before memory is given to it."""
    shape, fortran_order, dtype = _header(file)
    if dtype.kind not in "biuf":
        raise ValueError(f"type {dtype}; real numbers are expected")
    if min(shape, default=1) < 0:
        raise ValueError(f"announces shape {shape}")
    check_count(math.prod(shape))
    data = read_exactly(file, math.prod(shape) * dtype.itemsize)
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran_order else "C")


def _header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    # Versions 2 and 3 exist for structured arrays, and their headers may be huge.
    try:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            return np.lib.format.read_array_header_1_0(file)
    except _HEADER_FAULTS:
        raise ValueError("damaged header") from None
    raise ValueError(f"format {version}; (1, 0), that of plain numbers, is expected")
