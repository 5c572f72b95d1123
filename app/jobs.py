"""Long work in worker processes, one per distinct request, shared by all sessions.

A job belongs to the server, not to the page that started it: a browser reload
finds it again, and a second session that asks for the same joins it. The
worker's stdin is its lifeline: closing it cancels, and so does the death of this
process.
"""

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass, field

import streamlit as st

WORKER = (sys.executable, "-m", "ibcore.worker")
PATIENCE_SECONDS = 3.0
"""How long a worker that is to end may go on with what it is at."""


@dataclass
class Job:
    """A worker and the last it said; `state` is running, done, stopped or failed.

    `looked_for`: whether what it kept was looked for since it is done.
    """

    request: dict
    process: subprocess.Popen
    state: str = "running"
    progress: dict | None = None
    notices: list[str] = field(default_factory=list)
    error: str | None = None
    cancelled: bool = False
    retired: bool = False
    looked_for: bool = False
    seen: float = field(default_factory=time.monotonic)
    listener: threading.Thread | None = None

    @property
    def active(self) -> bool:
        """Whether the worker is still at it."""
        return self.state == "running"

    @property
    def busy(self) -> bool:
        """Whether the next look may find more: the worker is at it, or done since the last one."""
        return self.state in ("running", "done")

    def missed(self, unkept: str) -> None:
        """What it is done with is not there; at first sight it may have been kept just now."""
        if self.looked_for:
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
        last = said[-1].strip() if said else ""
        job.error = f"The worker ended with status {job.process.returncode}. {last}".strip()
        job.state = "failed"


class Jobs:
    """The jobs of this server, by key."""

    def __init__(self):
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}

    def start(self, key: str, request: dict) -> Job:
        """The job of that key: the running one, or a new worker for `request`."""
        with self._lock:
            job = self._jobs.get(key)
            if job is None or not job.active:
                job = self._jobs[key] = _launch(request)
            return job

    def retire_unseen(self, kind: str, seconds: float) -> None:
        """Retire the jobs of that kind that no page has asked about for so long."""
        now = time.monotonic()
        for key, job in list(self._jobs.items()):
            if key.startswith(kind) and job.active and now - job.seen > seconds:
                job.retire()

    def retire_work_on(self, experiment: dict) -> None:
        """Retire the work on what is trained of that experiment, which is to be trained on."""
        for job in list(self._jobs.values()):
            ours = job.request["job"] != "train" and job.request.get("experiment") == experiment
            if ours and job.active and not job.cancelled:
                job.retire()

    def get(self, key: str) -> Job | None:
        """The running or last job of that key."""
        return self._jobs.get(key)


def _launch(request: dict) -> Job:
    process = subprocess.Popen(
        WORKER,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    job = Job(request, process)
    # If it is gone already, the listener says why.
    with contextlib.suppress(OSError):
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
    job.listener = threading.Thread(target=_listen, args=(job,), daemon=True)
    job.listener.start()
    return job


@st.cache_resource(show_spinner=False)
def registry() -> Jobs:
    """The one registry of this server."""
    return Jobs()
