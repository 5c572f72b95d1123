"""One piece of long work in a process of its own: `python -m ibcore.worker`.

The first line on stdin is the request, as JSON:

    {"job": "train", "experiment": {...}, "device": "auto"}
    {"job": "curves", "experiment": {...} or "run": PATH, "estimator": {...},
     "values": [...], "view": {"samples": "all", "subset": null, "channels": "concat"},
     "epochs": [0, 100], "first": 0.1}
    {"job": "probe", "experiment": {...} or "run": PATH, "probe": {...}}
    {"job": "sizes", "experiment": {...} or "run": PATH, "epoch": 100,
     "estimator": {...}, "view": {...}}
    {"job": "fetch", "task": "mnist"}
    {"job": "trials", "cases": [...], "estimators": [...], "n": 4096, "seeds": 10}

`device`, `view` and each part of it may be left out; above are their defaults. `epochs`,
recorded ones of the run, are all of them where they are left out; `first` is the value that is
done before the others, at all of these epochs, if one is. `cases` are names of TRUTHS, and so many
`seeds` count from 0.

Every line on stdout is an event, as JSON: `progress`, `notice`, `done` or
`error`. Closing stdin cancels: what was computed is kept in the store, and the
next request for the same goes on from there; of what was fetched, whole files are
kept. A killed parent closes it too.
"""

import gc
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import asdict, fields
from functools import partial
from typing import Any, TextIO

import numpy as np

from ibcore import probes
from ibcore.estimators import from_dict
from ibcore.experiment import Experiment, FieldError
from ibcore.run import Run
from ibcore.store import Store
from ibcore.tasks import fetch
from ibcore.theory import named_truths
from ibcore.training import Progress
from ibcore.trials import plan, seeds
from ibcore.view import View

FETCH_SECONDS = 0.1
"""Between two words about a download, of which pieces come much faster."""


def main() -> None:
    """Serve the request on stdin."""
    # The person at the screen comes first.
    if hasattr(os, "nice"):
        os.nice(5)
    events = sys.stdout
    # What a library prints is no event.
    with redirect_stdout(sys.stderr):
        serve(sys.stdin, events)
    # Else Python searches all of PyTorch for garbage once more, for a second, before it ends.
    gc.freeze()


def serve(requests: TextIO, events: TextIO) -> None:
    """Carry out the request on the first line, telling `events`, until `requests` ends."""
    stop = threading.Event()
    emit = _emitter(events, stop)
    try:
        line = requests.readline()
        threading.Thread(target=_wait_for_end, args=(requests, stop), daemon=True).start()
        request = _parsed(line)
        store = Store(notice=lambda text: emit("notice", text=text))
        emit("done", **JOBS[request["job"]](request, store, emit, stop.is_set))
    except FieldError as error:
        emit("error", message=str(error), field=error.field)
    except (ValueError, OSError, RuntimeError, MemoryError) as error:
        emit("error", message=" ".join(str(error).split()) or type(error).__name__, field=None)


def _parsed(line: str) -> dict:
    try:
        request = json.loads(line)
    except (json.JSONDecodeError, RecursionError):
        raise FieldError("request", line, "one JSON object in one line") from None
    if not isinstance(request, dict):
        raise FieldError("request", request, "one JSON object in one line")
    if request.get("job") not in tuple(JOBS):
        raise FieldError("job", request.get("job"), "one of " + ", ".join(JOBS))
    return request


def _part(request: dict, name: str, kind: type, default: object = None) -> Any:
    value = request.get(name, default)
    if not isinstance(value, kind):
        raise FieldError(name, value, _KINDS[kind])
    return value


_KINDS = {dict: "a JSON object", list: "a list", str: "a text", int: "a whole number"}


def _emitter(events: TextIO, stop: threading.Event) -> Callable[..., None]:
    def emit(event: str, **content) -> None:
        try:
            print(json.dumps({"event": event} | content), file=events, flush=True)
        except (BrokenPipeError, ValueError):
            stop.set()

    return emit


def _wait_for_end(requests: TextIO, stop: threading.Event) -> None:
    requests.read()
    stop.set()


def _train(request: dict, store: Store, emit, should_stop) -> dict:
    experiment = _experiment(request)

    def progress(p: Progress) -> None:
        emit("progress", **asdict(p))

    run = store.train(
        experiment,
        progress=progress,
        should_stop=should_stop,
        device=_part(request, "device", str, "auto"),
    )
    return {"complete": run.complete}


def _curves(request: dict, store: Store, emit, should_stop) -> dict:
    run = _requested_run(request, store)
    estimator = from_dict(_part(request, "estimator", dict))
    values, view = _part(request, "values", list), _view(request)
    only = _checkpoints(run, _part(request, "epochs", list, run.epochs.tolist()))
    first = [[request["first"]]] if "first" in request else []
    for part in (*first, values):
        work = partial(store.curves, run, estimator, part, view=view, only=only)
        ended = _by_checkpoint(run.epochs[only], emit, work, should_stop)
    return ended


def _view(request: dict) -> View:
    content = _part(request, "view", dict, {})
    known = [field.name for field in fields(View)]
    for name in content:
        if name not in known:
            raise FieldError("view", name, "only " + ", ".join(known))
    return View(**content)


def _checkpoints(run: Run, epochs: list) -> list[int]:
    """The checkpoints of recorded epochs, rising, each once."""
    if not epochs:
        raise FieldError("epochs", epochs, "at least one recorded epoch of the run")
    return sorted({_checkpoint(run, "epochs", epoch) for epoch in epochs})


def _checkpoint(run: Run, name: str, epoch: object) -> int:
    recorded = run.epochs.tolist()
    if isinstance(epoch, bool) or epoch not in recorded:
        raise FieldError(name, epoch, "recorded ones: " + ", ".join(map(str, recorded)))
    return recorded.index(epoch)


def _probe(request: dict, store: Store, emit, should_stop) -> dict:
    run = _requested_run(request, store)
    probe = probes.from_dict(_part(request, "probe", dict))
    return _by_checkpoint(run.epochs, emit, partial(store.probed, run, probe), should_stop)


def _sizes(request: dict, store: Store, emit, should_stop) -> dict:
    run = _requested_run(request, store)
    estimator = from_dict(_part(request, "estimator", dict))
    k = _checkpoint(run, "epoch", _part(request, "epoch", int))
    work = partial(store.sample_sizes, run, k, estimator, view=_view(request))
    return _in_turn(emit, work, should_stop)


def _by_checkpoint(epochs: np.ndarray, emit, work: Callable, should_stop) -> dict:
    """Do what goes through the checkpoints of these epochs, telling how far it is."""
    return _in_turn(emit, work, should_stop, lambda done: {"epoch": int(epochs[done - 1])})


def _in_turn(emit, work: Callable, should_stop, more: Callable[[int], dict] = lambda _: {}) -> dict:
    """Do what is done in parts, telling how far it is and, with `more`, where."""
    started, complete = time.monotonic(), False

    def progress(done: int, total: int) -> None:
        nonlocal complete
        complete = done == total
        left = (total - done) * (time.monotonic() - started) / done
        emit("progress", done=done, total=total, seconds_left=left, **more(done))

    work(progress=progress, should_stop=should_stop)
    return {"complete": complete}


def _fetch(request: dict, store: Store, emit, should_stop) -> dict:
    """`done` and `total` are bytes of all files that are wanting, `file` the one that comes."""
    started, told = time.monotonic(), 0.0

    def progress(file: str, done: int, total: int) -> None:
        nonlocal told
        now = time.monotonic()
        if done < total and now - told < FETCH_SECONDS:
            return
        told = now
        left = (total - done) * (now - started) / done if done else None
        emit("progress", done=done, total=total, file=file, seconds_left=left)

    complete = fetch(_part(request, "task", str), progress=progress, should_stop=should_stop)
    return {"complete": complete}


def _trials(request: dict, store: Store, emit, should_stop) -> dict:
    truths = named_truths(_part(request, "cases", list))
    estimators = [from_dict(content) for content in _part(request, "estimators", list)]
    count = seeds(_part(request, "seeds", int))
    questions = plan(truths, estimators, _part(request, "n", int), count)
    missing = [question for question in questions if not store.has_trial(question)]
    if not missing:
        return {"complete": True}
    return _in_turn(emit, partial(store.tried, missing), should_stop)


def _experiment(request: dict) -> Experiment:
    return Experiment.from_json(json.dumps(_part(request, "experiment", dict)))


def _requested_run(request: dict, store: Store) -> Run:
    if "run" in request:
        return Run.load(_part(request, "run", str), mapped=True)
    run = store.find(_experiment(request))
    if run is None:
        raise ValueError("run: this experiment has not been trained yet")
    return run


JOBS = {
    "train": _train,
    "curves": _curves,
    "probe": _probe,
    "sizes": _sizes,
    "fetch": _fetch,
    "trials": _trials,
}

if __name__ == "__main__":
    main()
