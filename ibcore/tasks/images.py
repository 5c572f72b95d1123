"""Images of bytes with the training and test set that their files give them."""

from collections.abc import Sequence

import numpy as np

from ibcore.tasks.dataset import Dataset

_BRIGHTEST = np.float32(255)


def scaled(images: Sequence[np.ndarray]) -> np.ndarray:
    """Sets of images, (n, ...) uint8 each, as one read-only array of float32 in [0, 1]."""
    x = np.concatenate(images) / _BRIGHTEST
    x.flags.writeable = False
    return x


def fixed_dataset(
    images: Sequence[np.ndarray],
    labels: Sequence[np.ndarray],
    n_classes: int,
    classes: tuple[str, ...] = (),
) -> Dataset:
    """The training set and the test set, of the same shape, as one data set.

    `classes` are their names, as in `Dataset`. Raises FieldError for labels that are no
    classes.
    """
    y = np.concatenate(labels).astype(np.int64)
    train, test = np.split(np.arange(len(y)), [len(labels[0])])
    return Dataset(scaled(images), y, n_classes, None, train, test, True, classes)
