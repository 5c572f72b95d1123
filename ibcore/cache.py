"""The cache folder: entries by kind and key, checked when they are read, and their limits.

run-VERSION/KEY.npz         finished runs
curves-VERSION/KEY, ...     tables and rows, see `ibcore.entries`
opened/KEY.npz              runs that were opened from a file
partial/KEY/                trainings that have not ended, see `ibcore.journal`
"""

import contextlib
import math
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ibcore import entries
from ibcore.files import (
    Damaged,
    make_private,
    make_way,
    read_checked,
    remove,
    write_checked,
    write_whole,
)

DAMAGED = "cache: a damaged entry is removed; what it held is computed again where it is needed"

_VERSIONED = re.compile(rf"({'|'.join(entries.KINDS)})-\d+")
_OLD = "joblib/ibcore/store/_entry"
"""Where earlier versions kept their entries."""

_OWN = re.compile(r"[0-9a-f]{16,32}(-[0-9a-f]{16})?(-\d+)?(\.npz)?|\.[0-9a-f]{16}\.part")
"""The names that this module gives: nothing else is removed, whatever lies beside it."""

_HOUR, _DAY = 3600.0, 86400.0


@dataclass(frozen=True)
class Limit:
    """How many bytes one part of the cache may take, and how many days its items stay unused."""

    n_bytes: float
    days: float


LIMITS: Mapping[str, Limit] = {
    "partial": Limit(4e9, 90),
    "opened": Limit(4e9, 30),
    "entries": Limit(10e9, 365),
}
"""By part: trainings that have not ended, opened runs, and all that was computed."""


@dataclass(frozen=True)
class Item:
    """A file or folder of the cache: its kind, its size and when it was last used."""

    path: Path
    kind: str
    n_bytes: int
    used: float

    @property
    def part(self) -> str:
        """The name of its limit in `LIMITS`."""
        return self.kind if self.kind in LIMITS else "entries"


class Cache:
    """One folder on the disk; `notice` is told, in one line, what is wrong with it.

    A folder that cannot be made, that belongs to another user or that others may write is
    not used: it then holds nothing and keeps nothing.
    """

    def __init__(self, folder: Path, notice: Callable[[str], None]):
        self.folder, self._notice = folder, notice
        self._told = False
        fault = _fault(folder)
        if fault:
            notice(f"cache: {fault}")
        self.usable = not fault

    def path(self, kind: str, key: str) -> Path:
        """Where the entry of that kind and key lies or will."""
        suffix = ".npz" if kind in ("run", "opened") else ""
        return self.folder / _folder_name(kind) / f"{key}{suffix}"

    def place(self, kind: str, key: str) -> Path:
        """The path of an entry that can be written: its folder is made, what is in its way goes."""
        path = self.path(kind, key)
        make_way(path)
        return path

    def has(self, kind: str, key: str) -> bool:
        """Whether there is such an entry; it may be damaged."""
        return self.usable and self.path(kind, key).exists()

    def read(self, kind: str, key: str) -> bytes | None:
        """What `write` kept; None where nothing can be read. What is damaged is removed."""
        path = self.path(kind, key)
        if not self.usable:
            return None
        try:
            content = read_checked(path, _name(kind, key))
        except OSError:
            return None
        except Damaged:
            self.drop(path)
            return None
        touch(path)
        return content

    def write(self, kind: str, key: str, content: bytes) -> bool:
        """Keep the content of an entry; whether it is kept."""
        return self._kept(lambda path: write_checked(path, _name(kind, key), content), kind, key)

    def write_file(self, kind: str, key: str, write: Callable) -> bool:
        """Keep a file that checks itself; whether it is kept."""
        return self._kept(lambda path: write_whole(path, write), kind, key)

    def drop(self, path: Path) -> None:
        """Remove a damaged entry, and say so."""
        remove(path)
        self._notice(DAMAGED)

    def _kept(self, write: Callable[[Path], None], kind: str, key: str) -> bool:
        if not self.usable:
            return False
        try:
            write(self.place(kind, key))
            return True
        except OSError as error:
            # A disk that is full refuses every entry: one notice is enough.
            if not self._told:
                self._notice(f"cache: what is computed could not be kept ({error})")
            self._told = True
            return False

    def items(self) -> list[Item]:
        """All there is, of earlier versions too, but for the downloaded data sets."""
        return [item for folder in self._folders() for item in _items(folder)]

    def _folders(self) -> Iterator[Path]:
        if not self.usable:
            return
        for name in ("opened", "partial", _OLD):
            yield self.folder / name
        # Somebody may have removed all of it.
        with contextlib.suppress(OSError):
            yield from (p for p in sorted(self.folder.iterdir()) if _VERSIONED.fullmatch(p.name))

    def prune(self, limits: Mapping[str, Limit] = LIMITS) -> list[Item]:
        """Remove entries of earlier versions and, least recently used first, what is beyond limits.

        Returns what was removed. What was used within the hour stays.
        """
        now, items = time.time(), self.items()
        unwanted = [item for item in items if _is_outdated(item)]
        for part, limit in limits.items():
            current = [i for i in items if i.part == part and not _is_outdated(i)]
            unwanted += _beyond(limit, current, now)
        return self._removed([item for item in unwanted if now - item.used > _HOUR])

    def shrink(self, n_bytes: float) -> list[Item]:
        """Remove what was used least recently until so many bytes are left; returns it.

        What was used within the hour stays.
        """
        now, items = time.time(), self.items()
        unwanted = _beyond(Limit(n_bytes, math.inf), items, now)
        return self._removed([item for item in unwanted if now - item.used > _HOUR])

    def clear(self) -> list[Item]:
        """Remove all there is, but for the downloaded data sets; returns what was removed."""
        return self._removed(self.items())

    def _removed(self, items: list[Item]) -> list[Item]:
        for item in items:
            remove(item.path)
            if _is_outdated(item):
                with contextlib.suppress(OSError):
                    # Where it was the last one.
                    item.path.parent.rmdir()
        return [item for item in items if not item.path.exists()]


def touch(path: Path) -> None:
    """Note that a file is in use, at most once in an hour."""
    try:
        if time.time() - path.stat().st_mtime > _HOUR:
            os.utime(path)
    except OSError:
        # A read-only disk has no such note.
        return


def _fault(folder: Path) -> str:
    """Why the folder cannot be used; empty where it can."""
    try:
        make_private(folder)
        found = folder.stat()
    except OSError as error:
        return f"{folder} cannot be written, nothing is kept ({error})"
    if hasattr(os, "getuid") and found.st_uid != os.getuid():
        return f"{folder} belongs to another user and is not used; nothing is kept"
    if os.name == "posix" and found.st_mode & 0o022:
        return f"{folder} is not used because others can write to it; run 'chmod 700 {folder}'"
    return ""


def _folder_name(kind: str) -> str:
    return f"{kind}-{entries.KINDS[kind]}" if kind in entries.KINDS else kind


def _name(kind: str, key: str) -> str:
    return f"{_folder_name(kind)} {key}"


def _items(folder: Path) -> Iterator[Item]:
    if not folder.is_dir():
        return
    kind = folder.name.split("-")[0] if folder.name != "_entry" else "old"
    for path in filter(lambda path: _OWN.fullmatch(path.name), folder.iterdir()):
        try:
            files = [p for p in path.rglob("*") if p.is_file()] if path.is_dir() else [path]
            stats = [file.stat() for file in (*files, path)]
        except OSError:
            # Another process removed it meanwhile.
            continue
        n_bytes = sum(stat.st_size for stat in stats[:-1])
        yield Item(path, kind, n_bytes, max(stat.st_mtime for stat in stats))


def _is_outdated(item: Item) -> bool:
    """Whether an earlier version, or a process that was killed while it wrote, left it."""
    known = {_folder_name(kind) for kind in (*entries.KINDS, "opened", "partial")}
    return item.path.parent.name not in known or item.path.name.endswith(".part")


def _beyond(limit: Limit, items: list[Item], now: float) -> Iterator[Item]:
    """The items that are too old, and the oldest ones that do not fit."""
    room = limit.n_bytes
    for item in sorted(items, key=lambda item: item.used, reverse=True):
        if item.n_bytes > room or now - item.used > limit.days * _DAY:
            yield item
        else:
            room -= item.n_bytes
