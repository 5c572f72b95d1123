"""Named arrays in an .npz that anyone may have written: headers first, arrays when asked for.

Of a file that nobody changes, uncompressed arrays can be mapped from the disk: they take no
memory before they are used.
"""

import math
import mmap
import os
import shutil
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ibcore.files import Unreadable, open_regular

MAX_UNPACKED = 1_000_000_000
"""Bytes that the compressed arrays of one file may unpack to."""

_ALIGNMENT = 64
_PADDING = 0xD935
"""The kind of an extra field of zip that aligns the data behind it."""

_LOCAL, _ZIP64, _END = 30, 20, 22
"""Bytes of a member's header, of the extra field for large files, and of the end of a zip."""

_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OverflowError,
    NotImplementedError,
)
_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_NO_HEADER = (
    *(ValueError, SyntaxError, TypeError),
    *(tokenize.TokenError, RecursionError, MemoryError),
)
_CHUNK = 2**20


def write_arrays(file: BinaryIO, arrays: Mapping[str, np.ndarray]) -> None:
    """Write an uncompressed .npz whose arrays begin where they can be mapped."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with _new_member(archive, file, name) as content:
                np.lib.format.write_array(content, np.asanyarray(array), allow_pickle=False)


def _new_member(archive: zipfile.ZipFile, file: BinaryIO, name: str) -> BinaryIO:
    member = zipfile.ZipInfo(f"{name}.npy")
    start = file.tell() + _LOCAL + len(member.filename) + _ZIP64 + 4
    padding = -start % _ALIGNMENT
    member.extra = struct.pack("<HH", _PADDING, padding) + bytes(padding)
    return archive.open(member, "w", force_zip64=True)


@dataclass(frozen=True)
class Header:
    """What an array's header says of it; `start` is where its numbers begin in the member."""

    shape: tuple[int, ...]
    dtype: np.dtype
    fortran_order: bool
    start: int

    @property
    def n_bytes(self) -> int:
        """Bytes of the numbers."""
        return math.prod(self.shape) * self.dtype.itemsize


class Archive:
    """An open .npz; see `open_archive`. Its methods raise ValueError for what is damaged."""

    def __init__(self, file: BinaryIO, *, mapped: bool):
        self._file, self._mapping = file, mapped
        self._size = file.seek(0, os.SEEK_END)
        self._zip = zipfile.ZipFile(file)
        self._members = {m.filename.removesuffix(".npy"): m for m in self._zip.infolist()}
        self._map: mmap.mmap | None = None
        self._left = MAX_UNPACKED

    @property
    def begin(self) -> int:
        """Where the first member begins in the file."""
        return min((member.header_offset for member in self._zip.infolist()), default=0)

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def header(self, name: str) -> Header:
        """The header of an array that is there, held against the bytes that follow it."""
        member = self._members[name]
        with self._zip.open(_sound(member)) as content:
            try:
                header = read_header(content)
            except ValueError:
                raise ValueError(f"{member.filename!r} is damaged") from None
        if header.dtype.hasobject:
            raise ValueError(f"{member.filename!r} holds pickled objects")
        stored = member.compress_type == zipfile.ZIP_STORED
        cut = stored and member.header_offset + member.file_size > self._size
        if cut or header.n_bytes != member.file_size - header.start:
            raise ValueError(f"{member.filename!r} is damaged")
        return header

    def array(self, name: str) -> np.ndarray:
        """An array that is there, compared with its checksum."""
        header, member = self.header(name), self._members[name]
        data = self._mapped(member, header)
        if data is None:
            data = self._unpacked(member, header)
        order = "F" if header.fortran_order else "C"
        return np.ndarray(header.shape, header.dtype, data, order=order)

    def copy(self, names: Iterable[str], file: BinaryIO) -> None:
        """Write an uncompressed .npz of these arrays, of which little is in memory at a time."""
        with zipfile.ZipFile(file, "w") as target:
            for name in names:
                member = self._members[name]
                if member.compress_type != zipfile.ZIP_STORED:
                    self._take(member.file_size)
                with (
                    self._zip.open(_sound(member)) as content,
                    _new_member(target, file, name) as copy,
                ):
                    shutil.copyfileobj(content, copy, _CHUNK)

    def _mapped(self, member: zipfile.ZipInfo, header: Header) -> memoryview | None:
        """The bytes of an array mapped from the disk; None where they cannot be mapped."""
        start = self._start(member)
        if start is None or not header.n_bytes or (start + header.start) % header.dtype.alignment:
            return None
        if self._map is None:
            self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        end = start + member.file_size
        if end > self._size or self._checksum(start, member.file_size) != member.CRC:
            raise zipfile.BadZipFile
        return memoryview(self._map)[start + header.start : end]

    def _checksum(self, start: int, size: int) -> int:
        """The CRC-32 of some bytes, read from the file so that no mapped page stays in memory."""
        checksum = 0
        self._file.seek(start)
        for left in range(size, 0, -_CHUNK):
            checksum = zlib.crc32(self._file.read(min(_CHUNK, left)), checksum)
        return checksum

    def _start(self, member: zipfile.ZipInfo) -> int | None:
        """Where an uncompressed member begins in a file on the disk; None for any other."""
        if not self._mapping or member.compress_type != zipfile.ZIP_STORED:
            return None
        self._file.seek(member.header_offset + _LOCAL - 4)
        return member.header_offset + _LOCAL + sum(struct.unpack("<HH", self._file.read(4)))

    def _unpacked(self, member: zipfile.ZipInfo, header: Header) -> bytearray:
        if member.compress_type != zipfile.ZIP_STORED:
            self._take(header.n_bytes)
        data = bytearray(header.n_bytes)
        with self._zip.open(member) as content:
            content.read(header.start)
            for start in range(0, len(data), _CHUNK):
                chunk = content.read(min(_CHUNK, len(data) - start))
                if len(chunk) < min(_CHUNK, len(data) - start):
                    raise EOFError
                data[start : start + len(chunk)] = chunk
            # At its end the archive compares its checksum.
            if content.read(1):
                raise EOFError
        return data

    def _take(self, n_bytes: int) -> None:
        self._left -= n_bytes
        if self._left < 0:
            raise ValueError(
                f"it unpacks to more than {MAX_UNPACKED:,} bytes, the limit of a compressed file"
            )


@contextmanager
def open_archive(
    file: str | Path | BinaryIO, what: str, *, mapped: bool = False
) -> Iterator[Archive]:
    """The arrays of a file; `what` kind of file it is begins every message.

    `mapped`: map the arrays from the disk, as far as that can be done, instead of reading
    them. Only for a path where the file is never changed in place: the arrays would change too.
    Raises ValueError, in one line, where the file is missing, is not a regular file, is no
    .npz, is damaged, or holds pickled objects, as far as it is read inside the context.
    """
    try:
        if hasattr(file, "read"):
            yield _opened(file, mapped=False)
            return
        with open_regular(file) as opened:
            yield _opened(opened, mapped=mapped)
    except FileNotFoundError:
        raise Unreadable(f"{what}: {str(file)!r} does not exist") from None
    except (OSError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or str(error) or "not enough memory"
        name = "it" if hasattr(file, "read") else repr(str(file))
        raise Unreadable(f"{what}: {name} cannot be read: {reason}") from None
    except _DAMAGED:
        raise ValueError(f"{what}: it is damaged or no .npz file") from None
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from None


def release(array: np.ndarray) -> None:
    """Take no memory for what was read of a mapped array so far; it is read again when used."""
    while isinstance(array, np.ndarray):
        array = array.base
    if isinstance(array, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        array.madvise(mmap.MADV_DONTNEED)


def _opened(file: BinaryIO, *, mapped: bool) -> Archive:
    # zipfile accepts extra bytes before the first member and after the end.
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _END))
    if not file.read().startswith(b"PK\5\6"):
        raise zipfile.BadZipFile
    try:
        archive = Archive(file, mapped=mapped)
    except ValueError:
        raise zipfile.BadZipFile from None
    if archive.begin != 0:
        raise zipfile.BadZipFile
    return archive


def read_header(content: BinaryIO) -> Header:
    """The header of an array, from its first byte. Raises ValueError where it is damaged."""
    # Versions 2 and 3 are for structured arrays, and their headers may be huge.
    try:
        if np.lib.format.read_magic(content) == (1, 0):
            shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(content)
            if min(shape, default=0) >= 0:
                return Header(shape, dtype, fortran_order, content.tell())
    except _NO_HEADER:
        pass
    raise ValueError("damaged header")


def _sound(member: zipfile.ZipInfo) -> zipfile.ZipInfo:
    if member.compress_type not in _METHODS or member.flag_bits & _ENCRYPTED:
        raise zipfile.BadZipFile
    return member
