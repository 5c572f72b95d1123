import numpy as np
import pytest

from ibcore.experiment import Task
from ibcore.tasks import load


@pytest.fixture(scope="module")
def digits():
    return load(Task(name="digits", train_fraction=0.75))


def test_images_and_classes(digits):
    assert digits.x.shape == (1797, 8, 8)
    assert digits.n_classes == 10
    assert (digits.x.min(), digits.x.max()) == (0, 1)
    assert (digits.x * 16 == np.round(digits.x * 16)).all()
    assert np.bincount(digits.y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_labels_are_certain(digits):
    p = np.bincount(digits.y) / 1797
    assert digits.p_y_given_x is None
    assert digits.h_y == pytest.approx(-(p * np.log2(p)).sum())
    assert digits.i_xy == digits.h_y


def test_split(digits):
    assert (len(digits.train), len(digits.test)) == (1348, 449)
    assert not digits.fixed_split


def test_neighbours_of_an_image_share_its_label(digits):
    # Labels in another order than the images would leave one in ten correct.
    train, test = digits.x[digits.train].reshape(-1, 64), digits.x[digits.test].reshape(-1, 64)
    distance = (test**2).sum(1)[:, None] - 2 * test @ train.T + (train**2).sum(1)
    guess = digits.y[digits.train][distance.argmin(axis=1)]
    assert (guess == digits.y[digits.test]).mean() > 0.95
