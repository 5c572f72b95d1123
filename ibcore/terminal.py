"""The terminal of a command: lines on stderr, progress bars, and signals that end it."""

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

from tqdm import tqdm

ENDS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Signals that ask a program to end; Windows has no SIGHUP."""

Handler = Callable[[int, FrameType | None], object]


class Ended(BaseException):
    """A signal asked the program to end; like KeyboardInterrupt, it is no Exception."""

    def __init__(self, number: int):
        super().__init__(number)
        self.number = number


def end(number: int, _frame: FrameType | None) -> None:
    """The handler that raises `Ended`."""
    raise Ended(number)


@contextlib.contextmanager
def handling(signals: Sequence[int], handler: Handler) -> Iterator[None]:
    """Let `handler` have these signals, except SIGTERM and SIGHUP where they are ignored."""
    before = {number: signal.getsignal(number) for number in signals}
    # `nohup` ignores SIGHUP for the programs that it starts.
    taken = [n for n in signals if n not in ENDS or before[n] != signal.SIG_IGN]
    for number in taken:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, before[number])


def say(line: str) -> None:
    """Write a line to stderr, above any progress bar; nothing where stderr is closed."""
    if sys.stderr is None:
        return
    with contextlib.suppress(OSError, ValueError):
        tqdm.write(line, file=sys.stderr)


def remark(text: object) -> None:
    """Write a remark, which is one line, to stderr."""
    say(f"ibcore: {' '.join(str(text).split())}")


class Bar:
    """A progress bar on stderr where this is a terminal, from the first word of progress on.

    `options` are those of tqdm.
    """

    def __init__(self, unit: str, **options: object):
        self._options, self._bar = {"unit": unit, **options}, None

    def __enter__(self) -> "Bar":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def at(self, done: int, total: int, what: str = "") -> None:
        """Show how far it is, and at what."""
        if self._bar is None:
            silent = None if sys.stderr is not None else True
            self._bar = tqdm(total=total, disable=silent, **self._options)
        self._bar.total = total
        if what:
            self._bar.set_description(what, refresh=False)
        self._bar.update(done - self._bar.n)
