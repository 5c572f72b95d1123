"""Tasks: a `Task` in, a `Dataset` out; one module for each kind."""

from collections.abc import Callable

from ibcore.experiment import FieldError, Task
from ibcore.tasks import cifar, digits, downloads, idx, mnist, npz, symmetric
from ibcore.tasks.dataset import Dataset
from ibcore.tasks.downloads import DownloadError, MissingData
from ibcore.tasks.sources import SOURCES
from ibcore.tasks.split import (
    check_split,
    epoch_order,
    replicate_splits,
    split_indices,
    stratified,
)

TASKS: dict[str, Callable[[Task], Dataset]] = {
    "symmetric": symmetric.load,
    "digits": digits.load,
    "mnist": mnist.load,
    "fashion_mnist": mnist.load,
    "cifar10": cifar.load,
    "cifar100": cifar.load,
    "idx": idx.load,
    "npz": npz.load,
}


def load(task: Task) -> Dataset:
    """The data of `task`: the same for equal tasks, as long as their files are the same.

    Nothing is downloaded. Raises MissingData, one line, where files are not there that
    `fetch` would get, and FieldError or ValueError where its files cannot be used.
    """
    return TASKS[task.name](task)


def fetch(
    name: str,
    *,
    progress: downloads.Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> bool:
    """Download the data of the task of that name, unless they are there; see `downloads.fetch`.

    Raises FieldError for a task that needs no download, and DownloadError, one line,
    where one fails.
    """
    if name not in tuple(SOURCES):
        raise FieldError("task", name, "one of " + ", ".join(SOURCES))
    return downloads.fetch(SOURCES[name], progress=progress, should_stop=should_stop)


__all__ = [
    "SOURCES",
    "TASKS",
    "Dataset",
    "DownloadError",
    "MissingData",
    "check_split",
    "epoch_order",
    "fetch",
    "load",
    "replicate_splits",
    "split_indices",
    "stratified",
]
