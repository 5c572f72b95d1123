"""Asking a worker, mostly about the run on the screen."""

import time
from collections.abc import Callable

import jobs
from runs import Shown, as_json, notices, store


def ask(shown: Shown, key: str, request: dict, unkept: str) -> jobs.Job | None:
    """`worker` at a request about the run on the screen.

    None where the run cannot be handed to a worker, because no file can be written.
    """
    try:
        return worker(key, lambda: request | _of(shown), unkept)
    except OSError as error:
        notices().append(f"cache: the run cannot be handed to a worker ({error})")
        return None


def worker(key: str, request: Callable[[], dict], unkept: str) -> jobs.Job:
    """The worker at that request: the one at work, the one that failed, or a new one.

    `unkept` says what is wrong where a worker is done and the cache has nothing.
    """
    job = jobs.registry().get(key)
    if job is not None and not job.retired:
        if job.state == "done":
            job.missed(unkept)
        job.seen = time.monotonic()
        if job.busy or job.state == "failed" or job.cancelled:
            return job
    return jobs.registry().start(key, request())


def _of(shown: Shown) -> dict:
    if shown.origin in ("bundled", "opened"):
        return {"run": str(store().keep(shown.run))}
    return {"experiment": as_json(shown.run.experiment)}
