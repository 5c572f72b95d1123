"""The handwritten digits that scikit-learn brings along: real data without a download."""

from ibcore.experiment import Task
from ibcore.tasks.dataset import Dataset
from ibcore.tasks.split import split_indices

_BRIGHTEST = 16


def load(task: Task) -> Dataset:
    """1797 digits, x (1797, 8, 8) in [0, 1] (sixteenths), ten classes.

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits,
    UCI Machine Learning Repository (1998), its test set.
    """
    # Imported here because it takes longer than all other tasks together.
    from sklearn.datasets import load_digits

    digits = load_digits()
    train, test = split_indices(len(digits.target), task.train_fraction, task.split_seed)
    return Dataset(digits.images / _BRIGHTEST, digits.target, 10, None, train, test)
