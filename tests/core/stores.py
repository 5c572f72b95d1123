"""Stores in folders of their own, and what they had to say."""

from pathlib import Path

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
    return sorted(Path(store.folder).rglob("output.pkl"))
