"""The disk cache: the only code that knows where it is.

Finished results are entries of a joblib.Memory, each written to a temporary file
and renamed, so that a killed process leaves either all of an entry or none. A
training under way keeps a journal beside them, from which it is continued.
"""

import contextlib
import os
import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Memory
from joblib.memory import CacheWarning
from platformdirs import user_cache_path

from ibcore import entries
from ibcore.archive import write_whole
from ibcore.estimators import Estimator
from ibcore.experiment import FORMAT, Experiment, FieldError
from ibcore.journal import Journal
from ibcore.plane import activation_range, checkpoint_curves, with_known_limits, with_limits
from ibcore.probes import Probe, joined
from ibcore.run import Run, run_key, train
from ibcore.sample_size import subsample_sizes, subsampled
from ibcore.tasks import Dataset, load
from ibcore.training import Progress
from ibcore.trials import Trial, in_turn
from ibcore.view import View

DAMAGED = "cache: a damaged entry is left aside; what it held is computed again where it is needed"


def cache_folder() -> Path:
    """`IBCORE_CACHE_DIR`, else the platform's cache folder."""
    given = os.environ.get("IBCORE_CACHE_DIR")
    return Path(given) if given else user_cache_path("ibcore")


class _Unfinished(Exception):
    """Carries a partial run past the cache, which keeps finished ones only."""

    def __init__(self, run: Run):
        self.run = run


def _entry(kind: str, key: str, version: int, work: Callable[[], Any]) -> Any:
    return work()


@dataclass(frozen=True)
class _Piece:
    """A part of long work that is cached by itself."""

    kind: str
    key: str
    work: Callable[[], pd.DataFrame]


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
        self._shipped = Path(shipped) if shipped is not None else None
        self._notice = notice
        self._writing, self._refused = threading.Lock(), False
        self._cached = self._cache()
        # joblib logs a traceback before it recomputes a damaged entry.
        self._cached.warn = lambda _: notice(DAMAGED)

    def _cache(self) -> Callable[..., Any]:
        """`_entry`, cached; not cached where the folder cannot be made."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            memory = Memory(self.folder, verbose=0, compress=("zlib", 1))
            cached = memory.cache(_entry, ignore=["work"])
            # Versions in the keys say what entries mean. joblib would compare its own note
            # of the source of `_entry`, and wipe everything where that note is damaged.
            cached._check_previous_func_code = lambda stacklevel=2: True
            backend = cached.store_backend
            backend.dump_item = partial(self._write_entry, backend.dump_item)
            return cached
        except OSError as error:
            self._notice(f"cache: {self.folder} cannot be written, nothing is kept ({error})")
            return Memory(None).cache(_entry)

    def _write_entry(self, write: Callable[..., None], *args, **kwargs) -> None:
        """Let joblib write an entry; the first that it cannot write is a notice."""
        # The filters of warnings belong to all threads.
        with self._writing, warnings.catch_warnings():
            warnings.simplefilter("error", CacheWarning)
            try:
                write(*args, **kwargs)
                return
            except CacheWarning as warning:
                first, self._refused = not self._refused, True
                reason = warning.__context__
        if first:
            self._notice(f"cache: what is computed could not be kept ({reason})")

    def _get(self, kind: str, key: str, work: Callable[[], Any]) -> Any:
        return self._cached(kind, key, entries.version(kind), work)

    def _has(self, kind: str, key: str) -> bool:
        return self._cached.check_call_in_cache(kind, key, entries.version(kind), None)

    def _forget(self, kind: str, key: str) -> None:
        """Remove a damaged entry: it would hide what is computed in its place until it is done."""
        # Somebody else may have removed it in the meantime.
        with contextlib.suppress(OSError, LookupError):
            self._cached.call_and_shelve(kind, key, entries.version(kind), _refuse).clear()

    def _done(self, piece: _Piece) -> pd.DataFrame:
        return self._get(piece.kind, piece.key, piece.work)

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
        return [self._done(p) for p in takewhile(lambda p: self._has(p.kind, p.key), pieces)]

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
        journal = Journal(self._journal_folder(key), self._notice)

        def work() -> Run:
            run = train(
                experiment,
                dataset=dataset,
                progress=progress,
                should_stop=should_stop,
                device=device,
                journal=journal,
            )
            if not run.complete:
                raise _Unfinished(run)
            return run

        try:
            run = self._get("run", key, work)
        except _Unfinished as unfinished:
            return unfinished.run
        if self._has("run", key):
            journal.clear()
        # The entry may be that of an experiment which differs where it does not count.
        return replace(run, experiment=experiment).on(dataset)

    def holds(self, experiment: Experiment, dataset: Dataset | None = None) -> bool:
        """Whether the finished run of that experiment is in the cache."""
        dataset = load(experiment.task) if dataset is None else dataset
        return self._has("run", run_key(experiment, dataset.fingerprint))

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
        if self._has("run", key):
            try:
                return replace(self._get("run", key, _refuse), experiment=experiment).on(dataset)
            except LookupError:
                self._forget("run", key)
        if known is not None and known.key != key:
            known = None
        journal = Journal(self._journal_folder(key), self._notice)
        new = journal.checkpoints(experiment, skip=0 if known is None else len(known.epochs))
        if not new:
            return known
        return Run.from_checkpoints(experiment, dataset.fingerprint, new, before=known).on(dataset)

    def _journal_folder(self, key: str) -> Path:
        return self.folder / "partial" / f"{key}-{FORMAT}"

    def keep(self, run: Run) -> Path:
        """Put a run that came from elsewhere where a worker finds it; the file's path.

        Raises OSError where the cache cannot be written.
        """
        path = self.folder / "opened" / f"{run.content_key}.npz"
        if not path.exists():
            write_whole(path, run.save)
        return path

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
            )
            for k in wanted
        ]

    def _limits_known(self, run: Run, estimator: Estimator, view: View) -> bool:
        known = with_known_limits(run, estimator) is not None
        return known or self._has("range", entries.range_key(run, view))

    def _with_measured_limits(
        self, run: Run, estimator: Estimator, view: View
    ) -> tuple[Estimator, ...]:
        known = with_known_limits(run, estimator)
        if known is not None:
            return known

        measure = partial(activation_range, run, view=view)
        return with_limits(estimator, self._get("range", entries.range_key(run, view), measure))

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
        return self._has("trial", entries.trial_key(question))

    def trial(self, question: Trial) -> dict:
        """`Trial.row`, cached."""
        return self._get("trial", entries.trial_key(question), question.row)

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
    return _Piece("probe", entries.probe_key(run, k, probe), partial(probe.rows, run, k))


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


def _refuse() -> None:
    raise LookupError


def _narrow(column: np.ndarray) -> np.ndarray:
    return column.astype({"f": np.float32, "i": np.int32, "b": np.bool_}[column.dtype.kind])


def _wide(column: np.ndarray) -> np.ndarray:
    return column.astype({"f": np.float64, "i": np.int64, "b": np.bool_}[column.dtype.kind])
