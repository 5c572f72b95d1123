"""What a command writes: files that are whole or not there, and standard output."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import pandas as pd

from ibcore.experiment import FieldError
from ibcore.files import written_beside

Write = Callable[[BinaryIO], object]


def checked_file(name: str) -> Path:
    """The path of a file that can be written; FieldError where it cannot."""
    path = Path(_checked_name(name, "the name of a file"))
    there = os.path.exists(path)
    if os.path.isdir(path) or not os.path.isdir(path.parent):
        raise FieldError("out", name, "a file in a directory that exists")
    if (there and not os.access(path, os.W_OK)) or not (_is_device(path) or _takes(path.parent)):
        raise FieldError("out", name, "a file in a directory that can be written to")
    return path


def checked_folder(name: str) -> Path:
    """The path of a folder that can be written to, or made; FieldError where it cannot."""
    path = Path(_checked_name(name, "the name of a folder"))
    there = next(place for place in (path, *path.parents) if os.path.exists(place))
    if not os.path.isdir(there):
        raise FieldError("out", name, "a folder, or a place where one can be made")
    if not _takes(there):
        raise FieldError("out", name, "a place that can be written to")
    return path


def _checked_name(name: str, allowed: str) -> str:
    try:
        os.stat(name)
    except (FileNotFoundError, NotADirectoryError):
        if name:
            return name
        raise FieldError("out", name, allowed) from None
    except OSError as error:
        # Such as a name that is too long.
        raise FieldError("out", name, f"{allowed} ({error.strerror})") from None
    return name


def _takes(folder: Path) -> bool:
    """Whether a file can be made there, which permissions alone do not tell."""
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def _is_device(path: Path) -> bool:
    """Such as a pipe or /dev/null, which a rename would replace."""
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


def write_together(files: Mapping[Path, Write]) -> None:
    """Write files, each whole, and the folders they need.

    All are written under other names before the first gets its own, so that earlier files
    stay if the disk is full. Raises OSError naming the file that cannot be written; no
    folder made for it is left behind.
    """
    with contextlib.ExitStack() as undone:
        ready = [(_written(path, write, undone), path) for path, write in files.items()]
        for part, path in ready:
            if part is not None:
                with _naming(path):
                    os.replace(part, os.path.realpath(path))
        undone.pop_all()


def _written(path: Path, write: Write, undone: contextlib.ExitStack) -> Path | None:
    """The file beside `path` that is to take its place; None for a device, written at once."""
    with _naming(path):
        if _is_device(path):
            with open(path, "wb") as file:
                write(file)
            return None
        missing = [place for place in path.parents if not os.path.exists(place)]
        for place in reversed(missing):
            place.mkdir()
            undone.callback(_remove_if_empty, place)
        part = written_beside(Path(os.path.realpath(path)), write)
        undone.callback(part.unlink, missing_ok=True)
        return part


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OSError(f"{path} cannot be written: {error.strerror or error}") from None


def csv(table: pd.DataFrame) -> bytes:
    """The table as CSV in UTF-8."""
    return table.to_csv(index=False, lineterminator="\n").encode()


def write_table(table: pd.DataFrame, out: Path | None) -> None:
    """Write the table as CSV into that file, or show it. Raises OSError where that fails."""
    text = csv(table)
    if out is None:
        show(text.decode())
    else:
        write_together({out: lambda file: file.write(text)})


def show(text: str) -> None:
    """Write to standard output at once; OSError where that fails, BrokenPipeError if unread."""
    if sys.stdout is None:
        raise OSError("standard output cannot be written: it is closed")
    try:
        # Line by line: of a long text an unbuffered stream may take a part and not say so.
        for line in text.splitlines(keepends=True):
            print(line, end="")
        print(end="", flush=True)
    except OSError as error:
        # What is left in the buffer would be refused again when Python ends.
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        raise OSError(f"standard output cannot be written: {error.strerror}") from None
