"""The cache folder: who may use it, how large it grows, and how it is cleared."""

import os
import shutil
import stat
import sys
import time
from pathlib import Path

import pytest

from ibcore import entries
from ibcore import files as files_module
from ibcore.cache import LIMITS, Cache, Limit
from ibcore.estimators import Binning
from ibcore.store import Store

from .stores import VALUES, Told, kept, train
from .test_run import assert_same, tiny, trained

POSIX = pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
DAY = 86400


def used(path, days):
    """Let a file, or a folder and all it holds, be used last so many days ago."""
    for one in (path, *path.rglob("*")):
        os.utime(one, (time.time() - days * DAY,) * 2)


def key(number):
    """A key as entries have it."""
    return f"{number:032x}"


def names(items):
    return sorted(item.path.name for item in items)


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache", pytest.fail)


# Who may use it


@POSIX
@pytest.mark.parametrize("umask", [0o000, 0o002, 0o022, 0o077])
def test_the_folder_is_private_whatever_the_umask(umask, tmp_path):
    before = os.umask(umask)
    try:
        store = Store(tmp_path / "above" / "cache", notice=pytest.fail)
        train(store, tiny())
    finally:
        os.umask(before)
    for folder in (store.folder, store.folder.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@POSIX
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777, 0o1777])
def test_a_folder_that_others_may_write_is_not_used(mode, tmp_path):
    folder = tmp_path / "cache"
    train(Store(folder), tiny())
    (entry,) = kept(Store(folder))
    folder.chmod(mode)
    told = Told(folder)
    assert told == [
        f"cache: {folder} is not used because others can write to it; run 'chmod 700 {folder}'"
    ]
    assert told.store.find(tiny()) is None
    run, heard = train(told.store, tiny(seed=3))
    assert heard
    assert_same(run, trained(tiny(seed=3)))
    assert kept(told.store) == [entry]
    with pytest.raises(OSError, match="is not used"):
        told.store.keep(run)
    folder.chmod(0o700)
    assert Store(folder, notice=pytest.fail).holds(tiny())


@POSIX
def test_a_folder_of_another_user_is_not_used(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    folder.mkdir(mode=0o700)
    monkeypatch.setattr(os, "getuid", lambda: folder.stat().st_uid + 1)
    told = Told(folder)
    assert told == [f"cache: {folder} belongs to another user and is not used; nothing is kept"]
    train(told.store, tiny())
    assert list(folder.iterdir()) == []


def test_entries_are_no_pickles(store):
    run, _ = train(store, tiny())
    store.curves(run, Binning(limits="range"), VALUES)
    train(store, tiny(epochs=10), 5)
    for path in store.folder.rglob("*"):
        if path.is_file() and path.parent.parent.name != "partial":
            content = path.read_bytes()
            assert b"cnumpy" not in content
            assert b"pandas.core" not in content
            assert not content.startswith(b"\x80")


# Limits


def test_what_is_within_the_limits_stays(store):
    run, _ = train(store, tiny())
    store.curves(run, Binning(), VALUES)
    train(store, tiny(epochs=10), 5)
    store.keep(run)
    assert store.cache.prune() == []
    assert {item.kind for item in store.cache.items()} == {"run", "curves", "partial", "opened"}


def test_entries_of_earlier_versions_go(cache):
    paths = [cache.folder / "curves-0" / key(1), cache.folder / "run-1" / f"{key(2)}.npz"]
    paths += [cache.folder / "joblib" / "ibcore" / "store" / "_entry" / key(3)]
    paths += [cache.folder / "curves-1" / f".{key(4)[:16]}.part"]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"old")
        used(path, 1)
    cache.write("curves", key(9), b"new")
    assert names(cache.prune()) == sorted(path.name for path in paths)
    assert names(cache.items()) == [key(9)]
    assert not (cache.folder / "curves-0").exists()


def test_downloads_and_files_of_other_programs_stay(cache):
    others = [cache.folder / "data" / "mnist" / "images.gz", cache.folder / "letter.txt"]
    others += [cache.folder / "run-1" / "results.csv", cache.folder / "opened" / "letter.txt"]
    others += [cache.folder / "partial" / "thesis" / "a.txt", cache.folder / "joblib" / "x" / "y"]
    for path in others:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"mine")
        used(path, 1000)
    cache.write("curves", key(9), b"new")
    cache.prune({part: Limit(0, 0) for part in LIMITS})
    assert names(cache.clear()) == [key(9)]
    assert all(path.exists() for path in others)


@pytest.mark.parametrize(("part", "kind"), [("entries", "curves"), ("opened", "opened")])
def test_what_was_used_least_recently_goes_first(part, kind, cache):
    for day in range(5):
        path = cache.path(kind, key(day))
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(100))
        used(path, day)
    gone = names(cache.prune({part: Limit(300, 1000)}))
    assert [name.removesuffix(".npz") for name in gone] == [key(3), key(4)]
    gone = names(cache.prune({part: Limit(1e9, 1.5)}))
    assert [name.removesuffix(".npz") for name in gone] == [key(2)]


def test_what_is_in_use_stays_whatever_the_limits(cache):
    for number in (1, 2):
        cache.write("curves", key(number), b"content")
        used(cache.path("curves", key(number)), 30)
    assert cache.read("curves", key(1)) == b"content"
    assert names(cache.prune({"entries": Limit(0, 1)})) == [key(2)]


def test_a_dropped_training_goes_as_a_whole(store):
    train(store, tiny(epochs=10), 5)
    (journal,) = (store.folder / "partial").iterdir()
    (item,) = store.cache.items()
    assert item.n_bytes == sum(p.stat().st_size for p in journal.iterdir())
    used(journal, LIMITS["partial"].days + 1)
    assert [i.path for i in store.cache.prune()] == [journal]
    assert store.find(tiny(epochs=10)) is None


def test_clearing_leaves_nothing_computed(store):
    run, _ = train(store, tiny())
    store.curves(run, Binning(), VALUES)
    train(store, tiny(epochs=10), 5)
    store.keep(run)
    store.cache.clear()
    assert store.cache.items() == []
    assert [path for path in store.folder.rglob("*") if path.is_file()] == []
    assert_same(train(store, tiny())[0], run)


def test_every_kind_of_entry_is_found(cache):
    for kind in entries.KINDS:
        cache.write(kind, key(1), b"content")
    assert {item.kind for item in cache.items()} == set(entries.KINDS)


# Files


def test_a_file_has_its_name_once_it_is_on_the_disk(tmp_path, monkeypatch):
    path, seen = tmp_path / "file", []
    sync = os.fsync
    monkeypatch.setattr(
        files_module.os, "fsync", lambda number: seen.append(path.exists()) or sync(number)
    )
    files_module.write_whole(path, lambda file: file.write(b"content"))
    assert seen == [False]
    assert path.read_bytes() == b"content"


@POSIX
def test_a_file_that_is_written_has_the_permissions_of_any_other(tmp_path):
    path = tmp_path / "file"
    files_module.write_whole(path, lambda file: file.write(b""))
    (tmp_path / "plain").touch()
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


@POSIX
def test_pipes_and_devices_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(files_module.Damaged, match="is not a regular file"):
            files_module.open_regular(path)


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links need rights on Windows")
def test_a_link_is_removed_and_not_what_it_leads_to(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    files_module.remove(tmp_path / "link")
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "folder" / "file").exists()


def test_a_cache_that_somebody_removed_is_empty_and_made_again(store):
    train(store, tiny())
    shutil.rmtree(store.folder)
    assert store.cache.items() == []
    assert store.cache.prune() == []
    train(store, tiny())
    assert store.holds(tiny())
    if os.name == "posix":
        assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700


def test_one_entry_beyond_the_limit_does_not_take_the_others_with_it(cache):
    for day, size in ((1, 10), (2, 1000), (3, 10)):
        path = cache.path("curves", key(day))
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(size))
        used(path, day)
    assert names(cache.prune({"entries": Limit(100, 1000)})) == [key(2)]
