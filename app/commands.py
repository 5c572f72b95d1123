"""Commands that make what is on a page again, for its captions."""

import json
import shlex
from dataclasses import replace
from functools import lru_cache
from pathlib import PurePath

import numpy as np

from ibcore import Binning, Experiment, View
from ibcore.estimators import Estimator, to_dict
from ibcore.presets import nearest
from ibcore.probes import Probe
from state import as_text


def reproduction(experiment: Experiment, estimator: Estimator, view: View) -> str:
    """The command that makes this run and its plane again."""
    seen = _seen_words(estimator, view)
    return " ".join([*_run_words(experiment), *seen, "--out out"])


def probe_command(experiment: Experiment, probe: Probe, definition: str | None = None) -> str:
    """The commands that make this run and the probe's table again."""
    given = vars(probe) | {"definition": definition}
    options = {name.replace("_", "-"): value for name, value in given.items() if value is not None}
    words = (f"--{name} {as_text(value)}" for name, value in options.items())
    return _of_run(experiment, "probe", probe.family, *words)


def verdict_command(experiment: Experiment, estimator: Estimator, view: View) -> str:
    """The commands that make this run and its verdicts on the whole ladder again."""
    words = _seen_words(estimator, view, value=estimator.parameter == "width")
    return _of_run(experiment, "verdicts", *words)


def layers_command(experiment: Experiment, estimator: Estimator, view: View) -> str:
    """The commands that make this run and its layers before and after training again."""
    return _of_run(experiment, "layers", *_seen_words(estimator, replace(view, channels="concat")))


def sizes_command(experiment: Experiment, estimator: Estimator, view: View, epoch: int) -> str:
    """The commands that make this run and its information against N again."""
    return _of_run(experiment, "sizes", f"--epoch {epoch}", *_seen_words(estimator, view))


def _of_run(experiment: Experiment, command: str, *words: str) -> str:
    """The command that makes the run, and one that takes its file."""
    second = f"--out out && python -m ibcore {command} out/run.npz"
    return " ".join([*_run_words(experiment), second, *words])


@lru_cache(maxsize=64)
def _run_words(experiment: Experiment) -> tuple[str, ...]:
    preset, changes = nearest(experiment)
    settings = (f"--set {shlex.quote(f'{name}={_json(v)}')}" for name, v in changes.items())
    return "python -m ibcore run", preset.name, *settings


def without_folder(command: str, experiment: Experiment) -> str:
    """The command for others, with the name of the data's file instead of its path."""
    path = experiment.task.path
    if path is None:
        return command
    return command.replace(_path_words(path), _path_words(PurePath(path).name))


def _path_words(path: str) -> str:
    return f"--set {shlex.quote(f'task.path={path}')}"


def _seen_words(estimator: Estimator, view: View, *, value: bool = True) -> list[str]:
    """The estimator, with the `value` of its parameter, and the view.

    Also where they are the defaults of today: a command says what the figure shows.
    """
    words = [f"--samples {view.samples}", f"--subset {view.subset or 'all'}"]
    if view.channels != View.channels:
        words.append(f"--channels {view.channels}")
    return [*_estimator_words(estimator, value), *words]


def chained(commands: list[str]) -> str:
    """Commands that begin alike as one: what they share is done once, the rest in turn."""
    first, *_ = commands[0].split(" && ")
    return " && ".join([first, *(command.split(" && ")[1] for command in commands)])


def _json(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _estimator_words(estimator: Estimator, value: bool) -> list[str]:
    family, parameter = to_dict(estimator)["family"], estimator.parameter
    given = f"--{parameter.replace('_', '-')} {as_text(getattr(estimator, parameter))}"
    words = [f"--estimator {family}", *([given] if value else [])]
    return words if family != "binning" else [*words, *_binning_words(estimator)]


def _binning_words(estimator: Binning) -> list[str]:
    words = []
    if estimator.width is None:
        limits = estimator.limits
        # Without exponents: a parser of options takes -1e-05 for one of them.
        given = limits if isinstance(limits, str) else " ".join(map(_positional, limits))
        words.append(f"--limits {given}")
    if estimator.correction != "none":
        words.append(f"--correction {estimator.correction}")
    if estimator.null:
        words.append(f"--null {estimator.null}")
    return words


def _positional(value: float) -> str:
    return np.format_float_positional(value, trim="-")
