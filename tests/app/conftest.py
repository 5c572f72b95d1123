"""The app's modules import each other as the page does: from the folder `app`."""

import sys
from pathlib import Path

import pytest
import streamlit as st
from streamlit import config

APP = str(Path(__file__).parents[2] / "app")
if APP not in sys.path:
    sys.path.insert(0, APP)

# As `streamlit run app/main.py` does it, so that the settings beside it count.
config._main_script_path = f"{APP}/main.py"


@pytest.fixture(autouse=True)
def nothing_ahead(monkeypatch):
    """Nobody looks at these pages long enough for anything to be made ahead of its time."""
    import ahead

    monkeypatch.setattr(ahead, "prepare", lambda name, makers: None)


@pytest.fixture(autouse=True)
def nothing_late(monkeypatch):
    """Here a browser has at once what is drawn, and a person acts at once."""
    import late

    monkeypatch.setattr(late, "LATE_SECONDS", -1)


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """A cache of its own, and no worker left behind."""
    import jobs

    monkeypatch.setenv("IBCORE_CACHE_DIR", str(tmp_path))
    st.cache_resource.clear()
    st.cache_data.clear()
    yield
    end_all(jobs.registry())
    st.cache_resource.clear()


def end_all(registry):
    """Leave no worker behind, and none to come."""
    started = [job for job in registry._jobs.values() if job.state != "waiting"]
    for job in registry._jobs.values():
        job.retire()
    for job in started:
        if job.process is not None:
            job.process.kill()
            job.listener.join()
