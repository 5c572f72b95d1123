"""Stores in folders of their own, and what they had to say."""

import pickle
from pathlib import Path

import pytest

from ibcore.store import Store

VALUES = (5, 30)
"""Numbers of bins."""


class Told(list):
    """A store in a folder of its own, and every notice it gave."""

    def __init__(self, folder, **options):
        super().__init__()
        self.store = Store(folder, notice=self.append, **options)


def train(store, experiment, steps=None):
    """The run, asked to stop after so many steps, and the progress heard."""
    heard, asked = [], iter(range(10**9))
    run = store.train(
        experiment,
        progress=heard.append,
        should_stop=None if steps is None else lambda: next(asked) >= steps,
        device="cpu",
    )
    return run, heard


def kept(store):
    """The files of what is finished."""
    folders = ("run", "curves", "range", "sizes", "probe", "trial")
    return sorted(p for name in folders for p in Path(store.folder).glob(f"{name}-*/*"))


def damage(path, how):
    """Do to the file of an entry what `DAMAGE` lists."""
    content = path.read_bytes()
    middle = len(content) // 2
    flipped = bytearray(content)
    flipped[middle] ^= 1
    path.unlink()
    if how == "a folder":
        path.mkdir()
        (path / "file").write_bytes(content)
        return
    path.write_bytes(
        {
            "truncated": content[:middle],
            "emptied": b"",
            "overwritten": b"?" * len(content),
            "zeroed": content[: middle - 40] + bytes(80) + content[middle + 40 :],
            "a bit": bytes(flipped),
            "appended": content + b"xxxx",
            "twice": content + content,
            "beheaded": content[10:],
            "a pickle": pickle.dumps(_Trap()),
        }[how]
    )


DAMAGE = (
    *("truncated", "emptied", "overwritten", "zeroed", "a bit", "appended", "twice", "beheaded"),
    *("a pickle", "a folder"),
)


class _Trap:
    """Unpickled, it ends the test."""

    def __reduce__(self):
        return pytest.fail, ("a pickle was loaded",)
