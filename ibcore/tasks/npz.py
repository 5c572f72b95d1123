"""A person's own data: a NumPy archive with arrays `x` and `y`."""

import zipfile
from pathlib import Path

import numpy as np

from ibcore.experiment import Task
from ibcore.files import open_regular
from ibcore.tasks.columns import float32, standardised
from ibcore.tasks.dataset import Dataset, check_input_shape
from ibcore.tasks.files import check_file, reading
from ibcore.tasks.labels import read_labels
from ibcore.tasks.npy import StoredArray, stored
from ibcore.tasks.split import split_indices

MAX_LABEL_BYTES = 2**28
"""Bytes that `y` may have."""

_REAL = "biuf"
_TEXT = "US"


def load(task: Task) -> Dataset:
    """The samples in the file `task.path`, as `numpy.savez` writes it.

    `x` (N, ...) real and finite, at most 2**28 values (1 GiB as float32), becomes float32,
    standardised with `task.standardise`; `y` is what `ibcore.tasks.labels.read_labels`
    takes, at most 256 MiB. Both are sized by their headers before they are read, block by
    block. Other arrays in the file are not read, and nothing is ever unpickled.

    Raises FieldError for a path that is no regular file, and ValueError, naming the file
    and the array, for anything else that does not fit.
    """
    check_file(task.path, ".npz file")
    path = Path(task.path)
    with reading(path), open_regular(path) as file, zipfile.ZipFile(file) as archive:
        x, y = stored(archive, "x", _REAL), stored(archive, "y", _REAL + _TEXT)
        check_input_shape(x.shape)
        check_label_size(y)
        labels = read_labels(y.read(), x.shape[0], task.bin_y)
        values = _values(x, task.standardise)
        train, test = split_indices(len(labels.y), task.train_fraction, task.split_seed)
        return Dataset(
            values,
            labels.y,
            len(labels.classes),
            None,
            train,
            test,
            classes=labels.classes,
            labels_note=labels.note,
        )


def check_label_size(y: StoredArray) -> None:
    """Raises ValueError for more bytes than labels may have."""
    if y.header.n_bytes > MAX_LABEL_BYTES:
        allowed = f"at most {MAX_LABEL_BYTES} are allowed"
        raise ValueError(f"array y: announces {y.header.n_bytes} bytes; {allowed}")


def _values(x: StoredArray, standardise: bool) -> np.ndarray:
    """X in float32, read-only, so that nobody needs a copy of it."""
    values = standardised(x) if standardise else x.converted(np.float32, float32)
    values.flags.writeable = False
    return values
