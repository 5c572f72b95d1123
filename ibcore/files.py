"""Files: written whole or not at all, and read only where they are regular and sound."""

import contextlib
import hashlib
import os
import secrets
import shutil
import stat
import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

_MAGIC = b"ibcore entry 1\n\0"
_HEAD = struct.Struct(f"<{len(_MAGIC)}sQ32s")


class Damaged(ValueError):
    """A file that does not hold what was written under its name."""


class Unreadable(ValueError):
    """A file that may be sound, but could not be read now."""


def write_whole(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Write a file, and its folder, so that others see all of it or nothing.

    The content is on the disk before the file has its name. Raises OSError where it cannot
    be written; a file of that name then stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = written_beside(path, write)
    try:
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def written_beside(path: Path, write: Callable[[BinaryIO], object]) -> Path:
    """Write a file under another name in the same folder, onto the disk; that name.

    Raises OSError where it cannot be written; nothing is left then.
    """
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with open(part, "xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return part


def make_private(folder: Path) -> None:
    """Make a folder, and those above it, which nobody else may look into.

    One that is there stays as it is.
    """
    if not folder.is_dir():
        if folder.parent != folder:
            make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def remove(path: Path) -> None:
    """Remove a file or a folder with all it holds; no error where it is gone or stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return
    with contextlib.suppress(OSError):
        path.unlink()


def make_way(path: Path) -> None:
    """Make the private folder of a file, and remove what is in the way of either."""
    if path.is_dir():
        remove(path)
    for place in (path.parent, path.parent.parent):
        if place.is_file():
            remove(place)
    make_private(path.parent)


def open_regular(path: str | Path) -> BinaryIO:
    """The file, open for reading. Raises Damaged for a folder, a pipe or a device."""
    # A pipe without a writer would wait for one.
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise Damaged(f"{str(path)!r} is not a regular file")
    return os.fdopen(number, "rb")


def write_checked(path: Path, name: str, content: bytes) -> None:
    """Write content that `read_checked` gives back under the same name only.

    Its folder is made and what is in its way removed, see `make_way`.
    """
    make_way(path)
    head = _HEAD.pack(_MAGIC, len(content), _digest(name, content))
    write_whole(path, lambda file: (file.write(head), file.write(content)))


def read_checked(path: Path, name: str) -> bytes:
    """What `write_checked` wrote under that name.

    The length is compared before the content is read, the checksum before it is used.
    Raises Damaged for anything else, OSError where the file is missing or cannot be read.
    """
    with open_regular(path) as file:
        return _checked(file, name)


def _checked(file: BinaryIO, name: str) -> bytes:
    size, head = os.fstat(file.fileno()).st_size - _HEAD.size, file.read(_HEAD.size)
    if size < 0 or len(head) < _HEAD.size:
        raise Damaged("it is too short")
    magic, length, digest = _HEAD.unpack(head)
    if magic != _MAGIC or length != size:
        raise Damaged("its length differs from what was written")
    content = file.read(size)
    if _digest(name, content) != digest:
        raise Damaged("its content differs from what was written")
    return content


def _digest(name: str, content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=32, person=_person(name)).digest()


def _person(name: str) -> bytes:
    return hashlib.blake2b(name.encode(), digest_size=16).digest()
