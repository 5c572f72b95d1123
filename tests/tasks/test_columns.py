"""Columns that are too large for the first layer are named, others are not."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_wine

from ibcore.experiment import Task
from ibcore.tasks import load
from ibcore.tasks.columns import column_sizes, size_notice

RNG = np.random.default_rng(0)


def wine(folder) -> Task:
    data = load_wine()
    np.savez(folder / "wine.npz", x=data.data, y=data.target)
    return Task("npz", path=str(folder / "wine.npz"))


def test_sizes_are_root_mean_squares():
    x = RNG.normal(size=(50, 2, 3)).astype(np.float32)
    assert column_sizes(x) == pytest.approx(np.sqrt((x.astype(float) ** 2).mean(0)).ravel())


def test_wine_is_named_until_it_is_standardised(tmp_path):
    task = wine(tmp_path)
    notice = load(task).size_notice
    assert "12 counted from 0, has size 810" in notice
    assert "smallest, 7, has 0.3825" in notice
    assert "saturate before training; turn on Standardise (task.standardise=true)" in notice
    assert len(notice.splitlines()) == 1
    assert load(replace(task, standardise=True)).size_notice == ""


@pytest.mark.parametrize("name", ["symmetric", "digits"])
def test_tasks_that_bring_their_data_are_not_named(name):
    assert load(Task(name)).size_notice == ""


SMALL = {
    "images in [0, 1]": RNG.random((20, 8, 8)) * (np.arange(64).reshape(8, 8) > 30),
    "rare ones": (RNG.random((1000, 5)) < [0.5, 0.1, 0.01, 0.001, 0]),
    "standardised": RNG.normal(size=(1000, 4)),
    "nothing": np.zeros((5, 2)),
}


@pytest.mark.parametrize("case", SMALL)
def test_small_columns_are_not_named(case):
    assert size_notice(SMALL[case].astype(np.float32)) == ""


def test_images_of_bytes_are_named():
    assert "has size 255" in size_notice(np.full((4, 3), 255, np.float32))
