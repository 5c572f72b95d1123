"""Data that are not there, as the page tells of them."""

from types import SimpleNamespace

import pytest
import streamlit as st

import jobs
from ibcore.presets import PRESETS
from ibcore.tasks import SOURCES
from ibcore.tasks.downloads import in_words

from .conftest import end_all
from .test_pages import opened, texts


@pytest.fixture(autouse=True)
def nothing_there(tmp_path, monkeypatch):
    """Neither data nor a network: all that is asked for goes to a port where nobody is."""
    for name in ("IBCORE_CACHE_DIR", "IBCORE_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    st.cache_resource.clear()
    st.cache_data.clear()
    yield
    monkeypatch.undo()
    end_all(jobs.registry())
    st.cache_resource.clear()


def buttons(at):
    return [button.key for button in at.button]


def test_what_is_wanting_is_told_and_a_failure_is_one_line_and_digits_work(tmp_path):
    at = opened(task="mnist", layers="30")
    assert not at.exception
    said = texts(at.caption) + texts(at.markdown)
    assert "The data of mnist are not there." in said
    for file in SOURCES["mnist"].files:
        assert f"{file.name}, " in said
    assert "train-images-idx3-ubyte.gz, 9.9 MB" in said
    assert "From https://ossci-datasets.s3.amazonaws.com/mnist/" in said
    assert f"To be put into {tmp_path / 'mnist'}" in said
    assert at.button(key="run").disabled
    assert "train" not in [field.key for field in at.text_input]

    assert at.button(key="fetch").label == "Download 12 MB"
    at.button(key="fetch").click().run()
    job = jobs.registry().get("fetch mnist")
    job.listener.join(40)
    at.run()
    assert not at.exception
    line = "train-images-idx3-ubyte.gz could not be fetched"
    line += " (ossci-datasets.s3.amazonaws.com: no connection; storage.googleapis.com: no conn"
    assert texts(at.error).startswith(line)
    assert len(texts(at.error).splitlines()) == 1

    at.selectbox(key="task").set_value("digits").run()
    assert not at.error
    assert "fetch" not in buttons(at)
    assert not at.button(key="run").disabled


def test_presets_whose_data_are_not_there_leave_a_page_that_works(tmp_path):
    at = opened()
    asked = set()
    for name, preset in PRESETS.items():
        task = preset.experiment.task.name
        if task not in SOURCES:
            continue
        asked.add(task)
        at.selectbox(key="preset").set_value(name).run()
        assert not at.exception
        said = texts(at.caption) + texts(at.markdown)
        assert f"The data of {task} are not there." in said
        assert all(f"{file.name}, {in_words(file.size)}" in said for file in SOURCES[task].files)
        assert f"To be put into {tmp_path / task}" in said
        assert "fetch" in buttons(at)
        assert at.button(key="run").disabled
        assert preset.note in said
    assert asked == {"mnist", "cifar100"}
    at.selectbox(key="preset").set_value("orhan-digits").run()
    assert "fetch" not in buttons(at)
    assert not at.button(key="run").disabled


def test_a_download_shows_how_far_it_is_and_can_be_stopped(monkeypatch):
    progress = {"file": "train.bin", "done": 17, "total": 170, "seconds_left": 60.0}
    stopped = []
    stop = {"cancel": lambda: stopped.append(True)}
    job = SimpleNamespace(state="running", active=True, progress=progress, **stop)
    monkeypatch.setattr(jobs.registry(), "_jobs", {"fetch cifar10": job})
    at = opened(task="cifar10", layers="30")
    assert "fetch" not in buttons(at)
    (bar,) = at.get("progress")
    assert (bar.proto.value, bar.proto.text.replace("\\", "")) == (
        10,
        "train.bin: 10% of all, about 60 s left",
    )
    at.button(key="stop_fetch").click().run()
    assert stopped == [True]
