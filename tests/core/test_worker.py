"""The worker as others see it: a process, a line in, lines out."""

import io
import json
import os
import queue
import random
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pandas as pd
import pytest

from ibcore import probes, worker
from ibcore.cache import DAMAGED
from ibcore.estimators import Binning, to_dict
from ibcore.experiment import Task
from ibcore.plane import information_curves
from ibcore.probes import GradientProbe
from ibcore.store import Store
from ibcore.tasks import SOURCES
from ibcore.tasks.downloads import Source
from ibcore.view import View
from tests.tasks.served import described, serving

from .test_run import assert_same, diverged, tiny, trained

HASTY = "from ibcore import journal, worker; journal.STATE_SECONDS = 0.05; worker.main()"
"""A worker that keeps its state often, so that a test need not wait for it."""

PATIENCE = 40
LONG = tiny(epochs=2500, checkpoints=30, batch_mode="full")
ENDLESS = tiny(epochs=1_000_000, checkpoints=30)


def train_request(experiment):
    return {"job": "train", "experiment": json.loads(experiment.to_json())}


def curves_request(**changes):
    request = {"job": "curves", "estimator": to_dict(Binning()), "values": [5, 30]}
    return request | changes


class Worker:
    """A worker process with its events."""

    def __init__(self, folder, request, program=("-m", "ibcore.worker")):
        self.process = subprocess.Popen(
            [sys.executable, *program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"IBCORE_CACHE_DIR": str(folder)},
        )
        self.lines = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()

    def _listen(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def event(self):
        """The next event, None once there are no more."""
        line = self.lines.get(timeout=PATIENCE)
        return None if line is None else json.loads(line)

    def events(self):
        """All events still to come."""
        heard, until = [], time.monotonic() + PATIENCE
        while (event := self.event()) is not None:
            assert time.monotonic() < until, "the worker does not end"
            heard.append(event)
        return heard

    def wait_for_progress(self, done):
        while True:
            event = self.event()
            assert event["event"] == "progress", event
            if event["done"] >= done:
                return

    def cancel(self):
        """Close its stdin; the last event, and the seconds until it came."""
        closed = time.monotonic()
        self.process.stdin.close()
        while (event := self.event())["event"] == "progress":
            assert time.monotonic() < closed + PATIENCE, "the worker does not end"
        return event, time.monotonic() - closed

    def ended_well(self):
        return self.process.wait(PATIENCE) == 0 and self.process.stderr.read() == ""


@contextmanager
def working(*args, **kwargs):
    started = Worker(*args, **kwargs)
    try:
        yield started
    finally:
        started.process.kill()
        started.process.wait()
        for stream in (started.process.stdin, started.process.stdout, started.process.stderr):
            stream.close()


class Lifeline:
    """A stream with one line that does not end before it is cut."""

    def __init__(self, line):
        self.line, self.cut = line, threading.Event()

    def readline(self):
        return self.line

    def read(self):
        self.cut.wait(PATIENCE)


def serve(request, monkeypatch, folder):
    """The events of a request that is served here, without a process."""
    monkeypatch.setenv("IBCORE_CACHE_DIR", str(folder))
    requests = Lifeline(request if isinstance(request, str) else json.dumps(request))
    told = io.StringIO()
    worker.serve(requests, told)
    requests.cut.set()
    return [json.loads(line) for line in told.getvalue().splitlines()]


# Requests that are carried out


def test_a_probe_is_answered_for_a_file_and_kept(tmp_path, monkeypatch):
    run = trained(tiny())
    run.save(tmp_path / "run.npz")
    probe = GradientProbe("sampled", 3, 9)
    request = {"job": "probe", "run": str(tmp_path / "run.npz"), "probe": probes.to_dict(probe)}
    *progress, last = serve(request, monkeypatch, tmp_path)
    assert last == {"event": "done", "complete": True}
    assert [event["done"] for event in progress] == [1, 2, 3, 4]
    table, done = Store(tmp_path).known_probed(run, probe)
    assert done == 4
    pd.testing.assert_frame_equal(table, probes.probed(run, probe))


def test_sample_sizes_are_answered_for_a_recorded_epoch(tmp_path, monkeypatch):
    run = trained(tiny())
    run.save(tmp_path / "run.npz")
    request = {"job": "sizes", "run": str(tmp_path / "run.npz"), "estimator": to_dict(Binning())}
    request |= {"view": {"subset": 100}}
    epoch = int(run.epochs[-1])
    *progress, last = serve(request | {"epoch": epoch}, monkeypatch, tmp_path)
    assert last == {"event": "done", "complete": True}
    table, done, total = Store(tmp_path).known_sample_sizes(
        run, len(run.epochs) - 1, Binning(), view=View("all", 100)
    )
    assert [event["done"] for event in progress] == list(range(1, total + 1))
    assert done == total == table["n"].nunique()
    (error,) = serve(request | {"epoch": epoch + 1}, monkeypatch, tmp_path)
    assert error["field"] == "epoch"


def test_training_tells_its_progress_and_then_that_it_is_done(tmp_path):
    with working(tmp_path, train_request(tiny(epochs=50))) as process:
        *progress, last = process.events()
        assert process.ended_well()
    assert last == {"event": "done", "complete": True}
    assert progress
    for event in progress:
        assert list(event) == ["event", "done", "total", "epoch", "seconds_left"]
        assert event["event"] == "progress"
    assert progress[-1]["done"] == progress[-1]["total"] == 50
    assert_same(Store(tmp_path).find(tiny(epochs=50)), trained(tiny(epochs=50)))


def test_what_a_library_prints_is_no_event(tmp_path):
    chatty = (
        "from ibcore import worker\n"
        "carried_out = worker.JOBS['train']\n"
        "worker.JOBS['train'] = lambda *args: print('hello') or carried_out(*args)\n"
        "worker.main()\n"
    )
    with working(tmp_path, train_request(tiny()), ("-c", chatty)) as process:
        assert process.events()[-1] == {"event": "done", "complete": True}
        assert process.process.stderr.read() == "hello\n"


def test_closing_stdin_stops_at_once_and_keeps_what_there_is(tmp_path):
    with working(tmp_path, train_request(ENDLESS)) as process:
        process.wait_for_progress(50)
        last, taken = process.cancel()
        assert process.events() == []
        assert process.ended_well()
    assert last == {"event": "done", "complete": False}
    assert taken < 2
    run = Store(tmp_path).find(ENDLESS)
    assert not run.complete
    assert run.epochs[-1] > 1


def test_a_killed_training_goes_on_and_ends_as_if_nothing_had_been(tmp_path):
    with working(tmp_path, train_request(LONG), ("-c", HASTY)) as process:
        process.wait_for_progress(300)
        process.process.kill()
    store, heard, notices = Store(tmp_path), [], []
    assert not store.holds(LONG)
    part = store.find(LONG)
    assert 1 < len(part.epochs) < 30
    again = Store(tmp_path, notice=notices.append)
    run = again.train(LONG, progress=heard.append, device="cpu")
    assert heard[0].done > 50
    assert_same(run, trained(LONG))
    assert notices == []


def test_two_workers_asked_for_the_same_both_end_well(tmp_path):
    with (
        working(tmp_path, train_request(LONG)) as one,
        working(tmp_path, train_request(LONG)) as other,
    ):
        for process in (one, other):
            assert process.events()[-1] == {"event": "done", "complete": True}
            assert process.ended_well()
    assert_same(Store(tmp_path).find(LONG), trained(LONG))


def test_a_killed_parent_takes_its_worker_with_it(tmp_path):
    parent = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-m', 'ibcore.worker'], stdin=subprocess.PIPE)\n"
        "child.stdin.write(sys.stdin.buffer.readline())\n"
        "child.stdin.flush()\n"
        "time.sleep(600)\n"
    )
    with working(tmp_path, train_request(ENDLESS), ("-c", parent)) as process:
        process.wait_for_progress(50)
        process.process.kill()
        # The worker holds the other end of both streams, which end when it does.
        *_, last = process.events()
        assert process.process.stderr.read() == ""
    assert last == {"event": "done", "complete": False}
    assert Store(tmp_path).find(ENDLESS).epochs[-1] > 1


def test_curves_are_computed_for_a_trained_experiment(tmp_path, monkeypatch):
    store = Store(tmp_path)
    run = store.train(tiny(), device="cpu")
    request = curves_request(experiment=json.loads(tiny().to_json()), view={"samples": "train"})
    *progress, last = serve(request, monkeypatch, tmp_path)
    assert last == {"event": "done", "complete": True}
    assert [(e["event"], e["done"], e["total"], e["epoch"]) for e in progress] == [
        ("progress", k + 1, 4, epoch) for k, epoch in enumerate((0, 1, 2, 4))
    ]
    assert progress[-1]["seconds_left"] == 0
    table, done = store.known_curves(run, Binning(), [5, 30], view=View("train"))
    assert done == 4
    pd.testing.assert_frame_equal(
        table, information_curves(run, Binning(), [5, 30], samples="train")
    )


def test_curves_are_computed_at_some_epochs_alone(tmp_path, monkeypatch):
    store, view = Store(tmp_path), View("test", 50)
    run = trained(tiny())
    request = curves_request(run=str(store.keep(run)), view=vars(view), epochs=[4, 0, 4])
    *progress, last = serve(request, monkeypatch, tmp_path)
    assert last == {"event": "done", "complete": True}
    assert [(e["done"], e["total"], e["epoch"]) for e in progress] == [(1, 2, 0), (2, 2, 4)]
    assert store.known_curves(run, Binning(), [5, 30], view=view, only=[0, 3])[1] == 2
    assert store.known_curves(run, Binning(), [5, 30], view=view, only=[0, 1])[1] == 1


def test_one_value_is_done_at_all_epochs_before_the_others(tmp_path, monkeypatch):
    store, run = Store(tmp_path), trained(tiny())
    seen = []
    whole = Store.curves

    def watched(self, run, estimator, values, **more):
        seen.append(list(values))
        return whole(self, run, estimator, values, **more)

    monkeypatch.setattr(Store, "curves", watched)
    request = curves_request(run=str(store.keep(run)), first=30)
    *progress, last = serve(request, monkeypatch, tmp_path)
    assert last == {"event": "done", "complete": True}
    assert seen == [[30], [5, 30]]
    assert [e["done"] for e in progress] == [1, 2, 3, 4, 1, 2, 3, 4]
    for values in seen:
        assert store.known_curves(run, Binning(), values)[1] == 4


def test_curves_are_computed_for_a_run_file_and_a_run_that_ended_in_divergence(
    tmp_path, monkeypatch
):
    store = Store(tmp_path)
    for run in (trained(tiny()), diverged(diverged(trained(tiny()), 0, 1), 1, 2)):
        request = curves_request(run=str(store.keep(run)))
        *_, last = serve(request, monkeypatch, tmp_path)
        assert last == {"event": "done", "complete": True}
        assert store.known_curves(run, Binning(), [5, 30])[1] == 4


def test_curves_as_a_process_and_cancelled(tmp_path):
    run = Store(tmp_path).train(tiny(Task("digits"), checkpoints=60, epochs=60), device="cpu")
    request = {"job": "curves", "experiment": json.loads(run.experiment.to_json())}
    request |= {"estimator": {"family": "kde", "variance": 0.1}, "values": [0.01, 0.05, 0.3]}
    with working(tmp_path, request) as process:
        process.wait_for_progress(1)
        last, taken = process.cancel()
        assert process.events() == []
        assert process.ended_well()
    assert last == {"event": "done", "complete": False}
    assert taken < 4


def test_data_are_fetched_with_progress_and_a_failure_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("IBCORE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(worker, "FETCH_SECONDS", 0)
    content = bytes(200_000)
    with serving() as server:
        source = Source("mnist", (server.file("train.gz", content),))
        monkeypatch.setitem(SOURCES, "mnist", source)
        request = {"job": "fetch", "task": "mnist"}
        *progress, last = serve(request, monkeypatch, tmp_path)
        assert last == {"event": "done", "complete": True}
        assert source.path(source.files[0]).read_bytes() == content
        assert progress[0]["seconds_left"] is None
        rising = [event["done"] for event in progress]
        assert rising == sorted(rising)
        assert rising[-1] == len(content)
        assert progress[-1] == {
            "event": "progress",
            "done": len(content),
            "total": len(content),
            "file": "train.gz",
            "seconds_left": 0,
        }
        wrong = described("other.gz", content, server.url + "/nowhere.gz")
        monkeypatch.setitem(SOURCES, "mnist", Source("mnist", (wrong,)))
        events = serve(request, monkeypatch, tmp_path)
    assert_one_error(events[-1:], None)
    assert "other.gz could not be fetched (127.0.0.1: it answers 404)" in events[-1]["message"]


def test_what_the_cache_has_to_say_is_passed_on(tmp_path, monkeypatch):
    Store(tmp_path).train(tiny(), device="cpu")
    (entry,) = tmp_path.glob("run-*/*")
    entry.write_bytes(b"")
    events = serve(train_request(tiny()), monkeypatch, tmp_path)
    assert events[0] == {"event": "notice", "text": DAMAGED}
    assert events[-1] == {"event": "done", "complete": True}


# Requests that are not


EXPERIMENT = json.loads(tiny().to_json())
WRONG = {
    "nothing": ("", "request"),
    "no JSON": ("{", "request"),
    "deep JSON": ("[" * 100_000, "request"),
    "a list": ("[]", "request"),
    "no job": ({}, "job"),
    "unknown job": ({"job": "paint"}, "job"),
    "a list as job": ({"job": ["train"]}, "job"),
    "no experiment": ({"job": "train"}, "experiment"),
    "a text as experiment": ({"job": "train", "experiment": "original-code"}, "experiment"),
    "unknown section": ({"job": "train", "experiment": {"net": {}}}, "net"),
    "bad field": ({"job": "train", "experiment": {"training": {"epochs": -1}}}, "epochs"),
    "bad device": ({"job": "train", "experiment": EXPERIMENT, "device": "abacus"}, None),
    "a number as device": ({"job": "train", "experiment": EXPERIMENT, "device": 0}, "device"),
    "no data": ({"job": "train", "experiment": {"task": {"name": "npz", "path": "/no"}}}, "path"),
    "not trained": (curves_request(experiment={"training": {"seed": 77}}), None),
    "neither": (curves_request(), "experiment"),
    "no download": ({"job": "fetch", "task": "digits"}, "task"),
    "no task to fetch": ({"job": "fetch"}, "task"),
    "no file": (curves_request(run="/nowhere/run.npz"), None),
    "a number as file": (curves_request(run=0), "run"),
}
WRONG_CURVES = {
    "no estimator": ({"estimator": None}, "estimator"),
    "no number to begin with": ({"first": "ten"}, "n_bins"),
    "unknown estimator": ({"estimator": {"family": "edge"}}, "estimator"),
    "a list as family": ({"estimator": {"family": []}}, "estimator"),
    "wrong bins": ({"estimator": {"family": "binning", "n_bins": 1}}, "n_bins"),
    "no values": ({"values": []}, "values"),
    "a number as values": ({"values": 30}, "values"),
    "wrong values": ({"values": [30, "many"]}, "n_bins"),
    "null values": ({"values": [30, None]}, "n_bins"),
    "a text as view": ({"view": "all"}, "view"),
    "an unknown part of the view": ({"view": {"rows": 5}}, "view"),
    "wrong samples": ({"view": {"samples": "some"}}, "samples"),
    "a list as samples": ({"view": {"samples": ["all"]}}, "samples"),
    "wrong subset": ({"view": {"subset": 0.5}}, "subset"),
    "wrong channels": ({"view": {"channels": "sum"}}, "channels"),
    "no epochs": ({"epochs": []}, "epochs"),
    "a number as epochs": ({"epochs": 0}, "epochs"),
    "an epoch that is not recorded": ({"epochs": [0, 3]}, "epochs"),
    "a list as epoch": ({"epochs": [[0]]}, "epochs"),
}


def assert_one_error(events, field):
    (event,) = events
    assert list(event) == ["event", "message", "field"]
    assert event["event"] == "error"
    assert event["field"] == field
    assert len(event["message"].splitlines()) == 1
    assert len(event["message"]) > 10


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_request_is_one_error(name, tmp_path, monkeypatch):
    request, field = WRONG[name]
    assert_one_error(serve(request, monkeypatch, tmp_path), field)


@pytest.mark.parametrize("name", WRONG_CURVES)
def test_a_wrong_request_for_curves_is_one_error(name, tmp_path, monkeypatch):
    changes, field = WRONG_CURVES[name]
    request = curves_request(run=str(Store(tmp_path).keep(trained(tiny())))) | changes
    assert_one_error(serve(request, monkeypatch, tmp_path), field)


def test_a_wrong_request_to_the_process_is_one_error_and_no_traceback(tmp_path):
    with working(tmp_path, "hello") as process:
        assert_one_error(process.events(), "request")
        assert process.ended_well()


def test_a_worker_killed_at_any_moment_leaves_a_cache_that_goes_on(tmp_path):
    """Killed while curves are kept: no damage, nothing computed twice, the same in the end."""
    run, values = trained(tiny(epochs=300, checkpoints=100)), list(range(2, 42))
    run.save(tmp_path / "run.npz")
    request = {"job": "curves", "run": str(tmp_path / "run.npz"), "values": values}
    request["estimator"] = to_dict(Binning())
    done, rng = 0, random.Random(1)
    for _ in range(2):
        with working(tmp_path, request) as worker:
            worker.wait_for_progress(done + 1)
            time.sleep(rng.uniform(0, 0.05))
        told = []
        known, now = Store(tmp_path, notice=told.append).known_curves(run, Binning(), values)
        assert now > done
        done = now
        expected = information_curves(run, Binning(), values)
        expected = expected[expected["epoch"].isin(known["epoch"])]
        # Another process may round an activation at the edge of a bin to its other side.
        pd.testing.assert_frame_equal(known, expected, atol=0.01)
    assert told == []
    assert done < 100, "killed before its end"
