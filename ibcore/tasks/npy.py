"""Arrays in a NumPy archive: sized by their headers, then read in blocks."""

import math
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from ibcore.archive import Header, read_header
from ibcore.experiment import FieldError, printable
from ibcore.tasks.files import check_count, check_length

_BLOCK = 2**15
_LISTED = 8
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1


@dataclass(frozen=True)
class StoredArray:
    """An array of an open archive as its header announces it; its values are not read yet."""

    archive: zipfile.ZipFile
    info: zipfile.ZipInfo
    name: str
    header: Header

    @property
    def shape(self) -> tuple[int, ...]:
        """As announced."""
        return self.header.shape

    @property
    def order(self) -> str:
        """C or F, of the values in the file."""
        return "F" if self.header.fortran_order else "C"

    @property
    def count(self) -> int:
        """How many values there are."""
        return math.prod(self.shape)

    def blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        """The values (n,) in the order of the file, with the place of the first of them.

        Raises ValueError, naming the array, for fewer values than announced.
        """
        with _naming(self.name), self.archive.open(self.info) as file:
            file.read(self.header.start)
            for start in range(0, self.count, _BLOCK):
                size = min(_BLOCK, self.count - start) * self.header.dtype.itemsize
                data = file.read(size)
                check_length(len(data), size)
                yield start, np.frombuffer(data, self.header.dtype)

    def read(self) -> np.ndarray:
        """All of it, in its own type."""
        return self.converted(self.header.dtype, lambda _, values: values)

    def converted(
        self, dtype: np.dtype, convert: Callable[[int, np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """All of it as `dtype`; `convert` is given what `blocks` gives, one after the other."""
        array = np.empty(self.shape, dtype, order=self.order)
        flat = array.reshape(-1, order=self.order)
        for start, values in self.blocks():
            flat[start : start + len(values)] = convert(start, values)
        return array


def stored(archive: zipfile.ZipFile, name: str, kinds: str) -> StoredArray:
    """The array of that name, of a type whose kind is one of `kinds`.

    Raises ValueError, naming the array, where it is not there or is not sound: another
    type, a damaged header, or other data than its header announces.
    """
    try:
        info = archive.getinfo(name + ".npy")
    except KeyError:
        raise ValueError(f"holds no array {name}{_instead(archive)}") from None
    if info.compress_type not in _METHODS or info.flag_bits & _ENCRYPTED:
        raise ValueError(f"array {name} is packed in a way that NumPy does not write")
    with _naming(name), archive.open(info) as file:
        array = StoredArray(archive, info, name, read_header(file))
        _check(array, kinds)
        check_length(info.file_size - file.tell(), array.header.n_bytes)
    return array


def _instead(archive: zipfile.ZipFile) -> str:
    names = [printable(name.removesuffix(".npy"), 30) for name in archive.namelist()[:_LISTED]]
    more = ", ..." if len(archive.namelist()) > _LISTED else ""
    held = f", only {', '.join(names)}{more}" if names else ""
    return f"{held}; arrays x and y are expected"


@contextmanager
def _naming(name: str) -> Iterator[None]:
    try:
        yield
    except FieldError:
        raise
    except ValueError as error:
        raise ValueError(f"array {name}: {error}") from None


def _check(array: StoredArray, kinds: str) -> None:
    dtype = array.header.dtype
    if dtype.kind not in kinds or not dtype.itemsize:
        wanted = "real numbers or text" if "U" in kinds else "real numbers"
        way = f"; save it as such, e.g. {array.name}.astype({'str' if 'U' in kinds else 'float'})"
        raise ValueError(f"type {printable(str(dtype))}; {wanted} are expected{way}")
    check_count(array.count)
