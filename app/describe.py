"""Settings in words: what a caption and a sentence on the page need."""

import math
import re
from importlib.metadata import version

import torch

from charts import PlaneSettings
from families import definition
from ibcore import Experiment, Network, Run, View, exactness
from ibcore.estimators import Estimator
from ibcore.experiment import FIXED_SPLIT_TASKS
from ibcore.tasks import Dataset


def plain(text: object) -> str:
    """Text from outside as Markdown that shows it as it is: no links, images or markup."""
    return re.sub(r"([\\`*_{}\[\]()<>#+\-!|$:~])", r"\\\1", str(text))


def layer_names(experiment: Experiment, n_classes: int) -> tuple[str, ...]:
    """One short name per layer, the output layer included."""
    network = experiment.network
    hidden = [f"{layer} {network.activation}" for layer in network.hidden]
    outputs = 1 if network.output == "sigmoid" else n_classes
    names = [*hidden, f"{outputs} {network.output}"]
    return tuple(f"{i}: {name}" for i, name in enumerate(names, start=1))


def experiment_line(experiment: Experiment) -> str:
    """Task, network and training in one line."""
    task, network = experiment.task, experiment.network
    data = task.name
    if task.name not in FIXED_SPLIT_TASKS:
        data += f", train fraction {task.train_fraction:g}, split seed {task.split_seed}"
    if task.gamma is not None:
        data += f", soft labels with γ = {task.gamma:g}"
    if task.bin_y is not None:
        data += f", y in {task.bin_y} quantile classes"
    if task.standardise:
        data += ", x standardised"
    return (
        f"Task {data}. Network {network.layers}, {activation_words(network)}, init {network.init},"
        f" {network.output} output. {training_words(experiment)}."
    )


def activation_words(network: Network) -> str:
    """The activation, and the grid it is rounded to where there is one."""
    if network.bits is None:
        return network.activation
    low, high = network.limits
    bits = "1 bit" if network.bits == 1 else f"{network.bits} bits"
    return f"{network.activation} rounded to {bits} on [{low:g}, {high:g}]"


def training_words(experiment: Experiment) -> str:
    """Optimiser, batches, epochs, replicates and seed."""
    training = experiment.training
    batch = {
        "full": "full batch",
        "mini": f"minibatches of {training.batch_size}",
        "single": "single examples",
        "parallel": f"parallel networks with a fixed minibatch of {training.batch_size} each",
    }[training.batch_mode]
    momentum = f" {training.momentum:g}" if training.optimizer == "momentum" else ""
    return (
        f"{training.optimizer}{momentum}, learning rate {training.learning_rate:g}, {batch},"
        f" {_count(training.epochs, 'epoch')}, {_count(training.replicates, 'replicate')},"
        f" seed {training.seed}"
        + (", a split for every replicate" if training.resample_split else "")
    )


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def caption(run: Run, seen: str, command: str) -> list[str]:
    """The lines below an exported figure: settings, estimator, versions, reproduction.

    `seen` says what is drawn: by which estimator or probe, in which units.
    """
    reached = "" if run.complete else f" Trained to epoch {run.epochs[-1]} so far."
    lost = [f"{r} from epoch {e} on" for r, e in enumerate(run.diverged) if e >= 0]
    diverged = f" Diverged and left out: replicate {', '.join(lost)}." if lost else ""
    return [
        experiment_line(run.experiment),
        f"{seen}.{reached}{diverged}",
        versions(command),
    ]


def versions(command: str) -> str:
    """What made a figure, and how to make it again."""
    return f"ibcore {version('ibcore')}, PyTorch {torch.__version__}. Reproduce: {command}"


def view_words(run: Run, view: View) -> str:
    """The samples that are measured, and the channels where they are taken one by one."""
    n, whole = run.n_samples(*view.selection), run.n_samples(view.samples)
    many = f"all {whole:,}" if n == whole else f"{n:,} of the {whole:,}"
    kind = {"all": "", "train": " training", "test": " test"}[view.samples]
    noun = "images" if run.experiment.network.filters else "samples"
    own = view.samples != "all" and not run.experiment.training.shares_samples
    channels = "" if view.channels == View.channels else ", mean over single channels"
    return f"{many}{kind} {noun}{' of each network' if own else ''}{channels}"


def spread(run: Run) -> str:
    """What the bands of the curves are."""
    if run.n_replicates == 1:
        return "one replicate"
    return f"mean of {run.n_replicates} replicates, band ± 1 standard deviation"


def duration(seconds: float) -> str:
    """A length of time as a person would say it."""
    if seconds < 1:
        return "less than a second"
    if seconds < 100:
        return f"about {seconds:.0f} s"
    if seconds < 5400:
        return f"about {seconds / 60:.0f} min"
    return f"about {seconds / 3600:.1f} h"


def waiting(n_workers: int) -> str:
    """What a job that has no worker yet is waiting for."""
    return f"waiting: {_count(n_workers, 'worker')} {'is' if n_workers == 1 else 'are'} at work"


def what_am_i_looking_at(
    run: Run, estimator: Estimator, view: View, settings: PlaneSettings
) -> list[str]:
    """The estimator's definition with this run's numbers, in five lines or so."""
    exact = exactness(run, estimator) == "exact"
    n_samples, h_x = settings.n_samples, settings.h_x
    distinct = math.isclose(h_x, math.log2(n_samples), abs_tol=1e-6)
    return [
        f"Each point is one layer T at one epoch, {_of_networks(run.n_replicates)}:"
        " how many bits of T tell which input X came in, and how many tell its label Y."
        f" Measured on {view_words(run, view)}.",
        *([_CHANNEL_BY_CHANNEL] if view.channels == "mean" else []),
        *definition(estimator, n_samples),
        f"Dashed lines: H(X) = {f'log2 {n_samples:,} = ' if distinct else ''}{h_x:.2f} bits, all"
        f" that these samples can show, and H(Y) = {settings.h_y:.4f} bits{_soft(run.dataset)}. A"
        " point within half a bit of what so many samples can show is marked saturated: there they"
        " decide, not the network.",
        _EXACT if exact else _AT_A_RESOLUTION,
    ]


def _of_networks(n: int) -> str:
    return "of one network" if n == 1 else f"the mean of {n} networks"


_CHANNEL_BY_CHANNEL = (
    "Of a convolutional or pooling layer the point is that of its typical channel: every channel is"
    " measured by itself, and the mean over channels is drawn. The whole layer may know more."
)
_EXACT = (
    "The network is deterministic and rounds its activations: inputs that it merges are lost to it,"
    " and I(X;T) is what is left of H(X). A rise or fall of the curve is one of the network."
)
_AT_A_RESOLUTION = (
    "The network is deterministic: the true I(X;T) is infinite for continuous X, and for discrete X"
    " it is H(X), less where units are dead or rounding merges inputs. A rise or fall of the curve"
    " is a statement about T at this estimator's resolution; see Sensitivity for whether it lasts"
    " when the resolution changes."
)


def _soft(dataset: Dataset) -> str:
    if dataset.p_y_given_x is None:
        return ""
    return f"; the labels are noisy, and no layer can tell more than I(X;Y) = {dataset.i_xy:.4f}"
