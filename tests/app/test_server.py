"""The program as a server: started in several ways, it is there for this machine alone."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request

import pytest
from streamlit import config
from streamlit.testing.v1 import AppTest

import protection
from tests.browser.conftest import free_port
from tests.core.test_architecture import ROOT

MAIN = ROOT / "app" / "main.py"


@contextlib.contextmanager
def started(tmp_path, *flags, script=MAIN, folder=None, **environment):
    """A process of the program, from an empty folder where none is named, with a home of its own.

    Yields it and its port.
    """
    home, empty = tmp_path / "home", tmp_path / "empty"
    for place in (home, empty):
        place.mkdir(exist_ok=True)
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port)]
    own = {"HOME": str(home), "USERPROFILE": str(home), "IBCORE_CACHE_DIR": str(tmp_path / "cache")}
    process = subprocess.Popen(
        [*command, *flags],
        cwd=folder or empty,
        env={**os.environ, "PYTHONPATH": str(ROOT), **own, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process, port
    finally:
        process.kill()
        process.communicate()


def wait_until_it_answers(process, port):
    for _ in range(600):
        if process.poll() is not None:
            pytest.fail("it ended: " + process.communicate()[1])
        with contextlib.suppress(OSError):
            return get(port, "/_stcore/health").close()
        time.sleep(0.1)
    pytest.fail("the server did not start")


def get(port, path, **headers):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
    return urllib.request.urlopen(request, timeout=5)


def status_of(port, path, host):
    try:
        with get(port, path, Host=host) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def reachable(address, port):
    with contextlib.suppress(OSError):
        socket.create_connection((address, port), timeout=5).close()
        return True
    return False


def upgrade(port, host):
    """The status of a WebSocket's handshake with that name of the host."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    headers = {
        "Host": host,
        "Origin": f"http://{host}",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    connection.request("GET", "/_stcore/stream", headers=headers)
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.parametrize("at_root", [False, True], ids=["empty folder", "repository root"])
def test_wherever_it_is_started_it_listens_on_this_machine_alone(tmp_path, at_root):
    """Also where the home's own settings say otherwise."""
    settings = tmp_path / "home" / ".streamlit"
    settings.mkdir(parents=True)
    wide = '[server]\naddress = "0.0.0.0"\nallowedHosts = []\n[browser]\ngatherUsageStats = true\n'
    (settings / "config.toml").write_text(wide)
    ways = {"script": "app/main.py", "folder": ROOT} if at_root else {}
    with started(tmp_path, **ways) as (process, port):
        wait_until_it_answers(process, port)
        assert reachable("127.0.0.1", port)
        # Another address of this machine, at which only a server of all addresses answers.
        assert not reachable("127.0.0.2", port)
        process.send_signal(signal.SIGINT)
        said = "".join(process.communicate(timeout=30))
    # Nothing but the address is said at a start: no warning, no notice of statistics.
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    assert lines[0] == "You can now view your Streamlit app in your browser."
    assert lines[1] == f"URL: http://127.0.0.1:{port}"
    assert lines[2:] == ["Aborted!"]


def test_it_answers_to_the_names_of_this_machine_alone(tmp_path):
    with started(tmp_path) as (process, port):
        wait_until_it_answers(process, port)
        assert upgrade(port, f"127.0.0.1:{port}") == 101
        assert upgrade(port, f"evil.example:{port}") == 400
        for path in ("/", "/verdicts", "/_stcore/metrics", "/_stcore/health"):
            assert status_of(port, path, "localhost") == 200
            assert status_of(port, path, "evil.example") == 400
        assert status_of(port, "/files/unknown/png", "localhost") == 404
        with get(port, "/verdicts") as page:
            assert page.headers["Content-Security-Policy"] == "frame-ancestors 'none'"
        with get(port, "/_stcore/host-config") as settings:
            assert json.load(settings)["allowedOrigins"] == []


TOO_OPEN = {
    "server.address": "0.0.0.0",
    "server.allowedHosts": ["localhost", "evil.example"],
    "server.enableCORS": False,
    "server.corsAllowedOrigins": ["http://evil.example"],
    "server.enableXsrfProtection": False,
    "server.maxUploadSize": 51,
    "server.baseUrlPath": "below",
    "client.allowedOrigins": ["https://evil.example"],
    "browser.gatherUsageStats": True,
}


@pytest.fixture
def settings(monkeypatch):
    """The settings of the program, which a test may change."""
    content = tomllib.loads((MAIN.parent / ".streamlit" / "config.toml").read_text())
    found = {f"{part}.{name}": v for part, names in content.items() for name, v in names.items()}
    found["server.baseUrlPath"] = ""
    others = config.get_option
    monkeypatch.setattr(
        config, "get_option", lambda key: found[key] if key in found else others(key)
    )
    return found


def test_the_settings_of_the_program_are_safe(settings):
    assert protection.refusal() is None


@pytest.mark.parametrize("key", TOO_OPEN)
def test_a_setting_that_opens_it_is_named(key, settings):
    settings[key] = TOO_OPEN[key]
    assert protection.refusal().startswith(f"The app did not start: {key}: {TOO_OPEN[key]!r} is")


def test_an_empty_list_of_hosts_allows_every_name(settings):
    settings["server.allowedHosts"] = []
    assert "server.allowedHosts" in protection.refusal()


def test_a_flag_that_opens_it_is_refused_in_one_line(tmp_path):
    with started(tmp_path, "--server.address", "0.0.0.0") as (process, port):
        _, said = process.communicate(timeout=60)
        assert process.returncode == 1
        assert_refused(said, "server.address")
        with pytest.raises(OSError):
            get(port, "/")


def test_a_variable_that_opens_it_is_refused_in_one_line(tmp_path):
    with started(tmp_path, STREAMLIT_SERVER_ADDRESS="0.0.0.0") as (process, _):
        _, said = process.communicate(timeout=60)
        assert process.returncode == 1
        assert_refused(said, "server.address")


def assert_refused(said, key):
    # Streamlit's own words may come before it.
    assert said.splitlines()[-1].startswith(f"The app did not start: {key}: ")
    assert said.count("The app did not start:") == 1
    assert "Traceback" not in said


def test_the_pages_started_by_themselves_show_nothing_where_they_are_open(monkeypatch):
    allowed = config.get_option
    monkeypatch.setattr(
        config, "get_option", lambda key: None if key == "server.address" else allowed(key)
    )
    page = AppTest.from_file(str(MAIN.with_name("pages.py")), default_timeout=60).run()
    assert [error.value.split(" (set")[0] for error in page.error] == [
        "The app did not start: server.address: None is not allowed; use 127.0.0.1 or localhost"
    ]
    assert not page.main.get("vega_lite_chart")
    assert not page.sidebar.children
