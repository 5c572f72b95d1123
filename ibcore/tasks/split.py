"""Which samples train and which test, for one data set and for every replicate."""

from collections.abc import Sequence

import numpy as np

from ibcore.experiment import FieldError, Task, Training
from ibcore.tasks.dataset import Dataset

# Streams of random numbers under one split seed s: [s] draws the data set's own
# split, [s, 1] soft labels, [s, 2, r] the split of replicate r and [s, 3] a subset.
_REPLICATE_STREAM = 2
_SUBSET_STREAM = 3


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


def stratified(y: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Indices, int64 and rising, of a random n of the N samples with labels `y` (N,).

    Class c, of N_c samples, has n N_c / N of them, rounded down or up: up where the
    remainder is largest, and among equal ones in the smallest labels. All N where n is
    no less. Raises FieldError for n < 1.
    """
    if n < 1:
        raise FieldError("n", n, "at least 1 sample")
    if n >= len(y):
        return np.arange(len(y))
    _, classes, counts = np.unique(y, return_inverse=True, return_counts=True)
    order = np.random.default_rng((seed, _SUBSET_STREAM)).permutation(len(y))
    by_class = order[np.argsort(classes[order], kind="stable")]
    place = np.arange(len(y)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.sort(by_class[place < np.repeat(_shares(counts, n), counts)])


def _shares(counts: np.ndarray, n: int) -> np.ndarray:
    """n divided in proportion to the counts, by the largest remainders."""
    shares, remainders = np.divmod(counts * n, counts.sum())
    largest = np.argsort(-remainders, kind="stable")[: n - shares.sum()]
    shares[largest] += 1
    return shares


def replicate_splits(
    dataset: Dataset, task: Task, training: Training
) -> tuple[np.ndarray, np.ndarray]:
    """The samples of every replicate: `train` (R, n_train) and `test` (R, n_test), int64.

    By default every row is the data set's own split. With `resample_split` row r
    is drawn from (task.split_seed, r) alone: more replicates leave the first ones
    as they were. In batch mode parallel row r of `train` is the r-th minibatch of
    one shuffled epoch. Raises FieldError where splits are to be drawn but the files
    bring their own, and where there are fewer minibatches than parallel networks.
    """
    check_split(dataset, task, training)
    if training.batch_mode == "parallel":
        return _own_minibatches(dataset.train, training), _repeated(dataset.test, training)
    if not training.resample_split:
        return _repeated(dataset.train, training), _repeated(dataset.test, training)
    seeds = [(task.split_seed, _REPLICATE_STREAM, r) for r in range(training.replicates)]
    splits = [split_indices(len(dataset.y), task.train_fraction, seed) for seed in seeds]
    train, test = zip(*splits, strict=True)
    return np.stack(train), np.stack(test)


def check_split(dataset: Dataset, task: Task, training: Training) -> None:
    """Refuse what `replicate_splits` cannot give."""
    if training.resample_split and dataset.fixed_split:
        allowed = f"false: task {task.name} has its own train and test sets here"
        raise FieldError("resample_split", True, allowed)
    if training.batch_mode != "parallel":
        return
    n_train, size, networks = len(dataset.train), training.batch_size, training.replicates
    if size > n_train:
        raise FieldError("batch_size", size, f"at most {n_train}, the training samples")
    if networks * size > n_train:
        allowed = f"at most {n_train // size}: there are no more minibatches of {size}"
        raise FieldError("replicates", networks, allowed)


def _repeated(index: np.ndarray, training: Training) -> np.ndarray:
    return np.tile(index, (training.replicates, 1))


def _own_minibatches(train: np.ndarray, training: Training) -> np.ndarray:
    order = epoch_order(train[None], training.seed, 0)[0]
    networks, size = training.replicates, training.batch_size
    return order[: networks * size].reshape(networks, size)


def epoch_order(train: np.ndarray, seed: int, epoch: int) -> np.ndarray:
    """The training samples (R, n) in the order of the epoch that starts at `epoch`."""
    return np.random.default_rng([seed, epoch]).permuted(train, axis=1)
