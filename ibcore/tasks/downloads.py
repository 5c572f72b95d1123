"""Data sets that are fetched once: what files they need, where these lie and how they come.

The only code that uses a network. Nothing is fetched unless `fetch` is called.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

import pooch
import requests

from ibcore.files import make_private
from ibcore.tasks.files import reading

Progress = Callable[[str, int, int], None]
"""Told the name of the file that comes, the bytes so far and the bytes of all files."""

_CHUNK = 2**16
_TIMEOUT = 10.0
"""Seconds that a server may keep silent; a cancelled download may take as long to notice."""

_STALE = 3600.0
"""Seconds after which what a killed download left is nobody's any more."""


@dataclass(frozen=True)
class RemoteFile:
    """A file by the name under which it is kept, and where to get it.

    `urls` are tried in turn; `size` is in bytes; `known_hash` is `sha256:` or `md5:`
    with hexadecimal digits.
    """

    name: str
    urls: tuple[str, ...]
    size: int
    known_hash: str


@dataclass(frozen=True)
class Source:
    """The files of one task."""

    task: str
    files: tuple[RemoteFile, ...]

    @property
    def folder(self) -> Path:
        """Where the files lie or will."""
        return data_folder() / self.task

    def path(self, file: RemoteFile) -> Path:
        """Where that file lies or will."""
        return self.folder / file.name

    def wanting(self) -> tuple[RemoteFile, ...]:
        """The files that are not there, or are there with another content."""
        return tuple(file for file in self.files if not is_known(self.path(file), file))

    def paths(self) -> list[Path]:
        """Where the files lie, in order; raises MissingData unless all are there and whole."""
        wanting = self.wanting()
        if wanting:
            raise MissingData(self, wanting)
        return [self.path(file) for file in self.files]


class MissingData(ValueError):
    """Files of a task are not there, or are not what they are named; the message is one line.

    Attributes: `task`, its name; `files`, those that are wanting; `damaged`, the names of
    those among them that are there with another content; `folder`, where they belong;
    `addresses`, where they come from.
    """

    def __init__(self, source: Source, files: tuple[RemoteFile, ...]):
        self.task, self.files, self.folder = source.task, files, source.folder
        self.damaged = tuple(file.name for file in files if source.path(file).exists())
        self.addresses = tuple(dict.fromkeys(_parent(file.urls[0]) for file in files))
        listed = ", ".join(f"{file.name} ({in_words(file.size)})" for file in files)
        text = f"task: the data of {self.task} are not there: {listed}"
        if self.damaged:
            text += f"; {', '.join(self.damaged)} differs from the known file of that name"
        way = f"'python -m ibcore fetch {self.task}' gets them"
        text += f"; {way}, or put them into {self.folder} from {' and '.join(self.addresses)}"
        super().__init__(" ".join(text.split()))


class DownloadError(RuntimeError):
    """A file could not be fetched; the message is one line."""


class _Stopped(Exception):
    """The person no longer wants the file."""


class _Refused(Exception):
    """What a server sends is not the file; the message says why."""


def data_folder() -> Path:
    """`IBCORE_DATA_DIR`, else the folder `data` in the cache folder."""
    given = os.environ.get("IBCORE_DATA_DIR")
    if given:
        return Path(given).expanduser()
    return (
        Path(os.environ.get("IBCORE_CACHE_DIR") or pooch.os_cache("ibcore")).expanduser() / "data"
    )


def in_words(size: int) -> str:
    """A number of bytes for a person: 1.2 GB, 9.9 MB, 29 kB, 512 bytes."""
    for unit, power in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= power:
            return f"{size / power:.{int(size < 9.95 * power)}f} {unit}"
    return f"{size} bytes"


def is_known(path: Path, file: RemoteFile) -> bool:
    """Whether `path` holds that file; its content is read once while it does not change."""
    with reading(path):
        if not path.is_file():
            return False
        stat = path.stat()
        return _has_hash(path, stat.st_size, stat.st_mtime_ns, file.known_hash)


@lru_cache(maxsize=64)
def _has_hash(path: Path, size: int, changed: int, known_hash: str) -> bool:
    algorithm, digits = known_hash.split(":")
    return pooch.file_hash(str(path), alg=algorithm) == digits


def fetch(
    source: Source,
    *,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> bool:
    """Download what is wanting; whether all of it is there now.

    A file is written under another name, compared with its known hash, and only then
    gets its own: a download that fails leaves nothing, and the next one begins that
    file anew. A file of another content is replaced. False where `should_stop` ended it.

    Raises DownloadError, naming the file, where to get it and where to put it, and
    what was wrong: no network, a server that fails or breaks off, another content, a
    folder or disk that takes no more.
    """
    wanting = source.wanting()
    total, before = sum(file.size for file in wanting), 0
    for file in wanting:
        heard = _hearing(file, before, total, progress, should_stop)
        try:
            _fetch_file(file, source.path(file), heard)
        except _Stopped:
            return False
        before += file.size
    return True


def _hearing(
    file: RemoteFile,
    before: int,
    total: int,
    progress: Progress | None,
    should_stop: Callable[[], bool] | None,
) -> Callable[[int], None]:
    """What is done as the bytes of a file come in, told how many there are."""

    def heard(done: int) -> None:
        if should_stop is not None and should_stop():
            raise _Stopped
        if done > file.size:
            raise _Refused(f"it sends more than the {file.size} bytes of the file")
        if progress is not None:
            progress(file.name, before + done, total)

    return heard


def _fetch_file(file: RemoteFile, target: Path, heard: Callable[[int], None]) -> None:
    """The file from the first address that gives it."""
    reasons = []
    for url in file.urls:
        try:
            with _writing(target) as part:
                _download(url, part, heard)
                _compare(part, file)
                os.replace(part, target)
            return
        except _Refused as refused:
            reasons.append(f"{urlsplit(url).hostname}: {refused}")
        except OSError as error:
            reason = error.strerror or str(error)
            raise _failure(file, target, f"{target.parent} takes no file: {reason}") from None
    raise _failure(file, target, "; ".join(reasons))


def _failure(file: RemoteFile, target: Path, reason: str) -> DownloadError:
    text = f"{file.name} could not be fetched ({reason}); get it from {file.urls[0]}"
    return DownloadError(" ".join(f"{text} and put it into {target.parent}".split()))


@contextmanager
def _writing(target: Path) -> Iterator[Path]:
    """A name beside `target` to write to; what is left under it in the end is removed."""
    if os.environ.get("IBCORE_DATA_DIR"):
        target.parent.mkdir(parents=True, exist_ok=True)
    else:
        # The cache folder, which is not used where others may write to it.
        make_private(target.parent)
    _clear_stale(target)
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


def _clear_stale(target: Path) -> None:
    """Remove what killed downloads of this file have left."""
    for part in target.parent.glob(f"{target.name}.*.part"):
        if part.lstat().st_mtime < time.time() - _STALE:
            part.unlink(missing_ok=True)


def _download(url: str, part: Path, heard: Callable[[int], None]) -> None:
    """Raises _Refused for all that goes wrong on the way, OSError where it cannot be written."""
    heard(0)
    with open(part, "wb") as file, _downloader() as download:
        incoming = _Incoming(file, heard)
        try:
            download(url, incoming, None)
        except requests.HTTPError as error:
            raise _Refused(f"it answers {error.response.status_code}") from None
        except requests.RequestException as error:
            raise _Refused(_network_reason(error, incoming.done)) from None


@contextmanager
def _downloader() -> Iterator[pooch.HTTPDownloader]:
    """Pooch's, whose connections are closed in the end, which it leaves open where it fails."""
    with ExitStack() as responses:

        def close_later(response: requests.Response, **_) -> None:
            responses.callback(response.close)

        hooks = {"response": close_later}
        yield pooch.HTTPDownloader(chunk_size=_CHUNK, timeout=_TIMEOUT, hooks=hooks)


def _network_reason(error: requests.RequestException, done: int) -> str:
    if done:
        return f"the connection broke off after {in_words(done)}"
    if isinstance(error, requests.Timeout):
        return f"no answer within {_TIMEOUT:g} s"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted"
    return "no connection"


class _Incoming:
    """A file as pooch sees it; tells how much has come before it is written."""

    def __init__(self, file, heard: Callable[[int], None]):
        self._file, self._heard, self.done = file, heard, 0

    def write(self, chunk: bytes) -> None:
        self.done += len(chunk)
        self._heard(self.done)
        self._file.write(chunk)

    def flush(self) -> None:
        self._file.flush()


def _compare(part: Path, file: RemoteFile) -> None:
    if is_known(part, file):
        return
    algorithm = {"sha256": "SHA-256", "md5": "MD5"}[file.known_hash.split(":")[0]]
    size = part.stat().st_size
    if size < file.size:
        raise _Refused(f"it sends {size} of the {file.size} bytes of the file")
    raise _Refused(f"it sends another file: its {algorithm} is not the known one")


def _parent(url: str) -> str:
    return url.rsplit("/", 1)[0] + "/"
