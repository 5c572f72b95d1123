"""A real server and a real Chromium; the tests skip, and say so, where there is none."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

ROOT = Path(__file__).parents[2]
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium_path():
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None and os.environ.get("REQUIRE_BROWSER"):
        pytest.fail("REQUIRE_BROWSER is set and there is no chromium")
    if path is None:
        pytest.skip("no chromium on this machine")
    return path


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """The app on a port of its own, with a cache of its own."""

    def __init__(self, cache):
        self.cache, self.port = cache, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None

    def start(self):
        command = [sys.executable, "-m", "streamlit", "run", "app/main.py"]
        self.process = subprocess.Popen(
            [*command, "--server.port", str(self.port)],
            cwd=ROOT,
            env=os.environ | {"IBCORE_CACHE_DIR": str(self.cache)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(300):
            try:
                urllib.request.urlopen(self.url + "/_stcore/health", timeout=1).close()
                return
            except OSError:
                time.sleep(0.1)
        pytest.fail("the server did not start")

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="session")
def browser():
    path = chromium_path()
    expect.set_options(timeout=30_000)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def server(browser, tmp_path_factory):
    running = Server(tmp_path_factory.mktemp("cache"))
    running.start()
    yield running
    running.kill()


@pytest.fixture
def open_page(browser):
    """Opens pages that fail the test on a page error or a request to anywhere else."""
    contexts, faults = [], []

    def opened(url, scheme="light"):
        context = browser.new_context(viewport={"width": 1366, "height": 768}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: _check_local(request.url, faults))
        page.goto(url)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not faults


def _check_local(url, faults):
    scheme, _, rest = url.partition("://")
    if scheme in ("http", "https", "ws", "wss") and not rest.startswith("127.0.0.1:"):
        faults.append(url)
