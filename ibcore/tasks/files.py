"""What the readers of files share: bounded reading, and one line for every fault."""

import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ibcore.experiment import FieldError, printable

MAX_VALUES = 2**28
"""Values that X may have: 1 GiB as float32."""

_CHUNK = 2**20
_FAULTS = (
    OSError,
    EOFError,
    MemoryError,
    NotImplementedError,
    zlib.error,
    zipfile.BadZipFile,
    tarfile.TarError,
)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns every fault met while reading `path` into a ValueError of one line that names it."""
    try:
        yield
    except _FAULTS as error:
        raise ValueError(_line(path, f"cannot be read: {_reason(error)}")) from None
    except ValueError as error:
        raise ValueError(_line(path, str(error))) from None


def _reason(error: Exception) -> str:
    if getattr(error, "strerror", None):
        return error.strerror[0].lower() + error.strerror[1:]
    return str(error) or "it ends too early"


def _line(path: Path, text: str) -> str:
    return f"{printable(str(path), 200)}: {printable(' '.join(text.split()), 500)}"


def check_file(path: str, kind: str) -> None:
    """Raises FieldError unless `path` is a regular file; `kind` says which is wanted.

    Nothing is opened: a named pipe would block, and a device might never end.
    """
    mode = _mode(path)
    if mode is None:
        raise FieldError("path", path, f"an existing {kind}")
    if not stat.S_ISREG(mode):
        raise FieldError("path", path, f"an existing {kind}; this is not a regular file")


def check_folder(path: str, kind: str) -> None:
    """Raises FieldError unless `path` is a folder; `kind` says which is wanted."""
    mode = _mode(path)
    if mode is None or not stat.S_ISDIR(mode):
        raise FieldError("path", path, f"an existing {kind}")


def _mode(path: str) -> int | None:
    """None where there is nothing; ValueError where there is no permission to look."""
    try:
        return os.stat(path).st_mode
    except PermissionError as error:
        raise ValueError(_line(Path(path), f"cannot be read: {_reason(error)}")) from None
    except OSError:
        return None


def check_count(count: int, limit: int = MAX_VALUES) -> None:
    """Raises ValueError unless an array of `count` values may be read."""
    if count < 1:
        raise ValueError(f"announces {count} values; at least 1 is expected")
    if count > limit:
        allowed = f"at most {limit} are allowed: 1 GiB for all of X as float32"
        raise ValueError(f"announces {count} values; {allowed}")


def read_exactly(file: BinaryIO, size: int) -> bytearray:
    """The next `size` bytes, which must be the last of the file.

    Memory grows with what the file really holds, whatever its header announces,
    and never beyond `size` and a chunk. Raises ValueError for fewer or more bytes.
    """
    data = bytearray()
    while len(data) <= size:
        # One byte more than announced: at the end it also has checksums compared.
        chunk = file.read(min(_CHUNK, size + 1 - len(data)))
        if not chunk:
            break
        data += chunk
    check_length(len(data), size)
    return data


def check_length(length: int, size: int) -> None:
    """Raises ValueError unless there are as many bytes of data as announced."""
    if length < size:
        raise ValueError(f"truncated: {length} of the {size} announced bytes of data")
    if length > size:
        raise ValueError(f"holds more than the {size} announced bytes of data")
