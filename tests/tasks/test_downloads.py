"""Downloads: what comes, what is kept, and every way in which one fails."""

import gc
import hashlib
import logging
import os
import socket
import stat
import time
from dataclasses import replace

import pooch
import pytest

from ibcore.experiment import FieldError, Task
from ibcore.tasks import SOURCES, DownloadError, MissingData, downloads, fetch, load
from ibcore.tasks.downloads import RemoteFile, Source, data_folder, in_words

from .served import described, serving, slow, status, whole

CONTENT = bytes(range(256)) * 1024
OTHER = CONTENT[::-1]


@pytest.fixture(scope="module")
def shared_server():
    with serving() as server:
        yield server
    # A connection that was left open is named here, and not in some test that follows.
    gc.collect()


@pytest.fixture
def server(shared_server):
    shared_server.answers.clear()
    shared_server.asked.clear()
    return shared_server


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Where the files of the task `small` belong."""
    monkeypatch.setenv("IBCORE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "*")
    return tmp_path / "small"


def small(*files: RemoteFile) -> Source:
    return Source("small", files)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_good_files_are_fetched_once_and_in_order(server, folder, caplog, capfd):
    files = server.file("a.gz", CONTENT), server.file("b.gz", OTHER[:1000])
    heard = []
    with caplog.at_level(logging.DEBUG, logger="pooch"):
        assert downloads.fetch(small(*files), progress=lambda *told: heard.append(told))
    assert (folder / "a.gz").read_bytes() == CONTENT
    assert (folder / "b.gz").read_bytes() == OTHER[:1000]
    assert names(folder) == ["a.gz", "b.gz"]
    assert [name for name, _, _ in heard] == sorted(name for name, _, _ in heard)
    assert [done for _, done, _ in heard] == sorted(done for _, done, _ in heard)
    assert {total for _, _, total in heard} == {len(CONTENT) + 1000}
    assert heard[-1] == ("b.gz", len(CONTENT) + 1000, len(CONTENT) + 1000)
    assert len(heard) > 4
    assert downloads.fetch(small(*files), progress=lambda *told: heard.append(told))
    assert server.asked == ["/a.gz", "/b.gz"]
    assert small(*files).paths() == [folder / "a.gz", folder / "b.gz"]
    assert (*capfd.readouterr(), caplog.text) == ("", "", "")


HALF = CONTENT[: len(CONTENT) // 2]
FAILURES = {
    "wrong hash": (whole(OTHER), "it sends another file: its SHA-256 is not the known one"),
    "truncated": (whole(HALF), f"it sends {len(HALF)} of the {len(CONTENT)} bytes of the file"),
    "empty": (whole(b""), f"it sends 0 of the {len(CONTENT)} bytes"),
    "longer": (whole(CONTENT * 9), f"it sends more than the {len(CONTENT)} bytes"),
    "gone mid-way": (whole(HALF, len(CONTENT)), "the connection broke off after 131 kB"),
    "gone at once": (lambda handler: None, "no connection"),
    "not there": (status(404), "it answers 404"),
    "out of order": (status(503), "it answers 503"),
    "silent": (slow, "no answer within 0.1 s"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_failure_is_one_line_and_leaves_nothing(case, server, folder, monkeypatch):
    monkeypatch.setattr(downloads, "_TIMEOUT", 0.1)
    answer, reason = FAILURES[case]
    file = server.file("a.gz", CONTENT, answer)
    with pytest.raises(DownloadError) as caught:
        downloads.fetch(small(file))
    expected = f"a.gz could not be fetched (127.0.0.1: {reason}"
    assert str(caught.value).startswith(expected)
    assert str(caught.value).endswith(f"; get it from {server.url}/a.gz and put it into {folder}")
    assert names(folder) == []
    server.answers["/a.gz"] = whole(CONTENT)
    assert downloads.fetch(small(file))


def test_no_network_is_one_line(folder, monkeypatch):
    def unknown(*_args, **_kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    urls = "https://one.invalid/a.gz", "http://other.invalid/a.gz"
    with pytest.raises(DownloadError) as caught:
        downloads.fetch(small(described("a.gz", CONTENT, *urls)))
    reason = "(one.invalid: no connection; other.invalid: no connection)"
    line = f"a.gz could not be fetched {reason}; get it from {urls[0]} and put it into {folder}"
    assert str(caught.value) == line


def test_a_second_address_serves_where_the_first_does_not(server, folder):
    file = server.file("mirror/a.gz", CONTENT)
    server.answers["/a.gz"] = whole(OTHER)
    file = replace(file, name="a.gz", urls=(f"{server.url}/a.gz", *file.urls))
    assert downloads.fetch(small(file))
    assert server.asked == ["/a.gz", "/mirror/a.gz"]
    assert (folder / "a.gz").read_bytes() == CONTENT


def test_a_stop_leaves_whole_files_and_the_next_download_goes_on(server, folder):
    source = small(server.file("a.gz", CONTENT), server.file("b.gz", OTHER))
    heard = []
    stopped = downloads.fetch(
        source,
        progress=lambda *told: heard.append(told),
        should_stop=lambda: bool(heard) and heard[-1][1] > len(CONTENT),
    )
    assert stopped is False
    assert names(folder) == ["a.gz"]
    assert downloads.fetch(source)
    assert server.asked == ["/a.gz", "/b.gz", "/b.gz"]


def test_a_stop_before_the_beginning_asks_for_nothing(server):
    assert not downloads.fetch(small(server.file("a.gz", CONTENT)), should_stop=lambda: True)
    assert server.asked == []


def failure(source: Source) -> str:
    with pytest.raises(DownloadError) as caught:
        downloads.fetch(source)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_a_folder_that_is_read_only_is_named(server, folder, monkeypatch):
    def refused(path, *_):
        raise PermissionError(13, "Permission denied", str(path))

    folder.mkdir()
    folder.chmod(0o500)
    if os.access(folder, os.W_OK):
        # To the superuser no folder is read-only.
        monkeypatch.setattr(downloads, "open", refused, raising=False)
    said = failure(small(server.file("a.gz", CONTENT)))
    assert f"({folder} takes no file: Permission denied)" in said
    assert names(folder) == []


def test_a_folder_that_cannot_be_made_is_named(server, folder):
    folder.write_text("in the way")
    assert f"({folder} takes no file: File exists)" in failure(small(server.file("a.gz", CONTENT)))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_a_full_disk_is_named(server, folder):
    folder.mkdir()
    part = folder / f"a.gz.{os.getpid()}.part"
    part.symlink_to("/dev/full")
    said = failure(small(server.file("a.gz", CONTENT)))
    assert f"({folder} takes no file: No space left on device)" in said
    assert names(folder) == []


def test_what_a_killed_download_left_is_cleared_in_time(server, folder):
    folder.mkdir()
    for name, age in (("a.gz.1.part", 7200), ("a.gz.2.part", 5), ("b.gz.1.part", 7200)):
        (folder / name).write_bytes(b"half")
        os.utime(folder / name, (time.time() - age,) * 2)
    assert downloads.fetch(small(server.file("a.gz", CONTENT)))
    assert names(folder) == ["a.gz", "a.gz.2.part", "b.gz.1.part"]


def test_a_file_of_another_content_is_named_and_replaced(server, folder):
    source = small(server.file("a.gz", CONTENT), server.file("b.gz", OTHER))
    folder.mkdir()
    (folder / "a.gz").write_bytes(OTHER)
    with pytest.raises(MissingData) as caught:
        source.paths()
    assert caught.value.damaged == ("a.gz",)
    assert "; a.gz differs from the known file of that name; " in str(caught.value)
    assert downloads.fetch(source)
    assert source.paths() == [folder / "a.gz", folder / "b.gz"]


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_a_file_that_is_there_is_read_once_while_it_stays_as_it_is(algorithm, folder, monkeypatch):
    read, file_hash = [], pooch.file_hash
    monkeypatch.setattr(pooch, "file_hash", lambda *a, **k: read.append(a) or file_hash(*a, **k))
    digits = hashlib.new(algorithm, CONTENT).hexdigest()
    source = small(RemoteFile("a.gz", ("http://x.invalid/a.gz",), 1, f"{algorithm}:{digits}"))
    folder.mkdir()
    (folder / "a.gz").write_bytes(CONTENT)
    assert source.paths() == source.paths() == [folder / "a.gz"]
    assert len(read) == 1
    (folder / "a.gz").write_bytes(CONTENT + b"!")
    assert len(source.wanting()) == 1
    assert len(read) == 2


@pytest.mark.parametrize("name", SOURCES)
def test_data_that_are_not_there_are_one_line_that_says_all(name, folder):
    with pytest.raises(MissingData) as caught:
        load(Task(name))
    said, missing = str(caught.value), caught.value
    assert (missing.task, missing.files, missing.damaged) == (name, SOURCES[name].files, ())
    assert missing.folder == folder.parent / name
    assert len(said.splitlines()) == 1
    for file in missing.files:
        assert f"{file.name} ({in_words(file.size)})" in said
    for part in (str(missing.folder), *missing.addresses, f"python -m ibcore fetch {name}"):
        assert part in said
    assert not missing.folder.exists()


def test_every_source_is_described_whole():
    for name, source in SOURCES.items():
        assert source.task == name
        for file in source.files:
            algorithm, digits = file.known_hash.split(":")
            assert len(digits) == 2 * hashlib.new(algorithm).digest_size
            assert all(
                url.startswith("http") and url.endswith("/" + file.name) for url in file.urls
            )


@pytest.mark.parametrize("name", ["digits", "npz", "imagenet", None])
def test_a_task_without_a_download_is_refused(name):
    with pytest.raises(FieldError, match=r"task: .*; use one of mnist, "):
        fetch(name)


def test_the_folder_is_the_one_named_or_in_the_cache(tmp_path, monkeypatch):
    assert data_folder() == tmp_path
    monkeypatch.delenv("IBCORE_DATA_DIR")
    monkeypatch.setenv("IBCORE_CACHE_DIR", str(tmp_path / "cache"))
    assert data_folder() == tmp_path / "cache" / "data"
    monkeypatch.delenv("IBCORE_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert data_folder().name == "data"
    assert "ibcore" in data_folder().parts


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (999, "999 bytes"),
        (4_542, "4.5 kB"),
        (28_881, "29 kB"),
        (9_912_422, "9.9 MB"),
        (9_970_000, "10 MB"),
        (99_700_000, "100 MB"),
        (170_052_171, "170 MB"),
    ],
)
def test_sizes_in_words(size, words):
    assert in_words(size) == words


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_data_in_the_cache_folder_leave_it_private(tmp_path, monkeypatch):
    """Else the cache would not be used: others may write to it."""
    monkeypatch.delenv("IBCORE_DATA_DIR", raising=False)
    monkeypatch.setenv("IBCORE_CACHE_DIR", str(tmp_path / "cache"))
    before = os.umask(0o002)
    try:
        with downloads._writing(downloads.data_folder() / "mnist" / "images.gz"):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o700
