"""MNIST and Fashion-MNIST: four IDX files in gzip, under the names that both share."""

from ibcore.experiment import Task
from ibcore.tasks.dataset import Dataset
from ibcore.tasks.files import reading
from ibcore.tasks.idx import read_pair
from ibcore.tasks.images import fixed_dataset
from ibcore.tasks.sources import SOURCES


def load(task: Task) -> Dataset:
    """60,000 images to train on and 10,000 to test, x (70000, 28, 28) in [0, 1], ten classes.

    Raises MissingData where the files are not there (see `ibcore.tasks.fetch`), and
    ValueError, naming the file, for one that cannot be read.
    """
    source = SOURCES[task.name]
    train_images, train_labels, test_images, test_labels = source.paths()
    sets = (read_pair(train_images, train_labels), read_pair(test_images, test_labels))
    with reading(source.folder):
        return fixed_dataset(*zip(*sets, strict=True), 10)
