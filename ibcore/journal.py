"""What a training has so far, in files from which it is continued."""

import io
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from ibcore.experiment import Experiment
from ibcore.files import Damaged, read_checked, write_checked
from ibcore.training import Checkpoint, Trainer

VERSION = 2
"""Version of what the files hold: a part of the name under which they are checked."""

STATE_SECONDS = 4.0
"""A killed training loses about this much; writing the state more often costs speed."""


class Journal:
    """A folder with one file per checkpoint and the trainer's state.

    `notice` is told, in one line, what could not be read or written. A disk that
    cannot be written is a notice, and does not stop the training.
    """

    def __init__(self, folder: Path, notice: Callable[[str], None]):
        self._folder, self._notice = folder, notice
        self._saved = time.monotonic()
        self._told = False

    def resume(self, experiment: Experiment) -> tuple[dict | None, list[Checkpoint]]:
        """The last state, if it can be used, and the checkpoints in unbroken order."""
        return self._read(self._folder / "state.pt"), self.checkpoints(experiment)

    def checkpoints(self, experiment: Experiment, *, skip: int = 0) -> list[Checkpoint]:
        """The checkpoints in unbroken order, without the first `skip`."""
        found = []
        for epoch in experiment.epochs[skip:]:
            content = self._read(self._folder / f"checkpoint-{epoch}.pt")
            if content is None:
                break
            found.append(_unpacked(content))
        return found

    def add(self, checkpoint: Checkpoint) -> None:
        """Keep one checkpoint."""
        self._write(self._folder / f"checkpoint-{checkpoint.epoch}.pt", _packed(checkpoint))

    def save_state(self, trainer: Trainer, *, now: bool) -> None:
        """Keep the trainer's state, `now` or when STATE_SECONDS have passed."""
        if now or time.monotonic() - self._saved > STATE_SECONDS:
            self._write(self._folder / "state.pt", trainer.state())
            self._saved = time.monotonic()

    def clear(self) -> None:
        """Remove the journal."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _read(self, path: Path) -> dict | None:
        try:
            content = read_checked(path, self._name(path))
            return torch.load(io.BytesIO(content), weights_only=True)
        except OSError:
            return None
        except Damaged as error:
            self._notice(f"cache: {path.name} is damaged and was ignored ({error})")
            return None

    def _write(self, path: Path, content: dict) -> None:
        buffer = io.BytesIO()
        torch.save(content, buffer)
        try:
            try:
                write_checked(path, self._name(path), buffer.getvalue())
            except FileNotFoundError:
                # Another process ended the same training meanwhile and cleared the journal.
                write_checked(path, self._name(path), buffer.getvalue())
        except OSError as error:
            # A disk that is full refuses every file: one notice is enough.
            if not self._told:
                self._notice(f"cache: the training could not be kept in {self._folder} ({error})")
            self._told = True

    def _name(self, path: Path) -> str:
        return f"journal {VERSION} {self._folder.name} {path.name}"


def _packed(checkpoint: Checkpoint) -> dict:
    def tensors(value):
        if isinstance(value, tuple):
            return [torch.from_numpy(a) for a in value]
        return torch.from_numpy(value) if isinstance(value, np.ndarray) else value

    return {name: tensors(value) for name, value in vars(checkpoint).items()}


def _unpacked(content: dict) -> Checkpoint:
    def arrays(value):
        if isinstance(value, list):
            return tuple(tensor.numpy() for tensor in value)
        return value.numpy() if isinstance(value, torch.Tensor) else value

    return Checkpoint(**{name: arrays(value) for name, value in content.items()})
