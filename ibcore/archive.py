"""Files: written whole or not at all, and the arrays of an .npz that anyone may have written."""

import os
import struct
import tempfile
import tokenize
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np

MAX_BYTES = 4_000_000_000

_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    OSError,
    EOFError,
    MemoryError,
    OverflowError,
    RuntimeError,
)
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_NO_ARRAY = (ValueError, SyntaxError, TypeError, tokenize.TokenError)


def write_whole(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Write a file, and its folder, so that others see all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    number, name = tempfile.mkstemp(dir=path.parent)
    try:
        with open(number, "wb") as file:
            write(file)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_arrays(file: str | Path | BinaryIO, what: str) -> dict[str, np.ndarray]:
    """All arrays by name; `what` kind of file it is begins every message.

    Raises ValueError, in one line, for a file that is not there, is no .npz, is damaged,
    holds pickled objects, or unpacks to more than `MAX_BYTES`.
    """
    try:
        return _arrays(file)
    except FileNotFoundError:
        raise ValueError(f"{what}: {str(file)!r} does not exist") from None
    except _UNREADABLE:
        raise ValueError(f"{what}: it is damaged or no .npz file") from None
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from None


def _arrays(file: str | Path | BinaryIO) -> dict[str, np.ndarray]:
    with _opened(file) as archive:
        members = archive.infolist()
        size = sum(member.file_size for member in members)
        if size > MAX_BYTES:
            raise ValueError(f"it unpacks to {size:,} bytes, more than {MAX_BYTES:,}")
        return {m.filename.removesuffix(".npy"): _read_array(archive, m) for m in members}


def _opened(file: str | Path | BinaryIO) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except ValueError:
        raise zipfile.BadZipFile from None


def _read_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    if member.compress_type not in _METHODS:
        raise zipfile.BadZipFile
    try:
        with archive.open(member) as content:
            array = np.lib.format.read_array(content, allow_pickle=False)
            # At its end the archive compares its checksum.
            if content.read(1):
                raise ValueError
    except _NO_ARRAY as error:
        reason = "holds pickled objects" if "allow_pickle" in str(error) else "is damaged"
        raise ValueError(f"{member.filename!r} {reason}") from None
    return array
