"""The server's memory while ten people open good, damaged and huge files for ten minutes."""

import io
import itertools
import json
import random
import sys
import time
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from ibcore import Experiment, Network, Recording, Task, Training, train
from ibcore.archive import MAX_UNPACKED

from .conftest import Server

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="memory as Linux tells it"),
]

BROWSERS, UPLOADS, SECONDS = 10, 40, 600
LIMIT = 1_200_000_000
"""Bytes."""

TITLES = ("Layers", "Sensitivity", "Verdict map", "Gradient phases", "Guide", "Information plane")
PAGES = ("", "layers", "sensitivity", "verdicts", "trials", "gradients", "guide")
UPLOAD = "[data-testid=stFileUploader] input[type=file]"


def peak(process):
    """The most memory that a process had at any time, in bytes."""
    with open(f"/proc/{process.pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def small_run(**training):
    settings = {"epochs": 4, "replicates": 2} | training
    experiment = Experiment(
        Task(train_fraction=0.05), Network("5-3"), Training("sgd", 0.1, **settings), Recording(4)
    )
    return train(experiment, device="cpu")


def wide_run(n_bytes):
    """A run whose weights take about so many bytes, all of them zeros."""
    width = round((n_bytes / 4 / 30) ** 0.5)
    training = Training("sgd", 0.1, epochs=40, replicates=1)
    experiment = Experiment(Task(), Network(f"{width}-{width}"), training, Recording(30))
    one = train(experiment, device="cpu", should_stop=lambda: True)
    repeats = len(experiment.epochs)

    def along(array):
        return None if array is None else np.zeros((repeats, *array.shape[1:]), np.float32)

    return replace(
        one,
        epochs=np.array(experiment.epochs),
        weights=tuple(map(along, one.weights)),
        biases=tuple(map(along, one.biases)),
        **{
            name: along(getattr(one, name))
            for name in ("train_loss", "train_accuracy", "test_loss", "test_accuracy")
        },
        along_mean=None,
        along_std=None,
    )


def compressed(run, **more):
    buffer = io.BytesIO()
    with np.load(io.BytesIO(run.to_bytes())) as content:
        np.savez_compressed(buffer, **dict(content), **more)
    return buffer.getvalue()


def files(folder):
    """The paths of files to upload, by what they are."""
    good = small_run().to_bytes()
    contents = {
        "good.npz": good,
        "other.npz": small_run(seed=1).to_bytes(),
        "large.npz": wide_run(40e6).to_bytes(),
        "zeros.npz": compressed(wide_run(0.8 * MAX_UNPACKED)),
        "too-many-zeros.npz": compressed(wide_run(1.3 * MAX_UNPACKED)),
        "junk.npz": compressed(small_run(), junk=np.zeros(10**8)),
        "cut.npz": good[:-100],
        "more.npz": good + b"xxxx",
        "noise.npz": random.Random(0).randbytes(10**6),
        "experiment.json": Experiment(training=Training(epochs=7)).to_json().encode(),
        "objects.json": json.dumps([{} for _ in range(10**7)]).encode(),
        "deep.json": b"[" * 900_000,
        "surrogate.json": b'{"\\ud800":1}',
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in contents]


def test_files_are_as_large_as_they_say(tmp_path):
    """What the test below uploads is what it is meant to be."""
    files(tmp_path)
    with zipfile.ZipFile(tmp_path / "zeros.npz") as archive:
        unpacked = sum(m.file_size for m in archive.infolist())
    assert 0.7 * MAX_UNPACKED < unpacked < MAX_UNPACKED
    with zipfile.ZipFile(tmp_path / "too-many-zeros.npz") as archive:
        assert sum(m.file_size for m in archive.infolist()) > MAX_UNPACKED
    assert (tmp_path / "large.npz").stat().st_size < 50e6


def test_memory_stays_below_its_limit(browser, tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    paths = itertools.cycle(files(folder))
    server = Server(tmp_path / "cache")
    server.start()
    try:
        contexts = [browser.new_context() for _ in range(BROWSERS)]
        pages = [context.new_page() for context in contexts]
        for page in pages:
            page.set_default_timeout(180_000)
            page.goto(server.url)
        uploads, started, turn = 0, time.monotonic(), 0
        while (passed := time.monotonic() - started) < SECONDS or uploads < UPLOADS:
            page = pages[turn % BROWSERS]
            turn += 1
            if uploads < UPLOADS * passed / SECONDS:
                page.locator(UPLOAD).first.set_input_files(next(paths))
                uploads += 1
            elif turn % 5 == 0:
                page.goto(f"{server.url}/{PAGES[turn % len(PAGES)]}")
            else:
                page.get_by_role("link", name=TITLES[turn % len(TITLES)], exact=True).click()
            page.wait_for_timeout(2000)
            assert server.process.poll() is None, "the server ended"
        reached = peak(server.process)
        for context in contexts:
            context.close()
        print(f"{uploads} uploads, peak {reached / 1e6:,.0f} MB")
    finally:
        server.kill()
    assert uploads >= UPLOADS
    assert reached < LIMIT
