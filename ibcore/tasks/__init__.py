"""Tasks: a `Task` in, a `Dataset` out; one module for each kind."""

from collections.abc import Callable

from ibcore.experiment import Task
from ibcore.tasks import digits, idx, npz, symmetric
from ibcore.tasks.dataset import Dataset
from ibcore.tasks.split import check_split, epoch_order, replicate_splits, split_indices

TASKS: dict[str, Callable[[Task], Dataset]] = {
    "symmetric": symmetric.load,
    "digits": digits.load,
    "idx": idx.load,
    "npz": npz.load,
}


def load(task: Task) -> Dataset:
    """The data of `task`: the same for equal tasks, as long as their files are the same.

    Raises FieldError or ValueError, one line, where its files cannot be used.
    """
    return TASKS[task.name](task)


__all__ = [
    "TASKS",
    "Dataset",
    "check_split",
    "epoch_order",
    "load",
    "replicate_splits",
    "split_indices",
]
