"""Workers as the server sees them: joined, cancelled, killed, noisy, retired."""

import json
import sys
import time

import pytest

import asking
import jobs
from ibcore import Experiment, Network, Recording, Store, Task, Training
from ibcore.training import Progress

LONG = Experiment(
    Task(train_fraction=0.05), Network("4-3"), Training(epochs=100_000, replicates=2), Recording(20)
)


@pytest.fixture
def registry(tmp_path, monkeypatch):
    monkeypatch.setenv("IBCORE_CACHE_DIR", str(tmp_path))
    made = jobs.Jobs()
    yield made
    for job in made._jobs.values():
        job.process.kill()
        job.listener.join()


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
    assert "-9" in job.error
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


def test_only_jobs_that_nobody_asks_about_are_retired(registry, monkeypatch):
    monkeypatch.setattr(jobs, "WORKER", (sys.executable, "-c", IDLE))
    old, new, other = (registry.start(key, request()) for key in ("curves a", "curves b", "train"))
    old.seen = other.seen = time.monotonic() - 60
    registry.retire_unseen("curves ", 10)
    wait(lambda: not old.active)
    assert old.retired
    assert not old.cancelled
    assert new.active
    assert other.active


def test_what_is_done_is_looked_for_once_more_before_it_counts_as_lost(monkeypatch):
    """A worker may keep its last and end between a look and the question where it is."""
    job = jobs.Job({"job": "curves"}, process=None, state="done")
    made = jobs.Jobs()
    made._jobs["curves a"] = job
    monkeypatch.setattr(jobs, "registry", lambda: made)
    assert asking.worker("curves a", dict, "it is lost") is job
    assert (job.state, job.busy, job.error) == ("done", True, None)
    assert asking.worker("curves a", dict, "it is lost") is job
    assert (job.state, job.busy, job.error) == ("failed", False, "it is lost")
    job.allow_again()
    assert job.state == "stopped"
