"""Long work in worker processes, one per distinct request, shared by all sessions.

A job belongs to the server, not to the page that started it: a browser reload
finds it again, and a second session that asks for the same joins it. The
worker's stdin is its lifeline: closing it cancels, and so does the death of this
process. There are as many workers at a time as cores; other jobs wait. Work that
no page asks about ends by itself, unless a person started it.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import streamlit as st

WORKER = (sys.executable, "-m", "ibcore.worker")
PATIENCE_SECONDS = 3.0
"""How long a worker that is to end may go on with what it is at."""

UNSEEN_SECONDS, WANTED_SECONDS = 20.0, 5.0
"""Work ends that no page has asked about for so long: with no other job waiting, and with one."""

WATCH_SECONDS = 1.0

OWN = ("train", "fetch")
"""Jobs that a person started: they go first, and on when nobody looks."""


@dataclass
class Job:
    """A worker and the last it said; `state` is waiting, running, done, stopped or failed.

    `process` is None until its turn comes; `seen`: when a page last asked about it, or when
    a person started it. `looked_for`: whether what it kept was looked for since it is done.
    """

    request: dict
    process: subprocess.Popen | None = None
    state: str = "waiting"
    progress: dict | None = None
    notices: list[str] = field(default_factory=list)
    error: str | None = None
    cancelled: bool = False
    retired: bool = False
    looked_for: bool = False
    seen: float = field(default_factory=time.monotonic)
    listener: threading.Thread | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def active(self) -> bool:
        """Whether the worker is still at it, or will be."""
        return self.state in ("waiting", "running")

    @property
    def busy(self) -> bool:
        """Whether the next look may find more: it is active, or done since the last one."""
        return self.active or self.state == "done"

    @property
    def own(self) -> bool:
        """Whether a person started it."""
        return self.request["job"] in OWN

    def missed(self, unkept: str) -> None:
        """Fail if the result is still missing at the second look in a row."""
        now = time.monotonic()
        if now - self.seen > WANTED_SECONDS:
            # It was found meanwhile, else a page would have asked; now it was removed.
            self.state = "stopped"
        elif self.looked_for:
            self.state, self.error = "failed", unkept
        self.looked_for = True

    def allow_again(self) -> None:
        """Let what a person stopped, or what failed, be asked for again."""
        self.state, self.cancelled = "stopped", False

    def cancel(self) -> None:
        """Ask the worker, for a person, to stop and to keep what it has."""
        self.cancelled = True
        self._end()

    def retire(self) -> None:
        """Ask the worker to stop because nobody looks at its work; it may be asked again."""
        self.retired = True
        self._end()

    def _end(self) -> None:
        """A worker in the middle of something long is killed; what it finished is on disk.

        Not a training: it hears it between checkpoints, whose weights would be lost.
        """
        with self.lock:
            if self.state == "waiting":
                self.state = "stopped"
            if self.process is None:
                return
        # An error here means that it has ended by itself in the meantime.
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        if self.request.get("job") != "train":
            timer = threading.Timer(PATIENCE_SECONDS, self.process.terminate)
            timer.daemon = True
            timer.start()

    def hear(self, event: dict) -> None:
        """Take in one event of the worker."""
        kind = event.pop("event")
        if kind == "progress":
            self.progress = event
        elif kind == "notice":
            self.notices.append(event["text"])
        elif kind == "error":
            self.error, self.state = event["message"], "failed"
        elif kind == "done":
            self.state = "done" if event["complete"] else "stopped"


def _listen(job: Job) -> None:
    """Follow the worker to its end."""
    said: deque[str] = deque(maxlen=5)
    with job.process:
        reader = threading.Thread(target=lambda: said.extend(job.process.stderr), daemon=True)
        reader.start()
        for line in job.process.stdout:
            try:
                job.hear(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError):
                # No event: the output of some library.
                said.append(line)
        reader.join()
    if job.state == "running" and (job.cancelled or job.retired):
        job.state = "stopped"
    if job.state == "running":
        job.error, job.state = _end_in_words(job.process.returncode, said), "failed"


def _end_in_words(status: int, said: Sequence[str]) -> str:
    if status == -getattr(signal, "SIGKILL", 9):
        return f"The worker was killed (status {status}), as the system does when memory runs out."
    last = said[-1].strip() if said else ""
    return f"The worker ended with status {status}. {last}".strip()


class Jobs:
    """The jobs of this server, by key; `cores` of them have a worker at a time."""

    def __init__(self, cores: int):
        self._cores = cores
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._watcher: threading.Thread | None = None

    def start(self, key: str, request: dict) -> Job:
        """The job of that key: the active one, or a new one for `request`."""
        with self._lock:
            job = self._jobs.get(key)
            if job is None or not job.active:
                job = self._jobs[key] = Job(request)
        self._launch_next()
        self._watch()
        return job

    def retire_work_on(self, experiment: dict) -> None:
        """Retire the work on what is trained of that experiment, which is to be trained on."""
        for job in self._active():
            ours = job.request["job"] != "train" and job.request.get("experiment") == experiment
            if ours and not job.cancelled:
                job.retire()

    def get(self, key: str) -> Job | None:
        """The active or last job of that key."""
        return self._jobs.get(key)

    def n_at_work(self) -> int:
        """How many workers there are."""
        return sum(job.state == "running" for job in list(self._jobs.values()))

    def _active(self) -> list[Job]:
        return [job for job in list(self._jobs.values()) if job.active]

    def _waiting(self) -> list[Job]:
        return [job for job in list(self._jobs.values()) if job.state == "waiting"]

    def _launch_next(self) -> None:
        """Start workers while there are cores for them."""
        with self._lock:
            while (waiting := self._waiting()) and self.n_at_work() < self._cores:
                self._launch(min(waiting, key=_turn))

    def _launch(self, job: Job) -> None:
        with job.lock:
            if job.state != "waiting":
                return
            try:
                job.process = _worker(job.request)
            except OSError as error:
                job.error, job.state = f"No worker could be started ({error}).", "failed"
                return
            job.state = "running"
        job.listener = threading.Thread(target=self._follow, args=(job,), daemon=True)
        job.listener.start()

    def _follow(self, job: Job) -> None:
        try:
            _listen(job)
        finally:
            self._launch_next()

    def _watch(self) -> None:
        """Look after work that nobody asks about as long as there is a job."""
        with self._lock:
            if self._watcher is None:
                self._watcher = threading.Thread(target=self._retire_unseen, daemon=True)
                self._watcher.start()

    def _retire_unseen(self) -> None:
        while True:
            with self._lock:
                active = self._active()
                if not active:
                    self._watcher = None
                    return
            limit = WANTED_SECONDS if self._waiting() else UNSEEN_SECONDS
            for job in active:
                left_alone = job.own or job.cancelled or job.retired
                if not left_alone and time.monotonic() - job.seen > limit:
                    job.retire()
            time.sleep(WATCH_SECONDS)


def _turn(job: Job) -> tuple[bool, float]:
    """What a person started comes first, in its order; then what was looked at last."""
    return (False, job.seen) if job.own else (True, -job.seen)


def _worker(request: dict) -> subprocess.Popen:
    process = subprocess.Popen(
        WORKER,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    )
    # If it is gone already, its listener says why.
    with contextlib.suppress(OSError):
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
    return process


@st.cache_resource(show_spinner=False)
def registry() -> Jobs:
    """The one registry of this server."""
    # Python 3.13 and newer knows which of them this process may use.
    return Jobs(getattr(os, "process_cpu_count", os.cpu_count)() or 1)
