import pytest

from ibcore.experiment import TASK_NAMES, Task
from ibcore.tasks import TASKS, load


def test_registry_holds_exactly_the_named_tasks():
    assert tuple(TASKS) == TASK_NAMES


@pytest.mark.parametrize("task", [Task(), Task(gamma=20.0), Task(name="digits")])
def test_equal_tasks_load_equal_data(task):
    one, two = load(task), load(task)
    assert one.fingerprint == two.fingerprint
    assert (one.train == two.train).all()
    assert (one.test == two.test).all()


@pytest.mark.parametrize("name", ["symmetric", "digits"])
def test_split_seed_moves_the_split_and_not_the_data(name):
    one, two = load(Task(name=name)), load(Task(name=name, split_seed=1))
    assert one.fingerprint == two.fingerprint
    assert (one.train != two.train).any()


@pytest.mark.parametrize("name", ["idx", "npz"])
@pytest.mark.parametrize("path", ["absent", "nul\0byte", "x" * 5000, "line\nbreak"])
def test_missing_path_is_refused(name, path, tmp_path, refusal):
    text = refusal(lambda: load(Task(name=name, path=str(tmp_path / path))))
    assert text.startswith("path: ")
