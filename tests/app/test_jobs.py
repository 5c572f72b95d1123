"""Workers as the server sees them: joined, cancelled, killed, noisy, retired."""

import json
import sys
import time

import pytest

import asking
import jobs
from ibcore import Experiment, Network, Recording, Store, Task, Training
from ibcore.training import Progress
from tests.app.conftest import end_all

LONG = Experiment(
    Task(train_fraction=0.05), Network("4-3"), Training(epochs=100_000, replicates=2), Recording(20)
)


@pytest.fixture
def registry(tmp_path, monkeypatch):
    monkeypatch.setenv("IBCORE_CACHE_DIR", str(tmp_path))
    made = jobs.Jobs(cores=4)
    yield made
    end_all(made)


def request(experiment=LONG):
    return {"job": "train", "experiment": json.loads(experiment.to_json())}


def wait(condition):
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    pytest.fail("it did not happen within 30 s")


def test_equal_requests_share_a_worker_and_cancel_keeps_what_there_is(registry):
    job = registry.start("a", request())
    assert registry.start("a", request()) is job
    wait(lambda: job.progress is not None)
    assert {"done", "total", "epoch", "seconds_left"} == set(job.progress)
    assert set(job.progress) == set(Progress.__dataclass_fields__)
    job.cancel()
    wait(lambda: not job.active)
    assert job.state == "stopped"
    assert len(Store().find(LONG).epochs) > 1


def test_a_killed_worker_is_a_failed_job_that_can_be_started_again(registry):
    job = registry.start("a", request())
    job.process.kill()
    wait(lambda: not job.active)
    assert job.state == "failed"
    assert job.error == (
        "The worker was killed (status -9), as the system does when memory runs out."
    )
    assert registry.start("a", request()) is not job


def test_a_refused_request_says_why(registry):
    wrong = request()
    wrong["experiment"]["network"]["activation"] = "swish"
    job = registry.start("a", wrong)
    wait(lambda: not job.active)
    assert job.state == "failed"
    assert job.error.startswith("activation: 'swish' is not allowed")


def test_a_worker_that_prints_noise_ends_all_the_same(registry, monkeypatch):
    noise = "print('hello'); print('[1]'); print('{}')"
    monkeypatch.setattr(jobs, "WORKER", (sys.executable, "-c", noise))
    job = registry.start("a", request())
    wait(lambda: not job.active)
    assert job.state == "failed"


IDLE = "import sys; sys.stdin.read()"
"""A worker that lives until its stdin is closed."""


def test_a_training_that_goes_on_retires_what_is_computed_of_its_stop(registry, monkeypatch):
    monkeypatch.setattr(jobs, "WORKER", (sys.executable, "-c", IDLE))
    same, other = request()["experiment"], request(Experiment())["experiment"]
    of_same = registry.start("curves a", {"job": "curves", "experiment": same})
    of_other = registry.start("curves b", {"job": "curves", "experiment": other})
    of_file = registry.start("curves c", {"job": "curves", "run": "run.npz"})
    training = registry.start("train a", {"job": "train", "experiment": same})
    registry.retire_work_on(same)
    wait(lambda: not of_same.active)
    assert of_same.retired
    assert all(job.active for job in (of_other, of_file, training))


def test_a_retired_worker_that_does_not_listen_is_ended_and_has_not_failed(registry, monkeypatch):
    monkeypatch.setattr(jobs, "WORKER", (sys.executable, "-c", "import time; time.sleep(600)"))
    monkeypatch.setattr(jobs, "PATIENCE_SECONDS", 0.1)
    job = registry.start("curves a", {"job": "curves"})
    job.retire()
    wait(lambda: not job.active)
    assert job.state == "stopped"


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(jobs, "WORKER", (sys.executable, "-c", IDLE))
    monkeypatch.setattr(jobs, "WATCH_SECONDS", 0.05)


def states(*work):
    return [job.state for job in work]


def test_work_that_no_page_asks_about_ends_by_itself(registry, impatient, monkeypatch):
    kinds = ("curves", "probe", "train", "fetch")
    work = [registry.start(kind, {"job": kind}) for kind in kinds]
    long_ago = time.monotonic() - jobs.UNSEEN_SECONDS - 1
    for job in work:
        job.seen = long_ago
    looked_at = registry.start("sizes", {"job": "sizes"})
    wait(lambda: states(*work) == ["stopped", "stopped", "running", "running"])
    assert [job.retired for job in work] == [True, True, False, False]
    assert not any(job.cancelled for job in work)
    wait(lambda: looked_at.state == "running")


def test_as_many_workers_as_cores_and_the_last_looked_at_is_next(impatient):
    made = jobs.Jobs(cores=2)
    try:
        first, second, third, fourth, fifth = (
            made.start(f"curves {i}", {"job": "curves"}) for i in range(5)
        )
        training = made.start("train", {"job": "train"})
        assert states(first, second) == ["running"] * 2
        assert states(third, fourth, fifth, training) == ["waiting"] * 4
        assert made.n_at_work() == 2
        fourth.seen = time.monotonic()
        for ended, begun in ((first, training), (second, fourth), (training, fifth)):
            ended.cancel()
            wait(lambda begun=begun: begun.state == "running")
            assert ended.state == "stopped"
        assert third.state == "waiting"
        third.cancel()
        assert third.state == "stopped"
    finally:
        end_all(made)


def test_work_that_another_waits_for_is_left_sooner(impatient):
    made = jobs.Jobs(cores=1)
    try:
        before = made.start("curves a", {"job": "curves"})
        before.seen -= jobs.WANTED_SECONDS + 1
        time.sleep(0.3)
        assert before.state == "running"
        after = made.start("curves b", {"job": "curves"})
        wait(lambda: after.state == "running")
        assert before.retired
    finally:
        end_all(made)


def test_a_worker_that_cannot_be_started_is_a_failure_in_words(registry, monkeypatch):
    monkeypatch.setattr(jobs, "WORKER", ("/nowhere/python",))
    job = registry.start("a", request())
    assert job.state == "failed"
    assert job.error.startswith("No worker could be started (")


def test_what_is_done_is_looked_for_once_more_before_it_counts_as_lost(monkeypatch):
    """A worker may keep its last and end between a look and the question where it is."""
    job = jobs.Job({"job": "curves"}, state="done")
    made = jobs.Jobs(cores=1)
    made._jobs["curves a"] = job
    monkeypatch.setattr(jobs, "registry", lambda: made)
    assert asking.worker("curves a", dict, "it is lost") is job
    assert (job.state, job.busy, job.error) == ("done", True, None)
    assert asking.worker("curves a", dict, "it is lost") is job
    assert (job.state, job.busy, job.error) == ("failed", False, "it is lost")
    job.allow_again()
    assert job.state == "stopped"


def test_output_that_is_no_text_ends_no_job(monkeypatch):
    said = (
        "import sys, json; sys.stdin.readline(); sys.stdout.buffer.write(b'\\xff\\xfe\\n');"
        "sys.stderr.buffer.write(b'\\xff\\n');"
        "print(json.dumps({'event': 'done', 'complete': True}))"
    )
    monkeypatch.setattr(jobs, "WORKER", (sys.executable, "-c", said))
    job = jobs.Jobs(1).start("curves a", {"job": "curves"})
    job.listener.join(30)
    assert job.state == "done"


def test_a_result_that_was_found_and_then_removed_is_asked_for_again():
    job = jobs.Job({"job": "curves"}, state="done")
    job.missed("could not be kept")
    assert job.state == "done"
    job.missed("could not be kept")
    assert (job.state, job.error) == ("failed", "could not be kept")
    old = jobs.Job({"job": "curves"}, state="done")
    old.seen -= jobs.WANTED_SECONDS + 1
    old.missed("could not be kept")
    assert old.state == "stopped"
