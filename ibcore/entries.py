"""The names of what the store keeps: they follow from the content of what it was computed from."""

import hashlib
from collections.abc import Sequence

from ibcore.estimators import Estimator
from ibcore.experiment import FORMAT
from ibcore.probes import Probe
from ibcore.run import Run
from ibcore.trials import Trial
from ibcore.view import View

ESTIMATES = 1
"""Version of what estimators say of a run."""

KINDS = {
    "run": FORMAT + 2,
    "curves": ESTIMATES,
    "range": ESTIMATES,
    "sizes": ESTIMATES,
    "probe": 2,
    "trial": 1,
}
"""The kinds of entries, each with the version of what it means, a part of every name."""


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _samples_key(run: Run, view: View) -> str:
    samples = view.samples if view.samples == "all" else view.samples + run.experiment.key
    return samples if view.subset is None else f"{samples} {view.subset}"


def _view_key(run: Run, view: View) -> str:
    """Of before there were subsets and channels where there are none."""
    samples = _samples_key(run, view)
    return samples if view.channels == View.channels else f"{samples} {view.channels}"


def curves_key(
    run: Run, k: int, per_layer: Sequence[Estimator], values: Sequence[float], view: View
) -> str:
    """The estimates of checkpoint k at these values, with an estimator for each layer."""
    return _digest(run.checkpoint_keys[k], repr(per_layer), _plain(values), _view_key(run, view))


def size_key(run: Run, k: int, per_layer: Sequence[Estimator], n: int, view: View) -> str:
    """The estimates of checkpoint k from n of the samples."""
    return _digest(curves_key(run, k, per_layer, [], view), str(n))


def probe_key(run: Run, k: int, probe: Probe) -> str:
    """What a probe says of checkpoint k."""
    # The experiment too: it splits the samples and orders them into minibatches.
    return _digest(run.checkpoint_keys[k], run.along_key(k), repr(probe), run.experiment.key)


def trial_key(question: Trial) -> str:
    """What an estimator says of a case with a known truth."""
    truth = question.truth
    known = truth.name, truth.label, repr(truth.value)
    return _digest(*known, repr(question.estimator), str(question.n), str(question.seed))


def range_key(run: Run, view: View) -> str:
    """The range of the activations of all of the run."""
    return _digest(*run.checkpoint_keys, _samples_key(run, view))


def table_key(run: Run, estimator: Estimator, values: Sequence[float], view: View) -> str:
    """The curves of all of the run on a ladder."""
    parts = [range_key(run, view), repr(estimator), _plain(values)]
    return _digest(*parts, *([] if view.channels == View.channels else [view.channels]))


def _plain(values: Sequence[float]) -> str:
    """The same text for 1, 1.0 and numpy's own numbers."""
    return repr([float(value) for value in values])
