"""How the run on the screen and the work for it stand, and the page that looks again."""

import contextlib

import streamlit as st

import jobs
import runs
import session
from ahead import drawing
from describe import duration, experiment_line, plain, waiting
from placed import placed
from runs import Shown

ORIGINS = {
    "bundled": "It came with the program.",
    "cached": "It was trained here.",
    "partial": "It was stopped before its end.",
    "live": "It is in training.",
    "opened": "It was opened from a file.",
}


def body(draw) -> None:
    """Draw the page in a fragment that looks again while a worker is busy.

    `draw` returns whether one is; the timer runs only then.
    """
    polling = st.session_state.get("polling", False)

    def once() -> None:
        with drawing(), session.part():
            busy = draw()
        if busy != polling:
            st.session_state["polling"] = busy
            st.rerun(scope="app")

    st.fragment(once, run_every=0.5 if polling else None)()


@placed
def status(shown: Shown) -> jobs.Job | None:
    """Say where the run is from and how its training stands; the job that the page waits for."""
    notes()
    st.session_state["situation"] = runs.situation(shown)
    job = runs.training(shown)
    _follow(job)
    unkept = job is not None and job.state == "done" and not _is_finished(shown)
    if unkept:
        _unkept(job)
    elif job is not None:
        _job_line(job, "Training", shown.wanted.training.epochs)
    other = None if job is not None and job.active else _other_training()
    if not shown.is_wanted:
        _other_run(shown, job)
    elif not shown.run.complete and shown.origin != "live":
        _stopped(shown)
    _divergence(shown.run)
    st.caption(plain(f"{experiment_line(shown.run.experiment)} {ORIGINS[shown.origin]}"))
    return other or job


def _is_finished(shown: Shown) -> bool:
    """Whether this is the whole run that the settings ask for."""
    return shown.is_wanted and shown.run.complete


def _unkept(job: jobs.Job) -> None:
    """A training reached its end, and what it trained is not in the cache."""
    why = job.notices[-1] if job.notices else "the cache folder does not have it any more"
    st.error(plain(f"The training reached its end, but its result could not be kept: {why}"))


def _other_training() -> jobs.Job | None:
    """The progress of what was in training before the settings changed, with a way to end it."""
    key, epochs = st.session_state.get("in_training", (None, None))
    job = jobs.registry().get(key)
    if job is None or not job.active:
        return None
    text, button = st.columns([5, 1], vertical_alignment="center")
    with text:
        _job_line(job, "Training with the settings before", epochs)
    word = "Cancelling" if job.cancelled else "Cancel"
    if button.button(word, key="cancel_other", width="stretch", disabled=job.cancelled):
        job.cancel()
        st.rerun(scope="fragment")
    return job


def _follow(job: jobs.Job | None) -> None:
    """Draw the sidebar anew once a training has ended."""
    active = job is not None and job.active
    ended = st.session_state.get("training", False) and not active
    st.session_state["training"] = active
    if ended:
        st.rerun(scope="app")


def notes() -> None:
    """What was wrong with the link, and what the store had to say.

    Another session may take the store's words first.
    """
    for refused in st.session_state.get("refused", []):
        st.warning(f"The link: {plain(refused)}")
    with contextlib.suppress(IndexError):
        while True:
            st.toast(plain(runs.notices().popleft()))


def _stopped(shown: Shown) -> None:
    where = f"Stopped at epoch {shown.run.epochs[-1]:,} of {shown.wanted.training.epochs:,}."
    goes_on = " **Continue** in the sidebar goes on from there."
    opened = " This is what the opened file holds; **Run** in the sidebar trains it here."
    st.info(where + (opened if shown.origin == "opened" else goes_on))


def _job_line(job: jobs.Job, what: str, epochs: int | None = None) -> None:
    """The progress of a job with the time left, or how it failed."""
    for notice in job.notices:
        st.warning(plain(notice))
    if job.state == "failed":
        st.error(f"{what}: {plain(job.error)}")
    if not job.active:
        return
    if job.state == "waiting":
        st.caption(f"{what}, {waiting(jobs.registry().n_at_work())}")
        return
    if job.progress is None:
        st.progress(0.0, f"{what}: {'stopping' if job.cancelled else 'starting'}")
        return
    p = job.progress
    left = "" if p["seconds_left"] is None else f", {duration(p['seconds_left'])} left"
    where = "" if epochs is None else f"epoch {p['epoch']:,} of {epochs:,}, "
    share = p["done"] / p["total"]
    left = ", stopping" if job.cancelled else left
    st.progress(min(share, 1.0), f"{what}: {where}{share:.0%}{left}")


def _other_run(shown: Shown, job: jobs.Job | None) -> None:
    if shown.wanted is None:
        st.warning("The messages in red in the sidebar say what is wrong; this is another run.")
    elif job is not None and job.active:
        st.info("The new run appears with its first checkpoints; until then this is another run.")
    else:
        st.info(
            "The settings in the sidebar are not trained yet: press **Run** there. Until then"
            " this is another run."
        )


def _divergence(run) -> None:
    lost = [f"{r} at epoch {e}" for r, e in enumerate(run.diverged) if e >= 0]
    if lost:
        st.warning(
            "Weights ceased to be finite, so these replicates are left out from then on: "
            + ", ".join(lost)
            + "."
        )


@placed
def work_line(
    job: jobs.Job | None, what: str, name: str = "work", *, complete: bool = False
) -> None:
    """The progress of a worker at numbers for this page, with the way to stop it.

    `name` tells the buttons of several workers apart. `complete`: what the page shows
    does not wait for it.
    """
    if job is None:
        return
    if job.active:
        text, button = st.columns([5, 1], vertical_alignment="center")
        with text:
            _job_line(job, what)
        word = "Stopping" if job.cancelled else "Stop"
        stop = button.button(word, key=f"stop_{name}", width="stretch", disabled=job.cancelled)
        if stop:
            job.cancel()
            st.rerun(scope="fragment")
    else:
        _job_line(job, what)
        if job.cancelled or job.state == "failed":
            if not complete:
                st.info("This was stopped; what was computed is shown.")
            if st.button("Go on computing", key=f"resume_{name}"):
                job.allow_again()
                st.rerun()
