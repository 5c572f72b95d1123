"""What the readers of files share: bounded reading, and one line for every fault."""

import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

MAX_VALUES = 2**28
"""Values that one array of a file may hold: 1 GiB once they are float32."""

_CHUNK = 2**20
_FAULTS = (
    OSError,
    EOFError,
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
    return getattr(error, "strerror", None) or str(error) or "it ends too early"


def _line(path: Path, text: str) -> str:
    return " ".join(f"{path}: {text}".split())


def check_count(count: int) -> None:
    """Raises ValueError unless an array of `count` values may be read."""
    if not 1 <= count <= MAX_VALUES:
        raise ValueError(f"announces {count} values; 1 to {MAX_VALUES} are allowed")


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
    if len(data) < size:
        raise ValueError(f"truncated: {len(data)} of the {size} announced bytes of data")
    if len(data) > size:
        raise ValueError(f"holds more than the {size} announced bytes of data")
    return data
