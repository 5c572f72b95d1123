"""Which samples train and which test, for one data set and for every replicate."""

from collections.abc import Sequence

import numpy as np

from ibcore.experiment import FieldError, Task, Training
from ibcore.tasks.dataset import Dataset

# Streams of random numbers under one split seed s: [s] draws the data set's own
# split, [s, 1] soft labels and [s, 2, r] the split of replicate r.
_REPLICATE_STREAM = 2


def split_indices(
    n: int, train_fraction: float, seed: int | Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """A random split of 0..n-1 into `train` and `test`, int64, in shuffled order.

    `train` holds train_fraction n of them, rounded to the nearest whole number,
    but at least one; `test` is empty only where train_fraction (or n) is 1.
    Raises FieldError for n < 1 and a fraction outside (0, 1].
    """
    if n < 1:
        raise FieldError("n", n, "at least 1 sample")
    if not 0 < train_fraction <= 1:
        raise FieldError("train_fraction", train_fraction, "a number above 0 and at most 1")
    largest = n if train_fraction == 1 else n - 1
    n_train = max(1, min(largest, round(train_fraction * n)))
    order = np.random.default_rng(seed).permutation(n)
    return order[:n_train], order[n_train:]


def replicate_splits(
    dataset: Dataset, task: Task, training: Training
) -> tuple[np.ndarray, np.ndarray]:
    """The split of every replicate: `train` (R, n_train) and `test` (R, n_test), int64.

    Without `training.resample_split` every row is the data set's own split. With
    it row r is drawn from (task.split_seed, r) alone: more replicates leave the
    first ones as they were. Raises FieldError where splits are to be drawn but
    the files bring their own.
    """
    if not training.resample_split:
        rows = (training.replicates, 1)
        return np.tile(dataset.train, rows), np.tile(dataset.test, rows)
    if dataset.fixed_split:
        allowed = f"false: task {task.name} has its own train and test sets here"
        raise FieldError("resample_split", True, allowed)
    seeds = [(task.split_seed, _REPLICATE_STREAM, r) for r in range(training.replicates)]
    splits = [split_indices(len(dataset.y), task.train_fraction, seed) for seed in seeds]
    train, test = zip(*splits, strict=True)
    return np.stack(train), np.stack(test)
