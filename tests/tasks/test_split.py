import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ibcore.experiment import FieldError, Task, Training
from ibcore.tasks import Dataset, replicate_splits, split_indices, stratified

sizes = st.integers(1, 300)
fractions = st.floats(0, 1, exclude_min=True)
seeds = st.integers(0, 2**32 - 1)


@given(sizes, fractions, seeds)
def test_split_is_a_partition(n, fraction, seed):
    """train and test are disjoint and together 0..n-1, and train is not empty."""
    train, test = split_indices(n, fraction, seed)
    assert sorted([*train, *test]) == list(range(n))
    assert len(train) >= 1
    assert train.dtype == test.dtype == np.int64


@given(sizes, fractions, seeds)
def test_split_has_the_nearest_size(n, fraction, seed):
    """|n_train - fraction n| <= 1/2, save that neither side is emptied by rounding."""
    n_train = len(split_indices(n, fraction, seed)[0])
    at_an_edge = n_train == 1 or n_train == n - 1
    assert abs(n_train - fraction * n) <= 0.5 or at_an_edge


@given(sizes, fractions, seeds)
@example(10, 0.99, 0)
def test_test_set_is_empty_only_when_asked(n, fraction, seed):
    """Where n > 1, test is empty exactly when train_fraction is 1."""
    test = split_indices(n, fraction, seed)[1]
    assert (len(test) == 0) == (fraction == 1 or n == 1)


@given(sizes, fractions, seeds)
def test_split_is_a_function_of_its_arguments(n, fraction, seed):
    """Equal arguments give equal splits, and a larger fraction only adds to train."""
    train, test = split_indices(n, fraction, seed)
    again = split_indices(n, fraction, seed)
    assert (train == again[0]).all()
    assert (test == again[1]).all()
    assert set(train) <= set(split_indices(n, 1.0, seed)[0][: len(train)])


def test_every_sample_trains_equally_often():
    counts = np.zeros(10)
    for seed in range(2000):
        counts[split_indices(10, 0.3, seed)[0]] += 1
    # Binomial(2000, 0.3): standard deviation 20.5; five of them.
    assert abs(counts - 600).max() < 103


@pytest.mark.parametrize(("n", "fraction"), [(0, 0.5), (5, 0.0), (5, 1.1), (5, float("nan"))])
def test_split_refuses(n, fraction):
    with pytest.raises(FieldError):
        split_indices(n, fraction, 0)


def dataset(n: int, task: Task, fixed: bool = False) -> Dataset:
    split = split_indices(n, task.train_fraction, task.split_seed)
    y = np.arange(n) % 2
    return Dataset(np.arange(n)[:, None], y, 2, None, *split, fixed)


def splits(task: Task, replicates: int, resample: bool = True, n: int = 50, fixed: bool = False):
    training = Training(replicates=replicates, resample_split=resample)
    return replicate_splits(dataset(n, task, fixed), task, training)


@pytest.mark.parametrize("fixed", [True, False])
def test_replicates_share_the_split_of_the_data(fixed):
    task = Task(split_seed=3)
    train, test = splits(task, 4, resample=False, fixed=fixed)
    data = dataset(50, task)
    assert train.tolist() == [data.train.tolist()] * 4
    assert test.tolist() == [data.test.tolist()] * 4


@given(st.integers(2, 60), fractions, seeds)
def test_resampled_rows_are_partitions(n, fraction, seed):
    """Every replicate's train and test set partition 0..n-1, in the sizes of the data's split."""
    task = Task(train_fraction=fraction, split_seed=seed)
    train, test = splits(task, 3, n=n)
    data = dataset(n, task)
    assert train.shape == (3, len(data.train))
    assert test.shape == (3, len(data.test))
    rows = np.concatenate([train, test], axis=1)
    assert (np.sort(rows, axis=1) == np.arange(n)).all()


def test_more_replicates_leave_the_first_ones():
    few, many = splits(Task(split_seed=5), 3), splits(Task(split_seed=5), 7)
    assert (few[0] == many[0][:3]).all()
    assert (few[1] == many[1][:3]).all()


def test_replicates_differ_from_each_other_and_with_the_seed():
    rows = [tuple(row) for seed in range(3) for row in splits(Task(split_seed=seed), 5)[0]]
    rows += [tuple(dataset(50, Task(split_seed=seed)).train) for seed in range(3)]
    assert len(set(rows)) == 18


def test_files_with_their_own_split_cannot_be_resampled():
    with pytest.raises(FieldError, match="resample_split: True is not allowed") as caught:
        splits(Task(name="idx", path="folder"), 2, fixed=True)
    assert caught.value.field == "resample_split"


labels = st.lists(st.integers(0, 4), min_size=1, max_size=80).map(np.array)


@given(labels, st.integers(1, 100), seeds)
def test_every_class_keeps_its_share_of_a_stratified_subset(y, n, seed):
    """min(n, N) distinct samples, of class c ⌊n N_c/N⌋ or ⌈n N_c/N⌉; all for n >= N."""
    index = stratified(y, n, seed)
    assert index.dtype == np.int64
    assert len(index) == min(n, len(y))
    assert (np.diff(index) > 0).all()
    assert set(index) <= set(range(len(y)))
    exact = np.bincount(y, minlength=5) * len(index) / len(y)
    assert (abs(np.bincount(y[index], minlength=5) - exact) < 1).all()
    assert (index == stratified(y, n, seed)).all()


def test_every_sample_of_a_class_is_chosen_equally_often():
    y, counts = np.array([0] * 6 + [1] * 4), np.zeros(10)
    for seed in range(2000):
        counts[stratified(y, 5, seed)] += 1
    # Binomial(2000, 1/2): standard deviation 22.4; five of them.
    assert abs(counts - 1000).max() < 112


def test_a_subset_of_no_samples_is_refused():
    with pytest.raises(FieldError, match="n: 0 is not allowed; use at least 1"):
        stratified(np.array([0, 1]), 0, 0)
