"""Data that are not there: what is wanting, and its download."""

import streamlit as st

import jobs
from describe import duration, plain, waiting
from ibcore import MissingData
from ibcore.tasks.downloads import in_words

POLL_SECONDS = 0.5


def draw(missing: MissingData) -> None:
    """Which files are wanting, how large, where from and where to; the button that gets them."""
    with st.container(border=True):
        st.markdown(f":red[The data of {plain(missing.task)} are not there.]")
        st.caption("  \n".join(plain(line) for line in _lines(missing)))
        job = jobs.registry().get(_key(missing))
        polling = job is not None and job.active
        st.fragment(_download, run_every=POLL_SECONDS if polling else None)(missing, polling)


def _lines(missing: MissingData) -> list[str]:
    """What is wanting, where it is to be had and where it belongs."""
    files = [f"{file.name}, {in_words(file.size)}" for file in missing.files]
    differ = [f"{name} is there with another content" for name in missing.damaged]
    places = [f"From {' and '.join(missing.addresses)}", f"To be put into {missing.folder}"]
    return files + differ + places


def _key(missing: MissingData) -> str:
    return "fetch " + missing.task


def _download(missing: MissingData, polling: bool) -> None:
    """The progress of the download, or the button that starts it."""
    job = jobs.registry().get(_key(missing))
    if job is not None and job.active:
        if job.state == "waiting":
            st.caption(waiting(jobs.registry().n_at_work()).capitalize())
        else:
            st.progress(*_progress(job.progress))
        if st.button("Stop the download", key="stop_fetch", width="stretch"):
            job.cancel()
        return
    if polling:
        # It has ended: the settings may be good now.
        st.rerun(scope="app")
    if job is not None and job.error is not None:
        st.error(plain(job.error))
    size = in_words(sum(file.size for file in missing.files))
    if st.button(f"Download {size}", key="fetch", width="stretch"):
        jobs.registry().start(_key(missing), {"job": "fetch", "task": missing.task})
        st.rerun(scope="app")


def _progress(progress: dict | None) -> tuple[float, str]:
    """How far it is, from 0 to 1 and in words."""
    if progress is None:
        return 0.0, "Starting"
    done, total, left = progress["done"], progress["total"], progress["seconds_left"]
    rest = "" if left is None else f", {duration(left)} left"
    return done / total, plain(f"{progress['file']}: {done / total:.0%} of all{rest}")
