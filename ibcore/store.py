"""Runs and information curves, found in the cache or computed and kept there.

The only code that knows where the cache is. A training under way keeps a journal there,
from which it is continued.
"""

import io
import json
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
from platformdirs import user_cache_path

from ibcore import entries
from ibcore.cache import Cache, touch
from ibcore.estimators import Estimator
from ibcore.experiment import FORMAT, Experiment, FieldError
from ibcore.files import Unreadable, remove, write_whole, written_beside
from ibcore.journal import Journal
from ibcore.plane import activation_range, checkpoint_curves, with_known_limits, with_limits
from ibcore.probes import Probe, joined
from ibcore.run import Run, run_key, train
from ibcore.run_file import copy_run
from ibcore.sample_size import subsample_sizes, subsampled
from ibcore.tasks import Dataset, load
from ibcore.training import Progress
from ibcore.trials import Trial, in_turn
from ibcore.view import View


def cache_folder() -> Path:
    """`IBCORE_CACHE_DIR`, else the platform's cache folder."""
    given = os.environ.get("IBCORE_CACHE_DIR")
    return Path(given).expanduser() if given else user_cache_path("ibcore")


@dataclass(frozen=True)
class _Piece:
    """A table of long work that is cached by itself; all its rows are of `epoch`, if it has one."""

    kind: str
    key: str
    work: Callable[[], pd.DataFrame]
    epoch: int | None = None


class Store:
    """Runs and information curves on disk.

    `folder` defaults to `cache_folder()`; `shipped` may name a folder of tables
    that came with the program (see `export_curves`) and are only read. `notice`
    is told, in one line, when something on disk could not be used.
    """

    def __init__(
        self,
        folder: Path | str | None = None,
        *,
        shipped: Path | str | None = None,
        notice: Callable[[str], None] = warnings.warn,
    ):
        self.folder = Path(folder) if folder is not None else cache_folder()
        self.cache = Cache(self.folder, notice)
        self._shipped = Path(shipped) if shipped is not None else None
        self._notice = notice

    def _done(self, piece: _Piece) -> pd.DataFrame:
        found = self._found(piece)
        if found is not None:
            return found
        table, buffer = piece.work(), io.BytesIO()
        table.to_feather(buffer)
        self.cache.write(piece.kind, piece.key, buffer.getvalue())
        return table

    def _found(self, piece: _Piece) -> pd.DataFrame | None:
        """The table of a piece that is cached."""
        content = self.cache.read(piece.kind, piece.key)
        if content is None:
            return None
        table = pd.read_feather(io.BytesIO(content))
        if piece.epoch is not None and not set(table.get("epoch", [])) <= {piece.epoch}:
            self.cache.drop(self.cache.path(piece.kind, piece.key))
            return None
        return table

    def _value(self, kind: str, key: str, work: Callable[[], Any]) -> Any:
        """The plain value that `work` gives, cached as JSON."""
        content = self.cache.read(kind, key)
        if content is not None:
            return json.loads(content)
        value = work()
        self.cache.write(kind, key, json.dumps(value).encode())
        return value

    def _in_turn(
        self,
        pieces: Sequence[_Piece],
        progress: Callable[[int, int], None] | None,
        should_stop: Callable[[], bool] | None,
    ) -> list[pd.DataFrame]:
        """The pieces one after the other, until `should_stop`; `progress` hears (done, all)."""
        tables = []
        for piece in pieces:
            if should_stop is not None and should_stop():
                break
            tables.append(self._done(piece))
            if progress is not None:
                progress(len(tables), len(pieces))
        return tables

    def _known(self, pieces: Sequence[_Piece]) -> list[pd.DataFrame]:
        """The pieces that are cached, up to the first that is not."""
        tables = []
        for piece in pieces:
            table = self._found(piece)
            if table is None:
                break
            tables.append(table)
        return tables

    def train(
        self,
        experiment: Experiment,
        *,
        progress: Callable[[Progress], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
        device: str = "auto",
    ) -> Run:
        """The run of `experiment`: from the cache, continued, or trained from the start.

        Partial where `should_stop` ended it; asked for again, it goes on from
        there. Raises what `ibcore.train` raises.
        """
        dataset = load(experiment.task)
        key = run_key(experiment, dataset.fingerprint)
        found = self._finished(key, experiment, dataset)
        if found is not None:
            return found
        journal = self._journal(key)
        run = train(
            experiment,
            dataset=dataset,
            progress=progress,
            should_stop=should_stop,
            device=device,
            journal=journal,
        )
        if run.complete and self.cache.write_file("run", key, run.save):
            journal.clear()
        return run

    def _finished(self, key: str, experiment: Experiment, dataset: Dataset) -> Run | None:
        """The run that is in the cache whole, under the settings that ask for it."""
        path = self.cache.path("run", key)
        if not self.cache.has("run", key):
            return None
        try:
            run = Run.load(path, mapped=True)
            if not run.complete or run.key != key:
                raise ValueError("it is another run")
            # The entry may be that of an experiment which differs where it does not count.
            run = replace(run, experiment=experiment).on(dataset)
        except Unreadable:
            return None
        except ValueError:
            self.cache.drop(path)
            return None
        touch(path)
        return run

    def holds(self, experiment: Experiment, dataset: Dataset | None = None) -> bool:
        """Whether the finished run of that experiment is in the cache."""
        dataset = load(experiment.task) if dataset is None else dataset
        return self.cache.has("run", run_key(experiment, dataset.fingerprint))

    def find(
        self,
        experiment: Experiment,
        dataset: Dataset | None = None,
        *,
        known: Run | None = None,
    ) -> Run | None:
        """What the cache holds of that experiment, whole or partial, or None.

        Nothing is trained. Pass the `dataset` where it is at hand, and as `known`
        a partial run found before, so that only what is new is read.
        """
        dataset = load(experiment.task) if dataset is None else dataset
        key = run_key(experiment, dataset.fingerprint)
        found = self._finished(key, experiment, dataset)
        if found is not None:
            return found
        if known is not None and known.key != key:
            known = None
        journal = self._journal(key)
        skip = 0 if known is None else len(known.epochs)
        new = journal.checkpoints(experiment, skip=skip) if journal is not None else []
        if not new:
            return known
        return Run.from_checkpoints(experiment, dataset.fingerprint, new, before=known).on(dataset)

    def _journal(self, key: str) -> Journal | None:
        """The journal of a training; None where the cache is not used."""
        if not self.cache.usable:
            return None
        return Journal(self.cache.path("partial", f"{key}-{FORMAT}"), self._notice)

    def keep(self, run: Run) -> Path:
        """Put a run that came from elsewhere where a worker finds it; the file's path.

        Raises OSError where the cache cannot be written.
        """
        if not self.cache.usable:
            raise OSError(f"{self.folder} is not used")
        path = self.cache.place("opened", run.content_key)
        if _content_key(path) != run.content_key:
            write_whole(path, run.save)
        touch(path)
        return path

    def open(self, file: str | Path | BinaryIO) -> Run:
        """The run in a file of elsewhere, mapped from the disk where the cache can be written.

        A copy is kept in the cache, so that the file may change or go. Raises ValueError as
        `Run.load` does.
        """
        if not self.cache.usable:
            return Run.load(file)
        try:
            return Run.load(self._copy(file), mapped=True)
        except (OSError, Unreadable) as error:
            # What is wrong with the file itself is said here.
            run = Run.load(file)
            self._notice(f"cache: the opened run could not be kept ({error})")
            return run

    def _copy(self, file: str | Path | BinaryIO) -> Path:
        """The copy of a run's file in the cache."""
        part = written_beside(self.cache.place("opened", "new"), partial(copy_run, file))
        try:
            key = Run.load(part, mapped=True).content_key
            path = self.cache.place("opened", key)
            # Another session may have mapped it.
            if _content_key(path) != key:
                os.replace(part, path)
            touch(path)
            return path
        finally:
            remove(part)

    def curves(
        self,
        run: Run,
        estimator: Estimator,
        values: Sequence[float],
        *,
        view: View = View(),
        only: Sequence[int] | None = None,
        progress: Callable[[int, int], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> pd.DataFrame:
        """`information_curves`, cached checkpoint by checkpoint.

        `only` are the checkpoints k wanted, all of them by default, in rising order
        whatever theirs. Where `should_stop` ends it, the table of those done so far.
        """
        estimator, wanted = _on_ladder(estimator, values), _wanted(run, only)
        shipped = self._shipped_curves(run, estimator, values, view)
        if shipped is not None:
            return _of_checkpoints(shipped, run, wanted)
        pieces = self._checkpoints(run, estimator, values, view, wanted)
        return joined(self._in_turn(pieces, progress, should_stop))

    def known_curves(
        self,
        run: Run,
        estimator: Estimator,
        values: Sequence[float],
        *,
        view: View = View(),
        only: Sequence[int] | None = None,
    ) -> tuple[pd.DataFrame, int]:
        """The table of the checkpoints already computed, in unbroken order, and their number.

        Of those that are wanted, see `curves`.
        """
        estimator, wanted = _on_ladder(estimator, values), _wanted(run, only)
        shipped = self._shipped_curves(run, estimator, values, view)
        if shipped is not None:
            return _of_checkpoints(shipped, run, wanted), len(wanted)
        if not self._limits_known(run, estimator, view):
            return pd.DataFrame(), 0
        tables = self._known(self._checkpoints(run, estimator, values, view, wanted))
        return joined(tables), len(tables)

    def _checkpoints(
        self,
        run: Run,
        estimator: Estimator,
        values: Sequence[float],
        view: View,
        wanted: Sequence[int],
    ) -> list[_Piece]:
        per_layer = self._with_measured_limits(run, estimator, view)
        return [
            _Piece(
                "curves",
                entries.curves_key(run, k, per_layer, values, view),
                partial(checkpoint_curves, run, k, per_layer, values, view=view),
                int(run.epochs[k]),
            )
            for k in wanted
        ]

    def _limits_known(self, run: Run, estimator: Estimator, view: View) -> bool:
        known = with_known_limits(run, estimator) is not None
        return known or self.cache.has("range", entries.range_key(run, view))

    def _with_measured_limits(
        self, run: Run, estimator: Estimator, view: View
    ) -> tuple[Estimator, ...]:
        known = with_known_limits(run, estimator)
        if known is not None:
            return known

        measure = partial(activation_range, run, view=view)
        ranges = self._value("range", entries.range_key(run, view), lambda: measure().tolist())
        return with_limits(estimator, np.array(ranges))

    def probed(
        self,
        run: Run,
        probe: Probe,
        *,
        progress: Callable[[int, int], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> pd.DataFrame:
        """`ibcore.probes.probed`, cached checkpoint by checkpoint.

        Where `should_stop` ends it, the table of the checkpoints done so far.
        """
        probe.check(run)
        return joined(self._in_turn(_probings(run, probe), progress, should_stop))

    def known_probed(self, run: Run, probe: Probe) -> tuple[pd.DataFrame, int]:
        """The rows of the checkpoints already probed, in unbroken order, and their number."""
        probe.check(run)
        tables = self._known(_probings(run, probe))
        return joined(tables), len(tables)

    def probe_rows(self, run: Run, k: int, probe: Probe) -> pd.DataFrame:
        """The rows of one checkpoint."""
        return self._done(_probing(run, k, probe))

    def sample_sizes(
        self,
        run: Run,
        k: int,
        estimator: Estimator,
        *,
        view: View = View(),
        progress: Callable[[int, int], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> pd.DataFrame:
        """`ibcore.sample_size.subsampled` at every size, cached size by size.

        Where `should_stop` ends it, the table of the sizes done so far.
        """
        pieces = self._sizes(run, k, estimator, view)
        return joined(self._in_turn(pieces, progress, should_stop))

    def known_sample_sizes(
        self,
        run: Run,
        k: int,
        estimator: Estimator,
        *,
        view: View = View(),
    ) -> tuple[pd.DataFrame, int, int]:
        """The table of the sizes already done, their number, and that of all sizes."""
        total = len(subsample_sizes(run.n_samples(*view.selection), estimator))
        if not self._limits_known(run, estimator, view):
            return pd.DataFrame(), 0, total
        tables = self._known(self._sizes(run, k, estimator, view))
        return joined(tables), len(tables), total

    def _sizes(self, run: Run, k: int, estimator: Estimator, view: View) -> list[_Piece]:
        per_layer = self._with_measured_limits(run, estimator, view)
        return [
            _Piece(
                "sizes",
                entries.size_key(run, k, per_layer, n, view),
                partial(subsampled, run, k, per_layer, n, view=view),
            )
            for n in subsample_sizes(run.n_samples(*view.selection), estimator)
        ]

    def tried(
        self,
        questions: Sequence[Trial],
        *,
        progress: Callable[[int, int], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> pd.DataFrame:
        """`ibcore.trials.trials`, cached question by question (see `ibcore.trials.plan`)."""
        return in_turn(questions, self.trial, progress, should_stop)

    def has_trial(self, question: Trial) -> bool:
        """Whether the answer is in the cache."""
        return self.cache.has("trial", entries.trial_key(question))

    def trial(self, question: Trial) -> dict:
        """`Trial.row`, cached."""
        return self._value("trial", entries.trial_key(question), question.row)

    def export_curves(
        self,
        folder: Path | str,
        run: Run,
        estimator: Estimator,
        values: Sequence[float],
        *,
        view: View = View(),
    ) -> Path:
        """Write the curves as a table to be shipped: .npz, single precision, no pickle."""
        table = self.curves(run, estimator, values, view=view)
        columns = {name: _narrow(table[name].to_numpy()) for name in table}
        estimator = _on_ladder(estimator, values)
        path = Path(folder) / f"{entries.table_key(run, estimator, values, view)}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, **columns)
        return path

    def _shipped_curves(
        self, run: Run, estimator: Estimator, values: Sequence[float], view: View
    ) -> pd.DataFrame | None:
        if self._shipped is None:
            return None
        path = self._shipped / f"{entries.table_key(run, estimator, values, view)}.npz"
        if not path.exists():
            return None
        with np.load(path, allow_pickle=False) as content:
            table = pd.DataFrame({name: _wide(content[name]) for name in content.files})
        # The ladder's values were rounded with the rest; theirs are the exact ones.
        parameter, exact = estimator.parameter, np.asarray(values)
        rounded, place = np.unique(table[parameter], return_inverse=True)
        nearest = np.abs(rounded[:, None] - exact).argmin(axis=1)
        return table.assign(**{parameter: exact[nearest[place]]})


def _probings(run: Run, probe: Probe) -> list[_Piece]:
    return [_probing(run, k, probe) for k in range(len(run.epochs))]


def _probing(run: Run, k: int, probe: Probe) -> _Piece:
    key, work = entries.probe_key(run, k, probe), partial(probe.rows, run, k)
    return _Piece("probe", key, work, int(run.epochs[k]))


def _wanted(run: Run, only: Sequence[int] | None) -> Sequence[int]:
    """The checkpoints k asked for, rising, each once."""
    every = range(len(run.epochs))
    if only is None:
        return every
    for k in only:
        if k not in every:
            raise FieldError("only", k, f"checkpoints from 0 to {len(every) - 1}")
    return sorted(set(only))


def _of_checkpoints(table: pd.DataFrame, run: Run, wanted: Sequence[int]) -> pd.DataFrame:
    if len(wanted) == len(run.epochs):
        return table
    return table[table["epoch"].isin(run.epochs[list(wanted)])].reset_index(drop=True)


def _on_ladder(estimator: Estimator, values: Sequence[float]) -> Estimator:
    """The estimator at the first value: a ladder is the same wherever one stands on it."""
    if not len(values):
        raise FieldError("values", values, "at least one value")
    rungs = [replace(estimator, **{estimator.parameter: value}) for value in values]
    return rungs[0]


def _content_key(path: Path) -> str | None:
    """That of the run in a file; None where it holds no run."""
    try:
        return Run.load(path, mapped=True).content_key
    except ValueError:
        return None


def _narrow(column: np.ndarray) -> np.ndarray:
    return column.astype({"f": np.float32, "i": np.int32, "b": np.bool_}[column.dtype.kind])


def _wide(column: np.ndarray) -> np.ndarray:
    return column.astype({"f": np.float64, "i": np.int64, "b": np.bool_}[column.dtype.kind])
